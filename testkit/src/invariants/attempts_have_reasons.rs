//! A job runs again only after it was recorded why, and what became of the shots before (D14);
//! never more often than allowed (D18); and on a device whose shots cost money only if it is
//! proved that none were fired.

use qrtx::job::event::Event;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, Stored};

/// Says which attempts should not have been.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let attempts = stored.job.ledger.len();
        let most = history.limits.execute_attempts as usize;
        if attempts > most {
            broken.push(Breach::from(format!(
                "{id} was tried {attempts} times, and {most} are allowed"
            )));
        }
        let most = history.limits.compile_tries as usize;
        let tries = most_compile_tries(stored);
        if tries > most {
            broken.push(Breach::from(format!(
                "{id} was tried {tries} times in a row by the compiler, and {most} are allowed"
            )));
        }
        broken.extend(without_reason(stored).map(|nth| format!("{id}#{nth} has no reason").into()));
        let before = stored
            .job
            .ledger
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        for entry in before {
            let paid = history.paid.contains(entry.device.as_str());
            let fired = entry.settlement.not_run != entry.requested;
            let (attempt, wasted) = (entry.attempt, entry.settlement.wasted);
            if wasted > 0 {
                broken.push(Breach::from(format!(
                    "{id}#{attempt} ran, and what it said was of no use: that is final"
                )));
            }
            if paid && fired {
                broken.push(Breach::from(format!(
                    "{id}#{attempt} may have fired, and was paid for again"
                )));
            }
        }
    }
    broken
}

/// The most tries of a compiler in one stay, which checks programs, too; a wait for the store is none.
fn most_compile_tries(stored: &Stored) -> usize {
    let (mut tries, mut most) = (0, 0);
    for recorded in &stored.events {
        tries = match &recorded.event {
            Event::Retried {
                of_store: false, ..
            } if matches!(recorded.state, State::Validating | State::Compiling) => tries + 1,
            Event::Retried { .. } => tries,
            _ => 0,
        };
        // What was put off is tried once more.
        most = most.max(if tries > 0 { tries + 1 } else { 0 });
    }
    most
}

/// The first attempt that follows another without a word on what became of that.
fn without_reason(stored: &Stored) -> Option<usize> {
    let mut explained = true;
    let mut attempts = 0;
    for recorded in &stored.events {
        match &recorded.event {
            Event::Retried {
                settlement: Some(_),
                ..
            } => explained = true,
            Event::Intended { .. } => {
                attempts += 1;
                if !explained {
                    return Some(attempts);
                }
                explained = false;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};
    use qrtx::job::ledger::Settlement;

    #[test]
    fn a_second_attempt_out_of_the_blue_is_refused() {
        let mut history = good();
        let events = &mut history.stored.get_mut(&job()).unwrap().events;
        let intent = events
            .iter()
            .position(|one| matches!(one.event, Event::Intended { .. }));
        let again = events[intent.unwrap()].clone();
        events.push(again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn paying_twice_is_refused() {
        let mut history = good();
        history.paid.insert("qpu".to_owned());
        let ledger = &mut history.stored.get_mut(&job()).unwrap().job.ledger;
        let mut first = ledger[0].clone();
        first.settlement = Settlement::unknown(10, "nobody knows");
        ledger.insert(0, first.clone());
        assert_eq!(check(&history).len(), 1);
        first.settlement = Settlement::not_run(10, "a proof");
        history.stored.get_mut(&job()).unwrap().job.ledger[0] = first;
        assert_eq!(check(&history).len(), 0);
    }

    #[test]
    fn too_many_attempts_are_refused() {
        let mut history = good();
        history.limits.execute_attempts = 0;
        assert_eq!(check(&history).len(), 1);
    }
}
