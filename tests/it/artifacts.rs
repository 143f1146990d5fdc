//! QFS that is away, damaged, or holds what nobody here has written.

use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::Sha256Sum;
use serde_json::{Value, json};

use crate::circuits::{aqo, bell, endless};
use crate::harness::{Client, Deployment, cancel, enqueue, events, finish, request, status, until};

/// A deployment with one slot, and a job that holds it.
async fn busy() -> (Deployment, Client, String) {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(endless())).await;
    until(&mut client, &first, "PhaseReached").await;
    (deployment, client, first)
}

async fn completes(deployment: &Deployment, client: &mut Client, job_id: &str) {
    let results = finish(client, job_id).await;
    assert_eq!(
        results.state(),
        wire::TaskState::Completed,
        "{:?}",
        results.error
    );
    for kept in &results.artifacts {
        let content = std::fs::read(deployment.root().join(&kept.path)).unwrap();
        assert_eq!(
            Sha256Sum::of(&content).to_string(),
            kept.sha256,
            "{}",
            kept.path
        );
    }
}

#[tokio::test]
async fn a_job_waits_for_the_artifact_store_and_goes_on_when_it_is_back() {
    let deployment = Deployment::new(|config| config.limits.backoff_ms_max = 50).await;
    let mut client = deployment.client().await;
    let root = deployment.root();
    std::fs::remove_dir_all(root).unwrap();
    std::fs::write(root, "a file where the folder was").unwrap();
    let job_id = enqueue(&mut client, request(bell())).await;
    loop {
        let job = status(&mut client, &job_id).await;
        assert!(job.error.is_none(), "{job:?}");
        // More tries than a compiler gets: what is away is not the compiler.
        if job.tries > 6 {
            assert!(job.message.contains("artifact store"), "{}", job.message);
            break;
        }
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(root).unwrap();
    std::fs::create_dir(root).unwrap();
    completes(&deployment, &mut client, &job_id).await;
}

#[tokio::test]
async fn a_circuit_that_was_tampered_with_is_compiled_again_and_never_runs() {
    let (deployment, mut client, first) = busy().await;
    let second = enqueue(&mut client, request(bell())).await;
    until(&mut client, &second, "Compiled").await;
    let other = aqo(2, vec![json!({ "op": "X", "q": [0] })]);
    let circuit = deployment.folder(&second).join("compiled.aqo.json");
    std::fs::write(&circuit, other).unwrap();
    cancel(&mut client, &first).await;
    completes(&deployment, &mut client, &second).await;
    let counts = finish(&mut client, &second).await.counts;
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["00", "11"]);
    let seen = events(&mut client, &second, 0).await;
    assert!(seen.iter().any(|event| event.kind == "CircuitLost"));
    let aside = std::fs::read_dir(deployment.folder(&second))
        .unwrap()
        .any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_string_lossy()
                .starts_with("compiled.aqo.json.aside-")
        });
    assert!(aside, "what was found is kept to be looked at");
}

#[tokio::test]
async fn results_that_nobody_here_wrote_are_set_aside() {
    let (deployment, mut client, first) = busy().await;
    let second = enqueue(&mut client, request(bell())).await;
    until(&mut client, &second, "Compiled").await;
    let forged = deployment.folder(&second).join("results.json");
    std::fs::write(&forged, "{\"counts\":{}}").unwrap();
    cancel(&mut client, &first).await;
    completes(&deployment, &mut client, &second).await;
    let stored: Value = serde_json::from_slice(&std::fs::read(forged).unwrap()).unwrap();
    assert_eq!(stored["shots"], 1000);
}

#[tokio::test]
async fn counts_too_large_for_an_event_have_an_object_of_their_own() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let spread = (0..18).map(|q| json!({ "op": "H", "q": [q] })).collect();
    let mut wide = request(aqo(18, spread));
    wide.shots = Some(100_000);
    let job_id = enqueue(&mut client, wide).await;
    completes(&deployment, &mut client, &job_id).await;
    let counts = finish(&mut client, &job_id).await.counts;
    assert_eq!(counts.values().sum::<i64>(), 100_000);
    let own = deployment.folder(&job_id).join("counts-1.json");
    assert!(std::fs::metadata(own).unwrap().len() > 1024 * 1024);
}

#[tokio::test]
async fn a_failed_job_leaves_its_reason_in_its_folder() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(b"{}".to_vec())).await;
    let error = finish(&mut client, &job_id).await.error.unwrap();
    while events(&mut client, &job_id, 0).await.last().unwrap().kind != "Reported" {
        tokio::task::yield_now().await;
    }
    let report = std::fs::read(deployment.folder(&job_id).join("error.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["error_code"], "ValidationError");
    assert_eq!(report["error_summary"], error.error_summary);
}

/// A file whose reader waits until somebody writes: a store that hangs.
struct Hanging(std::path::PathBuf);

impl Hanging {
    fn at(path: std::path::PathBuf) -> Self {
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        Self(path)
    }

    /// Lets every reader go, and the path with them.
    fn heal(&self) {
        let writer = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.0)
            .unwrap();
        std::fs::remove_file(&self.0).unwrap();
        drop(writer);
    }
}

#[tokio::test]
async fn an_artifact_store_that_hangs_holds_up_one_job_and_no_other() {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
        config.limits.store_slots = 1;
        config.limits.artifact_ms = 200;
        config.limits.backoff_ms_max = 200;
    })
    .await;
    let mut client = deployment.client().await;
    let running = enqueue(&mut client, request(endless())).await;
    until(&mut client, &running, "PhaseReached").await;
    let stuck = enqueue(&mut client, request(bell())).await;
    until(&mut client, &stuck, "Compiled").await;
    let hanging = Hanging::at(deployment.folder(&stuck).join("results.json"));
    cancel(&mut client, &running).await;
    until(&mut client, &stuck, "Executed").await;

    let other = enqueue(&mut client, request(bell())).await;
    completes(&deployment, &mut client, &other).await;
    let job = status(&mut client, &stuck).await;
    assert_eq!(job.state(), wire::TaskState::Completing, "{job:?}");
    hanging.heal();
    completes(&deployment, &mut client, &stuck).await;
}

#[tokio::test]
async fn large_counts_in_hand_free_the_device_and_once_stored_are_too_late_to_cancel() {
    let deployment = Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
        config.limits.artifact_ms = 200;
    })
    .await;
    let mut client = deployment.client().await;
    let running = enqueue(&mut client, request(endless())).await;
    until(&mut client, &running, "PhaseReached").await;
    let spread = (0..18).map(|q| json!({ "op": "H", "q": [q] })).collect();
    let mut wide = request(aqo(18, spread));
    wide.shots = Some(100_000);
    let wide = enqueue(&mut client, wide).await;
    until(&mut client, &wide, "Compiled").await;
    let hanging = Hanging::at(deployment.folder(&wide).join("counts-1.json"));
    cancel(&mut client, &running).await;

    let other = enqueue(&mut client, request(bell())).await;
    completes(&deployment, &mut client, &other).await;
    let job = status(&mut client, &wide).await;
    assert_eq!(job.phase(), wire::ExecutionPhase::PostProcessing, "{job:?}");
    let mut other = client.clone();
    let (answer, ()) = tokio::join!(cancel(&mut other, &wide), async { hanging.heal() });
    assert_eq!(answer.receipt(), wire::CancelReceipt::TooLate, "{answer:?}");
    completes(&deployment, &mut client, &wide).await;
}

#[tokio::test]
async fn counts_that_nobody_could_take_are_refused_before_anything_runs() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut operations: Vec<_> = (0..16).map(|q| json!({ "op": "H", "q": [q] })).collect();
    let bits: Vec<u32> = (0..15).chain([4095]).collect();
    let qubits: Vec<u32> = (0..16).collect();
    operations.push(json!({ "op": "MEASURE", "q": qubits, "c": bits }));
    let mut boundless = request(aqo(16, operations));
    boundless.shots = Some(200_000);
    let job_id = enqueue(&mut client, boundless).await;
    let error = finish(&mut client, &job_id).await.error.unwrap();
    assert_eq!(error.error_code, "ValidationError");
    assert!(
        error.error_summary.contains("measure fewer qubits"),
        "{}",
        error.error_summary
    );
}

#[tokio::test]
async fn a_reference_that_no_file_can_have_fails_at_once() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    for reference in [
        "a".repeat(1000),
        "circuits/..".to_owned(),
        "\u{1}".to_owned(),
    ] {
        let mut by_reference = request(reference.into());
        by_reference.program_format = "aqo_ref".to_owned();
        let job_id = enqueue(&mut client, by_reference).await;
        let error = finish(&mut client, &job_id).await.error.unwrap();
        assert_eq!(
            error.error_code, "ValidationError",
            "{}",
            error.error_summary
        );
    }
}
