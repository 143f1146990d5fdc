//! A deadline passes neither early nor late, whatever wall clocks do (D19, D22). Only
//! a kernel that starts anew has nothing but the wall clock to go by, so a run in which that was
//! moved and a kernel was restarted is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;

/// Stored times are in microseconds, and a commit takes its time, on a slow disk the more.
const EARLY_MAX: Duration = Duration::from_millis(300);
/// A kernel that is well ends a job within this.
const LATE_MAX: Duration = Duration::from_secs(3);

/// Says which deadlines were not kept.
pub fn check(history: &History) -> Vec<Breach> {
    if history.wall_moved {
        return Vec::new();
    }
    let mut accepted = BTreeMap::new();
    let mut ended = BTreeMap::new();
    let mut broken = Vec::new();
    for commit in &history.committed {
        let begun = *accepted.entry(commit.job).or_insert(commit.at);
        let Some(stored) = history.stored.get(&commit.job) else {
            continue;
        };
        if !commit.state.is_terminal() || ended.insert(commit.job, commit.at).is_some() {
            continue;
        }
        let allowed = stored.job.spec.expires_at.since(stored.job.created_at);
        let (job, lasted) = (commit.job, commit.at.saturating_sub(begun));
        // A kernel may have stood still between the acceptance, which counts, and the commit.
        let early = lasted + EARLY_MAX + history.stood_still < allowed;
        if commit.events.contains(&"DeadlinePassed") && early {
            let (lasted, allowed) = (lasted.as_secs_f64(), allowed.as_secs_f64());
            broken.push(Breach::at(
                commit.at,
                format!("{job} was given {allowed:.3} s and timed out after {lasted:.3} s"),
            ));
        }
        // While anything is wrong it may take longer, and then until somebody tries again.
        let back_off = Duration::from_millis(history.limits.backoff_ms_max);
        let due = (begun + allowed).max(history.last_fault + back_off) + LATE_MAX;
        if commit.at > due {
            let (lasted, allowed) = (lasted.as_secs_f64(), allowed.as_secs_f64());
            broken.push(Breach::at(
                commit.at,
                format!("{job} was given {allowed:.3} s and ended after {lasted:.3} s"),
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Committed;
    use crate::invariants::sample::{good, job};
    use qrtx::job::state::State;

    fn ended(event: &'static str, state: State, after: impl Fn(Duration) -> Duration) -> usize {
        let mut history = good();
        let allowed = {
            let stored = &history.stored[&job()].job;
            stored.spec.expires_at.since(stored.created_at)
        };
        history
            .committed
            .retain(|commit| !commit.state.is_terminal());
        let at = history.committed[0].at + after(allowed);
        history.committed.push(Committed {
            at,
            confirmed: true,
            job: job(),
            seq: 9,
            events: vec![event],
            state,
        });
        check(&history).len()
    }

    #[test]
    fn a_deadline_that_passes_early_is_refused() {
        let passed =
            |after: fn(Duration) -> Duration| ended("DeadlinePassed", State::Timeout, after);
        assert_eq!(passed(|allowed| allowed), 0);
        assert_eq!(passed(|allowed| allowed / 2), 1);
    }

    #[test]
    fn a_job_that_outlives_its_deadline_is_refused() {
        let stored = |after: fn(Duration) -> Duration| ended("Stored", State::Completed, after);
        assert_eq!(stored(|allowed| allowed / 2), 0);
        assert_eq!(stored(|allowed| allowed + Duration::from_secs(60)), 1);
    }
}
