//! A deadline passes neither early nor late, whatever wall clocks do (D19, D22), and results are not
//! held back for longer than the bound on storing them. Only a kernel that starts anew has nothing but
//! the wall clock to go by, so a run in which that was moved and a kernel was restarted is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::job::state::State;

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
    let mut broken = held_back(history);
    let mut accepted = BTreeMap::new();
    let mut ended = BTreeMap::new();
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
        // While a kernel cannot do it, it may take longer, and then until somebody tries again.
        let back_off = Duration::from_millis(history.limits.backoff_ms_max);
        let due = begun + allowed;
        let due = match history.kernel_was_troubled(due.saturating_sub(back_off), commit.at) {
            true => due.max(history.last_fault + back_off),
            false => due,
        } + LATE_MAX;
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

/// Says whose results could not be stored for longer than that is tried.
fn held_back(history: &History) -> Vec<Breach> {
    let limits = &history.limits;
    // The last try may begin at the bound.
    let longest = limits.persist_ms + limits.artifact_ms + limits.backoff_ms_max;
    let longest = Duration::from_millis(longest) + LATE_MAX;
    let mut since = BTreeMap::new();
    let mut broken = Vec::new();
    for commit in &history.committed {
        let (job, at) = (commit.job, commit.at);
        if commit.state == State::Completing {
            since.entry(job).or_insert(at);
        } else if let Some(from) = since.remove(&job)
            && at - from > longest
            && !history.kernel_was_troubled(from, at)
        {
            let lasted = (at - from).as_secs_f64();
            let how = format!("{job} had its counts for {lasted:.3} s before it ended");
            broken.push(Breach::at(at, how));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Committed;
    use crate::invariants::sample::{good, job, secs};

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
    fn what_a_kernel_needs_excuses_lateness_and_files_do_not() {
        let mut history = good();
        let stored = &history.stored[&job()].job;
        let allowed = stored.spec.expires_at.since(stored.created_at);
        let last = history.committed.last_mut().unwrap();
        last.at = allowed + secs(60);
        history.last_fault = allowed + secs(58);
        history.troubles = vec![(Duration::ZERO, allowed + secs(58))];
        assert_eq!(check(&history).len(), 1);
        history.kernel_troubles = history.troubles.clone();
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn results_that_are_held_back_for_longer_than_the_bound_are_refused() {
        let mut history = good();
        history.limits.persist_ms = 1_000;
        history.limits.artifact_ms = 1_000;
        history.limits.backoff_ms_max = 1_000;
        assert_eq!(check(&history), [""; 0]);
        history.committed.last_mut().unwrap().at += secs(20);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_job_that_outlives_its_deadline_is_refused() {
        let stored = |after: fn(Duration) -> Duration| ended("Stored", State::Completed, after);
        assert_eq!(stored(|allowed| allowed / 2), 0);
        assert_eq!(stored(|allowed| allowed + Duration::from_secs(60)), 1);
    }
}
