//! The deployment, each process on a node of its own, and one run of a scenario in it.
//!
//! Everything a run is made of is made here and thrown away after it, on an OS thread of its
//! own: nothing of an earlier run may be left in a thread-local of some library.

pub mod artifacts;
pub mod client;
pub mod env;
pub mod neighbours;
pub mod store;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle, Runtime};
use object_store::memory::InMemory;
use qrtx::grpc;
use qrtx::kernel::{Kernel, Settings};
use qrtx::ports::JobStore as _;
use qrtx::ports::store::Filter;
use qrtx::store::MemoryStore;
use qrtx_testkit::history::{History, Stored};

use crate::link::Network;
use crate::nemesis::Nemesis;
use crate::scenario::{Scenario, client_name};
use crate::trace::{Lane, Trace};
use crate::verdict::Outcome;
use client::{Client, Heard};
use env::{Simulated, SimulatedClock, elapsed};
use neighbours::{Doubles, watch_devices};
use store::{Kept, PointedStore};

/// Time for what follows a job's end, such as `error.json`.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs a scenario with a seed.
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let scenario = Arc::new(scenario.clone());
    let thread = std::thread::spawn(move || {
        let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(async move { World::build(&scenario, seed).play().await })
    });
    thread.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            broke: Some(text.unwrap_or_default()),
            ..Outcome::default()
        }
    })
}

/// Everything in a run.
#[derive(Clone)]
struct World {
    scenario: Arc<Scenario>,
    trace: Trace,
    network: Network,
    nemesis: Nemesis,
    doubles: Doubles,
    kept: Kept,
    heard: Heard,
    /// Why a kernel stopped by itself, which it never does.
    stopped: Arc<Mutex<Option<String>>>,
}

struct Built {
    world: World,
    orders: crate::nemesis::Orders,
}

impl World {
    fn build(scenario: &Arc<Scenario>, seed: u64) -> Built {
        let trace = Trace::new(elapsed);
        let wires = Handle::current().create_node().name("network").build();
        let names: Arc<Mutex<Option<Nemesis>>> = Arc::default();
        let known = names.clone();
        let network = Network::new(seed, trace.clone(), wires, move |headers| {
            let job = headers
                .get("x-correlation-id")
                .and_then(|id| id.to_str().ok());
            let job = job.and_then(|id| id.parse().ok());
            let nemesis = known.lock().expect("no holder panics");
            let name = job
                .zip(nemesis.as_ref())
                .map(|(job, nemesis)| nemesis.name(job));
            name.map(|name| format!(" for {name}")).unwrap_or_default()
        });
        let (nemesis, orders) = Nemesis::new(scenario, trace.clone(), network.clone());
        *names.lock().expect("no holder panics") = Some(nemesis.clone());
        let clock = |node: &str| SimulatedClock::new(nemesis.skew(node));
        let kept = Kept {
            jobs: MemoryStore::default(),
            artifacts: Arc::new(InMemory::new()),
            at_completion: Arc::default(),
        };
        let world = Self {
            doubles: Doubles::new(scenario, clock),
            scenario: scenario.clone(),
            trace,
            network,
            nemesis,
            kept,
            heard: Arc::default(),
            stopped: Arc::default(),
        };
        Built { world, orders }
    }

    fn clock(&self, node: &str) -> SimulatedClock {
        SimulatedClock::new(self.nemesis.skew(node))
    }

    /// A node whose process is started anew after each kill.
    fn server<F>(&self, name: &str, main: impl Fn(Self) -> F + Send + Sync + 'static) -> NodeHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let world = self.clone();
        Handle::current()
            .create_node()
            .name(name)
            .init(move || main(world.clone()))
            .build()
    }

    /// What `qrtx serve` does: a kernel on its store, and its gateways.
    async fn kernel(self) {
        let process = self.nemesis.started("kernel");
        let settings = Settings::default();
        let store = PointedStore::new(
            process.clone(),
            &self.kept,
            self.nemesis.clone(),
            self.trace.clone(),
        );
        let kernel = loop {
            let env = Simulated::new(
                &process,
                self.clock("kernel"),
                &self.network,
                &settings.limits,
                (store.clone(), self.kept.artifacts.clone()),
            );
            match Kernel::start(env, settings.clone()).await {
                Ok(kernel) => break kernel,
                // A supervisor starts the process again when it could not start.
                Err(why) => self
                    .trace
                    .note(Lane::Node, format!("kernel cannot start: {why}")),
            }
            madsim::time::sleep(Duration::from_secs(1)).await;
        };
        let routes = grpc::routes(&kernel).await;
        let (world, watched) = (self.clone(), kernel.clone());
        madsim::task::spawn(async move {
            let why = watched.stopped().await;
            world
                .trace
                .note(Lane::Node, format!("kernel stops by itself: {why}"));
            *world.stopped.lock().expect("no holder panics") = Some(why);
        });
        self.network.serve(process, routes).await;
    }
}

impl Built {
    /// Lets the scenario happen, and collects what was to be seen of it.
    async fn play(self) -> Outcome {
        let Self { world, orders } = self;
        let compiler = world.doubles.compiler.clone();
        world.server("compiler", move |world| {
            let routes = compiler.routes();
            async move {
                world
                    .network
                    .serve(world.nemesis.started("compiler"), routes)
                    .await
            }
        });
        let driver = world.doubles.driver.clone();
        world.server("driver-manager", move |world| {
            let routes = driver.routes();
            async move {
                world
                    .network
                    .serve(world.nemesis.started("driver-manager"), routes)
                    .await
            }
        });
        world.server("kernel", World::kernel);
        madsim::task::spawn(watch_devices(
            world.scenario.clone(),
            world.clock("driver-manager"),
            world.doubles.driver.clone(),
            world.nemesis.clone(),
            world.trace.clone(),
        ));
        let doubles = world.doubles.clone();
        let again = move |node: &str| doubles.restarted(node);
        madsim::task::spawn(world.nemesis.clone().command(orders, again));
        let clients = world.clients();

        let last = world.until_quiet(&clients).await;
        world.outcome(last).await
    }
}

impl World {
    fn clients(&self) -> Vec<madsim::task::JoinHandle<()>> {
        let mut nodes = std::collections::BTreeMap::new();
        let each = self.scenario.planned().into_iter().map(|planned| {
            let name = client_name(planned.plan.client);
            let (node, process) = nodes.entry(name.clone()).or_insert_with(|| {
                let node = Handle::current().create_node().name(&name).build();
                (node, self.nemesis.started(&name))
            });
            let channel = self.network.channel(process, "kernel");
            let (nemesis, trace) = (self.nemesis.clone(), self.trace.clone());
            node.spawn(Client::new(planned, channel, nemesis, trace, self.heard.clone()).run())
        });
        each.collect()
    }

    /// Waits until every client has what it wants and no job owes anything, or until the bound
    /// after the last fault has passed.
    async fn until_quiet(&self, clients: &[madsim::task::JoinHandle<()>]) -> Duration {
        loop {
            madsim::time::sleep(Duration::from_secs(1)).await;
            // Asking frees what madsim keeps of tasks that are over.
            Handle::current().metrics().num_tasks();
            if !self.nemesis.is_quiet() {
                continue;
            }
            let done = clients.iter().all(madsim::task::JoinHandle::is_finished);
            let owing = self
                .kept
                .jobs
                .unfinished(0, 1)
                .await
                .expect("memory can be read");
            let late = elapsed() > self.nemesis.last_fault() + self.scenario.bound.0;
            if (done && owing.is_empty()) || late {
                let ended = elapsed();
                madsim::time::sleep(SETTLE).await;
                return ended;
            }
        }
    }

    async fn outcome(&self, ended: Duration) -> Outcome {
        let jobs = &self.kept.jobs;
        let listed = jobs.list(&Filter::default(), u64::MAX, usize::MAX).await;
        let mut history = History {
            told: self.heard.lock().expect("no holder panics").clone(),
            runs: self.doubles.driver.runs(),
            ..History::default()
        };
        for device in &self.scenario.devices {
            history
                .slots
                .insert(device.id.clone(), device.slots as usize);
        }
        let mut ordinals = std::collections::BTreeMap::new();
        for job in listed.expect("memory can be listed").jobs {
            let events = jobs
                .events(job.id, 0, usize::MAX)
                .await
                .expect("memory can be read");
            let artifacts = artifacts::of(&self.kept.artifacts, job.id).await;
            let at_completion = self.kept.at_completion.lock().expect("no holder panics");
            let at_completion = at_completion.get(&job.id).cloned();
            ordinals.insert(job.id, self.nemesis.ordinal(job.id));
            history.stored.insert(
                job.id,
                Stored {
                    job,
                    events,
                    artifacts,
                    at_completion,
                },
            );
        }
        Outcome {
            lines: self.trace.taken(),
            history,
            ordinals: ordinals
                .into_iter()
                .filter_map(|(id, n)| Some((id, n?)))
                .collect(),
            unfired: self.nemesis.unfired(),
            stopped: self.stopped.lock().expect("no holder panics").clone(),
            broke: None,
            ended,
        }
    }
}
