//! No execution runs twice (D14), each is of a recorded intent (D8), and no slot of a device is
//! given to two runs at a moment of the device's own time (D15).

use std::collections::BTreeSet;
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::time::Monotonic;

use super::Breach;
use crate::history::{Asked, History, Intents};
use crate::neighbours::Run;

/// Says what ran that should not have.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for run in &history.runs {
        match &run.execution {
            None => broken.push(Breach::at(
                run.started.0,
                format!("a run of {} has no execution id", run.job),
            )),
            Some(id) if !seen.insert(id) => {
                broken.push(Breach::at(run.started.0, format!("{id} ran twice")))
            }
            Some(_) => {}
        }
    }
    let intents = history.intents();
    for (device, slots) in &history.slots {
        let on_device = history.runs.iter().filter(|run| run.device == *device);
        let (most, at) = most_at_once(on_device.filter_map(|run| held(history, &intents, run)));
        if most > *slots {
            let how = format!("{device} has {slots} slots and was at {most} runs at once");
            broken.push(Breach::at(at, how));
        }
    }
    broken
}

/// From when until when a run had its slot, as far as a kernel can know it. A request that was on
/// its way for longer than an execution may take cannot be called back (D15); a device that may
/// run things twice is not waited for when nobody knows what it does (DESIGN.md); and what a
/// driver that cannot be asked still runs when the time of the execution is over is not known to
/// anybody.
pub(super) fn held(
    history: &History,
    intents: &Intents,
    run: &Run,
) -> Option<(Monotonic, Option<Monotonic>)> {
    let whole = Some((run.started, run.ended));
    let Ok(job) = run.job.parse() else {
        return whole;
    };
    let attempt = run
        .execution
        .as_deref()
        .and_then(|id| id.rsplit('#').next());
    let nth = attempt
        .and_then(|nth| nth.parse::<usize>().ok())
        .unwrap_or(1);
    let entry = history
        .stored
        .get(&job)
        .and_then(|stored| stored.job.ledger.get(nth - 1));
    if !history.paid.contains(&run.device)
        && entry.is_some_and(|entry| entry.settlement.unknown > 0)
    {
        return None;
    }
    let bound = Duration::from_millis(history.limits.execute_ms);
    let intended = intents
        .get(&job)
        .and_then(|all| all.get(nth.saturating_sub(1)));
    let Some(intended) = intended else {
        return whole;
    };
    let over = Monotonic(*intended + bound);
    if run.started > over && was_on_its_way(history, job, (over, run.started)) {
        return None;
    }
    // One that can be asked is, for as long as two calls may take, before its word is given up; also
    // where its job ended before the bound.
    let calls = Duration::from_millis(history.limits.call_ms * 2);
    let until = match (history.askable, history.driver_was_well) {
        (true, true) => return whole,
        (true, false) => Monotonic(*intended + bound.max(calls)),
        (false, _) => over,
    };
    Some((
        run.started,
        Some(run.ended.map_or(until, |ended| ended.min(until))),
    ))
}

/// Whether a request that came to its device at a moment, when its time was over, had left before that.
fn was_on_its_way(history: &History, job: JobId, (over, came): (Monotonic, Monotonic)) -> bool {
    let of_job = |call: &&Asked| call.job == Some(job) && call.what == "ExecuteCircuit";
    let mut calls = history.asked.iter().filter(of_job).rev();
    let call = calls.find(|call| call.at <= came.0);
    call.is_none_or(|call| call.at <= over.0)
}

/// How many runs there were at once, and when that began.
pub(super) fn most_at_once(
    runs: impl Iterator<Item = (Monotonic, Option<Monotonic>)>,
) -> (usize, Duration) {
    let mut turns: Vec<(Monotonic, i32)> = Vec::new();
    for (from, until) in runs {
        turns.push((from, 1));
        turns.extend(until.map(|until| (until, -1)));
    }
    // Ends before starts: a slot may be taken in the moment in which it is given back.
    turns.sort_unstable();
    let (mut now, mut most, mut since) = (0, 0, Duration::ZERO);
    for (at, turn) in turns {
        now += turn;
        if now > most {
            (most, since) = (now, at.0);
        }
    }
    (usize::try_from(most).unwrap_or(0), since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Committed;
    use crate::invariants::sample::{asked, good, job};

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
    fn a_run_that_a_driver_cannot_tell_of_has_its_slot_for_the_time_of_an_execution() {
        let mut history = good();
        history.runs[0].ended = None;
        let intended = |commit: &&Committed| commit.events.contains(&"Intended");
        let at = history.committed.iter().find(intended).unwrap().at;
        let mut beside = history.runs[0].clone();
        beside.execution = Some("another".to_owned());
        let bound = Duration::from_millis(history.limits.execute_ms);
        beside.started = Monotonic(at + bound);
        history.runs.push(beside);
        history.askable = false;
        assert_eq!(check(&history).len(), 0);
        history.askable = true;
        history.limits.call_ms = history.limits.execute_ms;
        assert_eq!(check(&history).len(), 1, "two calls take longer");
        history.limits.call_ms = history.limits.execute_ms / 2;
        assert_eq!(check(&history).len(), 0, "two calls are over");
        history.driver_was_well = true;
        assert_eq!(check(&history).len(), 1, "the driver could have told");
    }

    #[test]
    fn a_run_that_was_asked_for_too_late_has_its_slot() {
        let mut history = good();
        let intended = history.intents()[&job()][0];
        let over = intended + Duration::from_millis(history.limits.execute_ms);
        history.runs[0].started = Monotonic(over + Duration::from_secs(5));
        let has_slot = |history: &History, call_at| {
            let mut history = history.clone();
            let mut call = asked("ExecuteCircuit", 0, 0);
            call.at = call_at;
            history.asked = vec![call];
            held(&history, &history.intents(), &history.runs[0]).is_some()
        };
        assert!(!has_slot(&history, over), "it was on its way for long");
        assert!(has_slot(&history, over + Duration::from_secs(1)));
    }

    #[test]
    fn a_run_without_an_execution_id_is_refused() {
        let mut history = good();
        history.runs[0].execution = None;
        assert_eq!(check(&history).len(), 1);
    }
}
