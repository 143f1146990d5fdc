//! Does to the world what the log says, when it says. Nothing here is left to chance, and a
//! decision that never had its moment is remembered: such a run proves nothing.
//!
//! This file knows the moments, `act` what is done at them, `orders` what takes time.

mod act;
mod orders;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use madsim::task::NodeId;
use qrtx::ids::JobId;
use tokio::sync::{Notify, mpsc};

use crate::link::Network;
use crate::process::Process;
use crate::record::Life;
use crate::scenario::{
    DeviceFact, EpochPoint, Kill, Leg, Moment, ObjectFault, ObjectOp, Point, Scenario, Span, Step,
    StoreFault, When,
};
use crate::trace::{Lane, Trace};
use crate::world::clock::Skew;
use crate::world::neighbours::Doubles;

pub use orders::{Hands, Orders};

/// The fault injector of one run. Clones are the same one.
#[derive(Clone)]
pub struct Nemesis(Arc<Inner>);

struct Inner {
    seed: u64,
    steps: Vec<Step>,
    trace: Trace,
    network: Network,
    clocks: BTreeMap<String, Arc<Skew>>,
    /// How long runs of some jobs take, by the job's place.
    takes: BTreeMap<usize, Duration>,
    cancels: Vec<Cancel>,
    draining_wished: Notify,
    orders: mpsc::UnboundedSender<orders::Order>,
    doubles: OnceLock<Doubles>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fired: Vec<bool>,
    /// How often the moment of a step has come, for those that wait for a later time.
    seen: Vec<u32>,
    processes: BTreeMap<String, Process>,
    nodes: BTreeMap<String, NodeId>,
    lives: BTreeMap<String, u32>,
    store: Vec<StoreFault>,
    artifacts: Vec<StoreFault>,
    jobs: BTreeMap<JobId, usize>,
    epochs: u32,
    /// What the operator has still to do.
    drainings: VecDeque<Draining>,
    last_fault: Duration,
    /// Orders under way: a restart, or a step that waits for its time.
    under_way: usize,
}

/// What an operator is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draining {
    /// With which device.
    pub device: String,
    /// Whether it shall take no new jobs, or take them again.
    pub draining: bool,
}

#[derive(Default)]
struct Cancel {
    wished: AtomicBool,
    told: Notify,
}

/// A message of a call that is about to travel.
#[derive(Debug, Clone, Copy)]
pub struct CallSite<'a> {
    /// Who calls.
    pub from: &'a str,
    /// Who is called.
    pub to: &'a str,
    /// What.
    pub method: &'a str,
    /// For which job.
    pub job: Option<usize>,
    /// Which message.
    pub leg: Leg,
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It never arrives, and the connection breaks.
    Lost,
    /// It never arrives, and nobody is told.
    Swallowed,
    /// It arrives twice.
    Doubled,
    /// It is overtaken.
    Overtaken,
    /// It takes so much longer.
    Late(Duration),
}

/// What a moment brings to the one message or artifact that it is about.
#[derive(Debug, Default)]
struct Brought {
    mishaps: Vec<Mishap>,
    object: Option<ObjectFault>,
}

/// A nemesis, for what it holds itself.
#[derive(Clone, Debug)]
pub struct WeakNemesis(Weak<Inner>);

impl WeakNemesis {
    /// The nemesis.
    ///
    /// # Panics
    /// When its run is over.
    pub fn here(&self) -> Nemesis {
        Nemesis(self.0.upgrade().expect("a nemesis is there to the end"))
    }

    /// Whether nothing holds it any more.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nemesis").finish_non_exhaustive()
    }
}

impl Nemesis {
    /// A nemesis with the log of `scenario` before it.
    pub fn new(scenario: &Scenario, seed: u64, trace: Trace, network: Network) -> (Self, Orders) {
        let (orders, received) = mpsc::unbounded_channel();
        let steps = scenario.steps.clone();
        let state = State {
            fired: vec![false; steps.len()],
            seen: vec![0; steps.len()],
            ..State::default()
        };
        let nodes = scenario.nodes().into_iter();
        let clocks = nodes.map(|node| (node, Arc::default())).collect();
        let planned = scenario.planned();
        let inner = Inner {
            seed,
            steps,
            trace,
            network,
            clocks,
            draining_wished: Notify::new(),
            takes: planned
                .iter()
                .filter_map(|planned| Some((planned.ordinal, planned.plan.takes?.0)))
                .collect(),
            cancels: planned.iter().map(|_| Cancel::default()).collect(),
            orders,
            doubles: OnceLock::new(),
            state: Mutex::new(state),
        };
        (Self(Arc::new(inner)), Orders(received))
    }

    /// The same, which does not keep it.
    pub fn weak(&self) -> WeakNemesis {
        WeakNemesis(Arc::downgrade(&self.0))
    }

    /// The doubles whose devices and manners it may change.
    pub fn given(&self, doubles: Doubles) {
        let given = self.0.doubles.set(doubles);
        given.unwrap_or_else(|_| panic!("the doubles of a run are made once"));
    }

    /// By how much the wall clock of a node is off.
    pub fn skew(&self, node: &str) -> Arc<Skew> {
        self.0.clocks[node].clone()
    }

    /// A process has been started on a node, in place of the one before.
    pub fn started(&self, name: &str, node: NodeId) -> Process {
        let mut state = self.state();
        let life = state.lives.entry(name.to_owned()).or_default();
        *life += 1;
        let life = *life;
        let process = Process::start(name, life, node, self.0.seed);
        state.processes.insert(name.to_owned(), process.clone());
        state.nodes.insert(name.to_owned(), node);
        drop(state);
        self.0.trace.note(Lane::Node, format!("{name} starts"));
        self.0.trace.records().lives.push(Life {
            node: name.to_owned(),
            number: life,
            began: self.0.trace.now(),
            ready: None,
            ended: None,
        });
        process
    }

    /// A process can be reached from now on.
    pub fn serves(&self, process: &Process) {
        let now = self.0.trace.now();
        let mut records = self.0.trace.records();
        let mut lives = records.lives.iter_mut();
        let life = lives.find(|life| life.node == process.name() && life.number == process.life());
        life.expect("it was started").ready = Some(now);
    }

    /// Whether `process` is the one that was started last on its node.
    pub fn is_current(&self, process: &Process) -> bool {
        let state = self.state();
        let current = state.processes.get(process.name());
        current.is_some_and(|current| current.life() == process.life())
    }

    /// A process has ended by itself, and is started again `after` a while.
    pub fn restarts(&self, process: &Process, after: Duration) {
        self.ended(process);
        let kill = Kill {
            node: process.name().to_owned(),
            down: Span(after),
            power: false,
        };
        self.order(orders::Order::Kill(kill));
    }

    /// A process has ended by itself.
    pub fn exited(&self, process: &Process) {
        self.ended(process);
        self.order(orders::Order::Gone(process.node()));
    }

    fn ended(&self, process: &Process) {
        process.end();
        let now = self.0.trace.now();
        let mut records = self.0.trace.records();
        let mut lives = records.lives.iter_mut();
        let own = |life: &&mut Life| life.node == process.name() && life.number == process.life();
        if let Some(life) = lives.find(own) {
            life.ended.get_or_insert(now);
        }
    }

    /// A job of the scenario has got its id.
    pub fn named(&self, job: JobId, ordinal: usize) {
        if let Some(span) = self.0.takes.get(&ordinal) {
            self.doubles().driver.set_takes_of(&job.to_string(), *span);
        }
        self.state().jobs.insert(job, ordinal);
    }

    /// A job's place in the scenario.
    pub fn ordinal(&self, job: JobId) -> Option<usize> {
        self.state().jobs.get(&job).copied()
    }

    /// A job as the trace names it.
    pub fn name(&self, job: JobId) -> String {
        self.ordinal(job)
            .map_or_else(|| job.to_string(), |ordinal| format!("job {ordinal}"))
    }

    /// How the job store fails now: the worst of what is wrong with it.
    pub fn store_fault(&self) -> Option<StoreFault> {
        self.state().store.iter().min().copied()
    }

    /// How the artifact store fails now.
    pub fn artifacts_fault(&self) -> Option<StoreFault> {
        self.state().artifacts.iter().min().copied()
    }

    /// A commit with these events of a job is at this moment.
    pub fn at_commit(&self, job: JobId, events: &[&'static str], moment: Moment) {
        let Some(ordinal) = self.ordinal(job) else {
            return;
        };
        self.fire(None, |when| {
            matches!(when, When::Point(Point { job, event, moment: wanted, .. })
                if *job == ordinal && *wanted == moment && events.contains(&event.as_str()))
        });
    }

    /// The disk is about to be synced, for the how-manieth time, for each of these commits.
    pub fn at_sync(&self, under_way: &[(JobId, Vec<&'static str>, u32)]) {
        self.fire(None, |when| {
            let When::Sync(point) = when else {
                return false;
            };
            under_way.iter().any(|(job, events, sync)| {
                *sync == point.sync
                    && events.contains(&point.event.as_str())
                    && self.ordinal(*job) == Some(point.job)
            })
        });
    }

    /// A kernel that starts claims its epoch.
    pub fn at_claim(&self, moment: Moment) {
        let start = {
            let mut state = self.state();
            state.epochs += u32::from(moment == Moment::Before);
            state.epochs
        };
        // The start is its ordinal: a claim that is tried again is the same one.
        self.fire(None, |when| {
            matches!(when, When::Epoch(EpochPoint { moment: wanted, nth })
                if *wanted == moment && *nth == start)
        });
    }

    /// A device did something with a run of a job.
    pub fn at_device(&self, job: usize, fact: DeviceFact) {
        self.fire(
            None,
            |when| matches!(when, When::Device(point) if point.job == job && point.fact == fact),
        );
    }

    /// A message is about to travel; says what happens to it.
    pub fn at_call(&self, site: CallSite<'_>) -> Vec<Mishap> {
        let brought = self.fire(Some(site), |when| {
            matches!(when, When::Call(point)
                if point.method == site.method
                    && point.leg == site.leg
                    && point.from.as_deref().is_none_or(|from| from == site.from)
                    && point.job.is_none_or(|job| site.job == Some(job)))
        });
        brought.mishaps
    }

    /// An artifact is about to be written or read; says what it suffers.
    pub fn at_object(&self, job: JobId, file: &str, op: ObjectOp) -> Option<ObjectFault> {
        let ordinal = self.ordinal(job)?;
        let brought = self.fire(None, |when| {
            matches!(when, When::Object(point)
                if point.job == ordinal
                    && point.op == op
                    && point.file.as_deref().is_none_or(|wanted| wanted == file))
        });
        brought.object
    }

    /// Returns when the scenario wants a job to be cancelled.
    pub async fn wants_cancel(&self, job: usize) {
        let cancel = &self.0.cancels[job];
        loop {
            let told = cancel.told.notified();
            if cancel.wished.load(Ordering::Relaxed) {
                return;
            }
            told.await;
        }
    }

    /// Returns what the operator is to do next; [`Self::drained`] says that it is done.
    pub async fn wants_draining(&self) -> Draining {
        loop {
            let wished = self.0.draining_wished.notified();
            let next = self.state().drainings.pop_front();
            if let Some(next) = next {
                return next;
            }
            wished.await;
        }
    }

    /// The operator has done what it was to do, or given it up.
    pub fn drained(&self) {
        self.happened();
        self.done();
    }

    fn wish_draining(&self, device: &str, draining: bool) {
        let device = device.to_owned();
        let mut state = self.state();
        state.under_way += 1;
        state.drainings.push_back(Draining { device, draining });
        self.0.draining_wished.notify_waiters();
    }

    /// When the last fault took place, or ended.
    pub fn last_fault(&self) -> Duration {
        self.state().last_fault
    }

    /// Whether nothing more will happen by itself.
    pub fn is_quiet(&self) -> bool {
        self.state().under_way == 0
    }

    /// The steps that had no effect, in words.
    pub fn unfired(&self) -> Vec<String> {
        let state = self.state();
        let steps = self.0.steps.iter().enumerate().zip(&state.fired);
        let never = steps.filter(|(_, fired)| !**fired);
        never
            .map(|((number, step), _)| {
                let (what, site) = (crate::scenario::describe(&step.act), step.when.site());
                let nth = step.when.ordinal();
                format!("step {number} ({what}) never had its moment ({site}, number {nth})")
            })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panics")
    }

    /// Counts the moment for each step that waits for it, and does those whose turn it is.
    fn fire(&self, site: Option<CallSite<'_>>, is_it: impl Fn(&When) -> bool) -> Brought {
        let mut brought = Brought::default();
        for (number, step) in self.0.steps.iter().enumerate() {
            let due = is_it(&step.when) && {
                let mut state = self.state();
                state.seen[number] += 1;
                // An epoch's number is part of its site.
                matches!(step.when, When::Epoch(_)) || state.seen[number] == step.when.ordinal()
            };
            if due {
                self.act(number, site, &mut brought);
            }
        }
        brought
    }
}
