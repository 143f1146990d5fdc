//! The messages that the existing system-api sends, as they were captured, and what it reads
//! in the answers.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use qrtx::grpc::proto::internal::kernel_gateway_service_client::KernelGatewayServiceClient;
use qrtx::grpc::proto::internal::*;
use qrtx::os::clock::SystemClock;
use qrtx_testkit::neighbours::{CompilerDouble, Method, Served};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::circuits::{bell, endless};
use crate::harness::{Deployment, channel_to};

/// What that client sends along with every request.
fn metadata() -> RequestMetadata {
    RequestMetadata {
        contract_version: "1.0.0".to_owned(),
        request_id: "req_6a0b58cc9a64be24".to_owned(),
        idempotency_key: "idem_6a0b58cc9a64be24c9980ea983d7eb76".to_owned(),
        traceparent: "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01".to_owned(),
        tenant_id: "tenant-default".to_owned(),
        project_id: "project-default".to_owned(),
        role: "user".to_owned(),
        source_service: "system-api".to_owned(),
        trace_id: "e03dd7b000ae4e6780164115ebd986f8".to_owned(),
        workload: Some(WorkloadContract {
            kind: WorkloadFamilyKind::HybridWorkflow as i32,
            execution_profile: "hybrid".to_owned(),
            replayable: true,
            backend_target: "sim:local".to_owned(),
            artifact_lineage: Some(WorkloadArtifactLineage::default()),
            observability: Some(WorkloadObservability::default()),
            security: Some(WorkloadSecurity::default()),
            topology: None,
        }),
        ..RequestMetadata::default()
    }
}

/// The same for a question: a fresh request id, no key, no workload.
fn question() -> Option<RequestMetadata> {
    Some(RequestMetadata {
        request_id: "req_0123456789abcdef01234567".to_owned(),
        idempotency_key: String::new(),
        workload: None,
        ..metadata()
    })
}

/// `examples/vqe_h2/job.yaml` as it arrives; the program is a circuit here.
fn vqe_h2() -> EnqueueJobRequest {
    let workload = r#"{"artifact_lineage":{},"backend_target":"sim:local","execution_profile":"hybrid","kind":"HybridWorkflow","observability":{},"replayable":true,"security":{}}"#;
    let notes = [
        ("basis", "sto-3g"),
        ("max_iters", "60"),
        ("molecule", "H2"),
        ("noise_model", "depolarizing:0.001"),
        ("optimizer", "cobyla"),
        ("seed", "7"),
        ("shots", "8192"),
        ("source_sha256", "63f44b7e"),
        ("jobspec_workload", workload),
    ];
    EnqueueJobRequest {
        metadata: Some(metadata()),
        name: "vqe-h2-demo".to_owned(),
        program: bell(),
        program_format: "aqo_json".to_owned(),
        target: "sim:local".to_owned(),
        priority: 60,
        compiler_options: BTreeMap::new(),
        metadata_kvs: notes
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

type Client = KernelGatewayServiceClient<Channel>;

async fn client(deployment: &Deployment) -> Client {
    KernelGatewayServiceClient::new(channel_to(deployment.serving().grpc).await)
}

async fn updates(
    client: &mut Client,
    job_id: &str,
    after: u64,
) -> Vec<stream_job_updates_response::JobUpdateEnvelope> {
    let mut request = Request::new(StreamJobUpdatesRequest {
        metadata: question(),
        job_id: job_id.to_owned(),
        last_event_seq: after,
    });
    request.set_timeout(std::time::Duration::from_secs(30));
    let updates = client
        .stream_job_updates(request)
        .await
        .unwrap()
        .into_inner();
    updates
        .map(|update| update.unwrap().update.unwrap())
        .collect()
        .await
}

async fn status(client: &mut Client, job_id: &str) -> GetJobStatusResponse {
    let request = GetJobStatusRequest {
        metadata: question(),
        job_id: job_id.to_owned(),
    };
    client.get_job_status(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_captured_job_is_accepted_and_every_field_that_is_read_is_filled() {
    let deployment = Deployment::embedded().await;
    let mut client = client(&deployment).await;
    let accepted = client.enqueue_job(vqe_h2()).await.unwrap().into_inner();
    assert!(accepted.job_id.starts_with("job-"));
    assert_eq!(accepted.state(), TaskState::Pending);
    assert!(accepted.created_at.is_some());
    let job_id = accepted.job_id;

    let updates = updates(&mut client, &job_id, 0).await;
    let states: Vec<_> = updates.iter().map(|update| update.state()).collect();
    assert!(
        states.is_sorted(),
        "a public state never goes back: {states:?}"
    );
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == TaskState::Done)
            .count(),
        1
    );
    assert!(
        updates
            .iter()
            .zip(1..)
            .all(|(update, seq)| update.event_seq == seq)
    );
    assert!(
        updates
            .iter()
            .all(|update| update.timestamp.is_some() && !update.message.is_empty())
    );

    let status = status(&mut client, &job_id).await;
    assert_eq!((status.state(), status.progress), (TaskState::Done, 1.0));
    assert!(status.updated_at.is_some() && !status.stage.is_empty());
    assert_eq!(status.error_code, "");

    let request = GetJobResultsRequest {
        metadata: question(),
        job_id: job_id.clone(),
    };
    let results = client.get_job_results(request).await.unwrap().into_inner();
    assert_eq!(results.state(), TaskState::Done);
    assert_eq!(
        results.counts.values().sum::<i64>(),
        8192,
        "shots come from the metadata"
    );
    assert_eq!(results.metadata["result.summary.shots"], "8192");
    assert_eq!(results.metadata["result.summary.seed"], "7");
    assert_eq!(
        results.qfs_result_ref,
        format!("qfs://{job_id}/results.json")
    );
    assert!(results.completed_at.is_some());
    assert_eq!(results.error_code, "");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let deployment = Deployment::embedded().await;
    let mut client = client(&deployment).await;
    let job_id = client
        .enqueue_job(vqe_h2())
        .await
        .unwrap()
        .into_inner()
        .job_id;
    let all = updates(&mut client, &job_id, 0).await;
    for after in 0..all.len() {
        assert_eq!(
            updates(&mut client, &job_id, after as u64).await,
            all[after..]
        );
    }
}

#[tokio::test]
async fn the_same_job_file_twice_is_one_job_with_and_without_a_key() {
    let deployment = Deployment::embedded().await;
    let mut client = client(&deployment).await;
    let first = client.enqueue_job(vqe_h2()).await.unwrap().into_inner();
    let again = client.enqueue_job(vqe_h2()).await.unwrap().into_inner();
    assert_eq!(first.job_id, again.job_id);

    let mut keyless = vqe_h2();
    keyless.metadata.as_mut().unwrap().idempotency_key.clear();
    let first = client
        .enqueue_job(keyless.clone())
        .await
        .unwrap()
        .into_inner();
    let again = client
        .enqueue_job(keyless.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.job_id, again.job_id, "the same request sent again");
    keyless.priority = 61;
    let other = client.enqueue_job(keyless).await.unwrap().into_inner();
    assert_ne!(
        first.job_id, other.job_id,
        "another job under the same request id"
    );
}

#[tokio::test]
async fn a_failed_job_fills_all_three_error_fields() {
    let deployment = Deployment::embedded().await;
    let mut client = client(&deployment).await;
    let mut bad = vqe_h2();
    bad.program = b"{}".to_vec();
    let job_id = client.enqueue_job(bad).await.unwrap().into_inner().job_id;
    let last = updates(&mut client, &job_id, 0).await.pop().unwrap();
    assert_eq!(last.state(), TaskState::Error);
    let status = status(&mut client, &job_id).await;
    assert_eq!(status.error_code, "ValidationError");
    assert!(!status.error_summary.is_empty());
    assert_eq!(
        status.error_details_ref,
        format!("qfs://{job_id}/error.json")
    );
    let request = GetJobResultsRequest {
        metadata: question(),
        job_id,
    };
    let results = client.get_job_results(request).await.unwrap().into_inner();
    assert_eq!(
        (results.state(), results.error_code),
        (TaskState::Error, status.error_code)
    );
}

#[tokio::test]
async fn a_cancel_is_accepted_while_it_can_help_and_refused_after() {
    let deployment = Deployment::embedded().await;
    let mut client = client(&deployment).await;
    let mut long = vqe_h2();
    long.program = endless();
    let job_id = client.enqueue_job(long).await.unwrap().into_inner().job_id;
    let request = |job_id: &str| CancelJobRequest {
        metadata: question(),
        job_id: job_id.to_owned(),
    };
    for _ in 0..2 {
        let answer = client
            .cancel_job(request(&job_id))
            .await
            .unwrap()
            .into_inner();
        assert!(answer.accepted);
        assert_eq!(answer.reason_code, "ACCEPTED");
    }
    assert_eq!(status(&mut client, &job_id).await.error_code, "CANCELLED");

    let mut quick = vqe_h2();
    quick.metadata.as_mut().unwrap().idempotency_key = "another".to_owned();
    let job_id = client.enqueue_job(quick).await.unwrap().into_inner().job_id;
    updates(&mut client, &job_id, 0).await;
    let refused = client.cancel_job(request(&job_id)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let refused = client.cancel_job(request("job-nope")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn a_dispatch_is_explained_once_there_was_one() {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = client(&deployment).await;
    let mut long = vqe_h2();
    long.program = endless();
    let running = client.enqueue_job(long).await.unwrap().into_inner().job_id;
    let request = |job_id: &str| GetDispatchRationaleRequest {
        metadata: question(),
        job_id: job_id.to_owned(),
    };
    while status(&mut client, &running).await.state() != TaskState::Running {
        tokio::task::yield_now().await;
    }
    let rationale = client
        .get_dispatch_rationale(request(&running))
        .await
        .unwrap()
        .into_inner();
    let rationale = rationale.rationale.unwrap();
    assert_eq!(rationale.selected_backend, "sim:local");
    assert_eq!(rationale.trace_id, "e03dd7b000ae4e6780164115ebd986f8");

    let mut waiting = vqe_h2();
    waiting.metadata.as_mut().unwrap().idempotency_key = "another".to_owned();
    let waiting = client
        .enqueue_job(waiting)
        .await
        .unwrap()
        .into_inner()
        .job_id;
    let refused = client
        .get_dispatch_rationale(request(&waiting))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let refused = client
        .get_dispatch_rationale(request("job-nope"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let cancel = CancelJobRequest {
        metadata: question(),
        job_id: running,
    };
    client.cancel_job(cancel).await.unwrap();
}

#[tokio::test]
async fn captured_jobs_in_eigen_lang_go_through_the_compiler_with_their_options() {
    let double = CompilerDouble::new(SystemClock::default());
    let compiles = Served::start(double.routes());
    let deployment = Deployment::new(|config| config.compiler = Some(compiles.url())).await;
    let mut client = client(&deployment).await;
    let source =
        "# qubits=2\n@hybrid_program\ndef main():\n    pass\n".to_owned() + &"# \n".repeat(600);
    let benchmark = [
        ("spec.workload.seed", "42"),
        ("spec.workload.backend_target", "sim:local"),
    ];
    let distributed = [
        ("distributed.enabled", "true"),
        ("distributed.target", "cluster:auto"),
        ("distributed.partition_count", "2"),
        ("distributed.queue_provider", "memory"),
        ("distributed.topology_hint", "pipeline"),
    ];
    for (key, options) in [
        ("plain", &[][..]),
        ("bench", &benchmark[..]),
        ("parts", &distributed[..]),
    ] {
        let options: BTreeMap<_, _> = options
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let mut job = vqe_h2();
        job.metadata.as_mut().unwrap().idempotency_key = key.to_owned();
        job.program_format = "eigen_lang_source".to_owned();
        job.program = source.clone().into_bytes();
        job.compiler_options = options.clone();
        let job_id = client.enqueue_job(job).await.unwrap().into_inner().job_id;
        let last = updates(&mut client, &job_id, 0).await.pop().unwrap();
        assert_eq!(last.state(), TaskState::Done, "{key}: {}", last.message);
        let calls = double.calls();
        let compile = calls
            .iter()
            .rfind(|call| call.method == Method::CompileCircuit)
            .unwrap();
        assert_eq!(
            compile.options, options,
            "the compiler gets the options as they came"
        );
        let parent = compile.header("traceparent").unwrap();
        assert!(
            parent.contains("e03dd7b000ae4e6780164115ebd986f8"),
            "{parent}"
        );
    }
}
