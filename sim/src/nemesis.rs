//! Does to the world what the scenario says, when it says. Nothing here is left to chance, and
//! a step that never had its moment is remembered: such a run proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::time::sleep;
use qrtx::ids::JobId;
use tokio::sync::{Notify, mpsc};

use crate::link::Network;
use crate::process::Process;
use crate::scenario::{
    Act, DeviceFact, DevicePoint, Jump, Kill, Moment, Point, Scenario, Step, StoreFault, When,
};
use crate::trace::{Lane, Trace};

/// The fault injector of one run. Clones are the same one.
#[derive(Clone)]
pub struct Nemesis(Arc<Inner>);

struct Inner {
    steps: Vec<Step>,
    trace: Trace,
    network: Network,
    clocks: BTreeMap<String, Arc<AtomicI64>>,
    cancels: Vec<Cancel>,
    orders: mpsc::UnboundedSender<Order>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fired: Vec<bool>,
    /// How often the moment of a step has come, for those that wait for a later time.
    seen: Vec<u32>,
    processes: BTreeMap<String, Process>,
    store: Option<StoreFault>,
    jobs: BTreeMap<JobId, usize>,
    last_fault: Duration,
    /// Orders under way: a restart, or a step that waits for its time.
    under_way: usize,
}

#[derive(Default)]
struct Cancel {
    wished: AtomicI64,
    told: Notify,
}

/// What takes time, or cannot be done from inside the node that it is done to.
enum Order {
    Kill(Kill),
    Later(usize, Duration),
}

/// The side of the nemesis that only the run itself may hold.
pub struct Orders(mpsc::UnboundedReceiver<Order>);

impl fmt::Debug for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nemesis").finish_non_exhaustive()
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

impl Nemesis {
    /// A nemesis with the steps of `scenario` before it.
    pub fn new(scenario: &Scenario, trace: Trace, network: Network) -> (Self, Orders) {
        let (orders, received) = mpsc::unbounded_channel();
        let steps = scenario.steps.clone();
        let state = State {
            fired: vec![false; steps.len()],
            seen: vec![0; steps.len()],
            ..State::default()
        };
        let clocks = scenario
            .nodes()
            .into_iter()
            .map(|node| (node, Arc::default()))
            .collect();
        let cancels = scenario
            .planned()
            .iter()
            .map(|_| Cancel::default())
            .collect();
        let state = Mutex::new(state);
        let inner = Inner {
            steps,
            trace,
            network,
            clocks,
            cancels,
            orders,
            state,
        };
        (Self(Arc::new(inner)), Orders(received))
    }

    /// Microseconds by which the wall clock of a node is off.
    pub fn skew(&self, node: &str) -> Arc<AtomicI64> {
        self.0.clocks[node].clone()
    }

    /// A process has been started on a node, in place of the one before.
    pub fn started(&self, node: &str) -> Process {
        let process = Process::start(node);
        self.state()
            .processes
            .insert(node.to_owned(), process.clone());
        self.0.trace.note(Lane::Node, format!("{node} starts"));
        process
    }

    /// A job of the scenario has got its id.
    pub fn named(&self, job: JobId, ordinal: usize) {
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

    /// How the job store fails now.
    pub fn store_fault(&self) -> Option<StoreFault> {
        self.state().store
    }

    /// A commit with these events of a job is at this moment.
    pub fn at_commit(&self, job: JobId, events: &[&'static str], moment: Moment) {
        let Some(ordinal) = self.ordinal(job) else {
            return;
        };
        self.fire(|when| {
            matches!(when, When::Point(Point { job, event, moment: wanted, .. })
                if *job == ordinal && *wanted == moment && events.contains(&event.as_str()))
        });
    }

    /// A device did something with a run of a job.
    pub fn at_device(&self, job: usize, fact: DeviceFact) {
        self.fire(|when| {
            matches!(when, When::Device(DevicePoint { job: wanted, fact: wanted_fact, .. })
                if *wanted == job && *wanted_fact == fact)
        });
    }

    /// Returns when the scenario wants a job to be cancelled.
    pub async fn wants_cancel(&self, job: usize) {
        let cancel = &self.0.cancels[job];
        loop {
            let told = cancel.told.notified();
            if cancel.wished.load(Ordering::Relaxed) != 0 {
                return;
            }
            told.await;
        }
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
        let never = steps
            .filter(|(_, fired)| !**fired)
            .map(|((number, step), _)| {
                format!(
                    "step {number} ({:?}) never had its moment ({:?})",
                    step.act, step.when
                )
            });
        let lost = self.0.network.not_lost();
        let lost = (lost > 0).then(|| format!("{lost} answers were to be lost and never came"));
        never.chain(lost).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panics")
    }

    /// Counts the moment for each step that waits for it, and does those whose turn it is.
    fn fire(&self, is_it: impl Fn(&When) -> bool) {
        for (number, step) in self.0.steps.iter().enumerate() {
            let due = is_it(&step.when) && {
                let mut state = self.state();
                state.seen[number] += 1;
                let nth = match &step.when {
                    When::Point(Point { nth, .. }) | When::Device(DevicePoint { nth, .. }) => *nth,
                    When::At(_) | When::After(_) => 1,
                };
                state.seen[number] == nth
            };
            if due {
                self.act(number);
            }
        }
    }

    fn act(&self, number: usize) {
        let act = &self.0.steps[number].act;
        self.0.trace.note(Lane::Fault, describe(act));
        self.happened();
        self.state().fired[number] = true;
        match act {
            Act::Kill(kill) => {
                // From here on the process has no effect, whatever still runs of it.
                let process = self.state().processes.get(&kill.node).cloned();
                process.iter().for_each(Process::end);
                self.0.network.close(&kill.node);
                self.order(Order::Kill(kill.clone()));
            }
            Act::Cut(way) => self.0.network.cut(&way.from, &way.to),
            Act::Partition(way) => {
                self.0.network.cut(&way.from, &way.to);
                self.0.network.cut(&way.to, &way.from);
            }
            Act::Heal => self.0.network.heal(),
            Act::LoseAnswer(way) => self.0.network.lose_answer(&way.from, &way.to),
            Act::StoreFails(how) => self.state().store = Some(*how),
            Act::StoreHeals => self.state().store = None,
            Act::ClockJumps(Jump { node, seconds }) => {
                let micros = seconds.saturating_mul(1_000_000);
                self.0.clocks[node].fetch_add(micros, Ordering::Relaxed);
            }
            Act::Cancel(wish) => {
                let cancel = &self.0.cancels[wish.job];
                cancel.wished.store(1, Ordering::Relaxed);
                cancel.told.notify_waiters();
            }
        }
        if let Some(Step {
            when: When::After(span),
            ..
        }) = self.0.steps.get(number + 1)
        {
            self.order(Order::Later(number + 1, span.0));
        }
    }

    fn happened(&self) {
        let now = self.0.trace.now();
        self.state().last_fault = now;
    }

    fn order(&self, order: Order) {
        self.state().under_way += 1;
        self.0
            .orders
            .send(order)
            .unwrap_or_else(|_| panic!("orders are taken while it runs"));
    }

    /// Takes orders until the run is over; `again` does what a restart of a node needs.
    pub async fn command(self, mut orders: Orders, again: impl Fn(&str) + Clone + Send + 'static) {
        for (number, step) in self.0.steps.iter().enumerate() {
            if let When::At(span) = step.when {
                self.order(Order::Later(number, span.0));
            }
        }
        let handle = Handle::current();
        while let Some(order) = orders.0.recv().await {
            let (me, handle, again) = (self.clone(), handle.clone(), again.clone());
            match order {
                Order::Kill(kill) => {
                    handle.kill(kill.node.as_str());
                    madsim::task::spawn(async move {
                        sleep(kill.down.0).await;
                        again(&kill.node);
                        handle.restart(kill.node.as_str());
                        me.happened();
                        me.state().under_way -= 1;
                    });
                }
                Order::Later(number, span) => {
                    madsim::task::spawn(async move {
                        sleep(span).await;
                        me.act(number);
                        me.state().under_way -= 1;
                    });
                }
            }
        }
    }
}

fn describe(act: &Act) -> String {
    match act {
        Act::Kill(Kill { node, down }) => format!("{node} is killed, for {:?}", down.0),
        Act::Cut(way) => format!("nothing from {} reaches {} any more", way.from, way.to),
        Act::Partition(way) => format!("{} and {} cannot reach each other", way.from, way.to),
        Act::Heal => "everything reaches everybody again".to_owned(),
        Act::LoseAnswer(way) => format!("the next answer of {} to {} is lost", way.from, way.to),
        Act::StoreFails(StoreFault::Away) => "the job store is away".to_owned(),
        Act::StoreFails(StoreFault::WritesAndSaysNo) => {
            "the job store writes and says that it does not".to_owned()
        }
        Act::StoreHeals => "the job store works again".to_owned(),
        Act::ClockJumps(Jump { node, seconds }) => {
            format!("the clock of {node} jumps by {seconds} s")
        }
        Act::Cancel(wish) => format!("the client of job {} wants to cancel it", wish.job),
    }
}
