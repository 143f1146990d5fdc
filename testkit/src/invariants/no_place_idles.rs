//! A place to compile in is given on at once (D17): nobody waits for one while a job that waits out
//! a back-off, or has gone on, keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::job::event::Event;
use qrtx::job::state::State;
use qrtx::limits::TELL_WITHIN;

use super::Breach;
use crate::history::History;

/// A place that is free is taken at once, and that is told a little later.
const SOON: Duration = TELL_WITHIN.saturating_add(Duration::from_millis(50));

/// Says who waited beside a free place.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (nth, start) in history.starts.iter().enumerate() {
        let next = history.starts.get(nth + 1).map(|next| next.at);
        let over = start.ended.or(next).unwrap_or(history.ended);
        let until = next.map_or(over, |next| next.min(over));
        broken.extend(in_life(history, start.at, until));
    }
    broken
}

fn in_life(history: &History, from: Duration, until: Duration) -> Option<Breach> {
    let mut jobs: BTreeMap<JobId, Where> = BTreeMap::new();
    // Before the first job is let in, all may wait for a first word of the devices.
    let mut knows_devices = false;
    let mut idle: Option<Duration> = None;
    let mut moments: Vec<(Duration, Option<usize>)> = Vec::new();
    for (nth, commit) in history.committed.iter().enumerate() {
        moments.push((commit.at, Some(nth)));
    }
    moments.extend(back_offs(history).map(|at| (at, None)));
    moments.push((until, None));
    moments.sort_unstable();
    for (at, nth) in moments {
        if at > until {
            break;
        }
        let waits = |jobs: &BTreeMap<JobId, Where>| jobs.values().any(|job| job.waits);
        let busy = jobs.values().filter(|job| job.is_busy(at)).count();
        let was_free = waits(&jobs) && busy < history.limits.compile_slots as usize;
        if let Some(since) = idle
            && at > since + SOON
            && !history.was_troubled(since, since + SOON)
        {
            let (from, at) = (since.as_secs_f64(), at.as_secs_f64());
            let how =
                format!("a place to compile in was free from {from} s to {at} s, and jobs waited");
            return Some(Breach::at(since, how));
        }
        if !was_free {
            idle = None;
        }
        if let Some(commit) = nth.map(|nth| &history.committed[nth]) {
            if at >= from && commit.events.contains(&"Admitted") {
                knows_devices = true;
            }
            let place = jobs.entry(commit.job).or_default();
            place.waits = commit.state == State::Pending && waits_for_a_place(history, commit.job);
            place.compiles = matches!(commit.state, State::Validating | State::Compiling);
            place.not_before = not_before(history, commit.job, commit.seq, commit.at);
        }
        let busy = jobs.values().filter(|job| job.is_busy(at)).count();
        let is_free = waits(&jobs) && busy < history.limits.compile_slots as usize;
        if is_free && at >= from && knows_devices {
            idle.get_or_insert(at);
        } else {
            idle = None;
        }
    }
    None
}

#[derive(Default)]
struct Where {
    waits: bool,
    compiles: bool,
    not_before: Option<Duration>,
}

impl Where {
    fn is_busy(&self, at: Duration) -> bool {
        self.compiles && self.not_before.is_none_or(|until| until <= at)
    }
}

/// A job whose cancel is under way, or which waits for what is reserved, has other reasons.
fn waits_for_a_place(history: &History, job: JobId) -> bool {
    let stored = history.stored.get(&job);
    stored.is_some_and(|stored| stored.job.spec.reservation.is_none())
}

/// When a back-off that begins with this commit is over.
fn not_before(history: &History, job: JobId, seq: u64, at: Duration) -> Option<Duration> {
    let events = &history.stored.get(&job)?.events;
    let last = events.iter().find(|event| event.seq == seq)?;
    match &last.event {
        Event::Retried { not_before, .. } => Some(at + not_before.since(last.at)),
        _ => None,
    }
}

fn back_offs(history: &History) -> impl Iterator<Item = Duration> {
    let commits = history.committed.iter();
    commits.filter_map(|commit| not_before(history, commit.job, commit.seq, commit.at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Start;
    use crate::invariants::sample::{backlog, secs};

    #[test]
    fn a_place_that_a_back_off_keeps_is_missed() {
        let mut history = backlog();
        let (at, ready, ended) = (secs(0), Some(secs(0)), None);
        history.starts = vec![Start { at, ready, ended }];
        history.limits.compile_slots = 2;
        assert_eq!(check(&history).len(), 1);
        history.limits.compile_slots = 1;
        assert_eq!(
            check(&history),
            [""; 0],
            "there is but one, and it is taken"
        );
        history.limits.compile_slots = 2;
        history.troubles = vec![(secs(0), secs(100))];
        assert_eq!(check(&history), [""; 0], "a fault may be the reason");
    }
}
