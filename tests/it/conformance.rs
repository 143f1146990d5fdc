//! `qrtx conformance driver`: a driver that keeps the contract passes, and each way of not keeping
//! it is found in the line that is about it.

use std::process::{Command, Output};
use std::time::Duration;

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

/// The exit code of a check of `driver`, and what it said.
fn said(driver: &Served, arguments: &[&str]) -> (i32, Value) {
    let endpoint = driver.addr.to_string();
    let mut all = vec!["--json", "--endpoint", &endpoint];
    all.extend(arguments);
    let output = run(&all);
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), document)
}

/// The rules of which it was said that they are kept, broken (`false`) or neither (`null`).
fn rules(document: &Value, kept: Value) -> Vec<String> {
    let rules = document["rules"].as_array().unwrap();
    let rules = rules.iter().filter(|rule| rule["kept"] == kept);
    rules
        .map(|rule| rule["rule"].as_str().unwrap().to_owned())
        .collect()
}

/// How a check of `driver` ended, and the rules that it found broken.
fn check(driver: &Served, arguments: &[&str]) -> (i32, Vec<String>) {
    let (code, document) = said(driver, arguments);
    let broken = rules(&document, false.into());
    assert_eq!(document["conforms"], broken.is_empty(), "{document}");
    (code, broken)
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
        4,
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
    assert_eq!(driver.runs().len(), 4);
}

#[test]
fn each_way_to_break_the_contract_is_found_in_its_own_line() {
    for (deviation, rule) in [
        (Deviation::RunsAgain, "runs an execution once"),
        (Deviation::IgnoresTombstones, "refuses what is buried"),
        (Deviation::IgnoresTokens, "refuses an older fencing token"),
        (
            Deviation::IgnoresTokensOfTombstones,
            "refuses what is older than a tombstone",
        ),
        (
            Deviation::ComparesTokensOfAllJobs,
            "runs another job with a smaller token",
        ),
        (Deviation::ComparesEpochs, "refuses an older fencing token"),
        (Deviation::GoesByJob, "runs a newer attempt of a job anew"),
        (Deviation::HidesTombstones, "tells of a tombstone"),
        (
            Deviation::CancelsWithoutSince,
            "buries what has not arrived",
        ),
        (Deviation::KnowsWhatItBuried, "buries what has not arrived"),
        (
            Deviation::TellsOtherCounts,
            "tells what became of an execution",
        ),
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
fn a_driver_that_does_not_compare_the_epochs_of_tokens_is_found() {
    let driver = double().deviating(Deviation::ComparesLowHalves);
    let served = Served::start(driver.routes());
    let broken = [
        "refuses what is older than a tombstone",
        "runs a newer attempt of a job anew",
    ];
    let broken = broken.map(str::to_owned).to_vec();
    assert_eq!(check(&served, &[]), (1, broken));
}

#[test]
fn a_driver_that_runs_copies_which_come_together_is_found() {
    let driver = double().deviating(Deviation::KnowsOnlyWhatIsOver);
    // Long enough for all copies to arrive while the first one runs.
    driver.set_takes(Duration::from_millis(500));
    let served = Served::start(driver.routes());
    let broken = "runs simultaneous copies once".to_owned();
    assert_eq!(check(&served, &[]), (1, vec![broken]));
}

#[test]
fn phases_are_told_of_and_a_driver_may_leave_them_out() {
    let phases = ["tells phases (optional)".to_owned()];
    let driver = double();
    driver.set_takes(Duration::from_millis(50));
    let served = Served::start(driver.routes());
    let (code, document) = said(&served, &[]);
    assert_eq!(code, 0, "{document}");
    assert!(rules(&document, true.into()).contains(&phases[0]));

    let driver = double();
    let none = Whim::refuse(Code::Unimplemented, "no phases here");
    driver.whims().always(Method::WatchExecution, none);
    let served = Served::start(driver.routes());
    let (code, document) = said(&served, &[]);
    assert_eq!(code, 0, "it is still asked for the rest: {document}");
    assert_eq!(rules(&document, Value::Null), phases);
}

#[test]
fn a_refusal_without_error_info_is_none_and_what_it_lacks_is_said() {
    let driver = double().deviating(Deviation::RefusesBarely);
    let served = Served::start(driver.routes());
    let (code, document) = said(&served, &[]);
    let broken = rules(&document, false.into());
    let wanted = [
        "refuses what is older than a tombstone",
        "refuses what is buried",
        "refuses an older fencing token",
    ];
    assert_eq!((code, broken), (1, wanted.map(str::to_owned).to_vec()));
    let rules = document["rules"].as_array().unwrap();
    let seen = rules.iter().filter(|rule| rule["kept"] == false);
    for seen in seen.map(|rule| rule["seen"].as_str().unwrap()) {
        assert!(seen.contains("FAILED_PRECONDITION"), "{seen}");
        assert!(seen.contains("google.rpc.ErrorInfo"), "{seen}");
    }
}

#[test]
fn what_a_restart_must_not_lose_is_found_lost() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();

    for (deviation, rule) in [
        (
            Deviation::ClaimsToRemember,
            "remembers, or says that it has forgotten",
        ),
        (
            Deviation::TellsOtherCountsAfterRestart,
            "remembers, or says that it has forgotten",
        ),
        (
            Deviation::RunsAgainAfterRestart,
            "runs an execution once, across the restart",
        ),
        (
            Deviation::LosesTokens,
            "refuses a token older than one before the restart",
        ),
    ] {
        let driver = double().deviating(deviation);
        let served = Served::start(driver.routes());
        assert_eq!(check(&served, &["--save", file]), (0, vec![]));
        driver.forget();
        assert_eq!(
            check(&served, &["--after-restart", file]),
            (1, vec![rule.to_owned()]),
            "{deviation:?}"
        );
    }

    let driver = double();
    let served = Served::start(driver.routes());
    assert_eq!(check(&served, &["--save", file]), (0, vec![]));
    driver.forget_tombstones_too();
    let broken = [
        "refuses what is older than a tombstone from before",
        "refuses what was buried before the restart",
    ];
    assert_eq!(
        check(&served, &["--after-restart", file]),
        (1, broken.map(str::to_owned).to_vec())
    );
}

#[test]
fn a_driver_that_cannot_be_asked_is_told_so() {
    let served = Served::start(DriverDouble::new(SystemClock::default()).routes());
    let (code, broken) = check(&served, &[]);
    assert_eq!((code, broken.len()), (1, 10), "{broken:?}");
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
