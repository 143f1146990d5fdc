//! A job in brief: all that a starting kernel must know of it before anybody is at it again, and
//! little enough to be read for a million of them.

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::job::state::State;
use crate::job::{Duty, Job, Receipt};
use crate::schedule::fit::Want;
use crate::time::Timestamp;

/// What a job waits for, holds and owes, without the job itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its name.
    pub id: JobId,
    /// Its place in the order of all submissions.
    pub submission: u64,
    /// The number of the last event.
    pub seq: u64,
    /// Where it is.
    pub state: State,
    /// When it came there.
    pub state_since: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the last event was recorded.
    pub updated_at: Timestamp,
    /// When it ends as Timeout at the latest.
    pub expires_at: Timestamp,
    /// The end of the present back-off.
    pub not_before: Option<Timestamp>,
    /// 0 to 100, higher is more urgent.
    pub priority: u8,
    /// What it asks for, as far as it is known by then.
    pub want: Want,
    /// Whose it is.
    pub tenant: String,
    /// The reservation that it names.
    pub reservation: Option<ReservationId>,
    /// See [`Job::duty`].
    pub duty: Option<Duty>,
    /// See [`Job::holds`].
    pub holds: Option<DeviceId>,
    /// See [`Job::counts_in_hand`].
    pub counts_in_hand: bool,
    /// What the first cancel was told.
    pub receipt: Option<Receipt>,
}

impl Brief {
    /// What is to be told of `job`.
    pub fn of(job: &Job) -> Self {
        let spec = &job.spec;
        Self {
            id: job.id,
            submission: job.submission,
            seq: job.seq,
            state: job.state,
            state_since: job.state_since,
            created_at: job.created_at,
            updated_at: job.updated_at,
            expires_at: spec.expires_at,
            not_before: job.not_before,
            priority: spec.priority,
            want: job.want(),
            tenant: spec.owner.tenant.clone(),
            reservation: spec.reservation,
            duty: job.duty(),
            holds: job.holds().cloned(),
            counts_in_hand: job.counts_in_hand(),
            receipt: job.receipt,
        }
    }
}
