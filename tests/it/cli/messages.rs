//! Every message of the command line: what happened, where, and what to do.

use std::fs::File;

use qrtx::os::clock::SystemClock;
use qrtx_testkit::neighbours::{DriverDouble, Served, Unserved};
use regex::Regex;

use super::shell::Shell;
use crate::circuits::bell;
use crate::harness::Deployment;

#[test]
fn wrong_use_is_explained() {
    let shell = Shell::new();
    let file = shell.file("bell.json", &bell());
    shell.file("bell.txt", &bell());
    let huge = File::create(shell.path().join("huge.json")).unwrap();
    huge.set_len(1 << 34).unwrap();
    std::fs::create_dir(shell.path().join("folder.json")).unwrap();
    let commands: [&[&str]; 32] = [
        &["frobnicate"],
        &["submit"],
        &["submit", "nowhere.json"],
        &["submit", "folder.json"],
        &["submit", "huge.json"],
        &["submit", "bell.txt"],
        &["submit", "-"],
        &["submit", file, "--param", "theta"],
        &["submit", file, "--param", "theta=1", "--param", "theta=2"],
        &["submit", file, "--timeout", "-1"],
        &["submit", file, "--timeout", "1e99"],
        &["submit", file, "--metadata", "a"],
        &["submit", file, "--compiler-option", "a"],
        &["submit", file, "--format", "cobol"],
        &["submit", file, "--key", ""],
        &["submit", file, "--tenant", " "],
        &["submit", file, "--wait", "--watch"],
        &["submit", file, "--shots", "many"],
        &["submit", file, "--seed", "9223372036854775808"],
        &["watch", "job-17", "--after", "18446744073709551616"],
        &["status"],
        &["status", "job-17"],
        &["jobs", "--state", "happy"],
        &["jobs", "--since", "yesterday"],
        &["jobs", "--limit", "0"],
        &["jobs", "--active", "--state", "queued"],
        &["completions", "command.com"],
        &["jobs", "--page-token", ""],
        &["serve", "--store", "floppy"],
        &["serve", "--listen", "foo"],
        &["serve", "--http", "127.0.0.1:99999"],
        &[
            "serve",
            "--store",
            "memory",
            "--listen",
            "127.0.0.1:0",
            "--qfs-root",
            "s3://foo",
        ],
    ];
    let mut told = String::new();
    for command in commands {
        let answered = shell.run(command);
        assert_eq!((answered.code, &*answered.stdout), (2, ""), "{command:?}");
        told += &answered.transcript(&command.join(" "));
    }
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kernel_refuses_is_explained() {
    let deployment = Deployment::new(|config| config.limits.jobs_waiting = 1).await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    let endless = shell.file("endless.json", &crate::circuits::endless());
    shell.file("text.json", b"\xff\xfe");
    shell.file("empty.json", b"");
    let unknown = format!("job-{:032}", 0);
    let running = shell.output(&["submit", endless, "--key", "night"]);
    let commands: [&[&str]; 11] = [
        &["submit", file, "--shots", "0", "--priority", "101"],
        &["submit", file, "--metadata", "a\tb=1"],
        &["submit", file, "--target", ""],
        &["submit", file, "--name", ""],
        &["submit", "text.json"],
        &["submit", "empty.json"],
        &["submit", file, "--key", "night"],
        &["submit", file],
        &["status", &unknown],
        &["results", &running],
        &["jobs", "--page-token", "soon"],
    ];
    let mut told = String::new();
    for command in commands {
        told += &shell.transcript(command);
    }
    shell.output(&["cancel", &running]);
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_cannot_be_reached_is_explained() {
    let shell = Shell::new();
    let nobody = Unserved::new();
    let other = Served::start(DriverDouble::new(SystemClock::default()).routes());
    let garbage = Served::garbage();
    let mut told = String::new();
    for (endpoint, code) in [
        (nobody.addr.to_string(), 3),
        (nobody.url(), 3),
        ("no-such-host.invalid:50052".to_owned(), 3),
        (other.addr.to_string(), 3),
        (garbage.addr.to_string(), 3),
        ("127.0.0.1".to_owned(), 2),
        ("https://127.0.0.1:50052".to_owned(), 2),
        ("a b:1".to_owned(), 2),
    ] {
        let command = ["jobs", "--endpoint", &endpoint];
        let answered = shell.run(&command);
        assert_eq!(answered.code, code, "{endpoint}: {}", answered.stderr);
        told += &answered.transcript(&command.join(" "));
    }
    // What a resolver says is not ours, nor how HTTP/2 noticed that it was none.
    let told = Regex::new(r"(address information|did not answer): [^;]*;")
        .unwrap()
        .replace_all(&told, "$1: (why);")
        .into_owned();
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_may_come_from_the_environment_with_or_without_a_scheme() {
    let deployment = Deployment::embedded().await;
    let address = deployment.serving().grpc.to_string();
    for given in [
        address.clone(),
        format!("http://{address}"),
        format!(" {address}/ "),
    ] {
        let shell = Shell::to_address(&given);
        assert_eq!(shell.run(&["devices"]).code, 0, "{given:?}");
        let flag = ["devices", "--endpoint", "127.0.0.1:1"];
        assert_eq!(shell.run(&flag).code, 3, "a flag wins");
    }
}
