//! What a setback means for a job: another try, a pause, or the end. Pure: the circumstances
//! come in, the decision goes out and is recorded.

use std::time::Duration;

use crate::job::Job;
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::job::state::State;
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::retry::{Policy, Verdict, decide};
use crate::stages::{Later, Setback};
use crate::time::Timestamp;

/// What is decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judgement {
    /// This happened.
    Record(Event),
    /// Nothing worth a record: try again after this span. Only after a job's end.
    Pause(Duration),
}

/// The circumstances of a setback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    /// The wall time.
    pub now: Timestamp,
    /// How long the job has been in its state.
    pub elapsed: Duration,
    /// How long until its deadline.
    pub until_deadline: Duration,
    /// See [`decide`].
    pub jitter: u32,
}

/// Judges over a setback of `job`.
pub(super) fn judge(job: &Job, setback: Setback, limits: &Limits, stay: Stay) -> Judgement {
    let later = match setback {
        Setback::Never(failure, settlement) if !job.state.is_terminal() => {
            return Judgement::Record(Event::Failed {
                failure,
                settlement,
            });
        }
        Setback::Never(..) => return Judgement::Record(Event::Reported { written: false }),
        Setback::CircuitLost(cause) => return compile_again(job, cause, limits, stay),
        Setback::Later(later) => *later,
    };
    let (tries, tries_max, bound) = patience(job, &later, limits, stay.elapsed);
    let policy = policy(limits, tries_max);
    let left = bound.saturating_sub(stay.elapsed);
    let wish = later.retry_after;
    let wish = wish.filter(|_| !planted(Bug::WishOfBusyIgnored));
    match decide(policy, tries, stay.jitter, wish, left) {
        Verdict::Again(_) if job.state.is_terminal() && planted(Bug::ReportGivenUpAtOnce) => {
            Judgement::Record(Event::Reported { written: false })
        }
        Verdict::Again(pause) if job.state.is_terminal() => Judgement::Pause(pause),
        // The deadline ends the job when it comes; until then the back-off stands.
        Verdict::Again(pause) => Judgement::Record(Event::Retried {
            not_before: stay.now + pause.min(stay.until_deadline),
            cause: later.cause,
            settlement: later.settlement,
            of_store: later.category == Category::PersistError,
        }),
        Verdict::TriesSpent | Verdict::TimeSpent if job.state.is_terminal() => {
            Judgement::Record(Event::Reported { written: false })
        }
        Verdict::TriesSpent => end(later, &format!("given up after {tries} tries")),
        Verdict::TimeSpent => {
            let seconds = bound.as_secs_f64();
            end(
                later,
                &format!(
                    "given up, because {} may take {seconds} s",
                    job.state.name()
                ),
            )
        }
    }
}

/// The store has the program, so nothing is lost but time; but whoever loses one circuit may lose
/// the next, and the compiler is not asked for all of them at once.
fn compile_again(job: &Job, cause: String, limits: &Limits, stay: Stay) -> Judgement {
    let policy = policy(limits, None);
    let losses = job.circuits_lost + 1;
    let pause = match decide(policy, losses, stay.jitter, None, Duration::MAX) {
        Verdict::Again(pause) => pause,
        Verdict::TriesSpent | Verdict::TimeSpent => policy.backoff_max,
    };
    Judgement::Record(Event::CircuitLost {
        cause,
        not_before: Some(stay.now + pause.min(stay.until_deadline)),
    })
}

fn policy(limits: &Limits, tries_max: Option<u32>) -> Policy {
    Policy {
        tries_max,
        backoff_base: Duration::from_millis(limits.backoff_ms_base),
        backoff_max: Duration::from_millis(limits.backoff_ms_max),
    }
}

/// Tries so far, tries allowed, and the bound on this stay (D18, D19).
fn patience(
    job: &Job,
    later: &Later,
    limits: &Limits,
    elapsed: Duration,
) -> (u32, Option<u32>, Duration) {
    let persist = match planted(Bug::PersistHasNoBound) {
        true => Duration::MAX,
        false => Duration::from_millis(limits.persist_ms),
    };
    if job.state.is_terminal() {
        // Tries after the end are counted nowhere: the time that has passed tells how many.
        let base = u128::from(limits.backoff_ms_base.max(1));
        let doublings = (elapsed.as_millis() / base + 1).ilog2();
        return (doublings + 1, None, persist);
    }
    if later.category == Category::PersistError && !planted(Bug::StoreSpendsTries) {
        return (job.store_tries + 1, None, persist);
    }
    // What was waited for elsewhere is no try of this neighbour.
    let tries = match planted(Bug::StoreSpendsTries) {
        true => job.tries + 1,
        false => job.tries.saturating_sub(job.store_tries) + 1,
    };
    match job.state {
        State::Validating => (
            tries,
            Some(limits.compile_tries),
            Duration::from_millis(limits.validate_ms),
        ),
        State::Compiling if planted(Bug::RetriesForever) => (tries, None, Duration::MAX),
        State::Compiling => (tries, Some(limits.compile_tries), Duration::MAX),
        State::Executing => (job.attempt(), Some(limits.execute_attempts), Duration::MAX),
        // A known device that is away is waited for until the deadline.
        _ => (tries, None, Duration::MAX),
    }
}

fn end(later: Later, why: &str) -> Judgement {
    let summary = format!("{} ({why})", later.cause);
    let category = match planted(Bug::DeviceIsBlamed) {
        true => Category::ExecuteError,
        false => later.category,
    };
    let failure = Failure::new(category, summary);
    Judgement::Record(Event::Failed {
        failure,
        settlement: later.settlement,
    })
}

#[cfg(test)]
mod tests;
