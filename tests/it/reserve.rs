//! Slots that are reserved: who runs there and who does not, and how that ends.

use std::time::Duration;

use qrtx::grpc::proto::kernel as wire;
use qrtx::os::config::Config;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::circuits::{bell, endless};
use crate::harness::{Client, Deployment, cancel, enqueue, events, finish, request, status, until};

fn wanted(ttl: Duration) -> wire::ReserveDeviceRequest {
    wire::ReserveDeviceRequest {
        device_id: "sim:local".to_owned(),
        ttl: prost_types::Duration::try_from(ttl).ok(),
        purpose: "a test".to_owned(),
        ..wire::ReserveDeviceRequest::default()
    }
}

const HOUR: Duration = Duration::from_secs(3600);

async fn reserve(
    client: &mut Client,
    request: wire::ReserveDeviceRequest,
) -> Result<wire::ReserveDeviceResponse, Status> {
    client
        .reserve_device(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn release(client: &mut Client, id: &str) -> Result<wire::Reservation, Status> {
    let request = wire::ReleaseReservationRequest {
        reservation_id: id.to_owned(),
    };
    let answer = client.release_reservation(request).await?.into_inner();
    Ok(answer.reservation.unwrap())
}

fn named(program: Vec<u8>, id: &str) -> wire::EnqueueJobRequest {
    wire::EnqueueJobRequest {
        reservation_id: id.to_owned(),
        ..request(program)
    }
}

async fn device(client: &mut Client) -> wire::Device {
    let listed = client.list_devices(wire::ListDevicesRequest {}).await;
    listed.unwrap().into_inner().devices.remove(0)
}

async fn reasons(client: &mut Client, job_id: &str) -> Vec<wire::WaitReason> {
    loop {
        let job_id = job_id.to_owned();
        let asked = client.explain_job(wire::ExplainJobRequest { job_id }).await;
        let reasons = asked.unwrap().into_inner().reasons;
        // Between its circuit and its queue it waits for nothing.
        if !reasons.is_empty() {
            return reasons;
        }
        tokio::task::yield_now().await;
    }
}

/// A kernel that knows its device, which has so many slots.
async fn deployed(slots: u32) -> (Deployment, Client) {
    let device = "sim:local".parse().unwrap();
    let has = |config: &mut Config| config.devices.slots = [(device, slots)].into();
    let deployment = Deployment::new(has).await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &first).await;
    (deployment, client)
}

#[tokio::test]
async fn only_jobs_that_name_a_reservation_run_in_its_slot() {
    let (_deployment, mut client) = deployed(1).await;
    let made = reserve(&mut client, wanted(HOUR)).await.unwrap();
    assert!(made.fencing_token > 0 && !made.deduplicated);
    let shown = device(&mut client).await;
    assert_eq!((shown.running, shown.reserved), (0, 1));
    assert_eq!(shown.reservations[0].reservation_id, made.reservation_id);
    assert_eq!(shown.estimated_wait, None, "nobody can say");

    let other = enqueue(&mut client, request(bell())).await;
    until(&mut client, &other, "Compiled").await;
    let why = reasons(&mut client, &other).await.remove(0);
    assert_eq!(why.cause(), wire::WaitCause::Reserved);
    assert_eq!(why.until, made.expires_at);
    assert_eq!(why.message, "all slots of sim:local are reserved (1 of 1)");

    let running = enqueue(&mut client, named(endless(), &made.reservation_id)).await;
    until(&mut client, &running, "PhaseReached").await;
    let next = enqueue(&mut client, named(bell(), &made.reservation_id)).await;
    until(&mut client, &next, "Compiled").await;
    let why = reasons(&mut client, &next).await.remove(0);
    let holds = format!("{running} runs in the slot of {}", made.reservation_id);
    assert_eq!(why.message, holds);
    let told = status(&mut client, &next).await.message;
    assert_eq!(
        told,
        format!("waits for the slot of {}: {holds}", made.reservation_id)
    );
    let shown = device(&mut client).await;
    assert_eq!(
        (shown.running, shown.reserved, shown.queue_depth),
        (1, 1, 2)
    );
    assert_eq!(shown.reservations[0].job_id, running);

    cancel(&mut client, &running).await;
    finish(&mut client, &next).await;
    assert_eq!(
        status(&mut client, &other).await.state(),
        wire::TaskState::Queued
    );
    let ended = release(&mut client, &made.reservation_id).await.unwrap();
    assert_eq!(ended.ended_because, "released");
    assert_eq!(
        release(&mut client, &made.reservation_id).await.unwrap(),
        ended
    );
    finish(&mut client, &other).await;
}

#[tokio::test]
async fn a_job_that_runs_when_its_reservation_ends_goes_on_and_one_that_waits_fails() {
    let (_deployment, mut client) = deployed(1).await;
    let id = reserve(&mut client, wanted(HOUR))
        .await
        .unwrap()
        .reservation_id;
    let running = enqueue(&mut client, named(endless(), &id)).await;
    until(&mut client, &running, "PhaseReached").await;
    let waiting = enqueue(&mut client, named(bell(), &id)).await;
    until(&mut client, &waiting, "Compiled").await;
    let ended = release(&mut client, &id).await.unwrap();
    assert_eq!(ended.job_id, "", "it has a slot like any other now");

    let failed = finish(&mut client, &waiting).await.error.unwrap();
    assert_eq!(failed.error_code, "AllocationError");
    assert_eq!(
        failed.error_summary,
        format!("{id} was released: submit again without it, or with another")
    );
    let other = enqueue(&mut client, request(bell())).await;
    until(&mut client, &other, "Compiled").await;
    let why = reasons(&mut client, &other).await.remove(0);
    assert_eq!(why.message, "1 of 1 slots of sim:local are taken");
    assert_eq!(device(&mut client).await.reserved, 0);
    cancel(&mut client, &running).await;
    finish(&mut client, &other).await;
}

#[tokio::test]
async fn a_reservation_ends_by_itself_and_its_slot_is_free_then() {
    let (_deployment, mut client) = deployed(1).await;
    let id = reserve(&mut client, wanted(Duration::from_secs(1)))
        .await
        .unwrap()
        .reservation_id;
    let other = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &other).await;
    let ended = release(&mut client, &id).await.unwrap();
    assert_eq!(ended.ended_because, "expired");
    assert!(ended.ended_at.unwrap().seconds >= ended.expires_at.unwrap().seconds);
    let refused = client.enqueue_job(named(bell(), &id)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("has expired: submit again"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_reservation_holds_after_a_restart_and_so_does_its_end() {
    let (mut deployment, mut client) = deployed(2).await;
    let keyed = |key: &str| wire::ReserveDeviceRequest {
        idempotency_key: key.to_owned(),
        ..wanted(HOUR)
    };
    let kept = reserve(&mut client, keyed("kept")).await.unwrap();
    let ended = reserve(&mut client, keyed("ended")).await.unwrap();
    assert!(ended.fencing_token > kept.fencing_token);
    let over = release(&mut client, &ended.reservation_id).await.unwrap();
    deployment.stop().await;
    deployment.start().await;
    let mut client = deployment.client().await;
    let again = reserve(&mut client, keyed("kept")).await.unwrap();
    assert!(again.deduplicated);
    assert_eq!(
        (&again.reservation_id, &again.expires_at),
        (&kept.reservation_id, &kept.expires_at)
    );
    assert_eq!(
        release(&mut client, &ended.reservation_id).await.unwrap(),
        over
    );
    let first = enqueue(&mut client, named(bell(), &kept.reservation_id)).await;
    assert_eq!(
        finish(&mut client, &first).await.state(),
        wire::TaskState::Completed
    );
    assert_eq!(device(&mut client).await.reserved, 1);
    let later = reserve(&mut client, keyed("later")).await.unwrap();
    assert!(
        later.fencing_token > ended.fencing_token,
        "also across restarts"
    );
}

#[tokio::test]
async fn a_job_that_runs_in_a_reserved_slot_has_it_again_after_a_restart() {
    let (mut deployment, mut client) = deployed(1).await;
    let id = reserve(&mut client, wanted(HOUR))
        .await
        .unwrap()
        .reservation_id;
    let waiting = enqueue(&mut client, request(bell())).await;
    let ran = enqueue(&mut client, named(bell(), &id)).await;
    finish(&mut client, &ran).await;
    let running = enqueue(&mut client, named(endless(), &id)).await;
    until(&mut client, &running, "PhaseReached").await;
    deployment.stop().await;
    deployment.start().await;
    let mut client = deployment.client().await;
    // The simulator runs what it had begun again, in the slot that is reserved for it.
    until(&mut client, &running, "Retried").await;
    cancel(&mut client, &running).await;
    assert_eq!(
        status(&mut client, &waiting).await.state(),
        wire::TaskState::Queued
    );
    release(&mut client, &id).await.unwrap();
    finish(&mut client, &waiting).await;
}

#[tokio::test]
async fn what_cannot_be_reserved_is_refused_with_a_reason_and_when_to_come_again() {
    let (_deployment, mut client) = deployed(2).await;
    let refused = |answer: Result<wire::ReserveDeviceResponse, Status>| {
        let status = answer.unwrap_err();
        let details = status.get_error_details();
        let reason = details.error_info().unwrap().reason.clone();
        let retry = details.retry_info().and_then(|retry| retry.retry_delay);
        (status.code(), reason, retry, status.message().to_owned())
    };
    let unknown = wire::ReserveDeviceRequest {
        device_id: "sim:lokal".to_owned(),
        ..wanted(HOUR)
    };
    let (code, reason, ..) = refused(reserve(&mut client, unknown).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "EIGEN_DEVICE_NOT_FOUND")
    );
    let (code, _, _, message) = refused(reserve(&mut client, wanted(HOUR * 5)).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(
        message.contains("ttl is 18000 s; it must be 1 s to 14400 s"),
        "{message}"
    );

    let keyed = |ttl| wire::ReserveDeviceRequest {
        idempotency_key: "k".to_owned(),
        ..wanted(ttl)
    };
    let first = reserve(&mut client, keyed(HOUR)).await.unwrap();
    let again = reserve(&mut client, keyed(HOUR)).await.unwrap();
    assert!(again.deduplicated && again.reservation_id == first.reservation_id);
    let (code, reason, ..) = refused(reserve(&mut client, keyed(HOUR * 2)).await);
    let conflict = (Code::FailedPrecondition, "EIGEN_IDEMPOTENCY_CONFLICT");
    assert_eq!((code, reason.as_str()), conflict);

    let second = reserve(&mut client, wanted(HOUR * 2)).await.unwrap();
    let (code, _, retry, message) = refused(reserve(&mut client, wanted(HOUR)).await);
    assert_eq!(code, Code::ResourceExhausted);
    assert!(
        message.contains("all slots of sim:local are reserved (2 of 2)"),
        "{message}"
    );
    let retry = retry.unwrap().as_secs();
    assert!(
        (3500..=3600).contains(&retry),
        "{retry} s, when the first of them ends"
    );
    release(&mut client, &second.reservation_id).await.unwrap();

    let drain = |draining| wire::DrainDeviceRequest {
        device_id: "sim:local".to_owned(),
        draining,
    };
    client.drain_device(drain(true)).await.unwrap();
    let (code, reason, _, message) = refused(reserve(&mut client, wanted(HOUR)).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::FailedPrecondition, "EIGEN_DEVICE_NOT_READY")
    );
    assert!(message.contains("DRAINING"), "{message}");
    let held = enqueue(&mut client, named(bell(), &first.reservation_id)).await;
    until(&mut client, &held, "Compiled").await;
    let why = reasons(&mut client, &held).await.remove(0);
    assert_eq!(
        why.cause(),
        wire::WaitCause::Draining,
        "nobody gets a turn there"
    );
    client.drain_device(drain(false)).await.unwrap();
    finish(&mut client, &held).await;

    let gone = release(&mut client, "rsv-00000000000000ff")
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let gone = release(&mut client, "nonsense").await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn a_tenant_has_only_so_many_reservations_and_uses_no_other_tenants() {
    let deployment = Deployment::new(|config| config.limits.tenant_reservations = 1).await;
    let mut client = deployment.client().await;
    let first = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &first).await;
    let of = |tenant: &str| wire::ReserveDeviceRequest {
        tenant_id: tenant.to_owned(),
        ..wanted(HOUR)
    };
    let made = reserve(&mut client, of("ada")).await.unwrap();
    let refused = reserve(&mut client, of("ada")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused
            .message()
            .contains("ada has 1 reservation, as many as it may"),
        "{refused}"
    );
    reserve(&mut client, of("bob")).await.unwrap();

    let job = |tenant: &str, target: &str| wire::EnqueueJobRequest {
        tenant_id: tenant.to_owned(),
        target: target.to_owned(),
        ..named(bell(), &made.reservation_id)
    };
    for (tenant, target, why) in [
        ("bob", "sim:local", "bob has no reservation rsv-"),
        (
            "ada",
            "sim:other",
            "and the job asks for sim:other: let it ask for that device",
        ),
        (
            "ada",
            "*",
            "and the job asks for *: let it ask for that device",
        ),
    ] {
        let refused = client.enqueue_job(job(tenant, target)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains(why), "{refused}");
    }
    let noted = wire::EnqueueJobRequest {
        reservation_id: String::new(),
        metadata: [("reservation_id".to_owned(), made.reservation_id.clone())].into(),
        idempotency_key: "once".to_owned(),
        ..job("ada", "sim:local")
    };
    let id = enqueue(&mut client, noted.clone()).await;
    finish(&mut client, &id).await;
    let assigned = events(&mut client, &id, 0).await;
    assert!(assigned.iter().any(|event| event.kind == "Assigned"));
    release(&mut client, &made.reservation_id).await.unwrap();
    assert_eq!(
        enqueue(&mut client, noted).await,
        id,
        "a repetition is answered as before"
    );
}
