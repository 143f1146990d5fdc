//! Who said that it will try again later does so later, and not before a neighbour wants it that
//! has said when (D18).

use std::time::Duration;

use qrtx::job::event::Event;

use super::Breach;
use crate::history::{Asked, History};
use crate::turns::SETTLED;

/// Calls that are tries; what goes on beside them, as a stop, waits for nobody.
const TRIES: [&str; 4] = [
    "CompileCircuit",
    "ValidateCircuit",
    "GetDeviceStatus",
    "ExecuteCircuit",
];
/// What a neighbour that has too much to do asks for, in the simulated world.
pub const BUSY_FOR: Duration = Duration::from_millis(500);
/// Stored times are whole, and a wall clock need not tick like the run's own.
const EARLY_MAX: Duration = Duration::from_millis(20);

/// Says which try came too early.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = after_refusals(history);
    // A kernel that is started anew has nothing but the wall clock to go by.
    if !history.wall_moved {
        broken.extend(after_setbacks(history));
    }
    broken
}

fn tries(history: &History) -> impl Iterator<Item = &Asked> {
    let calls = history.asked.iter();
    calls.filter(|call| TRIES.contains(&call.what.as_str()) && call.job.is_some())
}

fn after_refusals(history: &History) -> Vec<Breach> {
    // Who has run it was not too busy: somebody on the way has said so, and not until when.
    let ran = |call: &&Asked| {
        let job = call.job.map(|job| job.to_string());
        let mut runs = history
            .runs
            .iter()
            .filter(|run| Some(&run.job) == job.as_ref());
        let until = call.ended.unwrap_or(Duration::MAX);
        call.what == "ExecuteCircuit"
            && runs.any(|run| call.at <= run.started.0 && run.started.0 <= until)
    };
    let busy = tries(history).filter(|call| call.end == "ResourceExhausted" && !ran(call));
    let early = busy.filter_map(|call| {
        let ended = call.ended?;
        // A kernel that begins anew has not heard it.
        let same = |next: &&Asked| {
            (next.job, &next.what, next.life) == (call.job, &call.what, call.life)
        };
        let next = tries(history).filter(same).find(|next| next.at >= ended)?;
        (next.at + EARLY_MAX < ended + BUSY_FOR).then(|| {
            let (job, what, at) = (call.job?, &call.what, next.at.as_secs_f64());
            let said = ended.as_secs_f64();
            let how = format!(
                "{what} for {job} was to be tried {BUSY_FOR:?} after {said:.3} s, and was at {at:.3} s"
            );
            Some(Breach::at(next.at, how))
        })?
    });
    early.collect()
}

fn after_setbacks(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    // What was not confirmed may be lost with the disk.
    for commit in history.committed.iter().filter(|commit| commit.confirmed) {
        let events = history.stored.get(&commit.job).map(|stored| &stored.events);
        let last = events.and_then(|events| events.iter().find(|event| event.seq == commit.seq));
        let Some(last) = last else { continue };
        let (Event::Retried { not_before, .. }
        | Event::CircuitLost {
            not_before: Some(not_before),
            ..
        }) = &last.event
        else {
            continue;
        };
        let due = commit.at + not_before.since(last.at);
        // Decided when the store did not take it, it is over the sooner for a kernel that begins anew.
        let mut troubles = history.store_troubles.iter();
        let until = |to| tried_again(history, to) + EARLY_MAX;
        if troubles.any(|&(from, to)| from <= commit.at && commit.at <= until(to)) {
            continue;
        }
        // So is what was decided before the kernel stood still, and is stored when it goes on.
        let mut pauses = history.pauses.iter();
        if pauses.any(|&(from, to)| from <= commit.at && commit.at <= to + SETTLED) {
            continue;
        }
        // One that was replaced knows nothing of it.
        let starts = history.starts.iter().filter(|start| start.at <= commit.at);
        let life = starts.count();
        let own = |call: &&Asked| call.job == Some(commit.job) && call.life as usize >= life;
        let mut tries = tries(history).filter(own);
        let early = tries.find(|call| call.at > commit.at && call.at + EARLY_MAX < due);
        broken.extend(early.map(|call| {
            let (job, what) = (commit.job, &call.what);
            let (at, due) = (call.at.as_secs_f64(), due.as_secs_f64());
            let how =
                format!("{what} for {job} was to be tried at {due:.3} s, and was at {at:.3} s");
            Breach::at(call.at, how)
        }));
    }
    broken
}

/// When a store that works again has been tried at the latest, by a kernel that may stand still.
fn tried_again(history: &History, works: Duration) -> Duration {
    let due = works + Duration::from_millis(history.limits.backoff_ms_max);
    let pauses = history.pauses.iter().filter(|(from, _)| *from <= due);
    pauses.map(|(_, until)| *until).fold(due, Duration::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good, retried, secs};

    #[test]
    fn a_try_before_its_time_is_refused() {
        let mut history = retried(secs(1), secs(8));
        history.asked = vec![asked("CompileCircuit", 8, 9)];
        assert_eq!(check(&history), [""; 0]);
        history.asked = vec![asked("CompileCircuit", 5, 6)];
        assert_eq!(check(&history).len(), 1);
        history.asked[0].what = "CancelExecution".to_owned();
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_setback_that_was_stored_late_is_over_the_sooner_for_another_kernel() {
        let mut history = retried(secs(1), secs(8));
        history.asked = vec![asked("CompileCircuit", 5, 6)];
        history.store_troubles = vec![(secs(0), Duration::from_millis(10))];
        history.limits.backoff_ms_max = 100;
        assert_eq!(check(&history).len(), 1);
        history.pauses = vec![(Duration::from_millis(20), secs(1))];
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_busy_neighbour_that_is_asked_at_once_is_not_heard() {
        let mut history = good();
        let mut refused = asked("CompileCircuit", 1, 2);
        refused.end = "ResourceExhausted".to_owned();
        history.asked = vec![refused, asked("CompileCircuit", 3, 4)];
        assert_eq!(check(&history), [""; 0]);
        history.asked[1].at = secs(2);
        assert_eq!(check(&history).len(), 1);
    }
}
