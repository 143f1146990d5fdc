//! Neighbours that are down, refuse, hang, answer garbage, or take a request and lose the
//! answer. Every job ends or waits within its bound, says whose fault it is, and holds up
//! nobody else.

use std::time::Duration;

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::grpc::proto::kernel as wire;
use qrtx::os::clock::SystemClock;
use qrtx::os::config::Config;
use qrtx_testkit::neighbours::{
    CompilerDouble, DriverDouble, Evidence, Loss, Method, Served, Unserved, Whim, device,
};
use serde_json::json;
use tonic::Code;

use crate::circuits::{aqo, bell};
use crate::harness::{
    Client, Deployment, cancel, enqueue, events, finish, history, request, status, until,
};

fn compiler() -> CompilerDouble<SystemClock> {
    CompilerDouble::new(SystemClock::default())
}

fn driver() -> DriverDouble<SystemClock> {
    DriverDouble::new(SystemClock::default())
}

/// Bounds that a test can wait for.
fn brisk(config: &mut Config) {
    config.limits.validate_ms = 1_000;
    config.limits.compile_ms = 300;
    config.limits.compile_tries = 3;
    config.limits.execute_ms = 1_000;
    config.limits.call_ms = 300;
    config.limits.backoff_ms_base = 10;
    config.limits.backoff_ms_max = 100;
}

async fn compiling_with(url: String) -> Deployment {
    Deployment::new(|config| {
        brisk(config);
        config.compiler = Some(url);
    })
    .await
}

async fn driving_with(url: String) -> Deployment {
    Deployment::new(|config| {
        brisk(config);
        config.driver = Some(url);
    })
    .await
}

fn source(text: &str) -> wire::EnqueueJobRequest {
    let program_format = "eigen_lang_source".to_owned();
    wire::EnqueueJobRequest {
        program_format,
        ..request(text.as_bytes().to_vec())
    }
}

/// A circuit of gates that every driver takes.
fn flip() -> Vec<u8> {
    let turn = json!({ "op": "RX", "q": [0], "params": { "theta": std::f64::consts::PI } });
    aqo(1, vec![turn])
}

async fn failure(client: &mut Client, job_id: &str) -> wire::JobError {
    let results = finish(client, job_id).await;
    assert_eq!(results.state(), wire::TaskState::Failed, "{results:?}");
    results.error.unwrap()
}

/// The ledger of a job, as "delivered/wasted/not run/unknown" per attempt.
async fn ledger(client: &mut Client, job_id: &str) -> Vec<String> {
    let column = |e: wire::AttemptLedger| {
        assert_eq!(e.requested, e.delivered + e.wasted + e.not_run + e.unknown);
        format!("{}/{}/{}/{}", e.delivered, e.wasted, e.not_run, e.unknown)
    };
    history(client, job_id)
        .await
        .ledger
        .into_iter()
        .map(column)
        .collect()
}

#[tokio::test]
async fn a_compiler_that_is_down_fails_the_job_and_is_named() {
    let nobody = Unserved::new();
    let deployment = compiling_with(nobody.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, source("qubits=2")).await;
    let error = failure(&mut client, &job_id).await;
    assert_eq!(error.error_code, "CompileError");
    let says = |part: &str| {
        assert!(
            error.error_summary.contains(part),
            "{}",
            error.error_summary
        )
    };
    says(&nobody.url());
    says("cannot be reached");
    says("EIGEN_COMPILER_ENDPOINT");
    says("3 tries");
}

#[tokio::test]
async fn a_compiler_that_hangs_is_given_up_and_others_are_served_meanwhile() {
    let double = compiler();
    double.whims().always(Method::CompileCircuit, Whim::Hang);
    let served = Served::start(double.routes());
    let deployment = compiling_with(served.url()).await;
    let mut client = deployment.client().await;
    let hanging = enqueue(&mut client, source("qubits=2")).await;
    until(&mut client, &hanging, "Validated").await;
    let other = enqueue(&mut client, request(bell())).await;
    assert_eq!(
        finish(&mut client, &other).await.state(),
        wire::TaskState::Completed
    );
    assert_eq!(
        status(&mut client, &hanging).await.state(),
        wire::TaskState::Compiling
    );
    let error = failure(&mut client, &hanging).await;
    assert_eq!(error.error_code, "CompileError");
    assert!(
        error.error_summary.contains("did not answer within 0.3 s"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn what_a_compiler_says_of_a_program_reaches_the_client() {
    let served = Served::start(compiler().routes());
    let deployment = compiling_with(served.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, source("syntax error")).await;
    let error = failure(&mut client, &job_id).await;
    assert_eq!(error.error_code, "CompileError");
    assert!(
        error
            .error_summary
            .contains("EIGEN_COMPILER_VALIDATION_FAILED"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn senseless_answers_of_a_compiler_fail_the_job() {
    let double = compiler();
    let served = Served::start(double.routes());
    let deployment = compiling_with(served.url()).await;
    let mut client = deployment.client().await;
    for whim in [Whim::Garbage, Whim::EmptyCircuit] {
        double.whims().next(1, Method::CompileCircuit, whim.clone());
        let job_id = enqueue(&mut client, source("qubits=2")).await;
        let error = failure(&mut client, &job_id).await;
        assert_eq!(error.error_code, "CompileError", "{whim:?}");
    }
    for endpoint in [Served::garbage(), Served::silent()] {
        let deployment = compiling_with(endpoint.url()).await;
        let mut client = deployment.client().await;
        let job_id = enqueue(&mut client, source("qubits=2")).await;
        let error = failure(&mut client, &job_id).await;
        assert!(
            error.error_summary.contains(&endpoint.url()),
            "{}",
            error.error_summary
        );
    }
}

#[tokio::test]
async fn a_compiler_that_is_busy_is_asked_again_and_told_who_asks() {
    let double = compiler();
    let busy = Whim::refuse(Code::Unavailable, "warming up");
    double.whims().next(2, Method::CompileCircuit, busy);
    let served = Served::start(double.routes());
    let deployment = compiling_with(served.url()).await;
    let mut client = deployment.client().await;
    let mut asked = source("qubits=3");
    asked.traceparent = "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01".to_owned();
    asked.tenant_id = "acme".to_owned();
    let job_id = enqueue(&mut client, asked).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "{:?}",
        results.error
    );
    assert!(results.counts.keys().all(|bits| bits.len() == 3));
    let retried = events(&mut client, &job_id, 0).await;
    assert_eq!(
        retried
            .iter()
            .filter(|event| event.kind == "Retried")
            .count(),
        2
    );

    let calls = double.calls();
    let compiles = calls
        .iter()
        .filter(|call| call.method == Method::CompileCircuit);
    for call in compiles {
        let parent = call.header("traceparent").unwrap();
        assert!(
            parent.starts_with("00-e03dd7b000ae4e6780164115ebd986f8-"),
            "{parent}"
        );
        assert_eq!(call.header("x-eigen-tenant-id"), Some("acme"));
    }
    let validations = calls
        .iter()
        .filter(|call| call.method == Method::ValidateCircuit)
        .count();
    let job_id = enqueue(&mut client, source("qubits=2")).await;
    finish(&mut client, &job_id).await;
    let again = double
        .calls()
        .iter()
        .filter(|call| call.method == Method::ValidateCircuit)
        .count();
    assert_eq!((validations, again), (1, 1), "UNIMPLEMENTED is remembered");
}

#[tokio::test]
async fn a_compiler_that_can_validate_and_optimize_is_asked_to() {
    let double = compiler().with_validate().with_optimize();
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| {
        config.compiler = Some(served.url());
        config.optimize = true;
    })
    .await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, source("qubits=2")).await;
    assert_eq!(
        finish(&mut client, &job_id).await.state(),
        wire::TaskState::Completed
    );
    let methods: Vec<_> = double.calls().into_iter().map(|call| call.method).collect();
    let wanted = [
        Method::ValidateCircuit,
        Method::CompileCircuit,
        Method::OptimizeCircuit,
    ];
    assert_eq!(methods, wanted);
}

#[tokio::test]
async fn a_driver_that_was_never_reached_fails_jobs_after_its_bound() {
    let nobody = Unserved::new();
    let deployment = Deployment::new(|config| {
        brisk(config);
        config.driver = Some(nobody.url());
        config.limits.first_contact_ms = 400;
    })
    .await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    let error = failure(&mut client, &job_id).await;
    assert_eq!(error.error_code, "AllocationError");
    assert!(
        error.error_summary.contains(&nobody.url()),
        "{}",
        error.error_summary
    );
    assert!(
        error.error_summary.contains("DRIVER_MANAGER_ENDPOINT"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn a_driver_that_comes_late_or_comes_back_finds_the_jobs_waiting() {
    let double = driver();
    let served = Served::start(double.routes());
    let (address, url) = (served.addr, served.url());
    let deployment = driving_with(url).await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(flip())).await;
    assert_eq!(
        finish(&mut client, &first).await.state(),
        wire::TaskState::Completed
    );
    served.cut().await;

    let second = 'waits: loop {
        let id = enqueue(&mut client, request(flip())).await;
        loop {
            let told = status(&mut client, &id).await;
            // A call that was under way saw its connection break.
            let away = ["cannot be reached", "broke before"];
            if away.iter().any(|words| told.message.contains(words)) {
                break 'waits id;
            }
            match told.state() {
                wire::TaskState::Failed => panic!("{told:?}"),
                // Somebody still answered it: the next one waits.
                wire::TaskState::Completed => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let _served = Served::start_at(address, double.routes());
    let results = finish(&mut client, &second).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "{:?}",
        results.error
    );
}

#[tokio::test]
async fn a_device_that_is_away_is_waited_for() {
    let double = driver();
    double.set_status("sim:local", DeviceStatus::Calibrating);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    until(&mut client, &job_id, "Compiled").await;
    while !status(&mut client, &job_id)
        .await
        .message
        .contains("CALIBRATING")
    {
        tokio::task::yield_now().await;
    }
    double.set_status("sim:local", DeviceStatus::Online);
    assert_eq!(
        finish(&mut client, &job_id).await.state(),
        wire::TaskState::Completed
    );
}

#[tokio::test]
async fn gates_are_lowered_to_what_the_device_has_and_the_rest_is_refused() {
    let double = driver();
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "{:?}",
        results.error
    );
    let circuit = String::from_utf8(double.runs()[0].circuit.clone()).unwrap();
    assert!(!circuit.contains("\"H\""), "{circuit}");

    let reset = aqo(1, vec![json!({ "op": "RESET", "q": [0] })]);
    let job_id = enqueue(&mut client, request(reset)).await;
    let error = failure(&mut client, &job_id).await;
    assert_eq!(error.error_code, "CompileError");
    assert!(
        error.error_summary.contains("RESET"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn what_a_device_can_never_run_fails_at_once_though_it_is_away() {
    let small = device("qpu:small").capability("qubits", "2");
    let other = device("qpu:other").capability("formats", "QIR");
    let away = [small, other].map(|device| device.status(DeviceStatus::Maintenance));
    let double = driver().with_devices(away);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    for (target, qubits, missing) in [
        ("qpu:small", 3, "3 qubits, and the device has 2"),
        ("qpu:other", 1, "AQO_JSON, and the device takes QIR"),
    ] {
        let turn = json!({ "op": "RX", "q": [0], "params": { "theta": 1.0 } });
        let mut asked = request(aqo(qubits, vec![turn]));
        asked.target = target.to_owned();
        let job_id = enqueue(&mut client, asked).await;
        let error = failure(&mut client, &job_id).await;
        assert_eq!(error.error_code, "AllocationError");
        let summary = &error.error_summary;
        assert!(
            summary.contains(missing) && summary.contains(target),
            "{summary}"
        );
    }
    assert!(double.runs().is_empty());
}

#[tokio::test]
async fn a_driver_that_refuses_is_believed_and_no_shot_is_booked() {
    let double = driver();
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;

    double.whims().next(
        1,
        Method::ExecuteCircuit,
        Whim::refuse(Code::Unimplemented, "no such op"),
    );
    let job_id = enqueue(&mut client, request(flip())).await;
    let error = failure(&mut client, &job_id).await;
    assert_eq!(error.error_code, "ExecuteError");
    assert!(
        error.error_summary.contains("no such op"),
        "{}",
        error.error_summary
    );
    assert_eq!(ledger(&mut client, &job_id).await, ["0/0/1000/0"]);

    // "Retry in 5 s", for ever: the tries are bounded.
    let full = Whim::Refuse {
        code: Code::ResourceExhausted,
        message: "too many qubits".to_owned(),
        retry_ms: Some(20),
        evidence: Evidence::ErrorInfo,
    };
    double.whims().always(Method::ExecuteCircuit, full);
    let job_id = enqueue(&mut client, request(flip())).await;
    let error = failure(&mut client, &job_id).await;
    assert!(
        error.error_summary.contains("given up after 3 tries"),
        "{}",
        error.error_summary
    );
    assert_eq!(ledger(&mut client, &job_id).await, ["0/0/1000/0"; 3]);
    assert_eq!(double.runs().len(), 0);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_nothing_runs_twice() {
    let double = driver().with_control();
    for loss in [Loss::Reset, Loss::Unavailable, Loss::Silence] {
        let served = Served::start(double.routes());
        let deployment = driving_with(served.url()).await;
        let mut client = deployment.client().await;
        double
            .whims()
            .next(1, Method::ExecuteCircuit, Whim::RunThenLoseReply(loss));
        let job_id = enqueue(&mut client, request(flip())).await;
        let results = finish(&mut client, &job_id).await;
        assert_eq!(
            results.state(),
            wire::TaskState::Completed,
            "{loss:?} {:?}",
            results.error
        );
        assert_eq!(double.runs_of(&job_id).len(), 1, "{loss:?}");
        assert_eq!(
            ledger(&mut client, &job_id).await,
            ["1000/0/0/0"],
            "{loss:?}"
        );
    }
}

#[tokio::test]
async fn a_driver_that_tells_no_phases_is_asked_after_a_lost_answer_all_the_same() {
    let double = driver().with_control();
    double.set_takes(Duration::from_millis(300));
    let no_phases = Whim::refuse(Code::Unimplemented, "phases are not told here");
    double.whims().always(Method::WatchExecution, no_phases);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(flip())).await;
    finish(&mut client, &first).await;
    let watched = || {
        double
            .calls()
            .iter()
            .filter(|call| call.method == Method::WatchExecution)
            .count()
    };
    assert_eq!(
        watched(),
        1,
        "the first job found out that phases are not told"
    );
    let lost = Whim::RunThenLoseReply(Loss::Unavailable);
    double.whims().next(1, Method::ExecuteCircuit, lost);
    let job_id = enqueue(&mut client, request(flip())).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(results.state(), wire::TaskState::Completed);
    assert_eq!(ledger(&mut client, &job_id).await, ["1000/0/0/0"]);
    assert_eq!(watched(), 1);
}

#[tokio::test]
async fn a_request_that_never_arrived_is_proved_so_and_sent_again() {
    let double = driver().with_control();
    double.whims().next(1, Method::ExecuteCircuit, Whim::Hang);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "{:?}",
        results.error
    );
    assert_eq!(
        ledger(&mut client, &job_id).await,
        ["0/0/1000/0", "1000/0/0/0"]
    );
    assert_eq!(double.runs_of(&job_id).len(), 1);
}

#[tokio::test]
async fn without_a_way_to_ask_the_devices_policy_decides() {
    let qpu = device("qpu:ion").backend_type("qpu");
    let double = driver().with_devices([device("sim:local"), qpu]);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let lose = || Whim::RunThenLoseReply(Loss::Reset);

    double.whims().next(1, Method::ExecuteCircuit, lose());
    let simulated = enqueue(&mut client, request(flip())).await;
    assert_eq!(
        finish(&mut client, &simulated).await.state(),
        wire::TaskState::Completed
    );
    assert_eq!(
        ledger(&mut client, &simulated).await,
        ["0/0/0/1000", "1000/0/0/0"]
    );
    assert_eq!(
        double.runs_of(&simulated).len(),
        2,
        "running twice does a simulator no harm"
    );

    double.whims().next(1, Method::ExecuteCircuit, lose());
    let mut paid = request(flip());
    paid.target = "qpu:ion".to_owned();
    let paid = enqueue(&mut client, paid).await;
    let error = failure(&mut client, &paid).await;
    assert_eq!(error.error_code, "ExecuteError");
    assert!(
        error.error_summary.contains("not run again"),
        "{}",
        error.error_summary
    );
    assert_eq!(
        double.runs_of(&paid).len(),
        1,
        "paid shots are not bought twice"
    );
    assert_eq!(ledger(&mut client, &paid).await, ["0/0/0/1000"]);
}

#[tokio::test]
async fn counts_that_cannot_be_right_are_rejected_and_kept_to_be_looked_at() {
    let double = driver();
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    for whim in [Whim::WrongSum, Whim::NegativeCounts, Whim::WrongWidth] {
        double.whims().next(1, Method::ExecuteCircuit, whim.clone());
        let job_id = enqueue(&mut client, request(bell())).await;
        let error = failure(&mut client, &job_id).await;
        assert_eq!(error.error_code, "ExecuteError", "{whim:?}");
        assert!(
            error.error_summary.contains("cannot be right"),
            "{}",
            error.error_summary
        );
        assert_eq!(
            ledger(&mut client, &job_id).await,
            ["0/1000/0/0"],
            "{whim:?}"
        );
        assert!(
            deployment.folder(&job_id).join("rejected-1.json").exists(),
            "{whim:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_doubt() {
    let double = driver().with_control();
    double
        .whims()
        .next(1, Method::ExecuteCircuit, Whim::Garbage);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    assert_eq!(
        finish(&mut client, &job_id).await.state(),
        wire::TaskState::Completed
    );
    let seen = events(&mut client, &job_id, 0).await;
    assert!(seen.iter().any(|event| event.kind == "Doubted"));
    assert_eq!(double.runs_of(&job_id).len(), 1);
}

#[tokio::test]
async fn a_failure_the_driver_remembers_is_told_with_its_cost() {
    for (code, evidence) in [
        (Code::Internal, Evidence::Nothing),
        // By the driver's own word, but that is no refusal: shots may be gone.
        (Code::Aborted, Evidence::ErrorInfo),
    ] {
        let double = driver().with_control();
        let failed = Whim::RunThenFail(code, evidence);
        double.whims().next(1, Method::ExecuteCircuit, failed);
        let served = Served::start(double.routes());
        let deployment = driving_with(served.url()).await;
        let mut client = deployment.client().await;
        let job_id = enqueue(&mut client, request(flip())).await;
        let error = failure(&mut client, &job_id).await;
        assert_eq!(error.error_code, "ExecuteError");
        assert_eq!(ledger(&mut client, &job_id).await, ["0/1000/0/0"]);
    }
}

#[tokio::test]
async fn the_driver_is_told_which_execution_it_is_and_what_trace_it_is_in() {
    let double = driver();
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let mut traced = request(flip());
    traced.traceparent = "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01".to_owned();
    let job_id = enqueue(&mut client, traced).await;
    finish(&mut client, &job_id).await;
    let calls = double.calls();
    let call = calls
        .iter()
        .find(|call| call.method == Method::ExecuteCircuit)
        .unwrap();
    let parent = call.header("traceparent").unwrap();
    assert!(
        parent.starts_with("00-e03dd7b000ae4e6780164115ebd986f8-"),
        "{parent}"
    );
    assert_eq!(
        call.header("x-eigen-execution-id"),
        Some(format!("{job_id}#1").as_str())
    );
    assert!(
        call.header("x-eigen-fencing-token")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    assert_eq!(call.options.get("seed").map(String::as_str), Some("7"));
    let status = calls
        .iter()
        .find(|call| call.method == Method::GetDeviceStatus)
        .unwrap();
    assert!(status.header("traceparent").is_some());
}

#[tokio::test]
async fn a_cancel_says_whether_the_driver_confirmed_it() {
    let double = driver().with_control();
    double.set_takes(Duration::from_secs(60));
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| config.driver = Some(served.url())).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    double.started(1).await;
    let answer = cancel(&mut client, &job_id).await;
    assert_eq!(
        answer.receipt(),
        wire::CancelReceipt::StoppedOnDevice,
        "{answer:?}"
    );
    assert_eq!(answer.shots_used, Some(double.shots_fired_for(&job_id)));
}

#[tokio::test]
async fn a_driver_that_cannot_stop_keeps_its_slot_until_it_answers() {
    let double = driver();
    double.set_takes(Duration::from_millis(600));
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| {
        config.driver = Some(served.url());
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(flip())).await;
    double.started(1).await;
    let answer = cancel(&mut client, &first).await;
    assert_eq!(
        answer.receipt(),
        wire::CancelReceipt::StopUnconfirmed,
        "{answer:?}"
    );
    assert_eq!(answer.state(), wire::TaskState::Cancelled);

    let second = enqueue(&mut client, request(flip())).await;
    assert_eq!(
        finish(&mut client, &second).await.state(),
        wire::TaskState::Completed
    );
    assert_eq!(double.overlaps().len(), 0, "two jobs never share a slot");
    assert_eq!(
        ledger(&mut client, &first).await,
        ["0/1000/0/0"],
        "the late answer settles it"
    );
    assert_eq!(
        cancel(&mut client, &first).await,
        answer,
        "the first receipt stands"
    );
}

#[tokio::test]
async fn phases_that_a_device_reports_are_told() {
    let double = driver().with_control();
    double.set_takes(Duration::from_millis(300));
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| config.driver = Some(served.url())).await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(flip())).await;
    let seen = events(&mut client, &job_id, 0).await;
    let phases: Vec<_> = seen
        .iter()
        .filter(|event| event.kind == "PhaseReached")
        .map(|event| {
            event
                .phase()
                .as_str_name()
                .trim_start_matches("EXECUTION_PHASE_")
        })
        .collect();
    assert_eq!(phases, ["QUANTUM_RUNNING", "MEASURING", "POST_PROCESSING"]);
}

#[tokio::test]
async fn a_job_that_waited_in_vain_says_for_what() {
    let nobody = Unserved::new();
    let deployment = driving_with(nobody.url()).await;
    let mut client = deployment.client().await;
    let mut hurried = request(flip());
    hurried.timeout = Some(prost_types::Duration {
        seconds: 0,
        nanos: 300_000_000,
    });
    let job_id = enqueue(&mut client, hurried).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(results.state(), wire::TaskState::Timeout);
    let summary = results.error.unwrap().error_summary;
    assert!(summary.contains(&nobody.url()), "{summary}");
    assert!(summary.contains("DRIVER_MANAGER_ENDPOINT"), "{summary}");
}

#[tokio::test]
async fn the_slot_of_an_execution_is_kept_for_one_bound_and_not_two() {
    let double = driver().with_devices([device("qpu:ion").backend_type("qpu")]);
    double.whims().next(1, Method::ExecuteCircuit, Whim::Hang);
    let served = Served::start(double.routes());
    let deployment = driving_with(served.url()).await;
    let mut client = deployment.client().await;
    let mut paid = request(flip());
    paid.target = "qpu:ion".to_owned();
    let job_id = enqueue(&mut client, paid.clone()).await;
    failure(&mut client, &job_id).await;
    let next = enqueue(&mut client, paid).await;
    assert_eq!(
        finish(&mut client, &next).await.state(),
        wire::TaskState::Completed
    );

    let history = history(&mut client, &job_id).await;
    let at = |kind: &str| {
        let event = history.events.iter().find(|event| event.kind == kind);
        let at = event.unwrap().at.unwrap();
        at.seconds as f64 + f64::from(at.nanos) / 1e9
    };
    let kept = at("Settled") - at("Intended");
    assert!(
        kept < 1.9,
        "the bound is 1 s, and the slot was kept for {kept} s"
    );
}

#[tokio::test]
async fn a_drivers_own_late_failure_frees_the_slot_of_a_cancelled_job() {
    let double = driver();
    double.set_takes(Duration::from_millis(300));
    let fails = Whim::RunThenFail(Code::Internal, Evidence::ErrorInfo);
    double.whims().next(1, Method::ExecuteCircuit, fails);
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| {
        brisk(config);
        // Far beyond what this test takes: the slot must come back before.
        config.limits.execute_ms = 120_000;
        config.driver = Some(served.url());
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(flip())).await;
    double.started(1).await;
    let answer = cancel(&mut client, &first).await;
    assert_eq!(answer.receipt(), wire::CancelReceipt::StopUnconfirmed);
    let mut next = request(flip());
    next.timeout = Some(prost_types::Duration {
        seconds: 30,
        nanos: 0,
    });
    let next = enqueue(&mut client, next).await;
    assert_eq!(
        finish(&mut client, &next).await.state(),
        wire::TaskState::Completed
    );
    assert_eq!(ledger(&mut client, &first).await, ["0/0/0/1000"]);
}

#[tokio::test]
async fn whatever_a_cancel_races_its_receipt_agrees_with_the_ledger() {
    for askable in [true, false] {
        let double = match askable {
            true => driver().with_control(),
            false => driver(),
        };
        double.set_takes(Duration::from_millis(2));
        let served = Served::start(double.routes());
        let deployment = driving_with(served.url()).await;
        let mut client = deployment.client().await;
        for round in 0..60_u32 {
            let job_id = enqueue(&mut client, request(flip())).await;
            // A growing delay, made of nothing but turns of the runtime.
            for _ in 0..round * 4 {
                tokio::task::yield_now().await;
            }
            let answer = cancel(&mut client, &job_id).await;
            let results = finish(&mut client, &job_id).await;
            let told = format!("{answer:?} {:?}", results.state());
            if answer.receipt() == wire::CancelReceipt::TooLate {
                assert_eq!(results.state(), wire::TaskState::Completed, "{told}");
                assert_eq!(results.counts.values().sum::<i64>(), 1000, "{told}");
                continue;
            }
            assert_eq!(results.state(), wire::TaskState::Cancelled, "{told}");
            assert!(results.counts.is_empty(), "{told}");
            let fired = double.shots_fired_for(&job_id);
            match answer.receipt() {
                wire::CancelReceipt::NotStarted => assert_eq!(fired, 0, "{told}"),
                wire::CancelReceipt::StoppedOnDevice => {
                    assert_eq!(answer.shots_used, Some(fired), "{told}");
                }
                other => assert_eq!(other, wire::CancelReceipt::StopUnconfirmed, "{told}"),
            }
        }
    }
}
