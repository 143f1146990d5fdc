//! Watching: in order, without gaps, from anywhere.

use qrtx::grpc::proto::kernel as wire;

use crate::circuits::{bell, endless};
use crate::harness::{Deployment, cancel, enqueue, events, request, until};

#[tokio::test]
async fn a_watch_from_any_number_gives_exactly_what_follows() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let all = events(&mut client, &job_id, 0).await;
    let numbers: Vec<_> = all.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let ends = all
        .iter()
        .filter(|event| event.state() == wire::TaskState::Completed)
        .count();
    assert_eq!(ends, 1, "exactly one event is the end");
    for after in 0..all.len() {
        let rest = events(&mut client, &job_id, after as u64).await;
        assert_eq!(rest, all[after..], "after {after}");
    }
    assert!(events(&mut client, &job_id, u64::MAX).await.is_empty());
}

#[tokio::test]
async fn many_watchers_of_a_live_job_see_the_same() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(endless())).await;
    let watchers: Vec<_> = (0..8)
        .map(|_| {
            let (mut client, job_id) = (client.clone(), job_id.clone());
            tokio::spawn(async move { events(&mut client, &job_id, 0).await })
        })
        .collect();
    until(&mut client, &job_id, "PhaseReached").await;
    cancel(&mut client, &job_id).await;
    let mut seen = Vec::new();
    for watcher in watchers {
        let events = watcher.await.unwrap();
        let upto_end = events
            .iter()
            .position(|event| event.kind == "CancelRequested")
            .unwrap();
        seen.push(events[..=upto_end].to_vec());
    }
    assert!(seen.iter().all(|events| *events == seen[0]));
}
