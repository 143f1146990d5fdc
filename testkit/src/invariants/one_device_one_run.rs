//! No execution runs twice (D14), each is of a recorded intent (D8), and no slot of a device is
//! given to two runs at a moment of the device's own time (D15).

use std::collections::BTreeSet;
use std::time::Duration;

use qrtx::time::Monotonic;

use crate::history::History;
use crate::neighbours::Run;

/// Says what ran that should not have.
pub fn check(history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for run in &history.runs {
        match &run.execution {
            None => broken.push(format!("a run of {} has no execution id", run.job)),
            Some(id) if !seen.insert(id) => broken.push(format!("{id} ran twice")),
            Some(_) => {}
        }
    }
    for (device, slots) in &history.slots {
        let on_device = history.runs.iter().filter(|run| run.device == *device);
        let most = most_at_once(on_device.filter(|run| !gave_it_up(history, run)));
        if most > *slots {
            broken.push(format!(
                "{device} has {slots} slots and was at {most} runs at once"
            ));
        }
    }
    broken
}

/// Whether the kernel may have given the run's slot away: a request that was on its way for longer
/// than an execution may take cannot be called back (D15), and a device that may run things twice
/// is not waited for when nobody knows what it does (DESIGN.md).
fn gave_it_up(history: &History, run: &Run) -> bool {
    let Ok(job) = run.job.parse() else {
        return false;
    };
    let attempt = run
        .execution
        .as_deref()
        .and_then(|id| id.rsplit('#').next());
    let nth = attempt
        .and_then(|nth| nth.parse::<usize>().ok())
        .unwrap_or(1);
    let commits = history.committed.iter();
    let intents = commits.filter(|commit| commit.job == job && commit.events.contains(&"Intended"));
    let entry = history
        .stored
        .get(&job)
        .and_then(|stored| stored.job.ledger.get(nth - 1));
    if !history.paid.contains(&run.device)
        && entry.is_some_and(|entry| entry.settlement.unknown > 0)
    {
        return true;
    }
    let bound = Duration::from_millis(history.limits.execute_ms);
    let intended = intents.map(|commit| commit.at).nth(nth.saturating_sub(1));
    intended.is_some_and(|at| run.started.0 > at + bound)
}

fn most_at_once<'a>(runs: impl Iterator<Item = &'a Run>) -> usize {
    let mut turns: Vec<(Monotonic, i32)> = Vec::new();
    for run in runs {
        turns.push((run.started, 1));
        turns.extend(run.ended.map(|ended| (ended, -1)));
    }
    // Ends before starts: a slot may be taken in the moment in which it is given back.
    turns.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, turn) in turns {
        now += turn;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_second_run_of_an_execution_is_refused() {
        let mut history = good();
        let mut again = history.runs[0].clone();
        again.started = Monotonic(again.started.0 * 100);
        again.ended = None;
        history.runs.push(again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn two_runs_in_one_slot_are_refused() {
        let mut history = good();
        let mut beside = history.runs[0].clone();
        beside.execution = Some("another".to_owned());
        history.runs.push(beside);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_run_without_an_execution_id_is_refused() {
        let mut history = good();
        history.runs[0].execution = None;
        assert_eq!(check(&history).len(), 1);
    }
}
