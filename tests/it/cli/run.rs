//! `qrtx run` and `qrtx serve`: a kernel in the process itself.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use qrtx::ids::Sha256Sum;
use qrtx_testkit::neighbours::Unserved;
use serde_json::Value;

use super::shell::{Shell, example, signal};

#[test]
fn run_prints_one_document_whose_artifacts_are_there_and_hash_as_told() {
    let shell = Shell::new();
    let bell = example("bell.aqo.json");
    let arguments = ["run", &bell, "--shots", "1000", "--seed", "7", "--json"];
    let output = shell.run(&arguments);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let told = output.document();
    assert_eq!(told["state"], "Completed");
    assert_eq!(told["error"], Value::Null);
    assert_eq!(told["device_id"], "sim:local");
    let counts = told["counts"].as_object().unwrap();
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["00", "11"]);
    assert_eq!(counts.values().filter_map(Value::as_u64).sum::<u64>(), 1000);
    for stage in told["stages"].as_array().unwrap() {
        assert!(stage["name"].is_string() && stage["seconds"].is_f64());
        assert!(stage["started_at"].as_str().unwrap().ends_with('Z'));
    }
    let read = |path: &Value| std::fs::read(shell.path().join(path.as_str().unwrap())).unwrap();
    let manifest: Value = serde_json::from_slice(&read(&told["manifest"]["path"])).unwrap();
    let artifacts = told["artifacts"].as_array().unwrap();
    for (artifact, listed) in artifacts
        .iter()
        .zip(manifest["artifacts"].as_array().unwrap())
    {
        let content = read(&artifact["path"]);
        assert_eq!(artifact["sha256"], Sha256Sum::of(&content).to_string());
        assert_eq!(artifact["bytes"], content.len());
        assert_eq!(artifact["sha256"], listed["sha256"]);
    }
    let again = shell.run(&arguments).document();
    assert_eq!(
        again["counts"], told["counts"],
        "the same seed, the same counts"
    );
}

#[test]
fn run_shows_what_was_measured_or_what_went_wrong() {
    let shell = Shell::new();
    let bell = example("bell.aqo.json");
    let seen = shell.run(&["run", &bell, "--shots", "1000", "--seed", "7"]);
    let bad = shell.file("bad.json", b"{}");
    let failed = shell.run(&["run", bad]);
    insta::assert_snapshot!(
        seen.transcript("run examples/bell.aqo.json --shots 1000 --seed 7")
            + &failed.transcript("run bad.json")
    );

    let told = shell.run(&["run", bad, "--json"]).document();
    assert_eq!(told["error"]["code"], "ValidationError");
    let file = told["error"]["details"]["file"].as_str().unwrap();
    assert!(shell.path().join(file).exists(), "{file}");
}

#[test]
fn who_declares_bits_and_measures_nothing_is_told_what_was_measured() {
    let shell = Shell::new();
    let none = shell.file("none.qasm", b"qubit[2] q; bit[2] c; U(pi, 0, pi) q[0];");
    let told = shell.run(&["run", none, "--json"]).document();
    assert_eq!(
        told["counts"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["01"]
    );
    let what = told["metadata"]["measured"].as_str().unwrap();
    assert!(
        what.starts_with("every qubit, the first on the right"),
        "{what}"
    );
    let shown = shell.run(&["run", none]).stdout;
    assert!(shown.contains("measured  every qubit"), "{shown}");
    let some = shell.file("some.qasm", b"qubit[2] q; bit[2] c; c = measure q;");
    let told = shell.run(&["run", some, "--json"]).document();
    assert_eq!(told["metadata"]["measured"], Value::Null);
}

#[test]
fn a_pipe_that_is_closed_changes_nothing_about_how_a_run_ends() {
    let shell = Shell::new();
    let bell = example("bell.qasm");
    let bad = shell.file("bad.qasm", b"qubit q; bit c; c = 3;");
    for (file, code) in [(&*bell, 0), (bad, 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(&["run", file, "--json"]);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn a_run_that_waits_says_what_for_in_a_pipe_too() {
    let shell = Shell::new();
    let nobody = Unserved::new();
    let bell = example("bell.qasm");
    let mut child = shell
        .command(&["run", &bell, "--driver", &nobody.addr.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = told
        .map(Result::unwrap)
        .find(|line| line.contains(" is Pending: "));
    let told = told.expect("it says so before it ends");
    assert!(told.contains("driver-manager"), "{told}");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn serve_tells_its_addresses_in_one_json_line_and_ends_when_asked() {
    let shell = Shell::new();
    let mut serving = shell
        .command(&["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|line| line["event"] == "ready")
        .unwrap();
    for address in ["grpc", "http"] {
        let address = ready[address].as_str().unwrap();
        std::net::TcpStream::connect(address).unwrap();
    }
    let grpc = ready["grpc"].as_str().unwrap();
    assert!(shell.run(&["jobs", "--endpoint", grpc]).code == 0);
    signal(&serving, "TERM");
    assert!(lines.all(|line| serde_json::from_str::<Value>(&line.unwrap()).is_ok()));
    assert!(serving.wait().unwrap().success());
}
