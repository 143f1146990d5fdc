//! The devices as a kernel of this world reaches them: as in production, and what it is told of them
//! is written down. Nothing else can say what a kernel had to know.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use futures::stream::BoxStream;
use qrtx::ids::{DeviceId, ExecutionId, FencingToken};
use qrtx::job::state::Phase;
use qrtx::neighbours::AnyDevices;
use qrtx::ports::Devices;
use qrtx::ports::compiler::{CallContext, CallError};
use qrtx::ports::devices::{DeviceInfo, Hardware, Inspection, Run, RunError, RunResult};
use qrtx_testkit::history::Word;

use crate::process::Process;
use crate::trace::Trace;
use crate::world::clock::SimulatedClock;

/// The driver-manager, with somebody who listens.
#[derive(Debug)]
pub struct HeardDevices {
    driver: AnyDevices<SimulatedClock>,
    /// Every device that there is, listed or not.
    devices: Vec<String>,
    process: Process,
    trace: Trace,
    /// When each was asked what it said last.
    asked: Mutex<BTreeMap<String, Duration>>,
}

impl HeardDevices {
    /// What `process` hears of these devices from `driver`.
    pub fn new(
        driver: AnyDevices<SimulatedClock>,
        devices: Vec<String>,
        process: Process,
        trace: Trace,
    ) -> Self {
        Self {
            driver,
            devices,
            process,
            trace,
            asked: Mutex::default(),
        }
    }

    /// Writes down what is news. What was asked for before the last answer is none.
    fn hears(&self, device: &str, lost: bool, asked: Duration) {
        let mut last = self.asked.lock().expect("no holder panics");
        let last = last.entry(device.to_owned()).or_default();
        if asked < *last {
            return;
        }
        *last = asked;
        let (at, life) = (self.trace.now(), self.process.life());
        let mut records = self.trace.records();
        let of = |word: &&Word| word.life == life && word.device == device;
        let last = records.words.iter().rev().find(of);
        if last.is_none_or(|last| last.lost != lost) {
            records.words.push(Word {
                at,
                life,
                device: device.to_owned(),
                lost,
            });
        }
    }
}

fn is_lost(hardware: Hardware) -> bool {
    matches!(hardware, Hardware::Offline | Hardware::Error)
}

impl Devices for HeardDevices {
    async fn list(&self) -> Result<Vec<DeviceInfo>, CallError> {
        let asked = self.trace.now();
        let listed = self.driver.list().await?;
        for device in &self.devices {
            let there = listed.iter().find(|info| info.id.as_str() == device);
            self.hears(
                device,
                there.is_none_or(|info| is_lost(info.hardware)),
                asked,
            );
        }
        Ok(listed)
    }

    async fn status(
        &self,
        call: CallContext<'_>,
        device: &DeviceId,
    ) -> Result<Hardware, CallError> {
        let asked = self.trace.now();
        let told = self.driver.status(call, device).await?;
        self.hears(device.as_str(), is_lost(told), asked);
        Ok(told)
    }

    fn execute(
        &self,
        call: CallContext<'_>,
        run: Run,
    ) -> impl Future<Output = Result<RunResult, RunError>> + Send + 'static {
        self.driver.execute(call, run)
    }

    async fn inspect(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
    ) -> Result<Option<Inspection>, CallError> {
        self.driver.inspect(call, run).await
    }

    async fn stop(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
        token: FencingToken,
    ) -> Result<Option<Inspection>, CallError> {
        self.driver.stop(call, run, token).await
    }

    fn phases(&self, call: CallContext<'_>, run: ExecutionId) -> BoxStream<'static, Phase> {
        self.driver.phases(call, run)
    }

    fn endpoint(&self) -> &str {
        self.driver.endpoint()
    }
}
