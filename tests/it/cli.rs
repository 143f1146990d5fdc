//! The binary, as a person or a script runs it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use qrtx::ids::Sha256Sum;
use serde_json::Value;
use tempfile::TempDir;

/// Variables of the neighbours' deployment would change what is tested.
const NEIGHBOURS: [&str; 8] = [
    "EIGEN_COMPILER_ENDPOINT",
    "DRIVER_MANAGER_ENDPOINT",
    "EIGEN_KERNEL_ADDR",
    "EIGEN_QFS_ROOT",
    "QRTX_STORE",
    "QRTX_DATA_DIR",
    "QRTX_CONFIG",
    "RUST_LOG",
];

fn qrtx(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx"));
    NEIGHBOURS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.current_dir(folder.path());
    command
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    qrtx(folder).arg("run").args(arguments).output().unwrap()
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
        .display()
        .to_string()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn run_prints_one_document_whose_artifacts_are_there_and_hash_as_told() {
    let folder = folder();
    let bell = example("bell.aqo.json");
    let arguments = [bell.as_str(), "--shots", "1000", "--seed", "7", "--json"];
    let output = run(&folder, &arguments);
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("stdout is one document");
    assert_eq!(told["state"], "Completed");
    assert_eq!(told["device_id"], "sim:local");
    let counts = told["counts"].as_object().unwrap();
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["00", "11"]);
    assert_eq!(counts.values().filter_map(Value::as_u64).sum::<u64>(), 1000);
    for stage in told["stages"].as_array().unwrap() {
        assert!(stage["name"].is_string() && stage["seconds"].is_f64());
        assert!(stage["started_at"].as_str().unwrap().ends_with('Z'));
    }
    let read = |path: &Value| std::fs::read(folder.path().join(path.as_str().unwrap())).unwrap();
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
    let again: Value = serde_json::from_slice(&run(&folder, &arguments).stdout).unwrap();
    assert_eq!(
        again["counts"], told["counts"],
        "the same seed, the same counts"
    );
}

#[test]
fn exit_codes_tell_scripts_how_it_went() {
    let folder = folder();
    std::fs::write(folder.path().join("bad.json"), "{}").unwrap();
    let bell = example("bell.aqo.json");
    let code = |arguments: &[&str]| run(&folder, arguments).status.code();
    assert_eq!(code(&[&bell]), Some(0));
    assert_eq!(code(&["bad.json"]), Some(1));
    assert_eq!(code(&[&bell, "--shots", "0"]), Some(2));
    assert_eq!(code(&["nowhere.json"]), Some(2));
    assert_eq!(
        code(&[&bell, "--driver", "127.0.0.1:1", "--timeout", "0.3"]),
        Some(4)
    );

    let refused = run(&folder, &[&bell, "--shots", "0", "--json"]);
    let told: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(
        told["error"]["message"]
            .as_str()
            .unwrap()
            .contains("shots is 0"),
        "{told}"
    );
    let failed = run(&folder, &["bad.json", "--json"]);
    let told: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(told["error"]["error_code"], "ValidationError");
    assert!(
        folder
            .path()
            .join(told["error"]["details"].as_str().unwrap())
            .exists()
    );
}

#[test]
fn serve_tells_its_addresses_in_one_json_line_and_ends_when_asked() {
    let folder = folder();
    let mut serving = qrtx(&folder)
        .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
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
    let id = serving.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(lines.all(|line| serde_json::from_str::<Value>(&line.unwrap()).is_ok()));
    assert!(serving.wait().unwrap().success());
}

#[test]
fn help_fits_a_terminal_and_shows_examples_that_exist() {
    let folder = folder();
    for command in ["run", "serve"] {
        let output = qrtx(&folder).args([command, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Examples:"), "{help}");
        let wide = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "this line is too wide");
        for word in help
            .split_whitespace()
            .filter(|word| word.starts_with("examples/"))
        {
            let file = word.trim_start_matches("examples/");
            assert!(Path::new(&example(file)).exists(), "{word}");
        }
    }
}
