//! Nothing blocks the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qrtx::grpc::proto::kernel as wire;

use tonic::Code;

use crate::circuits::{bell, endless, heavy};
use crate::harness::{Deployment, cancel, enqueue, request, status};

#[tokio::test(flavor = "current_thread")]
async fn on_one_thread_status_answers_at_once_while_twenty_qubits_are_simulated() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(heavy(20))).await;
    let mut while_executing = Vec::new();
    loop {
        let asked = Instant::now();
        let job = status(&mut client, &job_id).await;
        match job.state() {
            wire::TaskState::Executing => while_executing.push(asked.elapsed()),
            wire::TaskState::Completed => break,
            wire::TaskState::Failed => panic!("{job:?}"),
            _ => {}
        }
    }
    while_executing.sort_unstable();
    assert!(
        while_executing.len() >= 100,
        "only {} answers",
        while_executing.len()
    );
    let p99 = while_executing[while_executing.len() * 99 / 100];
    assert!(
        p99 < Duration::from_millis(50),
        "p99 is {p99:?} of {}",
        while_executing.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_cancel_answer_at_once_while_submissions_are_refused_in_crowds() {
    const JOBS: usize = 20;
    let deployment = Deployment::new(|config| config.limits.jobs_waiting = JOBS).await;
    let mut client = deployment.client().await;
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        jobs.push(enqueue(&mut client, request(endless())).await);
    }
    let (over, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut crowd = Vec::new();
    for _ in 0..32 {
        let (mut client, over, refused) =
            (deployment.client().await, over.clone(), refused.clone());
        crowd.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                // A cancel makes room for one.
                if let Err(status) = client.enqueue_job(request(bell())).await {
                    assert_eq!(status.code(), Code::ResourceExhausted);
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    let mut waits = Vec::new();
    for round in 0..200 {
        let job = &jobs[round % JOBS];
        let asked = Instant::now();
        if round % 20 == 19 {
            cancel(&mut client, job).await;
        } else {
            status(&mut client, job).await;
        }
        waits.push(asked.elapsed());
    }
    over.store(true, Ordering::Relaxed);
    for caller in crowd {
        caller.await.unwrap();
    }
    for job in &jobs {
        cancel(&mut client, job).await;
    }
    waits.sort_unstable();
    let (p90, refused) = (waits[waits.len() * 9 / 10], refused.load(Ordering::Relaxed));
    assert!(refused >= 200, "only {refused} were refused meanwhile");
    assert!(
        p90 < Duration::from_millis(250),
        "p90 is {p90:?} beside {refused} refusals"
    );
}
