//! The devices as a kernel of this world reaches them: as in production, and what it is told of them
//! is written down. Nothing else can say what a kernel had to know.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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
use crate::trace::{Lane, Trace};
use crate::world::clock::SimulatedClock;

/// The driver-manager, with somebody who listens.
#[derive(Debug)]
pub struct HeardDevices {
    driver: AnyDevices<SimulatedClock>,
    /// Every device that there is, listed or not.
    devices: Vec<String>,
    process: Process,
    trace: Trace,
    known: Mutex<BTreeMap<String, Known>>,
    /// When the last list was asked for, in nanoseconds.
    list_asked: AtomicU64,
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
            known: Mutex::default(),
            list_asked: AtomicU64::default(),
        }
    }

    /// Writes down what is news. What was asked for before the last answer is none, and a device of which
    /// nothing is known but its status is no device yet.
    fn hears(&self, device: &str, hardware: Hardware, listed: Option<bool>, asked: Duration) {
        let mut known = self.known.lock().expect("no holder panics");
        let known = known.entry(device.to_owned()).or_default();
        known.named |= listed == Some(true);
        if !known.named {
            return;
        }
        if asked >= known.asked {
            (known.asked, known.hardware) = (asked, Some(hardware));
        }
        known.listed = listed.unwrap_or(known.listed);
        let word = Word {
            at: self.trace.now(),
            life: self.process.life(),
            device: device.to_owned(),
            hardware: known.hardware.unwrap_or(hardware),
            listed: known.listed,
        };
        let listed = ["gone from the list", "listed"][usize::from(word.listed)];
        let said = format!(
            "kernel hears of {device}: {}, {listed}",
            word.hardware.name()
        );
        let mut records = self.trace.records();
        let of = |other: &&Word| (other.life, &other.device) == (word.life, &word.device);
        let last = records.words.iter().rev().find(of);
        let told = |word: &Word| (word.hardware, word.listed);
        if last.map(told) != Some(told(&word)) {
            records.words.push(word);
            drop(records);
            self.trace.note(Lane::Device, said);
        }
    }
}

/// What a kernel knows of a device.
#[derive(Debug, Default)]
struct Known {
    /// Whether a list has ever had it.
    named: bool,
    /// When it was asked what it said last.
    asked: Duration,
    hardware: Option<Hardware>,
    /// Whether the device was in the last list.
    listed: bool,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Devices for HeardDevices {
    async fn list(&self) -> Result<Vec<DeviceInfo>, CallError> {
        let asked = self.trace.now();
        let listed = self.driver.list().await?;
        // A list that was asked for before the last one tells nothing.
        let last = self.list_asked.fetch_max(nanos(asked), Ordering::Relaxed);
        if nanos(asked) < last {
            return Ok(listed);
        }
        for device in &self.devices {
            let there = listed.iter().find(|info| info.id.as_str() == device);
            let hardware = there.map_or(Hardware::Offline, |info| info.hardware);
            self.hears(device, hardware, Some(there.is_some()), asked);
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
        self.hears(device.as_str(), told, None, asked);
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
