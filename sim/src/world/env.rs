//! The `Env` of a simulated node: the same composition as in production, over madsim's time,
//! its seeded chance and the simulated network.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use madsim::rand::RngCore as _;
use madsim::time::TimeHandle;
use object_store::ObjectStore;
use qrtx::embedded::EmbeddedCompiler;
use qrtx::grpc::{CompilerClient, DriverClient, Neighbour};
use qrtx::limits::Limits;
use qrtx::neighbours::{AnyDevices, Compilers};
use qrtx::ports::{Clock, Env};
use qrtx::time::{Monotonic, Timestamp};

use crate::link::Network;
use crate::process::Process;
use crate::world::artifacts::Guarded;
use crate::world::store::PointedStore;

/// Some day in 2026: every run begins then.
const BEGIN: Timestamp = Timestamp(1_780_000_000_000_000);
/// As in production: times before the start are points on the clock, too.
const BEFORE_START: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The clocks of one node: simulated time, and a wall clock that may be off.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    skew_micros: Arc<AtomicI64>,
}

impl SimulatedClock {
    /// Clocks of a node whose wall clock is off by so many microseconds, now and later.
    pub fn new(skew_micros: Arc<AtomicI64>) -> Self {
        Self { skew_micros }
    }
}

/// Simulated time since the start of the run.
pub fn elapsed() -> Duration {
    TimeHandle::current().elapsed()
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let now = BEGIN + elapsed();
        Timestamp(
            now.0
                .saturating_add(self.skew_micros.load(Ordering::Relaxed)),
        )
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(BEFORE_START + elapsed())
    }

    async fn sleep_until(&self, when: Monotonic) {
        let left = when.since(self.monotonic());
        if !left.is_zero() {
            madsim::time::sleep(left).await;
        }
    }
}

/// The world as a simulated kernel sees it.
#[derive(Debug)]
pub struct Simulated {
    clock: SimulatedClock,
    compiler: Compilers<SimulatedClock>,
    devices: AnyDevices<SimulatedClock>,
    store: PointedStore,
    artifacts: Arc<dyn ObjectStore>,
}

impl Simulated {
    /// The world of the kernel that `process` is.
    pub fn new(
        process: &Process,
        clock: SimulatedClock,
        network: &Network,
        limits: &Limits,
        (store, artifacts): (PointedStore, Arc<dyn ObjectStore>),
    ) -> Self {
        let neighbour = |name: &'static str, node: &str| Neighbour {
            channel: network.channel(process, node),
            name,
            endpoint: format!("http://{node}"),
            setting: "the scenario",
            clock: clock.clone(),
        };
        let remote = CompilerClient::new(neighbour("eigen-compiler", "compiler"), false);
        let driver = neighbour("driver-manager", "driver-manager");
        let driver = DriverClient::new(driver, Duration::from_millis(limits.call_ms));
        Self {
            compiler: Compilers {
                // Time stands still while it works.
                embedded: EmbeddedCompiler::new(|work| work()),
                remote: Some(remote),
            },
            devices: AnyDevices::Remote(driver),
            store,
            artifacts: Arc::new(Guarded::new(process.clone(), artifacts)),
            clock,
        }
    }
}

impl Env for Simulated {
    type Clock = SimulatedClock;
    type Compiler = Compilers<SimulatedClock>;
    type Devices = AnyDevices<SimulatedClock>;
    type Store = PointedStore;

    fn clock(&self) -> &SimulatedClock {
        &self.clock
    }

    fn compiler(&self) -> &Compilers<SimulatedClock> {
        &self.compiler
    }

    fn devices(&self) -> &AnyDevices<SimulatedClock> {
        &self.devices
    }

    fn store(&self) -> &PointedStore {
        &self.store
    }

    fn artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts
    }

    fn synced_artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts
    }

    fn fill(&self, bytes: &mut [u8]) {
        madsim::rand::thread_rng().fill_bytes(bytes);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        madsim::task::spawn(task);
    }
}
