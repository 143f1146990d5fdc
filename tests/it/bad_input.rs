//! What clients get wrong: each is told what is wrong, and none takes the kernel down.

use qrtx::grpc::proto::kernel as wire;
use qrtx::schedule::admission::RETRY_MAX;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::circuits::{aqo, bell, endless};
use crate::harness::{Client, Deployment, cancel, enqueue, finish, request, results, until};

fn told(refused: &Status) -> String {
    let reason = refused
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    format!("{:?} {reason}: {}", refused.code(), refused.message())
}

async fn still_serves(client: &mut Client) {
    let job_id = enqueue(client, request(bell())).await;
    assert_eq!(
        finish(client, &job_id).await.state(),
        wire::TaskState::Completed
    );
}

type Change = fn(&mut wire::EnqueueJobRequest);

#[tokio::test]
async fn a_bad_request_is_refused_with_every_reason() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let cases: [(&str, Change); 19] = [
        ("empty name", |r| r.name.clear()),
        ("oversized name", |r| r.name = "n".repeat(257)),
        ("name with a newline", |r| r.name = "a\nb".to_owned()),
        ("empty program", |r| r.program.clear()),
        ("program of 10 MB", |r| r.program = vec![b' '; 10_000_000]),
        ("program that is not UTF-8", |r| {
            r.program = vec![b'{', 0xff, b'}']
        }),
        ("unknown format", |r| {
            r.program_format = "brainfuck".to_owned()
        }),
        ("no format", |r| r.program_format.clear()),
        ("no target", |r| r.target.clear()),
        ("priority 101", |r| r.priority = Some(101)),
        ("priority -1", |r| r.priority = Some(-1)),
        ("shots 0", |r| r.shots = Some(0)),
        ("shots -1", |r| r.shots = Some(-1)),
        ("shots beyond the driver's type", |r| {
            r.shots = Some(1 << 31)
        }),
        ("shots abc", |r| {
            r.shots = None;
            r.metadata.insert("shots".to_owned(), "abc".to_owned());
        }),
        ("timeout 0", |r| {
            r.timeout = Some(prost_types::Duration {
                seconds: 0,
                nanos: 0,
            })
        }),
        ("timeout -1", |r| {
            r.timeout = Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            })
        }),
        ("oversized key", |r| r.idempotency_key = "k".repeat(257)),
        ("three at once", |r| {
            r.name.clear();
            r.priority = Some(500);
            r.target.clear();
        }),
    ];
    let mut table = String::new();
    for (what, change) in cases {
        let mut bad = request(bell());
        change(&mut bad);
        let refused = client.enqueue_job(bad).await.expect_err(what);
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}");
        assert!(refused.get_details_bad_request().is_some(), "{what}");
        table += &format!("{what}\n    {}\n", told(&refused));
    }
    insta::assert_snapshot!(table);
    still_serves(&mut client).await;
}

#[tokio::test]
async fn a_program_that_cannot_run_fails_and_says_where() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let cases = [
        ("no JSON", b"circuit".to_vec()),
        (
            "a gate nobody knows",
            aqo(2, vec![json!({ "op": "FOO", "q": [0] })]),
        ),
        (
            "a qubit that is not there",
            aqo(2, vec![json!({ "op": "H", "q": [2] })]),
        ),
        (
            "more qubits than the device has",
            aqo(30, vec![json!({ "op": "H", "q": [0] })]),
        ),
        (
            "no operations",
            br#"{"version":"1.0.0","qubits":2}"#.to_vec(),
        ),
        (
            "deeply nested",
            format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        ),
    ];
    let mut table = String::new();
    for (what, program) in cases {
        let job_id = enqueue(&mut client, request(program)).await;
        let results = finish(&mut client, &job_id).await;
        assert_eq!(results.state(), wire::TaskState::Failed, "{what}");
        let error = results.error.unwrap();
        table += &format!(
            "{what}\n    {}: {}\n",
            error.error_code, error.error_summary
        );
        assert_eq!(error.error_details_ref, format!("{job_id}/error.json"));
    }
    let mut unknown = request(bell());
    unknown.target = "qpu:nowhere".to_owned();
    let job_id = enqueue(&mut client, unknown).await;
    let error = finish(&mut client, &job_id).await.error.unwrap();
    table += &format!(
        "unknown target\n    {}: {}\n",
        error.error_code, error.error_summary
    );

    let mut source = request(b"@hybrid_program\ndef main(): pass\n".to_vec());
    source.program_format = "eigen_lang_source".to_owned();
    let job_id = enqueue(&mut client, source).await;
    let error = finish(&mut client, &job_id).await.error.unwrap();
    table += &format!(
        "source without a compiler\n    {}: {}\n",
        error.error_code, error.error_summary
    );
    insta::assert_snapshot!(table);
    still_serves(&mut client).await;
}

#[tokio::test]
async fn ids_that_name_no_job_are_not_found_whatever_they_look_like() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let long = "j".repeat(100_000);
    let never = format!("job-{}", "0".repeat(32));
    for job_id in ["", "nope", "../../etc/passwd", "job-../../x", &long, &never] {
        let job_id = job_id.to_owned();
        let asked = [
            client
                .get_job_status(wire::GetJobStatusRequest {
                    job_id: job_id.clone(),
                })
                .await
                .err(),
            client
                .get_job_results(wire::GetJobResultsRequest {
                    job_id: job_id.clone(),
                })
                .await
                .err(),
            client
                .cancel_job(wire::CancelJobRequest {
                    job_id: job_id.clone(),
                    reason: String::new(),
                })
                .await
                .err(),
            client
                .watch_job(wire::WatchJobRequest {
                    job_id: job_id.clone(),
                    after_seq: 0,
                })
                .await
                .err(),
            client
                .get_job_history(wire::GetJobHistoryRequest {
                    job_id: job_id.clone(),
                })
                .await
                .err(),
        ];
        for refused in asked {
            let refused = refused.expect("there is no such job");
            assert_eq!(refused.code(), Code::NotFound);
            assert!(refused.message().len() < 200);
        }
    }
}

#[tokio::test]
async fn results_before_the_end_are_not_ready() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(endless())).await;
    until(&mut client, &job_id, "PhaseReached").await;
    let refused = results(&mut client, &job_id).await.unwrap_err();
    assert_eq!(
        told(&refused),
        "FailedPrecondition EIGEN_RESULTS_NOT_READY: the job is Executing, its results are not ready"
    );
    cancel(&mut client, &job_id).await;
    assert!(results(&mut client, &job_id).await.is_ok());
}

#[tokio::test]
async fn a_key_stands_for_one_job_and_one_content() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut keyed = request(bell());
    keyed.idempotency_key = "once".to_owned();
    let first = client
        .enqueue_job(keyed.clone())
        .await
        .unwrap()
        .into_inner();
    finish(&mut client, &first.job_id).await;
    keyed.request_id = "another attempt".to_owned();
    keyed.traceparent = "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01".to_owned();
    let again = client
        .enqueue_job(keyed.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.job_id, first.job_id);
    assert!(again.deduplicated && !first.deduplicated);
    assert_eq!(again.state(), wire::TaskState::Completed);

    let mut other = keyed.clone();
    other.program = aqo(1, vec![json!({ "op": "X", "q": [0] })]);
    let refused = client.enqueue_job(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains(&first.job_id),
        "{}",
        refused.message()
    );

    keyed.tenant_id = "somebody else".to_owned();
    let theirs = client.enqueue_job(keyed).await.unwrap().into_inner();
    assert_ne!(theirs.job_id, first.job_id, "keys are scoped by tenant");
}

#[tokio::test]
async fn beyond_the_limit_of_waiting_jobs_a_repeated_submit_still_succeeds() {
    let deployment = Deployment::new(|config| config.limits.jobs_waiting = 1).await;
    let mut client = deployment.client().await;
    let mut keyed = request(endless());
    keyed.idempotency_key = "first".to_owned();
    let first = enqueue(&mut client, keyed.clone()).await;
    let refused = client.enqueue_job(request(bell())).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.get_details_retry_info().is_some());
    assert_eq!(limit(&refused), "jobs_waiting");
    assert_eq!(enqueue(&mut client, keyed).await, first);
    cancel(&mut client, &first).await;
    still_serves(&mut client).await;
}

/// The limit that a refusal names.
fn limit(refused: &tonic::Status) -> String {
    let info = refused.get_details_error_info().unwrap();
    info.metadata["limit"].clone()
}

#[tokio::test]
async fn a_tenant_at_its_limit_is_told_so_and_others_are_let_in() {
    let deployment = Deployment::new(|config| config.limits.tenant_waiting = 1).await;
    let mut client = deployment.client().await;
    let job = |tenant: &str, program| wire::EnqueueJobRequest {
        tenant_id: tenant.to_owned(),
        ..request(program)
    };
    let first = enqueue(&mut client, job("ada", endless())).await;
    let refused = client.enqueue_job(job("ada", bell())).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(limit(&refused), "tenant_waiting");
    let told = "1 job of ada has not ended, and 1 may be there at a time (tenant_waiting)";
    assert!(refused.message().starts_with(told), "{refused:?}");
    let wait = refused.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(wait, Some(RETRY_MAX), "none of its jobs has ended yet");

    let theirs = enqueue(&mut client, job("bob", bell())).await;
    finish(&mut client, &theirs).await;
    cancel(&mut client, &first).await;
    for _ in 0..40 {
        let job = enqueue(&mut client, job("ada", bell())).await;
        finish(&mut client, &job).await;
    }
    let first = enqueue(&mut client, job("ada", endless())).await;
    let refused = client.enqueue_job(job("ada", bell())).await.unwrap_err();
    let wait = refused.get_details_retry_info().unwrap().retry_delay;
    assert!(wait < Some(RETRY_MAX), "forty have ended: {refused:?}");
    cancel(&mut client, &first).await;
}
