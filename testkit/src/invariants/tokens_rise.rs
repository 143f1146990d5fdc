//! Each execution of a job has a greater fencing token than the one before (D8), and a driver
//! that heeds them starts none with a smaller one after a greater.

use std::collections::BTreeMap;

use qrtx::job::event::Event;

use super::Breach;
use crate::history::History;

/// Says where a token did not rise.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let tokens = stored
            .job
            .ledger
            .iter()
            .map(|entry| (entry.attempt, entry.token));
        let pairs = tokens.clone().zip(tokens.skip(1));
        let fell = pairs.filter(|((_, before), (_, after))| after <= before);
        broken.extend(fell.map(|(_, (attempt, token))| {
            format!(
                "{id}#{attempt} has token {}, which is not greater than before",
                token.0
            )
            .into()
        }));
    }
    broken.extend(of_another_epoch(history));
    if !history.askable {
        return broken;
    }
    let mut newest = BTreeMap::new();
    for run in &history.runs {
        let Some(token) = run.token else { continue };
        let known = newest.entry(&run.job).or_insert(token);
        if token < *known {
            broken.push(Breach::at(
                run.started.0,
                format!("{} ran with token {token} after {known}", run.job),
            ));
        }
        *known = token.max(*known);
    }
    broken
}

/// A token tells which kernel it is of, so that a later one's are greater whoever holds them. Who
/// can write is the last that took the writer's place.
fn of_another_epoch(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    if history.epochs.is_empty() {
        return broken;
    }
    for commit in &history.committed {
        let Some(nth) = commit.events.iter().position(|event| *event == "Intended") else {
            continue;
        };
        let seq = commit.seq + 1 + nth as u64 - commit.events.len() as u64;
        let events = history.stored.get(&commit.job).map(|stored| &stored.events);
        let intent = events.and_then(|events| events.iter().find(|event| event.seq == seq));
        let Some(Event::Intended { token, .. }) = intent.map(|intent| &intent.event) else {
            continue;
        };
        let epoch = history.epochs.iter().filter(|at| **at <= commit.at).count() as u64;
        if token.0 >> 32 != epoch {
            let (job, token) = (commit.job, token.0);
            let how = format!("{job} has token {token}, which is not of epoch {epoch}");
            broken.push(Breach::at(commit.at, how));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job, secs};

    #[test]
    fn a_token_that_is_used_twice_is_refused() {
        let mut history = good();
        let ledger = &mut history.stored.get_mut(&job()).unwrap().job.ledger;
        ledger.push(ledger[0].clone());
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_token_of_a_kernel_that_was_replaced_is_refused() {
        let mut history = good();
        history.epochs = vec![secs(0)];
        assert_eq!(check(&history), [""; 0]);
        history.epochs.push(secs(1));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_run_with_an_old_token_is_refused() {
        let mut history = good();
        history.askable = true;
        let mut stale = history.runs[0].clone();
        stale.token = stale.token.map(|token| token - 1);
        history.runs.push(stale);
        assert_eq!(check(&history).len(), 1);
    }
}
