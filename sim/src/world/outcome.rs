//! What is left of a run when it is over: the history that is held against the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use madsim::runtime::Handle;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::Filter;
use qrtx_testkit::history::{Asked, Committed, History, Start, Stored};

use super::World;
use super::clock::BEFORE_START;
use super::jobs::on;
use crate::record::{CallRecord, Fired, Records};
use crate::scenario::{Act, When};
use crate::verdict::Outcome;

/// The kinds of fault that stop a kernel in the middle of something.
const BREAK_OFF: [&str; 9] = [
    "kill-after-ack",
    "kill-before-ack",
    "kill-before-write",
    "kill-in-commit",
    "kill-in-recovery",
    "kill-kernel",
    "pause-kernel",
    "power-failure",
    "zombie-kernel",
];

/// The kinds of fault that are a neighbour's, a device's or a clock's alone.
const OF_NEIGHBOURS: [&str; 22] = [
    "another-job",
    "answer-breaks-off",
    "busy",
    "clock-freeze",
    "clock-jump-driver",
    "clock-jump-kernel",
    "device-calibrating",
    "device-gone",
    "device-offline",
    "empty-circuit",
    "garbage",
    "kill-compiler",
    "kill-driver-manager",
    "negative-counts",
    "neighbour-hangs",
    "neighbour-late",
    "qfs-bit-rot",
    "qfs-lost-write",
    "qfs-torn",
    "ran-and-says-failed",
    "wrong-sum",
    "wrong-width",
];

/// After which a driver cannot tell what became of each execution, or is not believed.
const SILENCE_DRIVERS: [&str; 22] = [
    "answer-breaks-off",
    "answer-lost",
    "answer-swallowed",
    "busy",
    "clock-freeze",
    "clock-jump-driver",
    "clock-jump-kernel",
    "cut-one-way",
    "delay",
    "garbage",
    "kill-driver-manager",
    "neighbour-hangs",
    "neighbour-late",
    "partition",
    "pause-kernel",
    "pause-neighbour",
    "power-failure",
    "ran-and-says-failed",
    "reorder",
    "request-lost",
    "request-swallowed",
    "zombie-kernel",
];

/// Whether a fault is one between a kernel and its neighbours alone.
fn behind_the_kernel(when: &When, act: &Act) -> bool {
    let neighbour = |node: &str| node == "compiler" || node == "driver-manager";
    match act {
        Act::Cut(way) | Act::Partition(way) => neighbour(&way.from) || neighbour(&way.to),
        Act::Pause(pause) => neighbour(&pause.node),
        Act::Lose | Act::Swallow | Act::Duplicate | Act::Reorder | Act::Delay(_) => match when {
            When::Call(call) => !["EnqueueJob", "WatchJob", "CancelJob", "GetJobResults", ""]
                .contains(&call.method.as_str()),
            _ => false,
        },
        _ => false,
    }
}

/// A message or a peer that is gone is missed after this at the latest, and looked for anew.
const NOTICED_WITHIN: Duration = Duration::from_secs(50);

impl World {
    pub(super) async fn outcome(&self, ended: Duration) -> Outcome {
        let left = self.kept.jobs.left();
        let all = Filter::default();
        let (mut listed, mut next) = (Vec::new(), Some(u64::MAX));
        while let Some(below) = next {
            let page = on!(&left, jobs => jobs.list(&all, below, usize::MAX).await);
            let page = page.expect("what is left can be listed");
            listed.extend(page.jobs);
            next = page.next;
        }
        let mut history = self.history(ended);
        // Also of jobs of which nothing is left.
        let commits = self.trace.records().commits.clone();
        let named = commits.iter();
        let mut ordinals: BTreeMap<_, _> = named
            .filter_map(|commit| Some((commit.job, commit.ordinal?)))
            .collect();
        for job in listed {
            let events = on!(&left, jobs => jobs.events(job.id, 0, usize::MAX).await);
            // What cannot be read is not there, whoever was told of it.
            let events = events.unwrap_or_default();
            let artifacts = self.kept.qfs.of(job.id);
            let at_completion = self.kept.qfs.at_completion(job.id);
            let before_manifest = self.kept.qfs.before_manifest(job.id);
            ordinals.extend(self.nemesis.ordinal(job.id).map(|n| (job.id, n)));
            history.stored.insert(
                job.id,
                Stored {
                    job,
                    events,
                    artifacts,
                    at_completion,
                    before_manifest,
                },
            );
        }
        self.trace.close();
        Outcome {
            lines: self.trace.taken(),
            records: std::mem::take(&mut *self.trace.records()),
            history,
            ordinals,
            unfired: self.nemesis.unfired(),
            stopped: self.stopped.lock().expect("no holder panics").clone(),
            broke: None,
            disk: self.kept.jobs.sum(),
            ended,
        }
    }

    /// All but what is stored.
    fn history(&self, ended: Duration) -> History {
        let records = self.trace.records();
        let committed = records.commits.iter().filter(|commit| commit.written);
        // An answer that cannot be read is none, and which it was that was spoilt nobody wrote down.
        let garbage = records.fired.iter().any(|fired| fired.kind == "garbage");
        let garbled =
            |call: &CallRecord| garbage && call.end == "Ok" && call.method == "ExecuteCircuit";
        let asked = records.calls.iter().filter(|call| call.from == "kernel");
        let devices = self.scenario.devices.iter();
        let named = records.commits.iter();
        let ids: BTreeMap<_, _> = named
            .filter_map(|commit| Some((commit.ordinal?, commit.job)))
            .collect();
        let mut runs = self.doubles.driver.runs();
        for run in &mut runs {
            // Devices are measured with the run's own time, as everything else here.
            run.started.0 = run.started.0.saturating_sub(BEFORE_START);
            if let Some(ended) = &mut run.ended {
                ended.0 = ended.0.saturating_sub(BEFORE_START);
            }
        }
        History {
            told: self.heard.lock().expect("no holder panics").clone(),
            runs,
            reserving: !self.scenario.reservations.is_empty(),
            promises: self
                .slots
                .promises(&self.scenario, ended, |device| self.lost(&records, device)),
            slots: devices
                .map(|device| (device.id.clone(), device.slots as usize))
                .collect(),
            backend_types: self
                .scenario
                .devices
                .iter()
                .map(|device| (device.id.clone(), device.backend_type.clone()))
                .collect(),
            stored: BTreeMap::new(),
            committed: committed
                .map(|commit| Committed {
                    confirmed: commit.confirmed,
                    at: commit.at,
                    job: commit.job,
                    seq: commit.seq,
                    events: commit.events.clone(),
                    state: commit.state,
                })
                .collect(),
            turns: records.turns.clone(),
            given: records.given.values().cloned().collect(),
            words: records.words.clone(),
            drained: records.drained.clone(),
            asked: asked
                .map(|call| Asked {
                    at: call.sent,
                    whom: call.to.clone(),
                    what: call.method.clone(),
                    job: call.job.and_then(|job| ids.get(&job).copied()),
                    life: call.life,
                    ended: call.ended,
                    end: match garbled(call) {
                        true => "garbled".to_owned(),
                        false => call.end.clone(),
                    },
                })
                .collect(),
            taken: self.kept.qfs.taken(),
            unreadable: self.doubles.driver.unreadable(),
            paid: self
                .scenario
                .devices
                .iter()
                .filter(|device| device.backend_type != "simulator")
                .map(|device| device.id.clone())
                .collect(),
            made: self.doubles.compiler.made().into_iter().collect(),
            wall_moved: Self::wall_moved(&records),
            broke_off: records
                .fired
                .iter()
                .filter(|fired| BREAK_OFF.contains(&fired.kind))
                .map(|fired| fired.at)
                .collect(),
            pauses: self.pauses(&records),
            stood_still: records
                .fired
                .iter()
                .filter(|fired| ["pause-kernel", "zombie-kernel"].contains(&fired.kind))
                .filter_map(|fired| fired.lasts)
                .sum(),
            unwatched: self
                .scenario
                .planned()
                .iter()
                .filter(|planned| planned.plan.unwatched)
                .filter_map(|planned| ids.get(&planned.ordinal).copied())
                .collect(),
            unanswered: records
                .submitting
                .iter()
                .map(|(client, job)| format!("job {job} of {client}"))
                .collect(),
            refused: records.refused.clone(),
            cancels: records.cancels.clone(),
            fenced: records.fenced.clone(),
            away: self.away(&records),
            troubles: self.troubles(&records),
            epochs: records.epochs.iter().map(|(at, _)| *at).collect(),
            driver_was_well: !self.scenario.unstoppable
                && !records
                    .fired
                    .iter()
                    .any(|fired| SILENCE_DRIVERS.contains(&fired.kind)),
            submits: records
                .calls
                .iter()
                .filter(|call| call.method == "EnqueueJob")
                .filter_map(|call| {
                    let answered = call.left.filter(|_| call.end == "Ok");
                    Some((call.arrived?, answered.unwrap_or(Duration::MAX)))
                })
                .collect(),
            starts: records
                .lives
                .iter()
                .filter(|life| life.node == "kernel")
                .map(|life| Start {
                    at: life.began,
                    ready: life.ready,
                    ended: life.ended,
                })
                .collect(),
            store_troubles: Self::store_troubles(&records),
            left_running: Self::left_running(&records),
            calm_until: records
                .fired
                .iter()
                .filter(|fired| !fired.kind.is_empty())
                .map(|fired| fired.at)
                .min()
                .unwrap_or(ended),
            last_fault: self.nemesis.last_fault(),
            ended,
            limits: self.settings.limits.clone(),
            askable: self.scenario.askable,
        }
    }

    /// When the kernel stood still and nobody stood in for it, or a job whose turn had come lay in
    /// a store that could not be read; it is read after a back-off, which may begin just before
    /// that ends.
    fn pauses(&self, records: &Records) -> Vec<(Duration, Duration)> {
        let back_off = Duration::from_millis(self.settings.limits.backoff_ms_max);
        let pauses = records.fired.iter().filter_map(|fired| {
            let after = match fired.kind {
                "pause-kernel" => Duration::ZERO,
                "store-away" | "store-syncs-fail" => back_off,
                _ => return None,
            };
            Some((fired.at, fired.at + fired.lasts? + after))
        });
        let mut pauses: Vec<_> = pauses.collect();
        pauses.sort_unstable_by_key(|(_, until)| *until);
        pauses
    }

    /// When devices say that they take nothing. Nothing is told of one that comes and goes.
    fn away(&self, records: &Records) -> BTreeMap<String, Vec<(Duration, Duration)>> {
        let mut away: BTreeMap<_, Vec<(Duration, Duration)>> = BTreeMap::new();
        let mut flaps = BTreeSet::new();
        for fired in &records.fired {
            let act = self.scenario.steps.get(fired.step).map(|step| &step.act);
            if let Some(Act::Flap(flapping)) = act {
                flaps.insert(&flapping.id);
            }
            if let Some(Act::Device(trouble)) = act {
                let until = fired.lasts.map_or(Duration::MAX, |lasts| fired.at + lasts);
                let spans = away.entry(trouble.id.clone()).or_default();
                spans.push((fired.at, until));
            }
        }
        away.retain(|device, _| !flaps.contains(device));
        // The first that is over lets the device come back, whatever else was wrong with it.
        for spans in away.values_mut() {
            let ends: Vec<_> = spans.iter().map(|(_, until)| *until).collect();
            for (from, until) in spans {
                let first = ends.iter().filter(|end| *end > from).min();
                *until = *first.unwrap_or(until);
            }
        }
        away
    }

    /// When more was wrong than that a neighbour did not do its part, and as long after it as
    /// somebody may wait for who has gone.
    fn troubles(&self, records: &Records) -> Vec<(Duration, Duration)> {
        let troubles = records.fired.iter().filter(|fired| {
            let of_neighbours = OF_NEIGHBOURS.contains(&fired.kind);
            let step = self.scenario.steps.get(fired.step);
            let behind = step.is_some_and(|step| behind_the_kernel(&step.when, &step.act));
            !fired.kind.is_empty() && !of_neighbours && !behind
        });
        let span = |fired: &Fired| {
            let lasts = fired.lasts.unwrap_or_default() + NOTICED_WITHIN;
            (fired.at, fired.at + lasts)
        };
        troubles.map(span).collect()
    }

    fn store_troubles(records: &Records) -> Vec<(Duration, Duration)> {
        let troubles = records.fired.iter().filter_map(|fired| {
            let of_store = fired.kind.starts_with("store-");
            of_store.then_some((fired.at, fired.at + fired.lasts.unwrap_or_default()))
        });
        troubles.collect()
    }

    /// When a device may have been away for so long that what is reserved of it is over.
    fn lost(&self, records: &Records, device: &str) -> Option<Duration> {
        let away = records.fired.iter().filter(|fired| {
            let act = self.scenario.steps.get(fired.step).map(|step| &step.act);
            match act {
                Some(Act::Device(trouble)) => trouble.id == device,
                Some(Act::Flap(flapping)) => flapping.id == device,
                _ => false,
            }
        });
        let since = away.map(|fired| fired.at).min()?;
        Some(since + Duration::from_millis(self.settings.limits.device_lost_ms))
    }

    /// Whether a kernel was started anew after its wall clock was moved.
    fn wall_moved(records: &Records) -> bool {
        let clock = ["clock-jump-kernel", "clock-freeze"];
        let moved = records
            .fired
            .iter()
            .any(|fired| clock.contains(&fired.kind));
        moved && records.epochs.len() > 1
    }

    /// Tasks of the kernel that are left; where several were on several nodes, nobody can tell.
    fn left_running(records: &Records) -> usize {
        if records
            .fired
            .iter()
            .any(|fired| fired.kind == "zombie-kernel")
        {
            return 0;
        }
        let tasks = Handle::current().metrics().num_tasks_by_node();
        tasks.get("kernel").copied().unwrap_or_default()
    }
}
