//! The order in which the waiting jobs of one tenant get their turn (D9).

use std::time::Duration;

use crate::job::head::Head;
use crate::planted::{Bug, planted};
use crate::time::Timestamp;

/// Priority with age first, then the earlier deadline, then the earlier submission. Less is more
/// urgent, and no two jobs are equal, because no two submissions are.
///
/// Each step of waiting is worth one point of priority. As all jobs age alike, their order never
/// changes, so age costs nothing. It bounds how long the urgent can keep a job waiting: a job of
/// priority p is behind none that was accepted more than 101 - p steps after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The step in which the job was accepted, less its priority.
    level: i64,
    expires_at: Timestamp,
    submission: u64,
}

/// Why one job comes before another of the same tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// It is more urgent, counting how long it has waited.
    PriorityAndAge,
    /// Its deadline is earlier.
    Deadline,
    /// It was submitted earlier.
    Submission,
}

impl Rank {
    /// A place in the order; `step` is at least a microsecond.
    pub fn new(
        priority: u8,
        accepted: Timestamp,
        step: Duration,
        expires_at: Timestamp,
        submission: u64,
    ) -> Self {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        Self {
            level: accepted.0.div_euclid(step) - i64::from(priority),
            expires_at,
            submission,
        }
    }

    /// The place of a job.
    pub fn of(job: &Head, step: Duration) -> Self {
        let priority = match planted(Bug::UrgentGoLast) {
            true => 100 - job.priority,
            false => job.priority,
        };
        let accepted = match planted(Bug::AgeCountsNothing) {
            true => Timestamp(0),
            false => job.created_at,
        };
        let expires_at = match planted(Bug::LateDeadlineGoesFirst) {
            true => Timestamp(-job.expires_at.0),
            false => job.expires_at,
        };
        Self::new(priority, accepted, step, expires_at, job.submission)
    }

    /// Why this comes before `other`.
    pub fn precedence_over(&self, other: &Self) -> Precedence {
        if self.level != other.level {
            Precedence::PriorityAndAge
        } else if self.expires_at != other.expires_at {
            Precedence::Deadline
        } else {
            Precedence::Submission
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_secs(60);

    fn rank(priority: u8, seconds: i64, expires_at: i64, submission: u64) -> Rank {
        let accepted = Timestamp(seconds * 1_000_000);
        Rank::new(priority, accepted, STEP, Timestamp(expires_at), submission)
    }

    #[test]
    fn priority_comes_before_deadline_and_deadline_before_submission() {
        let mut ranks = [
            rank(50, 0, 9, 1),
            rank(50, 0, 9, 2),
            rank(50, 0, 8, 3),
            rank(90, 0, 99, 4),
            rank(0, 0, 1, 5),
        ];
        ranks.sort_unstable();
        assert_eq!(ranks.map(|rank| rank.submission), [4, 3, 1, 2, 5]);
        let whys = [0, 1, 2].map(|place| ranks[place].precedence_over(&ranks[place + 1]));
        use Precedence::{Deadline, PriorityAndAge, Submission};
        assert_eq!(whys, [PriorityAndAge, Deadline, Submission]);
    }

    #[test]
    fn a_minute_of_waiting_is_worth_a_point() {
        assert!(rank(50, 0, 0, 1) < rank(51, 61, 0, 2));
        assert!(rank(50, 0, 0, 1) > rank(52, 61, 0, 2));
    }

    proptest! {
        #[test]
        fn no_job_is_behind_one_that_came_101_less_its_priority_steps_later(
            priority in 0u8..=100,
            other in 0u8..=100,
            accepted in -10_000i64..10_000,
            more in 0i64..1_000,
            deadlines in any::<(i64, i64)>(),
        ) {
            let later = accepted + 60 * (101 - i64::from(priority)) + more;
            let patient = rank(priority, accepted, deadlines.0, 1);
            prop_assert!(patient < rank(other, later, deadlines.1, 2));
        }
    }
}
