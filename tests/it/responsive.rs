//! Nothing blocks the runtime.

use std::time::{Duration, Instant};

use qrtx::grpc::proto::kernel as wire;

use crate::circuits::heavy;
use crate::harness::{Deployment, enqueue, request, status};

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
