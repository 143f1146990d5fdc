//! The examples do what they say, and the mistakes get the message that stands in their files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qrtx::grpc::proto::kernel as wire;

use crate::harness::{Client, Deployment, enqueue, finish, request};

const SHOTS: i64 = 2000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The OpenQASM files of a folder, by name.
fn programs(of: &str) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder(of)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "qasm"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

async fn run(
    client: &mut Client,
    program: &str,
    parameters: &[(&str, &str)],
) -> wire::GetJobResultsResponse {
    let metadata = parameters
        .iter()
        .map(|(name, value)| (format!("param.{name}"), (*value).to_owned()));
    let asked = wire::EnqueueJobRequest {
        program_format: "qasm_text".to_owned(),
        shots: Some(SHOTS),
        seed: Some(7),
        metadata: metadata.collect(),
        ..request(program.as_bytes().to_vec())
    };
    let job_id = enqueue(client, asked).await;
    finish(client, &job_id).await
}

/// The share of shots whose key is as wanted.
fn share(counts: &BTreeMap<String, i64>, wanted: impl Fn(&str) -> bool) -> f64 {
    let found = counts.iter().filter(|(key, _)| wanted(key));
    found.map(|(_, count)| *count).sum::<i64>() as f64 / SHOTS as f64
}

/// 1 where the product of these bits is even, -1 where it is odd, on average.
fn parity(counts: &BTreeMap<String, i64>, bits: &[usize]) -> f64 {
    let odd = share(counts, |key| {
        let of_bit = |bit: &usize| key.as_bytes()[key.len() - 1 - bit] == b'1';
        bits.iter().filter(|bit| of_bit(bit)).count() % 2 == 1
    });
    1.0 - 2.0 * odd
}

#[tokio::test]
async fn every_example_does_what_it_says() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    for (name, program) in programs("examples") {
        let parameters: &[_] = match name.as_str() {
            "h2-vqe.qasm" => &[("theta", "0.2298"), ("turn", "0")],
            _ => &[],
        };
        let results = run(&mut client, &program, parameters).await;
        assert_eq!(
            results.state(),
            wire::TaskState::Completed,
            "{name}: {:?}",
            results.error
        );
        let counts = &results.counts;
        match name.as_str() {
            "bell.qasm" | "ghz.qasm" => {
                let alike = |key: &str| !(key.contains('0') && key.contains('1'));
                assert_eq!(share(counts, alike), 1.0, "{name}: {counts:?}");
                assert_eq!(counts.len(), 2, "{name}: {counts:?}");
            }
            "qft.qasm" => assert_eq!(share(counts, |key| key == "01011"), 1.0, "{counts:?}"),
            "grover.qasm" => {
                let found = share(counts, |key| key == "101");
                assert!((found - 0.945).abs() < 0.03, "{counts:?}");
            }
            "teleportation.qasm" => {
                let arrived = share(counts, |key| key.starts_with('0'));
                assert_eq!(arrived, 1.0, "{counts:?}");
                assert_eq!(
                    counts.len(),
                    4,
                    "all four outcomes of the sender: {counts:?}"
                );
            }
            "bernstein-vazirani.qasm" => {
                assert_eq!(share(counts, |key| key == "10110"), 1.0, "{counts:?}");
            }
            "h2-vqe.qasm" => {
                let turned = [("theta", "0.2298"), ("turn", "pi/2")];
                let across = run(&mut client, &program, &turned).await;
                let z = |bits: &[usize]| parity(counts, bits);
                let energy = 0.2252 + 0.3435 * z(&[0]) - 0.4347 * z(&[1])
                    + 0.5716 * z(&[0, 1])
                    + 2.0 * 0.0910 * parity(&across.counts, &[0, 1]);
                assert!((energy + 1.1456).abs() < 0.03, "{energy}");
            }
            other => panic!("nothing is claimed of {other}: say here what it must give"),
        }
    }
}

#[tokio::test]
async fn every_mistake_gets_the_message_that_stands_in_its_file() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    for (name, program) in programs("examples/mistakes") {
        let results = run(&mut client, &program, &[]).await;
        assert_eq!(results.state(), wire::TaskState::Failed, "{name}");
        let error = results.error.unwrap();
        let told = format!("{}: {}", error.error_code, error.error_summary);
        let told: String = told.lines().map(|line| format!("// {line}\n")).collect();
        assert!(
            program.ends_with(&format!("\n\n{told}")),
            "{name} gets\n{told}"
        );
    }
}
