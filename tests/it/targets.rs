//! Jobs for a class of devices: the one that fits and is free first runs them, and what none of
//! them can ever run fails at once.

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::grpc::proto::kernel as wire;
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{DriverDouble, Method, Served, device};
use serde_json::json;
use std::time::Duration;

use crate::circuits::{aqo, bell};
use crate::harness::{
    Client, Deployment, cancel, enqueue, finish, history, request, status, until,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs take an hour on the clock of the double, which stands still unless it is moved.
fn driver<const N: usize>(
    devices: [qrtx_testkit::neighbours::driver::DeviceSketch; N],
) -> (DriverDouble<HandClock>, HandClock) {
    let clock = HandClock::default();
    let double = DriverDouble::new(clock.clone()).with_devices(devices);
    double.set_takes(HOUR);
    (double, clock)
}

async fn deployed(served: &Served) -> Deployment {
    Deployment::new(|config| {
        config.driver = Some(served.url());
        config.limits.device_slots = 1;
        config.limits.simulator_slots = 1;
    })
    .await
}

fn asked(target: &str, program: Vec<u8>) -> wire::EnqueueJobRequest {
    wire::EnqueueJobRequest {
        target: target.to_owned(),
        ..request(program)
    }
}

async fn explained(client: &mut Client, job: &str) -> wire::ExplainJobResponse {
    let job_id = job.to_owned();
    let answer = client.explain_job(wire::ExplainJobRequest { job_id }).await;
    answer.unwrap().into_inner()
}

/// What is told of a job once it stands in the queue of its devices.
async fn explained_in_queue(client: &mut Client, job: &str) -> wire::ExplainJobResponse {
    loop {
        let told = explained(client, job).await;
        if told.queue.is_some() {
            return told;
        }
        tokio::task::yield_now().await;
    }
}

async fn queue_depths(client: &mut Client) -> Vec<u32> {
    let listed = client
        .list_devices(wire::ListDevicesRequest {})
        .await
        .unwrap();
    let devices = listed.into_inner().devices;
    devices.iter().map(|device| device.queue_depth).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_a_class_runs_on_the_device_that_is_free_first() {
    let (double, clock) = driver(["sim:a", "sim:b", "qpu:c"].map(device));
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(enqueue(&mut client, asked("sim:*", bell())).await);
    }
    double.started(2).await;
    let mut used = Vec::new();
    for job in &running {
        used.push(status(&mut client, job).await.device_id);
    }
    used.sort();
    assert_eq!(used, ["sim:a", "sim:b"], "each has one slot");

    let waiting = enqueue(&mut client, asked("sim:*", bell())).await;
    until(&mut client, &waiting, "Compiled").await;
    let told = loop {
        let told = explained(&mut client, &waiting).await;
        if told.reasons.len() == 2 {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told.queue.unwrap().waits_for, "sim:*");
    let causes: Vec<_> = told.reasons.iter().map(wire::WaitReason::cause).collect();
    assert_eq!(
        causes,
        [wire::WaitCause::DeviceSlot; 2],
        "{:?}",
        told.reasons
    );
    let told = status(&mut client, &waiting).await;
    assert_eq!((&*told.target, &*told.device_id), ("sim:*", ""));
    assert!(
        told.message
            .starts_with("waits for sim:*: 1 of 1 slots of sim:"),
        "{told:?}"
    );
    // By their names: qpu:c, sim:a, sim:b. Each that may run it counts it.
    assert_eq!(queue_depths(&mut client).await, [0, 1, 1]);

    cancel(&mut client, &running[0]).await;
    clock.advance(HOUR);
    double.started(3).await;
    clock.advance(HOUR);
    finish(&mut client, &waiting).await;
    let runs = double.runs_of(&waiting);
    assert_eq!(runs.len(), 1, "it ran once");
    let told = status(&mut client, &waiting).await;
    assert!(used.contains(&told.device_id), "{told:?}");
    assert_eq!(queue_depths(&mut client).await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_device_of_a_class_can_run_fails_at_once_and_says_what_each_lacks() {
    let away = |id: &str| device(id).status(DeviceStatus::Offline);
    let (double, _) = driver([
        away("sim:small").capability("qubits", "2"),
        away("sim:other").capability("formats", "QIR"),
        device("qpu:big")
            .backend_type("ion")
            .capability("qubits", "99"),
    ]);
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let turn = json!({ "op": "RX", "q": [0], "params": { "theta": 1.0 } });
    let mut summaries = Vec::new();
    for target in ["sim:*", "backend:simulator", "backend:photon"] {
        let job = enqueue(&mut client, asked(target, aqo(5, vec![turn.clone()]))).await;
        let error = finish(&mut client, &job).await.error.unwrap();
        assert_eq!(error.error_code, "AllocationError");
        summaries.push(error.error_summary);
    }
    for summary in &summaries[..2] {
        for lack in [
            "sim:small can not run it: the circuit has 5 qubits, and the device has 2",
            "sim:other can not run it: the circuit is AQO_JSON, and the device takes QIR",
        ] {
            assert!(summary.contains(lack), "{summary}");
        }
        assert!(!summary.contains("qpu:big"), "{summary}");
    }
    let nobody =
        "no device is meant by \"backend:photon\"; there are: qpu:big, sim:other, sim:small";
    assert!(summaries[2].contains(nobody), "{}", summaries[2]);
    assert!(double.runs().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_the_one_device_of_its_class_that_fits_also_after_a_restart() {
    let (double, clock) = driver([
        device("sim:small").capability("qubits", "2"),
        device("sim:big")
            .capability("qubits", "9")
            .status(DeviceStatus::Calibrating),
    ]);
    let served = Served::start(double.routes());
    let mut deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let turn = json!({ "op": "RX", "q": [4], "params": { "theta": 1.0 } });
    let job = enqueue(&mut client, asked("*", aqo(5, vec![turn]))).await;
    until(&mut client, &job, "Compiled").await;
    for _ in 0..2 {
        let told = loop {
            let told = explained(&mut client, &job).await;
            if !told.reasons.is_empty() && told.queue.is_some() {
                break told;
            }
            tokio::task::yield_now().await;
        };
        let sentences: Vec<_> = told.reasons.iter().map(|it| &*it.message).collect();
        assert_eq!(sentences, ["sim:big is CALIBRATING"]);
        deployment.stop().await;
        deployment.start().await;
        client = deployment.client().await;
    }
    double.set_status("sim:big", DeviceStatus::Online);
    double.started(1).await;
    clock.advance(HOUR);
    finish(&mut client, &job).await;
    assert_eq!(status(&mut client, &job).await.device_id, "sim:big");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_runs_only_where_there_is_what_its_client_requires_also_after_a_restart() {
    let (double, clock) = driver([
        device("sim:large").capability("qubits", "20"),
        device("sim:silent"),
        device("sim:small").capability("qubits", "5"),
    ]);
    double.set_status("sim:large", DeviceStatus::Maintenance);
    let served = Served::start(double.routes());
    let mut deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let jobs = ["sim:*?qubits=6", "sim:large?qubits=20&ops=cnot"].map(|it| asked(it, bell()));
    let mut waiting = Vec::new();
    for job in jobs {
        waiting.push(enqueue(&mut client, job).await);
    }
    for job in &waiting {
        until(&mut client, job, "Compiled").await;
    }
    deployment.stop().await;
    deployment.start().await;
    client = deployment.client().await;
    for job in &waiting {
        let told = explained_in_queue(&mut client, job).await;
        let sentences: Vec<_> = told.reasons.iter().map(|it| &*it.message).collect();
        assert_eq!(sentences, ["sim:large is MAINTENANCE"]);
    }
    // Idle devices beside it are no reason to run a job where it must not.
    assert!(double.runs().is_empty());
    double.set_status("sim:large", DeviceStatus::Online);
    for (number, job) in waiting.iter().enumerate() {
        double.started(number + 1).await;
        clock.advance(HOUR);
        finish(&mut client, job).await;
        assert_eq!(status(&mut client, job).await.device_id, "sim:large");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_requires_and_no_device_has_fails_before_anything_is_compiled() {
    let (double, _) = driver([
        device("sim:silent"),
        device("sim:small").capability("qubits", "5"),
    ]);
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let mut told = Vec::new();
    for target in [
        "*?qubits=6",
        "sim:small?ops=CX,CCX",
        "*?formats=QASM3",
        "sim:else?qubits=1",
    ] {
        let job = enqueue(&mut client, asked(target, bell())).await;
        let error = finish(&mut client, &job).await.error.unwrap();
        assert_eq!(error.error_code, "AllocationError");
        let events = history(&mut client, &job).await.events;
        assert!(!events.iter().any(|event| event.kind == "Validated"));
        told.push(format!("{target}\n    {}", error.error_summary));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    *?qubits=6
        sim:silent can not run it: the job asks for 6 qubits, and the device does not tell a number; sim:small can not run it: the job asks for 6 qubits, and the device has 5
    sim:small?ops=CX,CCX
        sim:small can not run it: the job asks for the operations CCX, which the device does not have
    *?formats=QASM3
        sim:silent can not run it: the job asks for the formats QASM3, which the device does not have; sim:small can not run it: the job asks for the formats QASM3, which the device does not have
    sim:else?qubits=1
        no device is meant by "sim:else?qubits=1"; there are: sim:silent, sim:small
    "#);
    let unreadable = asked("*?qubits", bell());
    let refused = client.enqueue_job(unreadable).await.unwrap_err();
    insta::assert_snapshot!(refused.message(), @r#"the request is not valid: target in "*?qubits", "qubits" has no =; it may be qubits=20&ops=CX,RZ&formats=AQO"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_leaves_out_for_a_while_is_no_reason_to_fail_a_job_that_waits_for_it() {
    let (double, clock) = driver([device("sim:a")
        .capability("qubits", "20")
        .status(DeviceStatus::Calibrating)]);
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let job = enqueue(&mut client, asked("*?qubits=20", bell())).await;
    until(&mut client, &job, "Compiled").await;
    double.set_capability("sim:a", "qubits", None);
    // The first list after it was silent, whenever that is asked for, and one more.
    let lists = || {
        double
            .calls()
            .iter()
            .filter(|it| it.method == Method::ListDevices)
            .count()
    };
    let before = lists();
    double.called(Method::ListDevices, before + 2).await;
    assert_eq!(
        status(&mut client, &job).await.state(),
        wire::TaskState::Queued
    );
    double.set_status("sim:a", DeviceStatus::Online);
    double.started(1).await;
    clock.advance(HOUR);
    let results = finish(&mut client, &job).await;
    assert_eq!(results.state(), wire::TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_a_device_that_is_not_listed_yet_when_the_kernel_starts_again() {
    let (double, clock) = driver([
        device("sim:a").status(DeviceStatus::Calibrating),
        device("sim:b"),
    ]);
    let served = Served::start(double.routes());
    let mut deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    let job = enqueue(&mut client, asked("sim:a", bell())).await;
    until(&mut client, &job, "Compiled").await;
    deployment.stop().await;
    double.set_listed("sim:a", false);
    deployment.start().await;
    client = deployment.client().await;
    let told = loop {
        let told = status(&mut client, &job).await;
        if told.message.contains("sim:b") {
            break told;
        }
        tokio::task::yield_now().await;
    };
    insta::assert_snapshot!(told.message, @"waits for sim:a: there is no device sim:a; there are: sim:b");
    let told = explained(&mut client, &job).await;
    assert_eq!(told.reasons[0].cause(), wire::WaitCause::DeviceGone);
    double.set_status("sim:a", DeviceStatus::Online);
    double.set_listed("sim:a", true);
    double.started(1).await;
    clock.advance(HOUR);
    let results = finish(&mut client, &job).await;
    assert_eq!(results.state(), wire::TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_names_what_is_against_each_device_of_a_class_as_explain_does() {
    let (double, _) = driver([
        device("sim:a"),
        device("sim:b")
            .capability("slots", "4")
            .status(DeviceStatus::Maintenance),
    ]);
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    enqueue(&mut client, asked("sim:a", bell())).await;
    double.started(1).await;
    let job = enqueue(&mut client, asked("sim:*", bell())).await;
    until(&mut client, &job, "Compiled").await;
    let told = explained_in_queue(&mut client, &job).await;
    let sentences: Vec<_> = told.reasons.iter().map(|it| &*it.message).collect();
    insta::assert_snapshot!(sentences.join("; "), @"sim:b is MAINTENANCE; 1 of 1 slots of sim:a are taken");
    insta::assert_snapshot!(status(&mut client, &job).await.message, @"waits for sim:*: sim:b is MAINTENANCE; 1 of 1 slots of sim:a are taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_is_made_of_what_the_devices_have_in_common_or_else_of_what_one_has() {
    let (double, clock) = driver([
        device("sim:cx").capability("ops", "RX,RY,RZ,CX,MEASURE"),
        device("sim:cz").capability("ops", "RX,RY,RZ,CZ,MEASURE"),
    ]);
    double.set_takes(Duration::ZERO);
    let served = Served::start(double.routes());
    let deployment = deployed(&served).await;
    let mut client = deployment.client().await;
    clock.advance(HOUR);
    // Turns alone are in common: whoever is free runs them.
    let turn = json!({ "op": "RX", "q": [0], "params": { "theta": 1.0 } });
    let job = enqueue(&mut client, asked("sim:*", aqo(1, vec![turn]))).await;
    finish(&mut client, &job).await;
    // Without a gate of two qubits in common, one device's own is taken, and that device.
    for _ in 0..2 {
        let job = enqueue(&mut client, asked("sim:*", bell())).await;
        let results = finish(&mut client, &job).await;
        assert_eq!(results.state(), wire::TaskState::Completed, "{results:?}");
        let events = history(&mut client, &job).await.events;
        let compiled = events
            .iter()
            .find(|event| event.kind == "Compiled")
            .unwrap();
        let gate = if compiled.detail_json.contains("\"CX\"") {
            "cx"
        } else {
            "cz"
        };
        assert_eq!(
            results.device_id,
            format!("sim:{gate}"),
            "{}",
            compiled.detail_json
        );
    }
}
