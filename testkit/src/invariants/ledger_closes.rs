//! The ledger and the devices agree (D14): each execution's shots are delivered, wasted, not run
//! or unknown; the device's own count lies between what is known to be fired and that plus what
//! is unknown; nothing ran that is not in the ledger; and what was delivered is what was
//! measured, of the circuit that was compiled.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::Sha256Sum;
use qrtx::job::event::{Counts, Event};
use qrtx::job::ledger::Entry;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, Stored};
use crate::neighbours::Run;

/// Says which shots are not accounted for.
pub fn check(history: &History) -> Vec<Breach> {
    let mut runs: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in &history.runs {
        runs.entry(run.execution.as_deref().unwrap_or(&run.job))
            .or_default()
            .push(run);
    }
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        for entry in &stored.job.ledger {
            let execution = format!("{id}#{}", entry.attempt);
            let ran = runs.remove(execution.as_str()).unwrap_or_default();
            let wrong = shots(entry, &ran)
                .into_iter()
                .chain(content(stored, entry, &ran));
            broken.extend(wrong.map(|what| breach(&ran, format!("{execution}: {what}"))));
        }
    }
    broken.extend(unheard(history));
    broken.extend(unasked(history));
    broken.extend(misplaced_doubt(history));
    broken.extend(
        runs.iter()
            .map(|(execution, ran)| breach(ran, format!("{execution} ran and is in no ledger"))),
    );
    broken
}

/// An answer that has come to the last kernel, which lived on, is no doubt any more.
fn unheard(history: &History) -> Vec<Breach> {
    let bound = Duration::from_millis(history.limits.execute_ms);
    let each = history.stored.iter().filter_map(|(id, stored)| {
        let entries = &stored.job.ledger;
        let doubtful = entries.iter().filter(|entry| entry.settlement.unknown > 0);
        let calls = history.asked.iter().filter(|call| {
            let answered = call.what == "ExecuteCircuit" && call.end == "Ok";
            answered && call.job == Some(*id)
        });
        let heard = calls.filter(|call| {
            let ended = call.ended.unwrap_or(Duration::MAX);
            let broke_off = history.broke_off.iter().any(|at| *at >= call.at);
            let is_last = call.life as usize == history.starts.len();
            is_last && !broke_off && ended + Duration::from_secs(1) < call.at + bound
        });
        let (heard, doubtful) = (heard.count(), doubtful.count());
        (heard + doubtful > entries.len()).then(|| {
            let how = format!("{id}: {heard} answers came, and {doubtful} executions are in doubt");
            Breach::from(how)
        })
    });
    each.collect()
}

/// A doubt is of one execution: it goes with the job to its end, and not into another turn.
fn misplaced_doubt(history: &History) -> Vec<Breach> {
    let each = history.stored.iter().filter_map(|(id, stored)| {
        let mut doubted = false;
        for recorded in &stored.events {
            let goes_on = recorded.state != State::Executing && !recorded.state.is_terminal();
            match recorded.event {
                Event::Doubted { .. } => doubted = true,
                _ if goes_on => doubted = false,
                _ => {}
            }
        }
        let kept = stored.job.doubt.is_some();
        (kept != doubted).then(|| {
            let how = format!("{id}: whether it is in doubt is kept as {kept}, and is {doubted}");
            Breach::from(how)
        })
    });
    each.collect()
}

/// Of a driver that is well, and can be asked, nothing stays unknown.
fn unasked(history: &History) -> Vec<Breach> {
    if !history.askable || !history.driver_was_well {
        return Vec::new();
    }
    let each = history.stored.iter().flat_map(|(id, stored)| {
        let unknown = |entry: &&Entry| entry.settlement.unknown > 0;
        let entries = stored.job.ledger.iter().filter(unknown);
        entries.map(move |entry| {
            let (attempt, why) = (entry.attempt, &entry.settlement.unknown_cause);
            let how = format!("{id}#{attempt}: the driver could have said what is unknown: {why}");
            Breach::from(how)
        })
    });
    each.collect()
}

/// It shows where the device is done, if it ever began.
fn breach(ran: &[&Run], how: String) -> Breach {
    let at = ran
        .iter()
        .filter_map(|run| run.ended.or(Some(run.started)))
        .max();
    Breach {
        at: at.map(|at| at.0),
        how,
    }
}

fn shots(entry: &Entry, ran: &[&Run]) -> Option<String> {
    let settled = &entry.settlement;
    if settled.total() != u64::from(entry.requested) {
        return Some(format!(
            "{} shots of {} are accounted for",
            settled.total(),
            entry.requested
        ));
    }
    let fired: i64 = ran.iter().map(|run| run.shots_fired).sum();
    let least = i64::from(settled.delivered) + i64::from(settled.wasted);
    let most = least + i64::from(settled.unknown);
    let fits = (least..=most).contains(&fired);
    (!fits).then(|| format!("the device fired {fired}, the ledger says {least} to {most}"))
}

/// Whether what was delivered is what this device measured.
fn content(stored: &Stored, entry: &Entry, ran: &[&Run]) -> Vec<String> {
    let mut wrong = Vec::new();
    let last = stored.job.ledger.last() == Some(entry);
    if last && stored.job.state == State::Completed && entry.settlement.delivered == 0 {
        wrong.push("the job is Completed, and nothing was delivered".to_owned());
    }
    if entry.settlement.delivered == 0 {
        return wrong;
    }
    let Some(outcome) = &stored.job.outcome else {
        return vec!["shots are delivered, and there is no outcome".to_owned()];
    };
    if let Counts::Inline(counts) = &outcome.counts {
        let told = |run: &&&Run| {
            let measured = run
                .counts
                .iter()
                .map(|(key, shots)| (key, u64::try_from(*shots).ok()));
            measured.eq(counts.iter().map(|(key, shots)| (key, Some(*shots))))
        };
        if ran.iter().find(told).is_none() {
            wrong.push("the counts are not those that the device measured".to_owned());
        }
    }
    for run in ran {
        let executed = Sha256Sum::of(&run.circuit);
        if Some(executed) != stored.job.circuit_sha256() || executed != outcome.circuit_sha256 {
            wrong.push("the circuit that ran is not the one that was compiled".to_owned());
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};
    use qrtx::job::Doubt;
    use qrtx::job::ledger::Settlement;

    fn settled(settlement: Settlement) -> Vec<Breach> {
        let mut history = good();
        let job = &mut history.stored.get_mut(&job()).unwrap().job;
        job.ledger[0].settlement = settlement;
        job.state = State::Failed;
        check(&history)
    }

    #[test]
    fn a_completed_job_to_which_nothing_was_delivered_is_refused() {
        let mut history = good();
        let job = &mut history.stored.get_mut(&job()).unwrap().job;
        job.ledger[0].settlement = Settlement::wasted(10, "booked so");
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn shots_that_were_fired_and_not_booked_are_refused() {
        assert_eq!(settled(Settlement::not_run(10, "a guess")).len(), 1);
        assert_eq!(settled(Settlement::stopped(10, 4, "a guess")).len(), 1);
        assert_eq!(settled(Settlement::unknown(10, "nobody knows")).len(), 0);
    }

    #[test]
    fn a_run_without_a_line_in_the_ledger_is_refused() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().job.ledger.clear();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn counts_of_something_else_are_refused() {
        let mut history = good();
        history.runs[0].counts.insert("01".to_owned(), 1);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn another_circuit_than_the_compiled_one_is_refused() {
        let mut history = good();
        history.runs[0].circuit.push(b'!');
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn delivered_shots_that_never_ran_are_refused() {
        let mut history = good();
        history.runs.clear();
        assert_eq!(check(&history).len(), 2);
    }

    #[test]
    fn a_doubt_that_outlives_its_execution_is_refused() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().job.doubt = Some(Doubt {
            cause: "the answer was lost".to_owned(),
            over: false,
        });
        assert_eq!(check(&history).len(), 1);
    }
}
