//! Cancels and what they are told.

use std::time::Instant;

use qrtx::grpc::proto::kernel as wire;

use crate::circuits::{bell, endless};
use crate::harness::{Deployment, cancel, enqueue, finish, history, request, status, until};

#[tokio::test]
async fn a_running_simulation_is_stopped_and_the_receipt_says_so() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut long = request(endless());
    long.shots = Some(1_000_000);
    let job_id = enqueue(&mut client, long).await;
    until(&mut client, &job_id, "PhaseReached").await;

    let asked = Instant::now();
    let answer = cancel(&mut client, &job_id).await;
    assert_eq!(
        answer.receipt(),
        wire::CancelReceipt::StoppedOnDevice,
        "{answer:?}"
    );
    assert_eq!(answer.state(), wire::TaskState::Cancelled);
    assert!(answer.shots_used.unwrap() < 1_000_000);
    assert!(asked.elapsed().as_secs() < 3);
    assert_eq!(
        cancel(&mut client, &job_id).await,
        answer,
        "a repeated cancel is told the same"
    );

    let error = finish(&mut client, &job_id).await.error.unwrap();
    assert_eq!(error.error_code, "CANCELLED");
    let ledger = history(&mut client, &job_id).await.ledger;
    assert_eq!(ledger[0].requested, ledger[0].wasted + ledger[0].not_run);
}

#[tokio::test]
async fn a_job_that_waits_for_a_slot_is_cancelled_before_it_starts() {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(endless())).await;
    until(&mut client, &first, "PhaseReached").await;
    let second = enqueue(&mut client, request(bell())).await;
    until(&mut client, &second, "Compiled").await;
    let waiting = status(&mut client, &second).await;
    assert_eq!(waiting.state(), wire::TaskState::Queued);
    assert!(
        waiting
            .message
            .contains("1 of 1 slots of sim:local are taken"),
        "{}",
        waiting.message
    );

    let answer = cancel(&mut client, &second).await;
    assert_eq!(answer.receipt(), wire::CancelReceipt::NotStarted);
    cancel(&mut client, &first).await;
    let third = enqueue(&mut client, request(bell())).await;
    let results = finish(&mut client, &third).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "the slot is free again"
    );
}

#[tokio::test]
async fn cancelling_an_ended_job_is_too_late_and_changes_nothing() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let before = finish(&mut client, &job_id).await;
    let answer = cancel(&mut client, &job_id).await;
    assert_eq!(answer.receipt(), wire::CancelReceipt::TooLate);
    assert_eq!(answer.state(), wire::TaskState::Completed);
    assert_eq!(finish(&mut client, &job_id).await, before);
}

#[tokio::test]
async fn a_deadline_ends_a_running_job_and_frees_its_slot() {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = deployment.client().await;
    let mut long = request(endless());
    long.timeout = Some(prost_types::Duration {
        seconds: 0,
        nanos: 300_000_000,
    });
    let job_id = enqueue(&mut client, long).await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(results.state(), wire::TaskState::Timeout);
    let error = results.error.unwrap();
    assert_eq!(error.error_code, "DEADLINE_EXCEEDED");
    assert!(
        error.error_summary.contains("0.3 s"),
        "{}",
        error.error_summary
    );

    let next = enqueue(&mut client, request(bell())).await;
    assert_eq!(
        finish(&mut client, &next).await.state(),
        wire::TaskState::Completed
    );
}
