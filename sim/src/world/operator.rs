//! The operator: takes devices out of use and back, as the scenario wants, however often it takes.

use std::time::Duration;

use qrtx::grpc::Channel;
use qrtx::grpc::proto::kernel::{self as wire, kernel_gateway_client::KernelGatewayClient};
use qrtx_testkit::history::Drained;

use super::client::PAUSE;
use super::holder::patiently;
use crate::nemesis::{Draining, Nemesis};
use crate::trace::{Lane, Trace};

/// Tries of one order before the operator gives up: longer than anything lasts.
const TRIES_MAX: usize = 1_000;

/// The one operator of a run.
#[derive(Debug)]
pub(super) struct Operator {
    channel: Channel,
    nemesis: Nemesis,
    trace: Trace,
}

impl Operator {
    /// An operator who reaches the kernel over `channel`.
    pub(super) fn new(channel: Channel, nemesis: Nemesis, trace: Trace) -> Self {
        Self {
            channel,
            nemesis,
            trace,
        }
    }

    /// Does what is wanted, one thing after the other. Never returns.
    pub(super) async fn run(self) {
        loop {
            let wanted = self.nemesis.wants_draining().await;
            if !wanted.draining {
                self.takes_back(&wanted.device);
            }
            self.order(&wanted).await;
            self.nemesis.drained();
        }
    }

    async fn order(&self, wanted: &Draining) {
        let Draining { device, draining } = wanted;
        let what = ["undrain", "drain"][usize::from(*draining)];
        for _ in 0..TRIES_MAX {
            let request = wire::DrainDeviceRequest {
                device_id: device.clone(),
                draining: *draining,
            };
            let mut client = KernelGatewayClient::new(self.channel.clone());
            match patiently(async move { client.drain_device(request).await }).await {
                Ok(_) => {
                    self.note(&format!("{what} {device}: done"));
                    if *draining {
                        self.has(device);
                    }
                    return;
                }
                Err(why) => self.note(&format!("{what} {device} failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    /// From now on the device drains for certain, until somebody begins to take that back.
    fn has(&self, device: &str) {
        let certain = (self.trace.now(), Duration::MAX);
        let device = device.to_owned();
        let mut records = self.trace.records();
        records.drained.push(Drained { device, certain });
    }

    fn takes_back(&self, device: &str) {
        let now = self.trace.now();
        let mut records = self.trace.records();
        let of_device = records
            .drained
            .iter_mut()
            .filter(|one| one.device == device);
        for drained in of_device {
            drained.certain.1 = drained.certain.1.min(now);
        }
    }

    fn note(&self, what: &str) {
        self.trace.note(Lane::Client, format!("operator: {what}"));
    }
}
