//! The deployment, each process on a node of its own, and one run of a scenario in it.
//!
//! Everything a run is made of is made here and thrown away after it, on an OS thread of its
//! own: nothing of an earlier run may be left in a thread-local of some library.

pub mod artifacts;
pub mod client;
pub mod clock;
pub mod devices;
pub mod disk;
pub mod env;
pub mod holder;
pub mod jobs;
pub mod neighbours;
mod onlooker;
mod operator;
mod outcome;
pub mod store;
mod troubles;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::task::NodeId;
use qrtx::grpc;
use qrtx::kernel::{Kernel, Settings};
use qrtx::store::MemoryStore;

use crate::link::Network;
use crate::nemesis::{Hands, Nemesis, Orders};
use crate::process::Process;
use crate::scenario::{OPERATOR, Scenario, StorePlan, client_name};
use crate::trace::{Lane, Trace};
use crate::verdict::Outcome;
use artifacts::Qfs;
use client::{Client, Heard};
use clock::{SimulatedClock, elapsed};
use devices::HeardDevices;
use disk::JobDisk;
use env::Simulated;
use holder::{Holder, Slots};
use jobs::Jobs;
use neighbours::{Doubles, watch_devices};
use operator::Operator;
use store::{Kept, PointedStore};

/// Time for what follows a job's end, such as `error.json`.
const SETTLE: Duration = Duration::from_secs(3);
/// The node of the kernel that is there from the start.
const FIRST_KERNEL: &str = "kernel";
/// How long a supervisor takes to start a process again that ended by itself.
const RESTART: Duration = Duration::from_secs(1);

/// How long a run may take on a real clock: a story takes seconds. One that takes longer may go round
/// without any simulated time passing, and would do so for ever.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// The same for stories beside others: some are long, and a machine may be busy.
pub const PATIENCE_WITH_STORIES: Duration = Duration::from_secs(180);

/// Runs a scenario with a seed.
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    run_within(scenario, seed, PATIENCE)
}

/// Runs a scenario with a seed, and gives it up after some real time.
pub fn run_within(scenario: &Scenario, seed: u64, patience: Duration) -> Outcome {
    let scenario = Arc::new(scenario.clone());
    let (begun, beginning) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
        let (outcome, nemesis) = runtime.block_on(async move {
            let built = World::build(&scenario, seed);
            let nemesis = built.world.nemesis.weak();
            // Kept until the thread ends, by which the other side knows.
            let _ = begun.send((built.world.trace.clone(), clock::given_up()));
            (built.play().await, nemesis)
        });
        drop(runtime);
        // Whatever is of a run holds it.
        assert!(nemesis.is_gone(), "something of a run outlives it");
        outcome
    });
    if let Ok((trace, given_up)) = beginning.recv()
        && let Err(RecvTimeoutError::Timeout) = beginning.recv_timeout(patience)
    {
        let seen = unending(&trace, patience);
        given_up.store(true, Ordering::Relaxed);
        return seen;
    }
    thread.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            broke: Some(text.unwrap_or_default()),
            ..Outcome::default()
        }
    })
}

/// What is to be seen of a run that does not end.
fn unending(trace: &Trace, patience: Duration) -> Outcome {
    let lines = trace.taken();
    let ended = lines.last().map_or(Duration::ZERO, |line| line.at);
    let broke = format!(
        "the run does not come to an end: after {patience:?} it was at its second {:.6}. Something \
         goes round there without waiting, or it needs longer (see --patience)",
        ended.as_secs_f64()
    );
    Outcome {
        lines,
        broke: Some(broke),
        ended,
        ..Outcome::default()
    }
}

/// Everything in a run.
#[derive(Clone)]
struct World {
    seed: u64,
    scenario: Arc<Scenario>,
    settings: Settings,
    trace: Trace,
    network: Network,
    nemesis: Nemesis,
    doubles: Doubles,
    kept: Kept,
    heard: Heard,
    slots: Slots,
    /// Why a kernel stopped by itself, which it never does while the store is its own.
    stopped: Arc<Mutex<Option<(Duration, String)>>>,
    /// Every node that was made.
    nodes: Arc<Mutex<Vec<NodeId>>>,
}

struct Built {
    world: Arc<World>,
    orders: Orders,
}

impl World {
    fn build(scenario: &Arc<Scenario>, seed: u64) -> Built {
        let trace = Trace::new(elapsed);
        let wires = Handle::current().create_node().name("network").build();
        let (wires, carrier) = (wires.id(), wires);
        let network = Network::new(seed, trace.clone(), carrier);
        let (nemesis, orders) = Nemesis::new(scenario, seed, trace.clone(), network.clone());
        network.given(&nemesis);
        let clock = |node: &str| SimulatedClock::new(nemesis.skew(node));
        let doubles = Doubles::new(scenario, clock);
        nemesis.given(doubles.clone());
        let limits = scenario.limits.applied();
        let world = Self {
            seed,
            doubles,
            scenario: scenario.clone(),
            settings: Settings {
                limits: limits.expect("a scenario was checked when it was read"),
                ..Settings::default()
            },
            kept: Kept {
                jobs: match scenario.store {
                    StorePlan::Memory => Jobs::Memory(MemoryStore::default()),
                    StorePlan::Disk => {
                        Jobs::Disk(JobDisk::new(seed, nemesis.clone(), trace.clone()))
                    }
                },
                qfs: Qfs::new(nemesis.clone(), trace.clone()),
            },
            trace,
            network,
            nemesis,
            heard: Arc::default(),
            slots: Slots::new(scenario.reservations.len()),
            stopped: Arc::default(),
            nodes: Arc::new(Mutex::new(vec![wires])),
        };
        let world = Arc::new(world);
        Built { world, orders }
    }

    fn clock(&self, node: &str) -> SimulatedClock {
        SimulatedClock::new(self.nemesis.skew(node))
    }

    /// A node whose process is started anew after each kill. Its `main` is given its life.
    fn server<F>(
        self: &Arc<Self>,
        name: &str,
        label: &str,
        main: impl Fn(Self, Process) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        // The node is kept by the world.
        let (world, named, main) = (Arc::downgrade(self), name.to_owned(), Arc::new(main));
        // A node is known by its number only when it is there, and it starts before that.
        let id = Arc::new(OnceLock::new());
        let known = id.clone();
        let node = Handle::current()
            .create_node()
            .name(label)
            .init(move || {
                let world = world.upgrade().expect("a world outlives its nodes");
                let (world, named) = (Self::clone(&world), named.clone());
                let (known, main) = (known.clone(), main.clone());
                async move {
                    let node = *known.get().expect("a node runs after it was made");
                    let process = world.nemesis.started(&named, node);
                    main(world, process).await;
                    // A node whose first task is over would be gone; a process is not.
                    std::future::pending::<()>().await;
                }
            })
            .build();
        let _ = id.set(node.id());
        self.made(node.id());
    }

    fn made(&self, node: NodeId) {
        self.nodes.lock().expect("no holder panics").push(node);
    }

    /// Ends whatever still runs: a task that waits keeps what it waits for, which keeps the task,
    /// and a process that runs a thousand worlds would keep them all.
    async fn tear_down(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock().expect("no holder panics"));
        for node in nodes {
            Handle::current().kill(node);
        }
        madsim::time::sleep(Duration::from_nanos(1)).await;
    }

    /// What `qrtx serve` does: a kernel on its store, and its gateways.
    async fn kernel(self, process: Process) {
        let kernel = loop {
            match self.started(&process).await {
                Ok(kernel) => break kernel,
                // A supervisor starts the process again when it could not start.
                Err(why) => self
                    .trace
                    .note(Lane::Node, format!("kernel cannot start: {why}")),
            }
            madsim::time::sleep(RESTART).await;
        };
        let routes = grpc::routes(&kernel).await;
        let (world, watched, me) = (self.clone(), kernel.clone(), process.clone());
        madsim::task::spawn(async move {
            let why = watched.stopped().await;
            me.living().await;
            world
                .trace
                .note(Lane::Node, format!("kernel stops by itself: {why}"));
            if watched.epoch().0 < world.epochs() {
                return match world.nemesis.is_current(&me) {
                    // One that stood still while it started has come after it, and is not served by
                    // anybody: the supervisor has this one.
                    true => world.nemesis.restarts(&me, RESTART),
                    false => world.nemesis.exited(&me),
                };
            }
            *world.stopped.lock().expect("no holder panics") = Some((elapsed(), why));
        });
        self.network.serve(process, routes).await;
    }

    async fn started(&self, process: &Process) -> Result<Arc<Kernel<Simulated>>, String> {
        let (kept, nemesis, trace) = (&self.kept, &self.nemesis, &self.trace);
        let store = PointedStore::open(process, kept, nemesis, trace).await;
        let env = Simulated::new(
            process,
            self.clock("kernel"),
            &self.network,
            &self.settings.limits,
            (store.map_err(|why| why.to_string())?, &self.kept.qfs),
            |driver| {
                let devices = self.scenario.devices.iter();
                let devices = devices.map(|plan| plan.id.clone()).collect();
                HeardDevices::new(driver, devices, process.clone(), trace.clone())
            },
        );
        let started = Kernel::start(env, self.settings.clone()).await;
        started.map_err(|why| why.to_string())
    }

    /// Epochs claimed so far.
    fn epochs(&self) -> u32 {
        let claimed = self.trace.records().epochs.len();
        u32::try_from(claimed).expect("few kernels start in a run")
    }
}

impl Built {
    /// Lets the scenario happen, and collects what was to be seen of it.
    async fn play(self) -> Outcome {
        let Self { world, orders } = self;
        let compiler = world.doubles.compiler.clone();
        world.server("compiler", "compiler", move |world, process| {
            let routes = compiler.routes();
            async move { world.network.serve(process, routes).await }
        });
        let driver = world.doubles.driver.clone();
        world.server("driver-manager", "driver-manager", move |world, process| {
            let routes = driver.routes();
            async move { world.network.serve(process, routes).await }
        });
        world.server("kernel", FIRST_KERNEL, World::kernel);
        // What happens to the deployment has a node of its own, which ends with the others.
        let fate = Handle::current().create_node().name("fate").build();
        world.made(fate.id());
        fate.spawn(watch_devices(
            world.clock("driver-manager"),
            world.doubles.driver.clone(),
            world.nemesis.clone(),
            world.trace.clone(),
        ));
        let (lost, another) = (world.clone(), world.clone());
        let hands = Hands {
            lost: Arc::new(move |node, power| {
                lost.doubles.restarted(node);
                if power {
                    lost.kept.qfs.lose_power(lost.seed);
                    lost.kept.jobs.lose_power();
                }
            }),
            another_kernel: Arc::new(move || {
                another.server("kernel", "another kernel", World::kernel)
            }),
        };
        fate.spawn(world.nemesis.clone().command(orders, hands));
        let clients = world.clients();

        let last = world.until_quiet(&clients).await;
        let outcome = world.outcome(last).await;
        world.tear_down().await;
        outcome
    }
}

impl World {
    fn clients(&self) -> Vec<madsim::task::JoinHandle<()>> {
        let mut nodes: std::collections::BTreeMap<String, (NodeHandle, Process)> =
            std::collections::BTreeMap::new();
        let mut node_of = |client| {
            let name = client_name(client);
            let (node, process) = nodes.entry(name.clone()).or_insert_with(|| {
                let node = Handle::current().create_node().name(&name).build();
                let process = self.nemesis.started(&name, node.id());
                self.made(node.id());
                (node, process)
            });
            (node.clone(), process.clone())
        };
        let mut tasks = Vec::new();
        for planned in self.scenario.planned() {
            let (node, process) = node_of(planned.plan.client);
            let job = Some(planned.ordinal);
            let channel = self.network.channel_for(&process, "kernel", job);
            let (nemesis, trace) = (self.nemesis.clone(), self.trace.clone());
            let (heard, slots) = (self.heard.clone(), self.slots.clone());
            let client = Client::new(planned, channel, nemesis, trace, heard, slots);
            tasks.push(node.spawn(client.run()));
        }
        if self.scenario.has_operator() {
            let (nemesis, trace) = (self.nemesis.clone(), self.trace.clone());
            let node = Handle::current().create_node().name(OPERATOR).build();
            let process = nemesis.started(OPERATOR, node.id());
            self.made(node.id());
            let channel = self.network.channel_for(&process, "kernel", None);
            if let Some(every) = self.scenario.look_every {
                node.spawn(onlooker::look(channel.clone(), every.0, trace.clone()));
            }
            // It is never done: the nemesis knows what it still has to do.
            node.spawn(Operator::new(channel, nemesis, trace).run());
        }
        for (number, plan) in self.scenario.reservations.iter().enumerate() {
            let (node, process) = node_of(plan.client);
            let channel = self.network.channel_for(&process, "kernel", None);
            let (trace, slots) = (self.trace.clone(), self.slots.clone());
            let holder = Holder::new(number, plan.clone(), channel, trace, slots);
            tasks.push(node.spawn(holder.run()));
        }
        tasks
    }

    /// Waits until every client has what it wants and no job owes anything, or until the bound
    /// after the last fault has passed.
    async fn until_quiet(&self, clients: &[madsim::task::JoinHandle<()>]) -> Duration {
        let mut owing = None;
        loop {
            madsim::time::sleep(Duration::from_secs(1)).await;
            // Asking frees what madsim keeps of tasks that are over.
            Handle::current().metrics().num_tasks();
            if !self.nemesis.is_quiet() {
                continue;
            }
            let done = clients.iter().all(madsim::task::JoinHandle::is_finished)
                && self.owe_nothing(&mut owing).await;
            let late = elapsed() > self.nemesis.last_fault() + self.scenario.bound.0;
            if done || late {
                let ended = elapsed();
                madsim::time::sleep(SETTLE).await;
                return ended;
            }
        }
    }

    /// Whether no job owes anything; as long as nothing is written, what was seen last stands.
    async fn owe_nothing(&self, owing: &mut Option<u64>) -> bool {
        let version = self.kept.jobs.version();
        if version.is_some() && version == *owing {
            return false;
        }
        let nothing = self.kept.jobs.owe_nothing().await;
        let nothing = nothing.expect("what is left can be read");
        *owing = version.filter(|_| !nothing);
        nothing
    }
}
