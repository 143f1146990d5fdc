//! What the faults of a run excuse, and when: of a kernel that was killed, or of a driver that
//! could not answer, not everything can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qrtx::limits::Limits;

use crate::record::{Fired, Records};
use crate::scenario::{Act, CLIENTS_CALLS, Scenario, When};

type Span = (Duration, Duration);

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

/// Those that let a kernel stand still.
const STAND_STILL: [&str; 2] = ["pause-kernel", "zombie-kernel"];

/// Those after which a kernel's wall clock is not the run's.
const MOVE_THE_CLOCK: [&str; 2] = ["clock-freeze", "clock-jump-kernel"];

/// Those that are a neighbour's, a device's or a clock's alone.
const OF_NEIGHBOURS: [&str; 23] = [
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
    "neighbour-unavailable",
    "qfs-bit-rot",
    "qfs-lost-write",
    "qfs-torn",
    "ran-and-says-failed",
    "wrong-sum",
    "wrong-width",
];

/// Those after which a driver cannot tell what became of each execution, or is not believed.
const SILENCE_DRIVERS: [&str; 23] = [
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
    "neighbour-unavailable",
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

/// A message or a peer that is gone is missed after this at the latest, and looked for anew.
const NOTICED_WITHIN: Duration = Duration::from_secs(50);

/// The faults that a run had.
pub(super) struct Troubles<'a> {
    scenario: &'a Scenario,
    limits: &'a Limits,
    records: &'a Records,
}

impl<'a> Troubles<'a> {
    pub(super) fn of(scenario: &'a Scenario, limits: &'a Limits, records: &'a Records) -> Self {
        Self {
            scenario,
            limits,
            records,
        }
    }

    fn fired(&self) -> impl Iterator<Item = &'a Fired> {
        let fired = self.records.fired.iter();
        fired.filter(|fired| !fired.kind.is_empty())
    }

    fn of_kinds(&self, kinds: &[&str]) -> impl Iterator<Item = &'a Fired> {
        self.fired().filter(|fired| kinds.contains(&fired.kind))
    }

    fn act(&self, fired: &Fired) -> Option<&'a Act> {
        let step = self.scenario.steps.get(fired.step)?;
        Some(&step.act)
    }

    /// When the first one was.
    pub(super) fn first(&self) -> Option<Duration> {
        self.fired().map(|fired| fired.at).min()
    }

    /// Whether an answer may be one that cannot be read; which it was nobody wrote down.
    pub(super) fn garbled(&self) -> bool {
        self.of_kinds(&["garbage"]).next().is_some()
    }

    /// Whether a driver that can be asked could tell what became of each execution.
    pub(super) fn driver_was_well(&self) -> bool {
        !self.scenario.unstoppable && self.of_kinds(&SILENCE_DRIVERS).next().is_none()
    }

    /// When a kernel was stopped in the middle of something, by a fault or by another kernel.
    pub(super) fn broke_off(&self) -> Vec<Duration> {
        let faults = self.of_kinds(&BREAK_OFF).map(|fired| fired.at);
        let lives = self.records.lives.iter();
        let kernels = lives.filter(|life| life.node == "kernel");
        let mut all: Vec<_> = faults
            .chain(kernels.filter_map(|life| life.ended))
            .collect();
        all.sort_unstable();
        all
    }

    /// For how long a kernel stood still, in all.
    pub(super) fn stood_still(&self) -> Duration {
        self.of_kinds(&STAND_STILL)
            .filter_map(|fired| fired.lasts)
            .sum()
    }

    /// Whether several kernels were there at a time.
    pub(super) fn was_replaced(&self) -> bool {
        self.of_kinds(&["zombie-kernel"]).next().is_some()
    }

    /// When the kernel stood still and nobody stood in for it, or a job whose turn had come lay in
    /// a store that could not be read; it is read after a back-off, which may begin just before
    /// that ends.
    pub(super) fn pauses(&self) -> Vec<Span> {
        let back_off = Duration::from_millis(self.limits.backoff_ms_max);
        let pauses = self.fired().filter_map(|fired| {
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
    pub(super) fn away(&self) -> BTreeMap<String, Vec<Span>> {
        let mut away: BTreeMap<_, Vec<Span>> = BTreeMap::new();
        let mut flaps = BTreeSet::new();
        for fired in self.fired() {
            match self.act(fired) {
                Some(Act::Flap(flapping)) => {
                    flaps.insert(&flapping.id);
                }
                Some(Act::Device(trouble)) => {
                    let until = fired.lasts.map_or(Duration::MAX, |lasts| fired.at + lasts);
                    let spans = away.entry(trouble.id.clone()).or_default();
                    spans.push((fired.at, until));
                }
                _ => {}
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

    /// When a device may have been away for so long that what is reserved of it is over.
    pub(super) fn lost(&self, device: &str) -> Option<Duration> {
        let away = self.fired().filter(|fired| match self.act(fired) {
            Some(Act::Device(trouble)) => trouble.id == device,
            Some(Act::Flap(flapping)) => flapping.id == device,
            _ => false,
        });
        let since = away.map(|fired| fired.at).min()?;
        Some(since + Duration::from_millis(self.limits.device_lost_ms))
    }

    /// When more was wrong than that a neighbour did not do its part, and as long after it as
    /// somebody may wait for who has gone.
    pub(super) fn beyond_neighbours(&self) -> Vec<Span> {
        self.spans(|kind| !OF_NEIGHBOURS.contains(&kind))
    }

    /// The same, if it was no trouble of files alone.
    pub(super) fn of_kernels(&self) -> Vec<Span> {
        self.spans(|kind| !OF_NEIGHBOURS.contains(&kind) && !kind.starts_with("qfs-"))
    }

    /// How long faults of some kinds lasted that were not between a kernel and its neighbours alone.
    fn spans(&self, counts: impl Fn(&str) -> bool) -> Vec<Span> {
        let troubles = self.fired().filter(|fired| {
            let step = self.scenario.steps.get(fired.step);
            let behind = step.is_some_and(|step| behind_the_kernel(&step.when, &step.act));
            counts(fired.kind) && !behind
        });
        let span = |fired: &Fired| {
            let lasts = fired.lasts.unwrap_or_default() + NOTICED_WITHIN;
            (fired.at, fired.at + lasts)
        };
        troubles.map(span).collect()
    }

    /// When the job store did not work.
    pub(super) fn of_store(&self) -> Vec<Span> {
        let troubles = self.fired().filter_map(|fired| {
            let of_store = fired.kind.starts_with("store-");
            of_store.then_some((fired.at, fired.at + fired.lasts.unwrap_or_default()))
        });
        troubles.collect()
    }

    /// Whether a kernel was started anew after its wall clock was moved.
    pub(super) fn wall_moved(&self) -> bool {
        self.of_kinds(&MOVE_THE_CLOCK).next().is_some() && self.records.epochs.len() > 1
    }
}

/// Whether a fault is one between a kernel and its neighbours alone.
fn behind_the_kernel(when: &When, act: &Act) -> bool {
    let neighbour = |node: &str| node == "compiler" || node == "driver-manager";
    match act {
        Act::Cut(way) | Act::Partition(way) => neighbour(&way.from) || neighbour(&way.to),
        Act::Pause(pause) => neighbour(&pause.node),
        Act::Lose | Act::Swallow | Act::Duplicate | Act::Reorder | Act::Delay(_) => match when {
            When::Call(call) => {
                !call.method.is_empty() && !CLIENTS_CALLS.contains(&call.method.as_str())
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::KINDS;

    #[test]
    fn only_kinds_of_fault_that_there_are_excuse_anything() {
        let named = [
            &BREAK_OFF[..],
            &STAND_STILL,
            &MOVE_THE_CLOCK,
            &OF_NEIGHBOURS,
            &SILENCE_DRIVERS,
            &["garbage", "store-away", "store-syncs-fail"],
        ];
        for kind in named.concat() {
            assert!(KINDS.contains(&kind), "no kind of fault is called {kind:?}");
        }
    }
}
