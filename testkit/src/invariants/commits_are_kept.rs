//! What was committed once stays as it was: a job's history is a prefix of what it is later,
//! across any number of restarts.

use super::Breach;
use crate::history::History;

/// Says which commits are gone or another.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for commit in &history.committed {
        let events = history.stored.get(&commit.job).map(|stored| &stored.events);
        let first = commit.seq + 1 - commit.events.len() as u64;
        let kept = events.is_some_and(|events| {
            let at = usize::try_from(first - 1).expect("histories are short");
            let there = events.iter().skip(at).take(commit.events.len());
            let names = there.map(|recorded| recorded.event.name());
            names.eq(commit.events.iter().copied())
        });
        if !kept {
            let (job, seq, what) = (commit.job, commit.seq, commit.events.join(", "));
            broken.push(Breach::at(
                commit.at,
                format!("event {seq} of {job}, {what}, was committed and is not there"),
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn a_commit_that_is_gone_is_missed() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().events.pop();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_commit_that_is_another_is_refused() {
        let mut history = good();
        history.committed.last_mut().unwrap().events = vec!["Failed"];
        assert_eq!(check(&history).len(), 1);
    }
}
