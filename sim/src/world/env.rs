//! The `Env` of a simulated node: the same composition as in production, over madsim's time,
//! its own seeded chance and the simulated network.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use qrtx::embedded::EmbeddedCompiler;
use qrtx::grpc::{CompilerClient, DriverClient, Neighbour};
use qrtx::limits::Limits;
use qrtx::neighbours::{AnyDevices, Compilers};
use qrtx::ports::Env;

use crate::link::Network;
use crate::process::Process;
use crate::world::artifacts::{Guarded, Qfs, Sync};
use crate::world::clock::SimulatedClock;
use crate::world::devices::HeardDevices;
use crate::world::store::PointedStore;

/// The world as a simulated kernel sees it.
#[derive(Debug)]
pub struct Simulated {
    clock: SimulatedClock,
    compiler: Compilers<SimulatedClock>,
    devices: HeardDevices,
    store: PointedStore,
    artifacts: Arc<dyn ObjectStore>,
    synced: Arc<dyn ObjectStore>,
    process: Process,
}

impl Simulated {
    /// The world of the kernel that `process` is.
    pub fn new(
        process: &Process,
        clock: SimulatedClock,
        network: &Network,
        limits: &Limits,
        (store, qfs): (PointedStore, &Qfs),
        heard: impl FnOnce(AnyDevices<SimulatedClock>) -> HeardDevices,
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
            devices: heard(AnyDevices::Remote(driver)),
            store,
            artifacts: Arc::new(Guarded::new(process.clone(), qfs.clone(), Sync::Later)),
            synced: Arc::new(Guarded::new(process.clone(), qfs.clone(), Sync::AtOnce)),
            process: process.clone(),
            clock,
        }
    }
}

impl Env for Simulated {
    type Clock = SimulatedClock;
    type Compiler = Compilers<SimulatedClock>;
    type Devices = HeardDevices;
    type Store = PointedStore;

    fn clock(&self) -> &SimulatedClock {
        &self.clock
    }

    fn compiler(&self) -> &Compilers<SimulatedClock> {
        &self.compiler
    }

    fn devices(&self) -> &HeardDevices {
        &self.devices
    }

    fn store(&self) -> &PointedStore {
        &self.store
    }

    fn artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts
    }

    fn synced_artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.synced
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.process.fill(bytes);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        madsim::task::spawn(task);
    }
}
