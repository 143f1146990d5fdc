//! A job goes all the way.

use std::sync::mpsc;
use std::time::Duration;

use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::Sha256Sum;
use serde_json::{Value, json};

use crate::circuits::{aqo, bell, endless};
use crate::harness::{Deployment, enqueue, events, finish, history, request, status, until};

#[tokio::test]
async fn a_bell_job_completes_and_its_artifacts_are_what_they_are_said_to_be() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let results = finish(&mut client, &job_id).await;

    assert_eq!(results.state(), wire::TaskState::Completed);
    assert_eq!(results.counts.keys().collect::<Vec<_>>(), ["00", "11"]);
    assert_eq!(results.counts.values().sum::<i64>(), 1000);
    assert_eq!(results.device_id, "sim:local");
    let stages: Vec<_> = results
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    let all = [
        "Pending",
        "Validating",
        "Compiling",
        "Queued",
        "Allocating",
        "Executing",
        "Completing",
    ];
    assert_eq!(stages, all);

    let folder = deployment.folder(&job_id);
    let manifest = std::fs::read(folder.join("meta.json")).unwrap();
    assert_eq!(
        results.manifest.unwrap().sha256,
        Sha256Sum::of(&manifest).to_string()
    );
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["status"], "Completed");
    let listed = manifest["artifacts"].as_array().unwrap();
    assert_eq!(listed.len(), results.artifacts.len());
    for (told, listed) in results.artifacts.iter().zip(listed) {
        let file = told.path.strip_prefix(&format!("{job_id}/")).unwrap();
        let content = std::fs::read(folder.join(file)).unwrap();
        assert_eq!(told.sha256, Sha256Sum::of(&content).to_string(), "{file}");
        assert_eq!(told.bytes, content.len() as u64, "{file}");
        assert_eq!(listed["path"], file);
        assert_eq!(listed["sha256"], told.sha256);
        assert_eq!(listed["size_bytes"], told.bytes);
    }
    let stored = std::fs::read(folder.join("results.json")).unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored["counts"], json!(results.counts));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_counts_and_the_leftmost_bit_is_the_highest() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let job_id = enqueue(&mut client, request(bell())).await;
        counts.push(finish(&mut client, &job_id).await.counts);
    }
    assert_eq!(counts[0], counts[1]);

    let x_on_qubit_0 = aqo(2, vec![json!({ "op": "X", "q": [0] })]);
    let job_id = enqueue(&mut client, request(x_on_qubit_0)).await;
    let counts = finish(&mut client, &job_id).await.counts;
    assert_eq!(counts, [("01".to_owned(), 1000)].into());
}

#[tokio::test]
async fn the_history_tells_every_event_and_where_the_shots_went() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &job_id).await;
    let history = history(&mut client, &job_id).await;
    let kinds: Vec<_> = history
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect();
    insta::assert_snapshot!(kinds.join("\n"));
    let [entry] = &history.ledger[..] else {
        panic!("{:?}", history.ledger)
    };
    assert_eq!((entry.requested, entry.delivered), (1000, 1000));
    assert_eq!(entry.execution_id, format!("{job_id}#1"));
    assert!(entry.fencing_token > 0);
}

#[tokio::test]
async fn symbolic_angles_get_their_values_from_the_metadata() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let turn = aqo(
        1,
        vec![json!({ "op": "RX", "q": [0], "params": { "theta": "turn" } })],
    );
    let mut turned = request(turn.clone());
    turned
        .metadata
        .insert("param.turn".to_owned(), std::f64::consts::PI.to_string());
    let job_id = enqueue(&mut client, turned).await;
    assert_eq!(
        finish(&mut client, &job_id).await.counts,
        [("1".to_owned(), 1000)].into()
    );

    let job_id = enqueue(&mut client, request(turn)).await;
    let error = finish(&mut client, &job_id).await.error.unwrap();
    assert_eq!(error.error_code, "ValidationError");
    assert!(
        error.error_summary.contains("turn"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn a_reference_runs_what_is_stored_under_it() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let first = finish(&mut client, &job_id).await;
    for (reference, completes) in [
        (format!("qfs://{job_id}/compiled.aqo.json"), true),
        (format!("{job_id}/compiled.aqo.json\n"), true),
        ("qfs://nobody/was/here.json".to_owned(), false),
        ("../../etc/passwd".to_owned(), false),
        ("qfs://../../../etc/passwd".to_owned(), false),
    ] {
        let mut by_reference = request(reference.clone().into());
        by_reference.program_format = "aqo_ref".to_owned();
        let job_id = enqueue(&mut client, by_reference).await;
        let results = finish(&mut client, &job_id).await;
        if completes {
            assert_eq!(results.counts, first.counts, "{reference}");
        } else {
            assert_eq!(
                results.error.unwrap().error_code,
                "ValidationError",
                "{reference}"
            );
        }
    }
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let job_id = enqueue(&mut client, request(bell())).await;
        events(&mut client, &job_id, 0).await;
        ids.insert(0, job_id);
    }
    let mut listed = Vec::new();
    let mut page = wire::ListJobsRequest {
        page_size: 2,
        ..wire::ListJobsRequest::default()
    };
    loop {
        let answer = client.list_jobs(page.clone()).await.unwrap().into_inner();
        assert!(answer.jobs.len() <= 2);
        listed.extend(answer.jobs.into_iter().map(|job| job.job_id));
        if answer.next_page_token.is_empty() {
            break;
        }
        page.page_token = answer.next_page_token;
    }
    assert_eq!(listed, ids);
    let failed = wire::ListJobsRequest {
        states: vec![wire::TaskState::Failed as i32],
        ..wire::ListJobsRequest::default()
    };
    assert!(
        client
            .list_jobs(failed)
            .await
            .unwrap()
            .into_inner()
            .jobs
            .is_empty()
    );
}

#[tokio::test]
async fn devices_show_hardware_and_schedule_together() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &job_id).await;
    let listed = client
        .list_devices(wire::ListDevicesRequest {})
        .await
        .unwrap()
        .into_inner();
    let [device] = &listed.devices[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (device.device_id.as_str(), device.state()),
        ("sim:local", wire::DeviceState::Online)
    );
    assert_eq!((device.queue_depth, device.running), (0, 0));
    assert!(device.slots > 0);
    assert!(
        device.estimated_wait.is_some(),
        "one execution tells what the next will take"
    );
    assert!(listed.as_of.is_some());
}

#[tokio::test]
async fn many_jobs_at_once_all_complete() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(enqueue(&mut client, request(bell())).await);
    }
    for job_id in &ids {
        events(&mut client, job_id, 0).await;
        assert_eq!(
            status(&mut client, job_id).await.state(),
            wire::TaskState::Completed
        );
    }
    let metrics = deployment.serving().kernel.metrics().render();
    assert!(metrics.contains("eigen_kernel_active_jobs 0"), "{metrics}");
    assert!(metrics.contains("eigen_kernel_queue_depth 0"), "{metrics}");
    let completed =
        "eigen_kernel_job_state_transitions_total{from=\"Completing\",to=\"Completed\"} 50";
    assert!(metrics.contains(completed), "{metrics}");
}

#[test]
fn a_deployment_that_stops_stops_its_simulations() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut deployment = Deployment::embedded().await;
        let mut client = deployment.client().await;
        let for_a_quarter_of_an_hour = wire::EnqueueJobRequest {
            shots: Some(100_000),
            ..request(endless())
        };
        let running = enqueue(&mut client, for_a_quarter_of_an_hour).await;
        until(&mut client, &running, "PhaseReached").await;
        deployment.stop().await;
    });
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        // Waits for what runs off the async threads.
        drop(runtime);
        ended.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(20))
        .expect("nothing is simulated for a kernel that is gone");
}
