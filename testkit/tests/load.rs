//! The load tool from end to end, with small numbers: what it says, not how fast anything is.

#![cfg(not(madsim))]

use std::process::Command;
use std::sync::Arc;

use object_store::memory::InMemory;
use serde_json::Value;
use tonic::transport::Endpoint;

use qrtx::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use qrtx::grpc::proto::kernel::{DrainDeviceRequest, ListJobsRequest, TaskState};
use qrtx::observe::Traces;
use qrtx::os::artifacts::Opened;
use qrtx::os::config::Options;
use qrtx::os::serve::{Serving, start_over};
use qrtx::store::MemoryStore;

/// A kernel with its embedded neighbours, and where it listens, as people write it.
async fn kernel() -> (Serving<MemoryStore>, String) {
    let mut config = Options::default().resolve().expect("defaults are valid");
    config.listen = "127.0.0.1:0".to_owned();
    let store = Arc::new(InMemory::new());
    let opened = Opened {
        synced: store.clone(),
        store,
    };
    let store = MemoryStore::default();
    let serving = start_over(&config, false, store, opened, Traces::none()).await;
    let serving = serving.expect("a free port is there");
    let endpoint = serving.grpc.to_string();
    (serving, endpoint)
}

/// What the tool complains of.
fn refused(arguments: &[&str]) -> String {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_qrtx-load"));
    let done = tool.args(["compare", "--quick"]).args(arguments).output();
    let done = done.expect("the tool starts");
    assert!(!done.status.success());
    assert!(done.stdout.is_empty(), "no table of what was not measured");
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn rows(arguments: &[&str]) -> Vec<Value> {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_qrtx-load"));
    let done = tool
        .arg("compare")
        .args(["--quick", "--json"])
        .args(arguments);
    let done = done.output().expect("the tool starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("of echo"), "progress is told: {said}");
    serde_json::from_slice(&done.stdout).expect("stdout is one document")
}

#[test]
fn every_row_has_all_fields_and_they_agree() {
    let rows = rows(&[]);
    for row in &rows {
        let number = |field: &str| {
            row[field]
                .as_f64()
                .unwrap_or_else(|| panic!("{field}: {row}"))
        };
        let text = |field: &str| {
            row[field]
                .as_str()
                .unwrap_or_else(|| panic!("{field}: {row}"))
        };
        assert!(["memory", "redb"].contains(&text("store")), "{row}");
        assert!(!text("reference").is_empty());
        assert!(number("callers") >= 1.0);
        assert!(number("per_second") > 0.0, "{row}");
        let ratio = number("per_second") / number("reference_per_second");
        assert!((number("ratio") / ratio - 1.0).abs() < 1e-6, "{row}");
        assert!(number("p50_ms") <= number("p99_ms"), "{row}");
    }
    let of = |what: &str| {
        rows.iter()
            .filter(|row| row["what"] == what)
            .collect::<Vec<_>>()
    };
    let found =
        ["enqueue", "life", "life_on_disk", "status", "recovery"].map(|what| of(what).len());
    assert_eq!(found, [5, 3, 1, 1, 1]);
    assert_eq!(of("status")[0]["jobs"], 100);
    // A caller's three RPCs, and one each to compile, to ask the device and to execute.
    let rpcs = of("life")[0]["rpcs"].as_f64().expect("a life is counted");
    assert!((6.0..8.0).contains(&rpcs), "{rpcs}");
    let recovery = of("recovery")[0];
    assert!(recovery["ready_seconds"].as_f64() > Some(0.0));
    assert!(recovery["resident_bytes"].as_u64() > Some(1 << 20));
}

#[test]
fn what_cannot_be_measured_is_said() {
    let said = refused(&["--only", "speed"]);
    assert!(
        said.contains("\"speed\"") && said.contains("enqueue"),
        "{said}"
    );
    for endpoint in ["http://127.0.0.1:1", "127.0.0.1:1"] {
        let said = refused(&["--endpoint", endpoint]);
        assert!(said.contains("cannot be reached"), "{said}");
        assert!(said.contains("refused"), "the reason: {said}");
        assert!(said.contains("qrtx serve"), "what to do: {said}");
    }
    let said = refused(&["--endpoint", "nowhere"]);
    assert!(said.contains("host:port"), "{said}");
    for row in ["recovery", "life_on_disk"] {
        let only = format!("status,{row}");
        let said = refused(&["--endpoint", "127.0.0.1:1", "--only", &only]);
        assert!(said.contains(&format!("{row:?}")), "{said}");
        assert!(said.contains("life, status, enqueue"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_elsewhere_is_measured_without_the_work_of_its_processors() {
    let (serving, endpoint) = kernel().await;
    let measured = tokio::task::block_in_place(|| rows(&["--endpoint", &endpoint]));
    serving.stop().await;
    for row in &measured {
        assert_eq!(row["store"], "unknown");
        for field in ["cpu_ms", "cpu_ratio"] {
            let told = row.as_object().unwrap().get(field);
            assert_eq!(told, Some(&Value::Null), "{row}");
        }
    }
    let found = ["enqueue", "life", "status"].map(|what| {
        let of = measured.iter().filter(|row| row["what"] == what);
        of.count()
    });
    assert_eq!(found, [2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_do_not_end_are_given_up_and_what_holds_them_is_said() {
    let (serving, endpoint) = kernel().await;
    let channel = Endpoint::from_shared(format!("http://{endpoint}")).unwrap();
    let mut client = KernelGatewayClient::new(channel.connect_lazy());
    let drain = DrainDeviceRequest {
        device_id: "sim:local".to_owned(),
        draining: true,
    };
    client.drain_device(drain).await.unwrap();
    let arguments = ["--endpoint", &endpoint, "--patience", "1"];
    let said = tokio::task::block_in_place(|| refused(&arguments));
    assert!(said.contains("had not ended after 1 s"), "{said}");
    assert!(said.contains("DRAINING"), "{said}");
    let elsewhere = [&arguments[..], &["--target", "no:such"]].concat();
    let told = tokio::task::block_in_place(|| refused(&elsewhere));
    assert!(told.contains("there is no device no:such"), "{told}");
    let jobs = client.list_jobs(ListJobsRequest::default()).await.unwrap();
    let jobs = jobs.into_inner().jobs;
    let states: Vec<_> = jobs.iter().map(|job| job.state()).collect();
    let ended = [TaskState::Failed, TaskState::Cancelled];
    assert_eq!(states, ended, "nothing is left behind");
    serving.stop().await;
}
