//! `qrtx drain` and `qrtx undrain`, as an operator reads them.

use super::shell::Shell;
use crate::circuits::bell;
use crate::harness::{Deployment, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_taken_out_of_use_and_back() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    shell.output(&["submit", file, "--wait"]);
    let mut told = shell.transcript(&["drain", "sim:local"]);
    let waiting = shell.output(&["submit", file]);
    until(&mut client, &waiting, "Compiled").await;
    while !shell.output(&["explain", &waiting]).contains("DRAINING") {}
    let commands: [&[&str]; 5] = [
        &["drain", "sim:local"],
        &["devices"],
        &["explain", &waiting],
        &["drain", "sim:lokal"],
        &["undrain"],
    ];
    for command in commands {
        told += &shell.transcript(command);
    }
    let back = shell.output(&["undrain", "sim:local"]);
    assert!(back.starts_with("sim:local takes jobs again; "), "{back}");
    shell.output(&["results", &waiting, "--wait"]);
    told += &shell.transcript(&["undrain", "sim:local"]);
    insta::assert_snapshot!(told);
}
