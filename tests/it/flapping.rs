//! Devices that go away and come back: held back when that was too often, used again when they have
//! stayed, and both is told.

use std::time::Duration;

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::grpc::proto::kernel as wire;
use qrtx::limits::Limits;
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{DriverDouble, Served, device};

use crate::circuits::bell;
use crate::harness::{Client, Deployment, enqueue, finish, request, status, until};

/// A kernel with one device, which is held back after its second loss, for so long.
async fn deployed(hold: Duration) -> (Deployment, Client, DriverDouble<HandClock>, Served) {
    let double = DriverDouble::new(HandClock::default()).with_devices([device("sim:local")]);
    let served = Served::start(double.routes());
    let deployment = Deployment::new(|config| {
        config.driver = Some(served.url());
        config.limits = Limits {
            device_losses: 2,
            device_hold_ms: u64::try_from(hold.as_millis()).unwrap(),
            ..config.limits.clone()
        };
    })
    .await;
    let client = deployment.client().await;
    (deployment, client, double, served)
}

/// The device, when it is shown as it should be.
async fn shown(client: &mut Client, is_it: impl Fn(&wire::Device) -> bool) -> wire::Device {
    loop {
        let asked = client.list_devices(wire::ListDevicesRequest {}).await;
        let mut devices = asked.unwrap().into_inner().devices.into_iter();
        if let Some(device) = devices.next().filter(&is_it) {
            return device;
        }
        tokio::task::yield_now().await;
    }
}

async fn goes_and_comes(client: &mut Client, double: &DriverDouble<HandClock>, times: usize) {
    for _ in 0..times {
        double.set_status("sim:local", DeviceStatus::ErrorStatus);
        shown(client, |device| device.reason == "sim:local is ERROR").await;
        double.set_status("sim:local", DeviceStatus::Online);
        shown(client, |device| device.reason != "sim:local is ERROR").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_flaps_is_held_back_and_says_so() {
    let hour = Duration::from_secs(3600);
    let (deployment, mut client, double, _served) = deployed(hour).await;
    shown(&mut client, |_| true).await;
    goes_and_comes(&mut client, &double, 1).await;
    let steady = shown(&mut client, |_| true).await;
    assert_eq!((&*steady.reason, steady.held_until), ("", None), "once");
    assert_eq!(steady.state(), wire::DeviceState::Online);
    let job = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &job).await;

    goes_and_comes(&mut client, &double, 1).await;
    let held = shown(&mut client, |_| true).await;
    assert_eq!(held.state(), wire::DeviceState::Error, "{held:?}");
    let why =
        "sim:local was lost twice within 600 s: it gets no work until it has stayed for 3600 s";
    assert_eq!(held.reason, why);
    let seconds = |at: Option<prost_types::Timestamp>| at.unwrap().seconds;
    assert!(
        seconds(held.held_until) > seconds(held.heard_at),
        "{held:?}"
    );
    let waiting = enqueue(&mut client, request(bell())).await;
    until(&mut client, &waiting, "Compiled").await;
    let reason = loop {
        let job_id = waiting.clone();
        let asked = client.explain_job(wire::ExplainJobRequest { job_id }).await;
        if let Some(reason) = asked.unwrap().into_inner().reasons.first() {
            break reason.clone();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(reason.cause(), wire::WaitCause::HeldBack);
    assert_eq!((&*reason.message, reason.until), (why, held.held_until));
    let told = status(&mut client, &waiting).await.message;
    assert!(told.contains(why), "{told}");
    let metrics = deployment.serving().kernel.metrics().render();
    for line in [
        r#"eigen_kernel_device_status{device_id="sim:local",status="ERROR"} 1"#,
        r#"eigen_kernel_device_status{device_id="sim:local",status="ONLINE"} 0"#,
        r#"eigen_kernel_device_losses_total{device_id="sim:local"} 2"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert_eq!(double.runs_of(&waiting).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_has_stayed_is_used_again() {
    let (_deployment, mut client, double, _served) = deployed(Duration::from_millis(300)).await;
    shown(&mut client, |_| true).await;
    goes_and_comes(&mut client, &double, 2).await;
    let job = enqueue(&mut client, request(bell())).await;
    let ended = finish(&mut client, &job).await;
    assert_eq!(ended.state(), wire::TaskState::Completed);
    let device = shown(&mut client, |_| true).await;
    assert_eq!((&*device.reason, device.held_until), ("", None));
}
