//! Whoever cancels is told what that achieved, and soon (D15): the device is waited for, but not
//! for long.

use std::time::Duration;

use qrtx::job::state::State;
use qrtx::limits::CANCEL_WAIT;

use super::Breach;
use crate::history::{Cancel, History};

/// What an answer takes beside the wait for the device, when all is well.
const SOON: Duration = Duration::from_secs(2);

/// Says which cancel had no answer, or had to wait for it.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for cancel in &history.cancels {
        let (client, job) = (&cancel.client, cancel.job);
        let due = cancel.asked + CANCEL_WAIT + SOON;
        let Some(answered) = cancel.answered else {
            let how = format!("the cancel of {job} by {client} was never answered");
            broken.push(Breach::at(due, how));
            continue;
        };
        if answered > due && !is_excused(history, cancel, due) {
            let (asked, at) = (cancel.asked.as_secs_f64(), answered.as_secs_f64());
            let how = format!("the cancel of {job} at {asked:.3} s was answered at {at:.3} s");
            broken.push(Breach::at(due, how));
        }
    }
    broken
}

/// Whether somebody was in trouble on whom the answer depends. What a device has counted is kept before a
/// cancel is looked at; nobody else waits for files.
fn is_excused(history: &History, cancel: &Cancel, due: Duration) -> bool {
    let commits = history.committed.iter();
    let mut before = commits.filter(|commit| commit.job == cancel.job && commit.at <= cancel.asked);
    match before.next_back().map(|last| last.state) {
        Some(State::Executing) => history.was_troubled(cancel.asked, due),
        _ => history.kernel_was_troubled(cancel.asked, due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job, secs};

    #[test]
    fn a_cancel_that_waits_is_refused_but_for_a_reason() {
        let mut history = good();
        let cancel = |answered| Cancel {
            client: "client-0".to_owned(),
            job: job(),
            reason: String::new(),
            asked: secs(1),
            answered,
        };
        history.cancels = vec![cancel(Some(secs(3)))];
        assert_eq!(check(&history), [""; 0]);
        history.cancels = vec![cancel(None), cancel(Some(secs(9)))];
        assert_eq!(check(&history).len(), 2);
        history.kernel_troubles = vec![(secs(2), secs(3))];
        assert_eq!(check(&history).len(), 1, "an answer comes in the end");
    }
}
