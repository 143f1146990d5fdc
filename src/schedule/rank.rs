//! The order in which waiting jobs get their turn (D9).

use std::cmp::Reverse;

use crate::job::Job;
use crate::planted::{Bug, planted};
use crate::time::Timestamp;

/// Higher priority first, then the earlier deadline, then the earlier submission. Less is more
/// urgent, and no two jobs are equal, because no two submissions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    priority: Reverse<u8>,
    expires_at: Timestamp,
    submission: u64,
}

impl Rank {
    /// A place in the order.
    pub fn new(priority: u8, expires_at: Timestamp, submission: u64) -> Self {
        Self {
            priority: Reverse(priority),
            expires_at,
            submission,
        }
    }

    /// The place of `job`.
    pub fn of(job: &Job) -> Self {
        let priority = match planted(Bug::UrgentGoLast) {
            true => 100 - job.spec.priority,
            false => job.spec.priority,
        };
        Self::new(priority, job.spec.expires_at, job.submission)
    }
}
