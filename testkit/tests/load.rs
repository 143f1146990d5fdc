//! The load tool from end to end, with small numbers: what it says, not how fast anything is.

#![cfg(not(madsim))]

use std::process::Command;

use serde_json::Value;

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
    assert_eq!(found, [5, 2, 1, 1, 1]);
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
    let refused = |arguments: &[&str]| {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_qrtx-load"));
        let done = tool.arg("compare").args(arguments).output();
        let done = done.expect("the tool starts");
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let said = refused(&["--only", "speed"]);
    assert!(
        said.contains("\"speed\"") && said.contains("enqueue"),
        "{said}"
    );
    let said = refused(&["--quick", "--endpoint", "http://127.0.0.1:1"]);
    assert!(said.contains("cannot be reached"), "{said}");
}
