use std::error::Error;
use std::time::Duration;

use qrtx::grpc::proto::internal::ListDevicesRequest;
use qrtx::grpc::proto::internal::driver_manager_service_client::DriverManagerServiceClient;
use qrtx_testkit::neighbours::{Method, Served, Unserved, Whim};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Status};

use super::{HOUR, channel, order, site};

async fn list(channel: Channel) -> Result<usize, Status> {
    let answer = DriverManagerServiceClient::new(channel)
        .list_devices(ListDevicesRequest {})
        .await;
    answer.map(|devices| devices.into_inner().devices.len())
}

/// Whether the request never left, as the kernel finds it out (D18).
fn not_sent(failed: &Status) -> bool {
    let mut source = failed.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn where_nothing_listens_the_request_never_leaves() {
    let nobody = Unserved::new();
    let failed = list(channel(nobody.url())).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(not_sent(&failed));
}

#[tokio::test]
async fn a_cut_breaks_calls_under_way_and_leaves_them_in_doubt() {
    let site = site(|driver| driver);
    site.driver.set_takes(HOUR);
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.started(1).await;
    let addr = site.served.addr;
    site.served.cut().await;
    let broken = call.await.unwrap().unwrap_err();
    assert!(!not_sent(&broken), "{broken}");

    // The double outlives its server, and so do its runs.
    let again = Served::start_at(addr, site.driver.routes());
    assert_eq!(list(channel(again.url())).await.unwrap(), 3);
    assert_eq!(site.driver.runs().len(), 1);
}

#[tokio::test]
async fn a_stop_lets_calls_under_way_finish() {
    let site = site(|driver| driver);
    site.driver.set_takes(HOUR);
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.started(1).await;
    let stop = tokio::spawn(site.served.stop());
    tokio::task::yield_now().await;
    assert!(!stop.is_finished());
    site.clock.advance(HOUR);
    call.await.unwrap().unwrap();
    drop((site.manager, site.control));
    stop.await.unwrap();
}

#[tokio::test]
async fn a_listener_may_say_nothing_at_all() {
    let silent = Served::silent();
    let bound = Duration::from_millis(50);
    let endpoint = Endpoint::from_shared(silent.url()).unwrap().timeout(bound);
    let failed = list(endpoint.connect_lazy()).await.unwrap_err();
    assert!(
        matches!(failed.code(), Code::Cancelled | Code::DeadlineExceeded),
        "{failed}"
    );
}

#[tokio::test]
async fn a_listener_may_speak_another_protocol() {
    let garbage = Served::garbage();
    list(channel(garbage.url())).await.unwrap_err();
}

#[tokio::test]
async fn a_double_may_be_served_twice_at_a_time() {
    let site = site(|driver| driver);
    let second = Served::start(site.driver.routes());
    site.driver.whims().next(
        2,
        Method::ListDevices,
        Whim::refuse(Code::Unavailable, "busy"),
    );
    for served in [&site.served, &second] {
        assert_eq!(
            list(channel(served.url())).await.unwrap_err().code(),
            Code::Unavailable
        );
    }
    assert_eq!(list(channel(second.url())).await.unwrap(), 3);
}
