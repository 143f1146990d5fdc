//! What an operator reads of a device that goes away again and again.

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{DriverDouble, Served, device};

use super::shell::Shell;
use crate::circuits::bell;
use crate::harness::{Deployment, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_held_back_says_why_and_until_when() {
    let double = DriverDouble::new(HandClock::default()).with_devices([device("sim:local")]);
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| {
        config.driver = Some(served.url());
        config.limits.device_losses = 1;
        config.limits.device_hold_ms = 3_600_000;
    })
    .await;
    let mut client = deployment.client().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    shell.output(&["submit", file, "--wait"]);
    double.set_status("sim:local", DeviceStatus::Offline);
    while !shell.output(&["devices"]).contains("OFFLINE") {}
    let mut told = shell.transcript(&["devices"]);
    double.set_status("sim:local", DeviceStatus::Online);
    while !shell.output(&["devices"]).contains("held back") {}
    let waiting = shell.output(&["submit", file]);
    until(&mut client, &waiting, "Compiled").await;
    while !shell.output(&["explain", &waiting]).contains("was lost") {}
    for command in [&["devices"][..], &["explain", &waiting]] {
        told += &shell.transcript(command);
    }
    insta::assert_snapshot!(told);
}
