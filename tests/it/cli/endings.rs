//! How commands end: exit codes that mean the same everywhere, Ctrl-C, and a stdout that is gone.

use std::process::Stdio;
use std::time::Duration;

use qrtx::os::clock::SystemClock;
use qrtx_testkit::neighbours::{DriverDouble, Method, Served, Whim};

use super::shell::{Running, Shell};
use crate::circuits::{aqo, bell, endless};
use crate::harness::{Deployment, cancel, status, until};

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_mean_the_same_for_every_command() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let (good, bad) = (
        shell.file("good.json", &bell()),
        shell.file("bad.json", b"{}"),
    );
    let endless = shell.file("endless.json", &endless());
    let submits = [
        (vec!["submit", good, "--key", "good"], 0),
        (vec!["submit", bad, "--key", "bad"], 1),
        (
            vec!["submit", endless, "--key", "late", "--timeout", "0.2"],
            4,
        ),
        (vec!["submit", endless, "--key", "cancelled"], 5),
    ];
    for (submit, code) in submits {
        let job = shell.output(&submit);
        if code == 5 {
            until(&mut client, &job, "PhaseReached").await;
            assert_eq!(shell.run(&["status", &job]).code, 0, "it goes on");
            cancel(&mut client, &job).await;
        }
        let told = |command: &[&str]| shell.run(command).code;
        assert_eq!(told(&["watch", &job]), code, "watch of {submit:?}");
        for command in ["status", "results"] {
            assert_eq!(told(&[command, &job]), code, "{command} of {submit:?}");
            assert_eq!(told(&[command, &job, "--json"]), code, "{command}");
        }
        assert_eq!(told(&["results", "--wait", &job]), code, "{submit:?}");
        assert_eq!(told(&[&submit[..], &["--wait"]].concat()), code);
        assert_eq!(told(&[&submit[..], &["--watch"]].concat()), code);
        assert_eq!(told(&["history", &job]), 0, "the question was answered");
        let cancelled = if code == 5 { 0 } else { 1 };
        assert_eq!(told(&["cancel", &job]), cancelled, "{submit:?}");
    }
    for wrong in [
        vec!["run", good, "--shots", "0"],
        vec!["run", "nowhere.json"],
    ] {
        assert_eq!(shell.run(&wrong).code, 2);
    }
    assert_eq!(shell.run(&["jobs", "--endpoint", "127.0.0.1:1"]).code, 3);
    assert_eq!(shell.run(&["run", good]).code, 0);
    assert_eq!(shell.run(&["run", bad]).code, 1);
    assert_eq!(shell.run(&["run", endless, "--timeout", "0.2"]).code, 4);
}

/// A run that is on its device.
fn running(shell: &Shell, more: &[&str]) -> Running {
    let file = shell.file("endless.json", &endless());
    let mut command = shell.command(&[&["run", file, "--shots", "1000000"], more].concat());
    command.env("RUST_LOG", "info");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = Running::new(command.spawn().unwrap());
    run.until("the execution reached QuantumRunning");
    run
}

#[test]
fn ctrl_c_cancels_a_run_and_says_what_that_achieved() {
    let shell = Shell::new();
    let mut run = running(&shell, &[]);
    run.interrupt();
    run.until("cancelling; Ctrl-C again leaves at once");
    run.until("STOPPED_ON_DEVICE: cancelled; the driver confirmed");
    let told = run.end();
    assert_eq!(told.code, 5, "{}", told.stderr);
    assert!(told.stdout.contains("Cancelled"), "{}", told.stdout);

    let run = running(&shell, &["--json"]);
    run.interrupt();
    let told = run.end();
    let document = told.document();
    assert_eq!((told.code, &document["state"]), (5, &"Cancelled".into()));
    assert_eq!(document["error"]["code"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_leaves_at_once() {
    let driver = DriverDouble::new(SystemClock::default()).with_control();
    driver.set_takes(Duration::from_secs(3600));
    driver.whims().always(Method::CancelExecution, Whim::Hang);
    let served = Served::start(driver.routes());
    let shell = Shell::new();
    let turn = serde_json::json!({ "op": "RX", "q": [0], "params": { "theta": 1.5 } });
    let file = shell.file("turn.json", &aqo(1, vec![turn]));
    let driver = served.addr.to_string();
    let mut command = shell.command(&["run", file, "--json", "--driver", &driver]);
    command.env("RUST_LOG", "info");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = Running::new(command.spawn().unwrap());
    run.until("the execution reached QuantumRunning");
    run.interrupt();
    run.until("cancelling; Ctrl-C again leaves at once");
    run.interrupt();
    let told = run.end();
    assert_eq!(told.code, 130, "{}", told.stderr);
    assert_eq!(told.document()["error"]["code"], "QRTX_INTERRUPTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_a_job_of_a_running_kernel_alone_and_says_how_to_find_it() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("endless.json", &endless());

    let mut waiting = shell.start(&["submit", file, "--wait"]);
    waiting.until("was accepted");
    waiting.interrupt();
    let told = waiting.end();
    assert_eq!(told.code, 130, "{}", told.stderr);
    let job = told.stderr.split("qrtx watch ").nth(1).unwrap();
    let job = job.split('`').next().unwrap().to_owned();

    let mut watching = shell.start(&["watch", &job]);
    watching.until_printed("QuantumRunning");
    watching.interrupt();
    let told = watching.end();
    assert_eq!(told.code, 130);
    assert!(told.stderr.contains("the job goes on"), "{}", told.stderr);
    assert_eq!(
        status(&mut client, &job).await.state().as_str_name(),
        "TASK_STATE_EXECUTING"
    );
    cancel(&mut client, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stdout_that_takes_nothing_is_an_error_and_one_that_is_closed_is_none_of_ours() {
    let deployment = Deployment::embedded().await;
    let shell = Shell::to(&deployment);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = shell.command(&["devices"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("stdout cannot be written: No space left"),
        "{said}"
    );

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = shell.command(&["devices"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "what was asked for is done");
    assert!(output.stderr.is_empty(), "{output:?}");

    let file = shell.file("bell.json", &bell());
    let job = shell.output(&["submit", file]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let watch = shell.command(&["watch", &job]).stdout(writer).output();
    let output = watch.unwrap();
    assert_eq!(output.status.code(), Some(130), "nobody saw how it ended");
    assert!(output.stderr.is_empty(), "{output:?}");
}
