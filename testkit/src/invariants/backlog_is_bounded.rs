//! Too much to do is refused and never piles up (D17): jobs that have not ended are never more
//! than the operator allows.

use std::collections::BTreeSet;

use crate::history::History;

/// Says when there were too many.
pub fn check(history: &History) -> Vec<String> {
    let most = history.limits.jobs_waiting;
    let mut active = BTreeSet::new();
    for commit in &history.committed {
        match commit.state.is_terminal() {
            true => active.remove(&commit.job),
            false => active.insert(commit.job),
        };
        if active.len() > most {
            let (at, jobs) = (commit.at.as_secs_f64(), active.len());
            return vec![format!(
                "{jobs} jobs had not ended at {at} s, and {most} are the limit"
            )];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_backlog_above_the_limit_is_refused() {
        let mut history = good();
        history.limits.jobs_waiting = 1;
        assert_eq!(check(&history).len(), 0);
        history.limits.jobs_waiting = 0;
        assert_eq!(check(&history).len(), 1);
    }
}
