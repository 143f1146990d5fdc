//! A client that reserves a slot, tells the jobs that are to run there, and gives it back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qrtx::grpc::Channel;
use qrtx::grpc::proto::kernel::{self as wire, kernel_gateway_client::KernelGatewayClient};
use qrtx_testkit::history::Promise;
use tonic::Status;

use super::client::{PATIENCE, PAUSE, is_final, prost_duration};
use crate::scenario::{ReservationPlan, Scenario, client_name};
use crate::trace::{Lane, Trace};

/// What is known of each reservation of a scenario.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Mutex<Vec<Slot>>>);

#[derive(Debug, Clone, Default)]
struct Slot {
    /// When it was first asked for.
    asked: Duration,
    /// What was answered, and when: nothing if it was refused.
    told: Option<(Duration, Option<wire::ReserveDeviceResponse>)>,
    /// When it was first asked to be given back, and when that was answered.
    given_back: Option<(Duration, Option<Duration>)>,
}

impl Slots {
    /// So many, of which nothing is known yet.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![Slot::default(); count])))
    }

    fn of<R>(&self, number: usize, change: impl FnOnce(&mut Slot) -> R) -> R {
        let mut slots = self.0.lock().expect("no holder panics");
        change(&mut slots[number])
    }

    /// The reservation's id, once it has one; `None` if it was refused.
    pub(super) async fn id_of(&self, number: usize) -> Option<String> {
        loop {
            if let Some((_, told)) = self.of(number, |slot| slot.told.clone()) {
                return told.map(|told| told.reservation_id);
            }
            madsim::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What clients may hold against the kernel: `ended` is when the run was over, and `lost` tells
    /// when a device was first away that may have been away for too long then.
    pub(super) fn promises(
        &self,
        scenario: &Scenario,
        ended: Duration,
        lost: impl Fn(&str) -> Option<Duration>,
    ) -> Vec<Promise> {
        let slots = self.0.lock().expect("no holder panics");
        let each = scenario.reservations.iter().zip(slots.iter());
        let promise = |(plan, slot): (&ReservationPlan, &Slot)| {
            let (told, answer) = slot.told.clone()?;
            let answer = answer?;
            let (asked_back, given_back) = match slot.given_back {
                None => (ended, None),
                Some((asked, answered)) => (asked, answered),
            };
            let latest = told + plan.ttl.0;
            let ends = [
                Some(asked_back),
                Some(slot.asked + plan.ttl.0),
                lost(&plan.device),
            ];
            let earliest = ends.into_iter().flatten().min().unwrap_or(ended);
            Some(Promise {
                id: answer.reservation_id,
                token: answer.fencing_token,
                device: plan.device.clone(),
                tenant: answer.reservation.unwrap_or_default().tenant_id,
                certain: (told, earliest),
                over: given_back.map_or(latest, |answered| answered.min(latest)),
            })
        };
        each.filter_map(promise).collect()
    }
}

/// One client with one reservation.
#[derive(Debug)]
pub struct Holder {
    number: usize,
    plan: ReservationPlan,
    channel: Channel,
    trace: Trace,
    slots: Slots,
}

impl Holder {
    /// The client of reservation `number` of a scenario, over `channel`.
    pub fn new(
        number: usize,
        plan: ReservationPlan,
        channel: Channel,
        trace: Trace,
        slots: Slots,
    ) -> Self {
        Self {
            number,
            plan,
            channel,
            trace,
            slots,
        }
    }

    /// Does all of it.
    pub async fn run(self) {
        madsim::time::sleep(self.plan.at.0).await;
        let asked = self.trace.now();
        self.slots.of(self.number, |slot| slot.asked = asked);
        let told = self.reserve().await;
        let now = self.trace.now();
        let id = told.as_ref().map(|told| told.reservation_id.clone());
        self.slots
            .of(self.number, |slot| slot.told = Some((now, told)));
        let (Some(id), Some(after)) = (id, self.plan.release_after) else {
            return;
        };
        madsim::time::sleep(after.0).await;
        let asked = self.trace.now();
        self.slots
            .of(self.number, |slot| slot.given_back = Some((asked, None)));
        self.release(&id).await;
        let now = self.trace.now();
        self.slots.of(self.number, |slot| {
            slot.given_back = Some((asked, Some(now)))
        });
    }

    async fn reserve(&self) -> Option<wire::ReserveDeviceResponse> {
        let request = wire::ReserveDeviceRequest {
            device_id: self.plan.device.clone(),
            ttl: Some(prost_duration(self.plan.ttl.0)),
            tenant_id: self.plan.tenant.clone(),
            idempotency_key: format!("reservation {}", self.number),
            ..wire::ReserveDeviceRequest::default()
        };
        loop {
            let (mut client, request) = (self.kernel(), request.clone());
            let asked = patiently(async move { client.reserve_device(request).await }).await;
            match asked {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    self.note(&format!("{} is promised", answer.reservation_id));
                    return Some(answer);
                }
                Err(why) if is_final(why.code()) => {
                    self.note(&format!("is refused: {}", why.message()));
                    return None;
                }
                Err(why) => self.note(&format!("reserve failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    async fn release(&self, id: &str) {
        loop {
            let request = wire::ReleaseReservationRequest {
                reservation_id: id.to_owned(),
            };
            let mut client = self.kernel();
            let asked = patiently(async move { client.release_reservation(request).await }).await;
            match asked {
                Ok(answer) => {
                    let ended = answer.into_inner().reservation.unwrap_or_default();
                    return self.note(&format!("{id} is over: {}", ended.ended_because));
                }
                Err(why) => self.note(&format!("release failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    fn kernel(&self) -> KernelGatewayClient<Channel> {
        KernelGatewayClient::new(self.channel.clone())
    }

    fn note(&self, what: &str) {
        let client = client_name(self.plan.client);
        let line = format!("{client} of reservation {}: {what}", self.number);
        self.trace.note(Lane::Client, line);
    }
}

/// An answer, or none in time.
pub(super) async fn patiently<T>(
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let late = |_| Err(Status::deadline_exceeded("no answer in time"));
    madsim::time::timeout(PATIENCE, call)
        .await
        .unwrap_or_else(late)
}
