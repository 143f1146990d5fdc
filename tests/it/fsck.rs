//! What an operator finds out, and gets back, after a disk has lied.

use std::path::Path;
use std::process::{Command, Output};

use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::Sha256Sum;
use qrtx::os::jobs;
use qrtx::ports::JobStore as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::circuits::bell;
use crate::harness::{client_of, enqueue, finish, request};
use crate::process::Process;
use crate::rows::lose;

fn qrtx(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx"));
    command.env_clear().current_dir(folder).args(arguments);
    command.output().unwrap()
}

/// How it ended, and what it says.
pub(crate) fn fsck(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = ["fsck", "--data-dir", "data", "--qfs-root", "qfs", "--json"];
    let output = qrtx(folder, &[&arguments, more].concat());
    let said = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        said.unwrap_or_else(|why| panic!("{why}: {output:?}")),
    )
}

/// Completed jobs of a kernel that has stopped.
pub(crate) async fn completed(folder: &Path, jobs: usize) -> Vec<wire::GetJobResultsResponse> {
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    let mut results = Vec::new();
    for _ in 0..jobs {
        let wanted = wire::EnqueueJobRequest {
            idempotency_key: format!("key {}", results.len()),
            ..request(bell())
        };
        let id = enqueue(&mut client, wanted).await;
        results.push(finish(&mut client, &id).await);
    }
    drop(client);
    kernel.stop();
    results
}

#[tokio::test]
async fn what_the_store_can_prove_is_written_again_and_the_rest_is_named() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 2).await;
    let (code, said) = fsck(folder, &[]);
    assert_eq!(
        (code, &said["jobs"], &said["findings"]),
        (Some(0), &2.into(), &Value::Array(Vec::new()))
    );

    let id = &results[0].job_id;
    let file = |name: &str| folder.join("qfs").join(id).join(name);
    let circuit = std::fs::read(file("compiled.aqo.json")).unwrap();
    std::fs::remove_file(file("results.json")).unwrap();
    std::fs::remove_file(file("compiled.aqo.json")).unwrap();
    std::fs::write(file("meta.json"), "{}").unwrap();
    std::fs::write(file("input.job.json"), "{").unwrap();
    let (code, said) = fsck(folder, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(said["findings"].as_array().unwrap().len(), 4, "{said}");
    assert!(!file("results.json").exists(), "nothing is written unasked");

    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(code, Some(1), "the circuit is lost: {said}");
    let wrong: Vec<_> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["repaired"] == false)
        .collect();
    assert_eq!(wrong.len(), 1, "{said}");
    assert!(
        wrong[0]["what"]
            .as_str()
            .unwrap()
            .contains("compiled.aqo.json"),
        "{said}"
    );
    for kept in results[0].artifacts.iter().chain(&results[0].manifest) {
        if !kept.path.ends_with("compiled.aqo.json") {
            let content = std::fs::read(folder.join("qfs").join(&kept.path)).unwrap();
            assert_eq!(
                Sha256Sum::of(&content).to_string(),
                kept.sha256,
                "{}",
                kept.path
            );
        }
    }
    std::fs::write(file("compiled.aqo.json"), circuit).unwrap();
    assert_eq!(fsck(folder, &[]).0, Some(0));
}

#[tokio::test]
async fn a_head_that_is_damaged_is_made_again_from_its_history() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 2).await;
    let id = results[0].job_id.parse().unwrap();
    let before = jobs::open(folder.join("data"))
        .unwrap()
        .job(id)
        .await
        .unwrap()
        .unwrap();
    // The first field of a head is the id of its job.
    let head = [&[0x0a, 16][..], &before.id.to_be_bytes()].concat();
    let file = folder.join("data").join(jobs::FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let places: Vec<_> = (0..bytes.len() - head.len())
        .filter(|at| bytes[*at..].starts_with(&head))
        .collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[at + 10] ^= 1);
    std::fs::write(&file, bytes).unwrap();

    let (code, said) = fsck(folder, &[]);
    assert_eq!((code, &said["jobs"]), (Some(1), &2.into()));
    assert!(
        said["findings"][0]["what"]
            .as_str()
            .unwrap()
            .contains("damaged"),
        "{said}"
    );
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(
        (code, &said["findings"][0]["repaired"]),
        (Some(0), &true.into()),
        "{said}"
    );
    assert_eq!(
        jobs::open(folder.join("data"))
            .unwrap()
            .job(id)
            .await
            .unwrap(),
        Some(before)
    );
    assert_eq!(fsck(folder, &[]).0, Some(0));
}

#[tokio::test]
async fn names_and_heads_are_made_again_from_each_other() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    completed(folder, 3).await;
    for rows in [&b"n"[..], &b"i"[..]] {
        assert_eq!(lose(folder, &[rows]), 3);
        let (code, said) = fsck(folder, &[]);
        assert_eq!((code, &said["jobs"]), (Some(1), &3.into()), "{said}");
        let (code, said) = fsck(folder, &["--repair"]);
        assert_eq!(
            (code, said["findings"].as_array().unwrap().len()),
            (Some(0), 3),
            "{said}"
        );
        assert_eq!(fsck(folder, &[]).0, Some(0));
    }
    assert_eq!(lose(folder, &[b"n", b"i"]), 6);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(code, Some(0), "a checkpoint tells the name, too: {said}");
}

/// The place of a row of the first job.
fn row(number: u64) -> Vec<u8> {
    [&b"j"[..], &1_u64.to_be_bytes(), &number.to_be_bytes()].concat()
}

#[tokio::test]
async fn a_job_that_had_ended_has_ended_though_its_last_events_are_gone() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 1).await;
    let id = results[0].job_id.parse().unwrap();
    let stored = async || {
        let store = jobs::open(folder.join("data")).unwrap();
        store.job(id).await.unwrap().unwrap()
    };
    let before = stored().await;
    let last = before.seq;
    assert_eq!(lose(folder, &[b"i", &row(last), &row(last - 1)]), 3);
    assert_eq!(fsck(folder, &["--repair"]).0, Some(1), "the hole is named");
    assert_eq!(stored().await, before);
}

#[tokio::test]
async fn what_was_written_anew_is_looked_at_like_everything_else() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 1).await;
    let circuit = folder.join("qfs").join(&results[0].job_id);
    std::fs::remove_file(circuit.join("compiled.aqo.json")).unwrap();
    lose(folder, &[b"i", &row(u64::MAX)]);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(code, Some(1));
    let all = said["findings"].as_array().unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|one| (one["what"].as_str().unwrap(), one["repaired"] == true))
        .collect();
    assert_eq!(all[0], ("its head is missing", true));
    assert_eq!(all[1], ("its program is missing", false));
    assert!(all[2].0.contains("compiled.aqo.json"), "{said}");
    assert_eq!((all.len(), all[2].1), (3, false));
}

#[tokio::test]
async fn a_hole_in_a_history_hides_no_lost_artifact() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 1).await;
    let file = folder.join("qfs").join(&results[0].job_id);
    std::fs::remove_file(file.join("results.json")).unwrap();
    assert_eq!(lose(folder, &[&row(2)]), 1);
    let (code, said) = fsck(folder, &[]);
    assert_eq!(code, Some(1));
    let what = |at: usize| said["findings"][at]["what"].as_str().unwrap().to_owned();
    assert!(what(0).contains("its history has a hole"), "{said}");
    assert!(what(1).contains("results.json"), "{said}");
}

#[tokio::test]
async fn a_lost_idempotency_key_and_a_job_without_a_name_are_told() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    completed(folder, 1).await;
    assert_eq!(lose(folder, &[b"k"]), 1);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(code, Some(1));
    let what = said["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("its row is lost"), "{said}");
    assert_eq!(lose(folder, &[b"n", b"i", &row(0)]), 3);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(
        (code, &said["findings"][0]["job_id"]),
        (Some(1), &Value::Null)
    );
}

#[tokio::test]
async fn what_nothing_can_make_again_is_named() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    completed(folder, 1).await;
    let program = [&b"j"[..], &1_u64.to_be_bytes(), &u64::MAX.to_be_bytes()].concat();
    assert_eq!(lose(folder, &[&program]), 1);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!(code, Some(1));
    assert_eq!(said["findings"][0]["what"], "its program is missing");
}

#[tokio::test]
async fn a_wrong_artifact_root_is_told_and_not_made() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    completed(folder, 1).await;
    let output = qrtx(folder, &["fsck", "--data-dir", "data", "--qfs-root", "qsf"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there are no artifacts at qsf"), "{said}");
    assert!(!folder.join("qsf").exists());
}

#[tokio::test]
async fn a_kernel_that_runs_is_not_looked_into_and_a_wrong_place_is_told() {
    let folder = TempDir::new().unwrap();
    let mut kernel = Process::start(folder.path(), &[]);
    kernel.ready().await;
    let output = qrtx(folder.path(), &["fsck", "--data-dir", "data"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = "it is in use by another kernel; stop that kernel first";
    assert!(said.replace('\n', " ").contains(wanted), "{said}");
    let output = qrtx(folder.path(), &["fsck", "--data-dir", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    kernel.kill();
}

#[tokio::test]
async fn the_ledger_of_a_job_is_shown() {
    let folder = TempDir::new().unwrap();
    let mut kernel = Process::start(folder.path(), &[]);
    let address = kernel.ready().await;
    let mut client = client_of(address).await;
    let id = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &id).await;
    let endpoint = address.to_string();
    let output = qrtx(folder.path(), &["ledger", &id, "--endpoint", &endpoint]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let columns: Vec<_> = shown.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["1", "sim:local", "1000", "1000", "0", "0", "0"]);
    let output = qrtx(
        folder.path(),
        &["ledger", &id, "--endpoint", &endpoint, "--json"],
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["ledger"][0]["delivered"], 1000);
    let nobody = "job-00000000000000000000000000000000";
    let output = qrtx(folder.path(), &["ledger", nobody, "--endpoint", &endpoint]);
    assert_eq!(output.status.code(), Some(2));
    kernel.kill();
    let output = qrtx(folder.path(), &["ledger", &id, "--endpoint", &endpoint]);
    assert_eq!(output.status.code(), Some(3));
}
