//! driver-manager: devices, the runs on them, and the truth about both.
//!
//! Every run that starts is in a ledger that no caller can change and no restart forgets: a test
//! compares what the kernel believes with what [`DriverDouble::runs`] says. What the driver
//! *remembers* towards its callers is another thing ([`DriverDouble::forget`]).

mod circuit;
mod control;
mod fields;
mod ledger;
mod manager;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use qrtx::grpc::proto::internal::driver_manager_service_server::DriverManagerServiceServer;
use qrtx::grpc::proto::internal::{DeviceInfo, DeviceStatus};
use qrtx::grpc::proto::kernel::execution_control_server::ExecutionControlServer;
use qrtx::ports::Clock;
use tokio::sync::Notify;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;

use super::call::{Call, Method, headers};
use super::damage::Damaged;
use super::whims::Whims;
use ledger::{Ledger, Memory};

pub use ledger::{Deviation, End, Run};

/// Starts the description of a device: an ONLINE simulator, as the shipped ones are.
pub fn device(id: &str) -> DeviceSketch {
    let capabilities = [
        ("formats", "AQO_JSON"),
        ("ops", "RX,RY,RZ,CX,MEASURE"),
        ("bitstring_order", "msb_first_by_classical_index"),
    ];
    DeviceSketch(DeviceInfo {
        device_id: id.to_owned(),
        name: id.to_owned(),
        backend_type: "simulator".to_owned(),
        status: DeviceStatus::Online.into(),
        capabilities: capabilities
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..DeviceInfo::default()
    })
}

/// A device that is being described.
#[derive(Debug, Clone)]
pub struct DeviceSketch(DeviceInfo);

impl DeviceSketch {
    /// Anything but `simulator` makes its shots worth money (D14).
    pub fn backend_type(mut self, backend_type: &str) -> Self {
        backend_type.clone_into(&mut self.0.backend_type);
        self
    }

    /// What it says of itself at first.
    pub fn status(mut self, status: DeviceStatus) -> Self {
        self.0.status = status.into();
        self
    }

    /// Sets one capability. The double itself reads `ops` and `qubits` (16 when not there).
    pub fn capability(mut self, key: &str, value: &str) -> Self {
        self.0.capabilities.insert(key.to_owned(), value.to_owned());
        self
    }

    /// What it says of the work that others have for it.
    pub fn busy(mut self, queue_depth: i32, estimated_wait_sec: i32) -> Self {
        self.0.queue_depth = queue_depth;
        self.0.estimated_wait_sec = estimated_wait_sec;
        self
    }
}

/// How a driver that can be asked to stop a run does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stops {
    AtOnce,
    Never,
}

/// Whether it has ExecutionControl; one without does not know the headers either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Served,
    Absent,
}

/// The double of driver-manager. Clones share everything, and outlive a simulated node.
#[derive(Clone)]
pub struct DriverDouble<C> {
    clock: C,
    whims: Whims,
    stops: Stops,
    control: Control,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// A call has arrived or a run has started: for tests that wait for it.
    arrived: Notify,
    /// A run was stopped: for whoever waits for its end. Apart from the other, so that a
    /// thousand waiting calls do not wake for each new one.
    stopped: Notify,
}

struct State {
    devices: BTreeMap<String, DeviceInfo>,
    unlisted: BTreeSet<String>,
    unreadable: Vec<String>,
    takes: Duration,
    takes_of: BTreeMap<String, Duration>,
    calls: Vec<Call>,
    ledger: Ledger,
    memory: Memory,
}

impl<C> fmt::Debug for DriverDouble<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverDouble")
            .field("whims", &self.whims)
            .finish_non_exhaustive()
    }
}

impl<C: Clock + Clone> DriverDouble<C> {
    /// A driver-manager as it is shipped: three simulators, no ExecutionControl. Runs take no
    /// time until [`Self::set_takes`].
    pub fn new(clock: C) -> Self {
        let shipped = ["cluster:auto", "runtime:deterministic", "sim:local"];
        let state = State {
            devices: shipped.map(|id| (id.to_owned(), device(id).0)).into(),
            unlisted: BTreeSet::new(),
            unreadable: Vec::new(),
            takes: Duration::ZERO,
            takes_of: BTreeMap::new(),
            calls: Vec::new(),
            ledger: Ledger::default(),
            memory: Memory::since(clock.now()),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            arrived: Notify::new(),
            stopped: Notify::new(),
        });
        Self {
            clock,
            whims: Whims::default(),
            stops: Stops::AtOnce,
            control: Control::Absent,
            shared,
        }
    }

    /// These devices in place of the shipped ones.
    pub fn with_devices(self, devices: impl IntoIterator<Item = DeviceSketch>) -> Self {
        let devices = devices
            .into_iter()
            .map(|DeviceSketch(info)| (info.device_id.clone(), info));
        self.state().devices = devices.collect();
        self
    }

    /// Lets it serve ExecutionControl, and heed `x-eigen-execution-id` and
    /// `x-eigen-fencing-token` of ExecuteCircuit (D8).
    pub fn with_control(self) -> Self {
        Self {
            control: Control::Served,
            ..self
        }
    }

    /// Lets it break the execution contract in one way.
    pub fn deviating(self, deviation: Deviation) -> Self {
        {
            let memory = &mut self.state().memory;
            memory.deviation = Some(deviation);
            memory.tells_other_counts = deviation == Deviation::TellsOtherCounts;
        }
        self
    }

    /// Lets runs go on though they are cancelled: CancelExecution answers RUNNING.
    pub fn unstoppable(self) -> Self {
        Self {
            stops: Stops::Never,
            ..self
        }
    }

    /// Lets each run that starts from now on take `span` on the double's clock.
    pub fn set_takes(&self, span: Duration) {
        self.state().takes = span;
    }

    /// The same for the runs of one job.
    pub fn set_takes_of(&self, job: &str, span: Duration) {
        self.state().takes_of.insert(job.to_owned(), span);
    }

    /// What a run of a job takes.
    pub fn takes(&self, job: &str) -> Duration {
        self.state().takes_of(job)
    }

    /// Changes what a device says of itself; one that is not ONLINE refuses to run. Runs under
    /// way go on.
    ///
    /// # Panics
    /// If there is no such device.
    pub fn set_status(&self, id: &str, status: DeviceStatus) {
        let mut state = self.state();
        state
            .devices
            .get_mut(id)
            .expect("a device of this double")
            .status = status.into();
    }

    /// Lets a device tell one capability otherwise, or leave it out.
    ///
    /// # Panics
    /// If there is no such device.
    pub fn set_capability(&self, id: &str, key: &str, value: Option<&str>) {
        let mut state = self.state();
        let device = state.devices.get_mut(id).expect("a device of this double");
        match value {
            Some(value) => device.capabilities.insert(key.to_owned(), value.to_owned()),
            None => device.capabilities.remove(key),
        };
    }

    /// Takes a device out of the list, or puts it back; nothing is known of one that is not in
    /// there. Runs under way go on.
    pub fn set_listed(&self, id: &str, listed: bool) {
        let mut state = self.state();
        if listed {
            state.unlisted.remove(id);
        } else {
            state.unlisted.insert(id.to_owned());
        }
    }

    /// What each device says of itself, listed or not.
    pub fn devices(&self) -> BTreeMap<String, DeviceInfo> {
        self.state().devices.clone()
    }

    /// Plays a restart: executions and tokens seen are forgotten, `remembers_since` is now.
    /// Tombstones are durable and stay; what the hardware runs, it goes on running.
    pub fn forget(&self) {
        let now = self.clock.now();
        self.state().memory.forget(now);
    }

    /// Plays a restart on an empty disk, which the contract forbids: tombstones go, too.
    pub fn forget_tombstones_too(&self) {
        let now = self.clock.now();
        self.state().memory = Memory::since(now);
    }

    /// What it does wrong; to be changed at any time.
    pub fn whims(&self) -> &Whims {
        &self.whims
    }

    /// Every call so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Every execution that really ran or runs, in the order in which they started.
    pub fn runs(&self) -> Vec<Run> {
        self.runs_from(0)
    }

    /// The same without the first so many.
    pub fn runs_from(&self, first: usize) -> Vec<Run> {
        let now = self.clock.monotonic();
        self.state().ledger.runs_from(first, now)
    }

    /// The jobs for which it was asked to run what is no circuit.
    pub fn unreadable(&self) -> Vec<String> {
        self.state().unreadable.clone()
    }

    /// The execution of that number, from 0 in the order in which they started.
    ///
    /// # Panics
    /// If there is none.
    pub fn run(&self, number: usize) -> Run {
        let now = self.clock.monotonic();
        self.state().ledger.row(number).seen_at(now)
    }

    /// The runs of one job; more than one is what the kernel has to answer for.
    pub fn runs_of(&self, job: &str) -> Vec<Run> {
        self.runs()
            .into_iter()
            .filter(|run| run.job == job)
            .collect()
    }

    /// Shots fired for a job so far, in all its runs.
    pub fn shots_fired_for(&self, job: &str) -> i64 {
        self.runs_of(job).iter().map(|run| run.shots_fired).sum()
    }

    /// Pairs of runs that were on the same device at the same time, by execution or job.
    pub fn overlaps(&self) -> Vec<(Run, Run)> {
        ledger::overlaps(&self.runs())
    }

    /// The most runs that a device had at a time.
    pub fn most_at_once(&self, device: &str) -> usize {
        ledger::most_at_once(&self.runs(), device)
    }

    /// Returns when so many runs have started, since the beginning; at once if they have.
    pub async fn started(&self, runs: usize) {
        self.until(|state| state.ledger.len() >= runs).await;
    }

    /// Returns when so many calls of `method` have arrived; at once if they have.
    pub async fn called(&self, method: Method, times: usize) {
        self.until(|state| {
            state
                .calls
                .iter()
                .filter(|call| call.method == method)
                .count()
                >= times
        })
        .await;
    }

    /// The services, to be served any number of times.
    pub fn routes(&self) -> Routes {
        let routes = Routes::new(Damaged(DriverManagerServiceServer::new(self.clone())));
        match self.control {
            Control::Served => {
                routes.add_service(Damaged(ExecutionControlServer::new(self.clone())))
            }
            Control::Absent => routes,
        }
    }

    async fn until(&self, reached: impl Fn(&State) -> bool + Send) {
        loop {
            // Before the look: a change between the two must not be missed.
            let arrived = self.shared.arrived.notified();
            if reached(&self.state()) {
                return;
            }
            arrived.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no holder panics")
    }

    fn note(
        &self,
        method: Method,
        job: &str,
        sent: &MetadataMap,
        options: &BTreeMap<String, String>,
    ) {
        let call = Call {
            method,
            job: job.to_owned(),
            headers: headers(sent),
            options: options.clone(),
            at: self.clock.monotonic(),
            at_wall: self.clock.now(),
        };
        self.state().calls.push(call);
        self.shared.arrived.notify_waiters();
    }
}
