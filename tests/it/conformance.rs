//! `qrtx conformance driver`: a driver that keeps the contract passes, and each way of not keeping
//! it is found in the line that is about it.

use std::process::{Command, Output};

use qrtx::os::clock::SystemClock;
use qrtx_testkit::neighbours::driver::Deviation;
use qrtx_testkit::neighbours::{DriverDouble, Method, Served, Unserved, Whim};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Code;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx"));
    command
        .env_clear()
        .args(["conformance", "driver"])
        .args(arguments);
    command.output().unwrap()
}

/// How a check of `driver` ended, and the rules that it found broken.
fn check(driver: &Served, arguments: &[&str]) -> (i32, Vec<String>) {
    let endpoint = driver.addr.to_string();
    let mut all = vec!["--json", "--endpoint", &endpoint];
    all.extend(arguments);
    let output = run(&all);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = document["rules"].as_array().unwrap();
    let broken = rules.iter().filter(|rule| rule["kept"] == false);
    let broken: Vec<_> = broken
        .map(|rule| rule["rule"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(document["conforms"], broken.is_empty(), "{document}");
    (output.status.code().unwrap(), broken)
}

fn double() -> DriverDouble<SystemClock> {
    DriverDouble::new(SystemClock::default()).with_control()
}

#[test]
fn the_embedded_device_keeps_the_contract() {
    let output = run(&[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn a_driver_that_keeps_the_contract_passes_also_after_a_restart() {
    let driver = double();
    let served = Served::start(driver.routes());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();
    assert_eq!(check(&served, &["--save", file]), (0, vec![]));
    assert_eq!(
        driver.runs().len(),
        2,
        "nothing but what the contract lets run"
    );
    assert_eq!(
        check(&served, &["--after-restart", file]),
        (0, vec![]),
        "it remembers"
    );
    driver.forget();
    assert_eq!(
        check(&served, &["--after-restart", file]),
        (0, vec![]),
        "it says that it forgot"
    );
    assert_eq!(driver.runs().len(), 2);
}

#[test]
fn each_way_to_break_the_contract_is_found_in_its_own_line() {
    for (deviation, rule) in [
        (Deviation::RunsAgain, "runs an execution once"),
        (Deviation::IgnoresTombstones, "refuses what is buried"),
        (Deviation::IgnoresTokens, "refuses an older fencing token"),
    ] {
        let served = Served::start(double().deviating(deviation).routes());
        assert_eq!(
            check(&served, &[]),
            (1, vec![rule.to_owned()]),
            "{deviation:?}"
        );
    }
    let lost = || Whim::refuse(Code::Unavailable, "not now");
    for (method, whim, rule) in [
        (Method::ExecuteCircuit, Whim::WrongSum, "runs a circuit"),
        (
            Method::GetExecution,
            lost(),
            "tells what became of an execution",
        ),
        (
            Method::CancelExecution,
            lost(),
            "a cancel after the end changes nothing",
        ),
    ] {
        let driver = double();
        driver.whims().next(1, method, whim);
        let served = Served::start(driver.routes());
        assert_eq!(check(&served, &[]), (1, vec![rule.to_owned()]));
        assert_eq!(driver.whims().left(), []);
    }
}

#[test]
fn what_a_restart_must_not_lose_is_found_lost() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();

    let driver = double().deviating(Deviation::ClaimsToRemember);
    let served = Served::start(driver.routes());
    assert_eq!(check(&served, &["--save", file]), (0, vec![]));
    driver.forget();
    let broken = "remembers, or says that it has forgotten".to_owned();
    assert_eq!(
        check(&served, &["--after-restart", file]),
        (1, vec![broken])
    );

    let driver = double();
    let served = Served::start(driver.routes());
    assert_eq!(check(&served, &["--save", file]), (0, vec![]));
    driver.forget_tombstones_too();
    let broken = "refuses what was buried before the restart".to_owned();
    assert_eq!(
        check(&served, &["--after-restart", file]),
        (1, vec![broken])
    );
}

#[test]
fn a_driver_that_cannot_be_asked_is_told_so() {
    let served = Served::start(DriverDouble::new(SystemClock::default()).routes());
    let (code, broken) = check(&served, &[]);
    assert_eq!((code, broken.len()), (1, 8), "{broken:?}");
    assert!(!broken.contains(&"runs a circuit".to_owned()));
}

#[test]
fn wrong_use_and_a_driver_that_is_away_have_their_own_exit_codes() {
    let nobody = Unserved::new().url();
    let code = |arguments: &[&str]| run(arguments).status.code().unwrap();
    assert_eq!(code(&["--endpoint", &nobody]), 3);
    assert_eq!(code(&["--device", "none"]), 2);
    assert_eq!(
        code(&["--after-restart", "no-such-file", "--endpoint", &nobody]),
        2
    );
    assert_eq!(code(&["--after-restart", "no-such-file"]), 2);
}
