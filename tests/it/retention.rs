//! A kernel that runs for years forgets what need not be kept.

use qrtx::grpc::proto::kernel as wire;
use tonic::Code;

use crate::circuits::bell;
use crate::harness::{Deployment, enqueue, finish, request};

#[tokio::test]
async fn ended_jobs_beyond_the_number_that_is_kept_go_with_their_artifacts() {
    let mut deployment = Deployment::new(|config| {
        config.limits.retain_jobs = 2;
        config.limits.retain_poll_ms = 20;
    })
    .await;
    let mut client = deployment.client().await;
    let keyed = wire::EnqueueJobRequest {
        idempotency_key: "kept for three days".to_owned(),
        ..request(bell())
    };
    let keyed = enqueue(&mut client, keyed).await;
    finish(&mut client, &keyed).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = enqueue(&mut client, request(bell())).await;
        finish(&mut client, &id).await;
        ids.push(id);
    }
    for gone in &ids[..2] {
        loop {
            let wanted = wire::GetJobStatusRequest {
                job_id: gone.clone(),
            };
            match client.get_job_status(wanted).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(why) => break assert_eq!(why.code(), Code::NotFound),
            }
        }
    }
    // What was forgotten is looked after by the next start, if there was no time for it.
    deployment.stop().await;
    deployment.start().await;
    let folder = |id: &String| deployment.folder(id);
    while ids[..2].iter().any(|id| folder(id).exists()) {
        tokio::task::yield_now().await;
    }
    let mut client = deployment.client().await;
    for kept in ids[2..].iter().chain([&keyed]) {
        let results = finish(&mut client, kept).await;
        assert_eq!(results.state(), wire::TaskState::Completed);
        assert!(folder(kept).join("results.json").exists());
    }
    let wanted = wire::ListJobsRequest::default();
    let listed = client.list_jobs(wanted).await.unwrap().into_inner();
    assert_eq!(listed.jobs.len(), 3);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_file_that_cannot_be_removed_keeps_its_own_job_and_no_other() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let mut deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = enqueue(&mut client, request(bell())).await;
        finish(&mut client, &id).await;
        ids.push(id);
    }
    // No object store has such a name.
    let odd = deployment
        .folder(&ids[0])
        .join(OsStr::from_bytes(b"bad\xff"));
    std::fs::write(&odd, b"?").unwrap();
    deployment.stop().await;
    deployment.config.limits.retain_jobs = 1;
    deployment.config.limits.retain_poll_ms = 20;
    deployment.start().await;
    while deployment.folder(&ids[1]).exists() {
        tokio::task::yield_now().await;
    }
    assert!(odd.exists());
    let mut client = deployment.client().await;
    let wanted = wire::ListJobsRequest::default();
    let listed = client.list_jobs(wanted).await.unwrap().into_inner();
    assert_eq!(listed.jobs.len(), 1);
}
