use qrtx::grpc::proto::kernel::{
    CancelExecutionRequest, CancelExecutionResponse, ExecutionOutcome, GetExecutionRequest,
    GetExecutionResponse, WatchExecutionRequest,
};
use qrtx::ports::Clock as _;
use qrtx_testkit::neighbours::driver::End;
use qrtx_testkit::neighbours::{Evidence, Method, Whim};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{HOUR, JOB, Site, named, site};

const FIRST: &str = "job-1#1";
const SECOND: &str = "job-1#2";

impl Site {
    async fn get(&mut self, id: &str) -> GetExecutionResponse {
        let request = GetExecutionRequest {
            execution_id: id.to_owned(),
        };
        self.control
            .get_execution(request)
            .await
            .unwrap()
            .into_inner()
    }

    async fn cancel(&mut self, id: &str, fencing_token: u64) -> CancelExecutionResponse {
        let request = CancelExecutionRequest {
            execution_id: id.to_owned(),
            fencing_token,
        };
        self.control
            .cancel_execution(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Starts an execution of an hour, and gives the call.
    async fn start(&self, id: &str, token: u64) -> tokio::task::JoinHandle<Option<Code>> {
        self.driver.set_takes(HOUR);
        let runs = self.driver.runs().len();
        let (mut manager, request) = (self.manager.clone(), named(id, token));
        let call = tokio::spawn(async move {
            manager
                .execute_circuit(request)
                .await
                .err()
                .map(|status| status.code())
        });
        self.driver.started(runs + 1).await;
        call
    }
}

#[tokio::test]
async fn the_same_execution_is_answered_again_and_not_run_again() {
    let mut site = site(|driver| driver.with_control());
    let first = site
        .manager
        .execute_circuit(named(FIRST, 1))
        .await
        .unwrap()
        .into_inner();
    let again = site
        .manager
        .execute_circuit(named(FIRST, 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    assert_eq!(site.driver.runs_of(JOB).len(), 1);
    let got = site.get(FIRST).await;
    assert_eq!(
        (got.outcome(), got.shots_used),
        (ExecutionOutcome::Done, 100)
    );
    assert_eq!(got.result.unwrap().counts, first.counts);
}

#[tokio::test]
async fn what_ran_is_answered_also_when_its_device_has_gone_since() {
    let mut site = site(|driver| driver.with_control());
    let first = site.manager.execute_circuit(named(FIRST, 1)).await;
    site.driver.set_listed("sim:local", false);
    let again = site.manager.execute_circuit(named(FIRST, 1)).await;
    assert_eq!(first.unwrap().into_inner(), again.unwrap().into_inner());
    assert_eq!(site.driver.runs_of(JOB).len(), 1);
}

#[tokio::test]
async fn a_second_caller_joins_the_run_that_is_under_way() {
    let site = site(|driver| driver.with_control());
    let first = site.start(FIRST, 1).await;
    let mut manager = site.manager.clone();
    let second = tokio::spawn(async move { manager.execute_circuit(named(FIRST, 1)).await });
    site.driver.called(Method::ExecuteCircuit, 2).await;
    site.clock.advance(HOUR);
    assert_eq!(first.await.unwrap(), None);
    second.await.unwrap().unwrap();
    assert_eq!(site.driver.runs().len(), 1);
}

#[tokio::test]
async fn an_execution_that_arrives_after_its_tombstone_is_refused() {
    let mut site = site(|driver| driver.with_control());
    for _ in 0..2 {
        let buried = site.cancel(FIRST, 1).await;
        assert_eq!(buried.outcome(), ExecutionOutcome::Cancelled);
        assert!(buried.never_started);
    }
    // A tombstone is durable.
    site.driver.forget();
    let refused = site
        .manager
        .execute_circuit(named(FIRST, 1))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.get_details_error_info().is_some());
    assert!(site.driver.runs().is_empty());
    assert_eq!(site.get(FIRST).await.outcome(), ExecutionOutcome::Cancelled);
}

#[tokio::test]
async fn a_stale_token_is_refused_for_its_job_only() {
    let mut site = site(|driver| driver.with_control());
    site.manager
        .execute_circuit(named(SECOND, 2))
        .await
        .unwrap();
    let stale = site
        .manager
        .execute_circuit(named(FIRST, 1))
        .await
        .unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let mut other = named("job-2#1", 1);
    other.get_mut().job_id = "job-2".to_owned();
    site.manager.execute_circuit(other).await.unwrap();
    assert_eq!(site.driver.runs_of(JOB).len(), 1);
}

#[tokio::test]
async fn a_newer_tombstone_refuses_older_executions_of_the_job() {
    let mut site = site(|driver| driver.with_control());
    site.cancel(SECOND, 2).await;
    let stale = site
        .manager
        .execute_circuit(named(FIRST, 1))
        .await
        .unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_cancel_stops_the_run_and_tells_what_it_cost() {
    let mut site = site(|driver| driver.with_control());
    let call = site.start(FIRST, 1).await;
    site.clock.advance(HOUR / 4);
    assert_eq!(site.get(FIRST).await.outcome(), ExecutionOutcome::Running);
    let stopped = site.cancel(FIRST, 1).await;
    assert_eq!(
        (stopped.outcome(), stopped.shots_used),
        (ExecutionOutcome::Cancelled, 25)
    );
    assert!(!stopped.never_started);
    assert_eq!(call.await.unwrap(), Some(Code::Cancelled));

    site.clock.advance(HOUR);
    let run = &site.driver.runs()[0];
    assert_eq!((run.end, run.shots_fired), (End::Stopped, 25));
    assert_eq!(run.ended, Some(run.started + HOUR / 4));
}

#[tokio::test]
async fn a_run_that_cannot_be_stopped_ends_by_itself() {
    let mut site = site(|driver| driver.with_control().unstoppable());
    let call = site.start(FIRST, 1).await;
    assert_eq!(
        site.cancel(FIRST, 1).await.outcome(),
        ExecutionOutcome::Running
    );
    site.clock.advance(HOUR);
    assert_eq!(call.await.unwrap(), None);
    assert_eq!(
        site.cancel(FIRST, 1).await.outcome(),
        ExecutionOutcome::Done
    );
}

#[tokio::test]
async fn a_restart_forgets_executions_and_says_so() {
    let mut site = site(|driver| driver.with_control());
    let born = site.clock.now();
    site.manager.execute_circuit(named(FIRST, 1)).await.unwrap();
    let seconds = |answer: &GetExecutionResponse| answer.remembers_since.unwrap().seconds;
    assert_eq!(seconds(&site.get(FIRST).await), born.0 / 1_000_000);
    site.clock.advance(HOUR);
    site.driver.forget();
    let got = site.get(FIRST).await;
    assert_eq!(got.outcome(), ExecutionOutcome::NotFound);
    assert_eq!(seconds(&got), (born + HOUR).0 / 1_000_000);
    site.manager.execute_circuit(named(FIRST, 1)).await.unwrap();
    assert_eq!(site.driver.runs_of(JOB).len(), 2);
}

#[tokio::test]
async fn a_failure_after_the_run_is_remembered_with_its_shots() {
    let mut site = site(|driver| driver.with_control());
    let whim = Whim::RunThenFail(Code::Internal, Evidence::ErrorInfo);
    site.driver.whims().next(1, Method::ExecuteCircuit, whim);
    for _ in 0..2 {
        let failed = site
            .manager
            .execute_circuit(named(FIRST, 1))
            .await
            .unwrap_err();
        assert_eq!(failed.code(), Code::Internal);
    }
    let got = site.get(FIRST).await;
    assert_eq!(
        (got.outcome(), got.shots_used),
        (ExecutionOutcome::Failed, 100)
    );
    assert_eq!(site.driver.shots_fired_for(JOB), 100);
}

#[tokio::test]
async fn phases_are_told_as_they_come_and_the_stream_ends_with_the_run() {
    let mut site = site(|driver| driver.with_control());
    let call = site.start(FIRST, 1).await;
    let request = WatchExecutionRequest {
        execution_id: FIRST.to_owned(),
    };
    let mut phases = site
        .control
        .watch_execution(request)
        .await
        .unwrap()
        .into_inner();
    let mut seen = Vec::new();
    while let Some(told) = phases.message().await.unwrap() {
        seen.push((told.phase, told.shots_used));
        site.clock.advance(HOUR / 2);
    }
    let told = [
        ("QUANTUM_INITIALIZING", 0),
        ("QUANTUM_RUNNING", 50),
        ("MEASURING", 100),
    ];
    assert_eq!(seen, told.map(|(phase, shots)| (phase.to_owned(), shots)));
    assert_eq!(call.await.unwrap(), None);
    let unknown = WatchExecutionRequest {
        execution_id: SECOND.to_owned(),
    };
    let refused = site.control.watch_execution(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn control_is_not_implemented_unless_switched_on() {
    let mut site = site(|driver| driver);
    let request = GetExecutionRequest {
        execution_id: FIRST.to_owned(),
    };
    let refused = site.control.get_execution(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
