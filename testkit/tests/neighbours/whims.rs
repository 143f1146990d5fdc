use std::time::Duration;

use qrtx::grpc::proto::internal::{
    CompileCircuitRequest, CompileCircuitResponse, CompileJobRequest, ExecuteCircuitRequest,
    ExecuteCircuitResponse, ListDevicesRequest,
};
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{CompilerDouble, Evidence, Loss, Method, Rule, Scope, Served, Whim};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{HOUR, JOB, Site, compiler_at, order, site};

/// The first execution on a driver with one whim.
async fn execute(whim: Whim) -> (Site, Result<ExecuteCircuitResponse, Status>) {
    let mut site = site(|driver| driver);
    site.driver.whims().next(1, Method::ExecuteCircuit, whim);
    let answer = site
        .manager
        .execute_circuit(order())
        .await
        .map(tonic::Response::into_inner);
    assert!(site.driver.whims().left().is_empty());
    (site, answer)
}

#[tokio::test]
async fn a_refusal_comes_before_any_run_with_or_without_evidence() {
    for evidence in [Evidence::ErrorInfo, Evidence::Nothing] {
        for retry_ms in [None, Some(250)] {
            let (code, message) = (Code::Aborted, "not now".to_owned());
            let (site, answer) = execute(Whim::Refuse {
                code,
                message,
                retry_ms,
                evidence,
            })
            .await;
            let refused = answer.unwrap_err();
            assert_eq!(
                (refused.code(), refused.message()),
                (Code::Aborted, "not now")
            );
            let told = refused.get_details_error_info().is_some();
            assert_eq!(told, evidence == Evidence::ErrorInfo);
            let after = refused
                .get_details_retry_info()
                .and_then(|info| info.retry_delay);
            assert_eq!(after, retry_ms.map(Duration::from_millis));
            assert!(site.driver.runs().is_empty());
        }
    }
}

#[tokio::test]
async fn a_hanging_call_does_nothing_until_the_caller_gives_up() {
    let site = site(|driver| driver);
    site.driver
        .whims()
        .always(Method::ExecuteCircuit, Whim::Hang);
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.called(Method::ExecuteCircuit, 1).await;
    site.clock.advance(HOUR);
    assert!(!call.is_finished());
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(site.driver.runs().is_empty());
}

#[tokio::test]
async fn a_delay_passes_on_the_clock_of_the_double() {
    let site = site(|driver| driver);
    let hour_ms = u64::try_from(HOUR.as_millis()).unwrap();
    site.driver
        .whims()
        .next(1, Method::ExecuteCircuit, Whim::Delay(hour_ms));
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.called(Method::ExecuteCircuit, 1).await;
    assert!(site.driver.runs().is_empty());
    // The call may not have looked at the clock yet.
    while !call.is_finished() {
        site.clock.advance(HOUR);
        tokio::task::yield_now().await;
    }
    call.await.unwrap().unwrap();
    assert_eq!(site.driver.runs().len(), 1);
}

#[tokio::test]
async fn garbage_does_not_decode_though_the_device_ran() {
    let (site, answer) = execute(Whim::Garbage).await;
    let undecodable = answer.unwrap_err();
    assert_eq!(undecodable.code(), Code::Internal, "{undecodable}");
    assert!(undecodable.get_details_error_info().is_none());
    assert_eq!(site.driver.shots_fired_for(JOB), 100);
}

#[tokio::test]
async fn a_lost_reply_proves_nothing_though_the_device_ran() {
    for loss in [Loss::Reset, Loss::Unavailable] {
        let (site, answer) = execute(Whim::RunThenLoseReply(loss)).await;
        let lost = answer.unwrap_err();
        assert!(lost.get_details_error_info().is_none(), "{lost}");
        assert_eq!(site.driver.shots_fired_for(JOB), 100);
    }
    let site = site(|driver| driver);
    site.driver.whims().next(
        1,
        Method::ExecuteCircuit,
        Whim::RunThenLoseReply(Loss::Silence),
    );
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.started(1).await;
    assert_eq!(site.driver.shots_fired_for(JOB), 100);
    assert!(!call.is_finished());
    call.abort();
}

#[tokio::test]
async fn a_run_may_be_said_to_have_failed() {
    let (site, answer) = execute(Whim::RunThenFail(Code::Unknown, Evidence::Nothing)).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unknown);
    assert_eq!(site.driver.shots_fired_for(JOB), 100);
}

#[tokio::test]
async fn counts_may_be_wrong_in_sum_sign_or_width_while_the_ledger_has_the_truth() {
    let sum = |counts: &ExecuteCircuitResponse| counts.counts.values().sum::<i64>();
    for whim in [Whim::WrongSum, Whim::NegativeCounts, Whim::WrongWidth] {
        let (site, answer) = execute(whim.clone()).await;
        let answer = answer.unwrap();
        let negative = answer.counts.values().any(|shots| *shots < 0);
        let wide = answer.counts.keys().all(|key| key.len() == 3);
        assert_eq!(sum(&answer) != 100, whim == Whim::WrongSum);
        assert_eq!(negative, whim == Whim::NegativeCounts);
        assert_eq!(wide, whim == Whim::WrongWidth);
        assert_eq!(site.driver.runs()[0].counts.values().sum::<i64>(), 100);
    }
}

#[tokio::test]
async fn an_answer_may_be_another_jobs() {
    let mut site = site(|driver| driver);
    let other = ExecuteCircuitRequest {
        job_id: "job-2".to_owned(),
        shots: 7,
        ..order()
    };
    let other = site
        .manager
        .execute_circuit(other)
        .await
        .unwrap()
        .into_inner();
    site.driver.whims().for_job(JOB, Whim::AnswerForAnotherJob);
    let answer = site
        .manager
        .execute_circuit(order())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.counts, other.counts);
}

#[tokio::test]
async fn a_huge_answer_is_too_much_for_a_client_with_a_bound_and_readable_without() {
    let mut site = site(|driver| driver);
    site.driver
        .whims()
        .always(Method::ListDevices, Whim::HugeAnswer(5 << 20));
    let refused = site
        .manager
        .list_devices(ListDevicesRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    let mut roomy = site.manager.clone().max_decoding_message_size(6 << 20);
    let listed = roomy
        .list_devices(ListDevicesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.devices.len(), 3);
}

#[tokio::test]
async fn a_rule_is_used_as_often_as_it_says_and_only_where_it_fits() {
    let mut site = site(|driver| driver);
    let whims = site.driver.whims();
    let refuse = Whim::refuse(Code::Unavailable, "busy");
    let scope = Scope::job(JOB).on(Method::ExecuteCircuit);
    whims.add(Rule {
        scope,
        times: Some(2),
        whim: refuse,
    });
    whims.add(Rule {
        scope: Scope::default(),
        times: Some(1),
        whim: Whim::EmptyCircuit,
    });
    let other = || ExecuteCircuitRequest {
        job_id: "job-2".to_owned(),
        ..order()
    };
    site.manager.execute_circuit(other()).await.unwrap();
    site.manager.execute_circuit(order()).await.unwrap_err();
    site.manager.execute_circuit(other()).await.unwrap();
    site.manager.execute_circuit(order()).await.unwrap_err();
    site.manager.execute_circuit(order()).await.unwrap();
    assert_eq!(site.driver.whims().left().len(), 1);
    site.driver.whims().clear();
    assert!(site.driver.whims().left().is_empty());
}

/// The first compilation by a compiler with one whim.
async fn compile(whim: Whim) -> Result<CompileCircuitResponse, Status> {
    let double = CompilerDouble::new(HandClock::default());
    double.whims().next(1, Method::CompileCircuit, whim);
    let served = Served::start(double.routes());
    let request = CompileCircuitRequest {
        language: "eigen-lang".to_owned(),
        source: b"qubits=2".to_vec(),
        ..CompileCircuitRequest::default()
    };
    compiler_at(&served)
        .compile_circuit(request)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_compiler_has_whims_too() {
    let empty = compile(Whim::EmptyCircuit).await.unwrap();
    assert!(empty.circuit.unwrap().data.is_empty());
    assert_eq!(
        compile(Whim::Garbage).await.unwrap_err().code(),
        Code::Internal
    );
    let huge = compile(Whim::HugeAnswer(5 << 20)).await.unwrap_err();
    assert_eq!(huge.code(), Code::OutOfRange);
    let refused = compile(Whim::refuse(Code::Unavailable, "busy"))
        .await
        .unwrap_err();
    assert_eq!(
        refused.get_details_error_info().unwrap().domain,
        "eigen.compiler"
    );

    let double = CompilerDouble::new(HandClock::default());
    double.whims().for_job(JOB, Whim::AnswerForAnotherJob);
    let served = Served::start(double.routes());
    let request = CompileJobRequest {
        job_id: JOB.to_owned(),
        language: "eigen-lang".to_owned(),
        source: b"qubits=2".to_vec(),
        ..CompileJobRequest::default()
    };
    let answer = compiler_at(&served)
        .compile_job(request)
        .await
        .unwrap()
        .into_inner();
    assert_ne!(answer.job_id, JOB);
}
