//! `qrtx reserve` and `qrtx release`, as their users read them.

use qrtx::os::config::Config;

use super::shell::Shell;
use crate::circuits::{bell, endless};
use crate::harness::{Deployment, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_reserved_used_and_given_back() {
    let device = "sim:local".parse().unwrap();
    let one = |config: &mut Config| config.devices.slots = [(device, 1)].into();
    let deployment = Deployment::new(one).await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let (file, long) = (
        shell.file("bell.json", &bell()),
        shell.file("endless.json", &endless()),
    );
    shell.output(&["submit", file, "--wait"]);
    let wish = ["reserve", "sim:local", "--ttl", "1h", "--key", "once"];
    let purpose = ["--purpose", "a calibration"];
    let mut told = shell.transcript(&[&wish[..], &purpose].concat());
    let slot = shell.output(&[&wish[..], &purpose].concat());
    let running = shell.output(&["submit", long, "--reservation", &slot]);
    until(&mut client, &running, "PhaseReached").await;
    let own = shell.output(&["submit", file, "--reservation", &slot]);
    let other = shell.output(&["submit", file]);
    for job in [&own, &other] {
        until(&mut client, job, "Compiled").await;
        while !shell.output(&["explain", job]).contains("waits: ") {}
    }
    let commands: [&[&str]; 9] = [
        &wish,
        &["devices"],
        &["explain", &own],
        &["explain", &other],
        &["reserve", "sim:local", "--ttl", "90s"],
        &["reserve", "sim:lokal", "--ttl", "2d"],
        &["submit", file, "--reservation", "rsv-0000000900000001"],
        &["submit", file, "--reservation", &slot, "--target", "*"],
        &["release", &slot],
    ];
    for command in commands {
        told += &shell.transcript(command);
    }
    while !shell.run(&["status", &own]).stdout.contains("Failed") {}
    let commands: [&[&str]; 3] = [
        &["status", &own],
        &["release", &slot],
        &["release", "rsv-1"],
    ];
    for command in commands {
        told += &shell.transcript(command);
    }
    shell.output(&["cancel", &running]);
    shell.output(&["results", &other, "--wait"]);
    insta::assert_snapshot!(told);
}
