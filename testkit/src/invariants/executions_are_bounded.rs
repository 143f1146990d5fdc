//! An execution is over when its time is, for better or worse (D19): nobody waits longer for a
//! device that does not answer, and its slot is given back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;

/// The last questions to a driver take as long as two calls may, and as long again if the last of them
/// is lost; then something is stored.
const MORE: Duration = Duration::from_secs(25);

/// Says which execution went on.
pub fn check(history: &History) -> Vec<Breach> {
    let bound = Duration::from_millis(history.limits.execute_ms) + MORE;
    let mut open: BTreeMap<_, Duration> = BTreeMap::new();
    let mut broken = Vec::new();
    for commit in &history.committed {
        let has = |name| commit.events.contains(&name);
        let over = ["Executed", "Retried", "Failed", "Settled"]
            .into_iter()
            .any(has);
        if has("Intended") {
            open.insert(commit.job, commit.at);
        } else if over && let Some(since) = open.remove(&commit.job) {
            broken.extend(too_long(history, commit.job, (since, commit.at), bound));
        }
    }
    // What ended in a cancel or at a deadline is settled, or it still goes on.
    for (job, since) in open {
        let still = history
            .stored
            .get(&job)
            .is_some_and(|stored| stored.job.open_run().is_some());
        if still {
            broken.extend(too_long(history, job, (since, history.ended), bound));
        }
    }
    broken
}

fn too_long(
    history: &History,
    job: qrtx::ids::JobId,
    (since, until): (Duration, Duration),
    bound: Duration,
) -> Option<Breach> {
    let due = since + bound;
    // A kernel that begins anew gives what it finds its whole time, and one that stands still
    // gives up nothing.
    let broke_off = history
        .broke_off
        .iter()
        .any(|at| *at + bound >= since && *at <= until);
    (until > due && !broke_off && !history.was_troubled(since, until)).then(|| {
        let (from, until) = (since.as_secs_f64(), until.as_secs_f64());
        let how = format!("the execution of {job} went on from {from:.3} s to {until:.3} s");
        Breach::at(due, how)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, secs};

    #[test]
    fn an_execution_without_an_end_is_refused() {
        let mut history = good();
        assert_eq!(check(&history), [""; 0]);
        let executed = history
            .committed
            .iter_mut()
            .find(|commit| commit.events == ["Executed"]);
        executed.unwrap().at = secs(1_000);
        assert_eq!(check(&history).len(), 1);
        history.troubles = vec![(secs(7), secs(8))];
        assert_eq!(
            check(&history),
            [""; 0],
            "a store that is away may be the reason"
        );
    }
}
