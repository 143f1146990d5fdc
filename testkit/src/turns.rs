//! When jobs waited for their device and when they held a slot of it, as far as that can be seen
//! from outside, up to the first fault: what the schedule decides afterwards depends on what a
//! kernel could know, and a run is long before it is disturbed.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;

use crate::history::{Committed, History};

/// A decision that was made is recorded within this, and what happens in one moment may be decided
/// in either order.
pub(crate) const SETTLED: Duration = Duration::from_millis(500);

/// One job and the schedule.
#[derive(Debug, Clone)]
pub(crate) struct Turn<'a> {
    pub(crate) device: &'a str,
    pub(crate) tenant: &'a str,
    /// From when until when it waited.
    pub(crate) waited: (Duration, Duration),
    /// From when until when it held a slot, at most: the end may have been earlier.
    pub(crate) held: Option<(Duration, Duration)>,
}

/// The first turn of every job that came to wait before the first fault. Nothing is told where slots
/// are reserved: that is for `reservations_are_honoured`.
pub(crate) fn turns(history: &History) -> Vec<Turn<'_>> {
    if history.reserving {
        return Vec::new();
    }
    let mut seen: BTreeMap<JobId, Seen> = BTreeMap::new();
    for commit in &history.committed {
        seen.entry(commit.job).or_default().note(commit);
    }
    let turns = seen.into_iter().filter_map(|(job, seen)| {
        let stored = history.stored.get(&job)?;
        let spec = &stored.job.spec;
        let since = seen.compiled.filter(|at| *at < history.calm_until)?;
        let picked = history.turns.get(&job).copied();
        let last = seen.last;
        let held = picked.map(|at| (at, seen.executed.unwrap_or(last).max(at)));
        Some(Turn {
            device: device(history, job).unwrap_or(spec.target.as_str()),
            tenant: &spec.owner.tenant,
            waited: (since, picked.unwrap_or(last)),
            held,
        })
    });
    turns.collect()
}

/// Where it was first to run, whether that was ever stored or not. A job of a class waited for that
/// device too.
fn device(history: &History, job: JobId) -> Option<&str> {
    let first = history.given.iter().find(|given| given.job == job);
    first.map(|given| given.device.as_str())
}

#[derive(Default)]
struct Seen {
    compiled: Option<Duration>,
    executed: Option<Duration>,
    last: Duration,
}

impl Seen {
    fn note(&mut self, commit: &Committed) {
        let has = |name| commit.events.contains(&name);
        self.last = commit.at;
        if commit.confirmed && has("Compiled") {
            self.compiled.get_or_insert(commit.at);
        }
        if has("Executed") {
            self.executed.get_or_insert(commit.at);
        }
    }
}
