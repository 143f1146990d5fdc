//! Devices that an operator takes out of use: nothing new runs there, what runs ends, and it
//! holds after a restart.

use qrtx::grpc::proto::kernel as wire;
use qrtx_testkit::neighbours::Unserved;
use tonic::{Code, Status};

use crate::circuits::{bell, endless};
use crate::harness::{
    Client, Deployment, cancel, enqueue, events, finish, request, results, status, until,
};

async fn drain(
    client: &mut Client,
    device_id: &str,
    draining: bool,
) -> Result<Option<wire::Device>, Status> {
    let request = wire::DrainDeviceRequest {
        device_id: device_id.to_owned(),
        draining,
    };
    let answer = client.drain_device(request).await;
    answer.map(|answer| answer.into_inner().device)
}

/// Nothing is known of any device before the first list is here, and no job runs.
async fn know_the_devices(client: &mut Client) {
    let first = enqueue(client, request(bell())).await;
    finish(client, &first).await;
}

#[tokio::test]
async fn a_device_that_drains_gets_no_new_job_and_ends_those_it_has() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let running = enqueue(&mut client, request(endless())).await;
    until(&mut client, &running, "PhaseReached").await;
    for _ in 0..2 {
        let device = drain(&mut client, "sim:local", true).await.unwrap();
        let device = device.unwrap();
        assert_eq!(device.state(), wire::DeviceState::Draining);
        assert!(device.draining && device.running == 1, "{device:?}");
    }
    let waiting = enqueue(&mut client, request(bell())).await;
    until(&mut client, &waiting, "Compiled").await;
    let told = status(&mut client, &waiting).await;
    assert!(told.message.contains("DRAINING"), "{}", told.message);
    let cause = loop {
        let asked = wire::ExplainJobRequest {
            job_id: waiting.clone(),
        };
        let explained = client.explain_job(asked).await.unwrap().into_inner();
        // Between its circuit and its queue it waits for nothing.
        if let Some(reason) = explained.reasons.first() {
            break reason.cause();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(cause, wire::WaitCause::Draining);
    let state = status(&mut client, &running).await.state();
    assert_eq!(state, wire::TaskState::Executing, "it is left alone");
    cancel(&mut client, &running).await;

    for _ in 0..2 {
        let device = drain(&mut client, "sim:local", false).await.unwrap();
        assert_eq!(device.unwrap().state(), wire::DeviceState::Online);
    }
    let state = finish(&mut client, &waiting).await.state();
    assert_eq!(state, wire::TaskState::Completed);
}

#[tokio::test]
async fn a_device_drains_also_after_a_restart() {
    let mut deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    know_the_devices(&mut client).await;
    drain(&mut client, "sim:local", true).await.unwrap();
    let waiting = enqueue(&mut client, request(bell())).await;
    until(&mut client, &waiting, "Compiled").await;
    deployment.stop().await;
    deployment.start().await;
    let mut client = deployment.client().await;
    loop {
        let asked = client.list_devices(wire::ListDevicesRequest {}).await;
        let listed = asked.unwrap().into_inner().devices;
        if let Some(device) = listed.first() {
            assert_eq!(device.state(), wire::DeviceState::Draining);
            break;
        }
        tokio::task::yield_now().await;
    }
    let refused = results(&mut client, &waiting).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "it still waits");
    drain(&mut client, "sim:local", false).await.unwrap();
    let kinds = events(&mut client, &waiting, 0).await;
    let turns = kinds.iter().filter(|event| event.kind == "Assigned");
    assert_eq!(turns.count(), 1);
}

#[tokio::test]
async fn only_a_device_that_is_known_can_be_drained() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    know_the_devices(&mut client).await;
    let refused = drain(&mut client, "sim:lokal", true).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(
        refused.message().contains("there are: sim:local"),
        "{refused}"
    );
    let refused = drain(&mut client, "", true).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let nobody = Unserved::new();
    let deployment = Deployment::new(|config| config.driver = Some(nobody.url())).await;
    let mut client = deployment.client().await;
    let refused = drain(&mut client, "sim:local", true).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
}
