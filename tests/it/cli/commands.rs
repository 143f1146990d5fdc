//! What each command says of the jobs of a running kernel, as a person reads it in a pipe.

use qrtx::grpc::proto::kernel::TaskState;

use super::shell::Shell;
use crate::circuits::{bell, endless};
use crate::harness::{Deployment, history, until};

async fn one_slot() -> Deployment {
    Deployment::new(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
    })
    .await
}

fn transcripts(shell: &Shell, commands: &[&[&str]]) -> String {
    let told = commands.iter().map(|command| shell.transcript(command));
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_job_answers_every_question() {
    let deployment = one_slot().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    let submit = [
        "submit", file, "--shots", "1000", "--seed", "7", "--key", "k",
    ];
    let job = shell.output(&submit);
    shell.output(&["results", &job, "--wait"]);
    insta::assert_snapshot!(transcripts(
        &shell,
        &[
            &submit,
            &["status", &job],
            &["watch", &job, "--after", "7"],
            &["results", &job],
            &["history", &job],
            &["cancel", &job],
            &["jobs"],
            &["jobs", "--state", "failed,timeout"],
            &["devices"],
        ]
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_says_why() {
    let deployment = one_slot().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bad.json", br#"{"version": "1.0.0", "qubits": 1}"#);
    let job = shell.output(&["submit", file]);
    assert_eq!(shell.run(&["watch", &job]).code, 1);
    let mut client = deployment.client().await;
    let reported = async |client: &mut _| {
        let events = history(client, &job).await.events;
        events.iter().any(|event| event.kind == "Reported")
    };
    while !reported(&mut client).await {
        tokio::task::yield_now().await;
    }
    // How much comes before the stream ends is a race, but not what, nor how it ends.
    let watched = shell.run(&["submit", file, "--watch"]);
    assert_eq!(watched.code, 1);
    let (id, events) = watched.stdout.split_once('\n').unwrap();
    assert!(events.contains("Failed"), "{events}");
    let again = shell.run(&["watch", id]).stdout;
    assert!(again.starts_with(events), "{events}\n{again}");
    insta::assert_snapshot!(transcripts(
        &shell,
        &[
            &["submit", file, "--wait"],
            &["watch", &job],
            &["status", &job],
            &["results", &job],
            &["history", &job],
        ]
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_and_run_say_so_and_can_be_cancelled() {
    let deployment = one_slot().await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("endless.json", &endless());
    let running = shell.output(&["submit", file, "--name", "the one that runs"]);
    until(&mut client, &running, "PhaseReached").await;
    let waiting = shell.output(&["submit", file, "--timeout", "600", "--priority", "9"]);
    until(&mut client, &waiting, "Compiled").await;
    insta::assert_snapshot!(transcripts(
        &shell,
        &[
            &["status", &running],
            &["status", &waiting],
            &["results", &waiting],
            &["jobs", "--active", "--limit", "1"],
            &["devices"],
            &["cancel", &waiting, "--reason", "it waits too long"],
            &["cancel", &running],
            &["status", &waiting],
            &["results", &waiting],
        ]
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_and_filters_hold() {
    let deployment = one_slot().await;
    let shell = Shell::to(&deployment);
    let (file, bad) = (
        shell.file("bell.json", &bell()),
        shell.file("bad.json", b"{}"),
    );
    let submit = |file, tenant| shell.output(&["submit", file, "--tenant", tenant]);
    let mut sent: Vec<String> = (0..5).map(|_| submit(file, "physics")).collect();
    for job in &sent {
        shell.output(&["results", job, "--wait"]);
    }
    let failed = submit(bad, "chemistry");
    assert_eq!(shell.run(&["watch", &failed]).code, 1);
    sent.push(failed.clone());
    sent.reverse();

    let page = |more: &[&str]| {
        let told = shell.run(&[&["jobs", "--json"], more].concat()).document();
        let jobs = told["jobs"].as_array().unwrap().iter();
        let ids = jobs.map(|job| job["job_id"].as_str().unwrap().to_owned());
        (
            ids.collect::<Vec<_>>(),
            told["next_page_token"].as_str().map(str::to_owned),
        )
    };
    let (first, token) = page(&["--limit", "4"]);
    let (second, end) = page(&["--limit", "4", "--page-token", &token.unwrap()]);
    assert_eq!([first, second].concat(), sent, "newest first");
    assert_eq!(end, None);

    assert_eq!(page(&["--state", "Failed"]).0, [&*failed]);
    assert_eq!(page(&["--tenant", "chemistry"]).0, [&*failed]);
    assert_eq!(page(&["--target", "no:device"]).0, [""; 0]);
    assert_eq!(page(&["--active"]).0, [""; 0]);
    assert_eq!(page(&["--since", "1h"]).0, sent);
    assert_eq!(page(&["--since", "0s"]).0, [""; 0]);
    assert_eq!(page(&["--since", "0s", "--limit", "2"]).1, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_of_a_submission_reach_the_kernel() {
    let deployment = one_slot().await;
    let shell = Shell::to(&deployment);
    let mut command = shell.command(&[
        "submit",
        "-",
        "--format",
        "aqo_json",
        "--name",
        "from a pipe",
        "--shots",
        "17",
        "--priority",
        "80",
        "--tenant",
        "t",
        "--project",
        "p",
        "--param",
        "theta=0.5",
        "--metadata",
        "note=a=b",
        "--compiler-option",
        "level=2",
        "--timeout",
        "60",
    ]);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &bell()).unwrap();
    let output = child.wait_with_output().unwrap();
    let job = String::from_utf8(output.stdout).unwrap();

    let mut client = deployment.client().await;
    let submitted = &history(&mut client, job.trim()).await.events[0];
    let event: serde_json::Value = serde_json::from_str(&submitted.detail_json).unwrap();
    let spec = &event["spec"];
    assert_eq!(spec["name"], "from a pipe");
    assert_eq!(
        (&spec["shots"], &spec["priority"]),
        (&17.into(), &80.into())
    );
    assert_eq!(spec["owner"]["tenant"], "t");
    assert_eq!(spec["owner"]["project"], "p");
    assert_eq!(spec["metadata"]["param.theta"], "0.5");
    assert_eq!(spec["metadata"]["note"], "a=b");
    assert_eq!(spec["compiler_options"]["level"], "2");
    assert_eq!(submitted.state(), TaskState::Pending);
}
