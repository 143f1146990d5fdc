//! The production `Env`: tokio, tonic, the system's clocks and chance.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use rand::RngCore as _;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;

use crate::embedded::{EmbeddedCompiler, EmbeddedDevice};
use crate::grpc::{Broken, Channel, CompilerClient, DriverClient, Neighbour};
use crate::neighbours::{AnyDevices, Compilers};
use crate::os::artifacts::Opened;
use crate::os::clock::SystemClock;
use crate::os::config::Config;
use crate::ports::{Env, JobStore};

/// A task is moved to where it runs, and there are some for each job: what is larger than the
/// first-level caches like drives everything else out of them.
const TASK_BYTES_MAX: usize = 8 * 1024;

/// The real world as the kernel sees it.
#[derive(Debug)]
pub struct Production<S> {
    clock: SystemClock,
    compiler: Compilers<SystemClock>,
    devices: AnyDevices<SystemClock>,
    store: S,
    artifacts: Opened,
}

impl<S> Production<S> {
    /// The world as `config` describes it. Nothing is connected yet: each neighbour is when it
    /// is first needed, and again whenever the connection was lost.
    ///
    /// # Errors
    /// An endpoint that is no address.
    pub fn new(
        config: &Config,
        store: S,
        artifacts: Opened,
    ) -> Result<Self, tonic::transport::Error> {
        let clock = SystemClock::default();
        let neighbour = |name, setting, endpoint: &String| {
            let channel = connect(endpoint)?;
            Ok(Neighbour {
                channel,
                name,
                endpoint: endpoint.clone(),
                setting,
                clock,
            })
        };
        let remote = config.compiler.as_ref().map(|endpoint| {
            let setting = "EIGEN_COMPILER_ENDPOINT (or its flag)";
            let neighbour = neighbour("eigen-compiler", setting, endpoint)?;
            Ok(CompilerClient::new(neighbour, config.optimize))
        });
        let devices = match &config.driver {
            None => {
                AnyDevices::Embedded(EmbeddedDevice::new(clock, off_the_async_threads, cores()))
            }
            Some(endpoint) => {
                let setting = "DRIVER_MANAGER_ENDPOINT (or its flag)";
                let neighbour = neighbour("driver-manager", setting, endpoint)?;
                let span = Duration::from_millis(config.limits.call_ms);
                AnyDevices::Remote(DriverClient::new(neighbour, span))
            }
        };
        Ok(Self {
            clock,
            compiler: Compilers {
                embedded: EmbeddedCompiler::new(off_the_async_threads),
                remote: remote.transpose()?,
            },
            devices,
            store,
            artifacts,
        })
    }
}

pub(super) fn off_the_async_threads(work: Box<dyn FnOnce() + Send>) {
    tokio::task::spawn_blocking(work);
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One lazy connection that all calls to a neighbour share. The keep-alive finds a peer that is
/// gone without a word.
fn connect(url: &str) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let channel = endpoint.connect_lazy().map_err(|why| Broken(why.into()));
    Ok(Channel::new(channel))
}

impl<S: JobStore> Env for Production<S> {
    type Clock = SystemClock;
    type Compiler = Compilers<SystemClock>;
    type Devices = AnyDevices<SystemClock>;
    type Store = S;

    fn clock(&self) -> &SystemClock {
        &self.clock
    }

    fn compiler(&self) -> &Compilers<SystemClock> {
        &self.compiler
    }

    fn devices(&self) -> &AnyDevices<SystemClock> {
        &self.devices
    }

    fn store(&self) -> &S {
        &self.store
    }

    fn artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts.store
    }

    fn synced_artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts.synced
    }

    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        debug_assert!(
            size_of_val(&task) <= TASK_BYTES_MAX,
            "a task of {} bytes: box what it waits for ({})",
            size_of_val(&task),
            std::any::type_name_of_val(&task)
        );
        tokio::spawn(task);
    }
}
