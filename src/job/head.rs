//! The head of a job: all that is shown of it in a status or a list, and all that a starting kernel
//! must know before anybody is at it again; little enough to be read for a million jobs. Every
//! commit writes it anew, where the events stay as they were written.

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::job::failure::JobError;
use crate::job::key::Key;
use crate::job::state::{Phase, PublicState, State};
use crate::job::{Duty, Job, Receipt};
use crate::schedule::fit::Want;
use crate::time::Timestamp;

/// What a job is, waits for, holds and owes, without the job itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
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
    /// What is known of the execution, only in Executing.
    pub phase: Option<Phase>,
    /// The furthest that system-api was shown.
    pub shown: PublicState,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the last event was recorded.
    pub updated_at: Timestamp,
    /// When it ends as Timeout at the latest.
    pub expires_at: Timestamp,
    /// The end of the present back-off.
    pub not_before: Option<Timestamp>,
    /// For people.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// The project.
    pub project: String,
    /// The client's key, in its scope.
    pub key: Option<Key>,
    /// The trace it belongs to.
    pub trace_id: u128,
    /// 0 to 100, higher is more urgent.
    pub priority: u8,
    /// How often the circuit shall run.
    pub shots: u32,
    /// What it asks of a device, as far as it is known by then.
    pub want: Want,
    /// The reservation that it names.
    pub reservation: Option<ReservationId>,
    /// The device that was picked.
    pub device: Option<DeviceId>,
    /// See [`Job::holds`].
    pub holds: Option<DeviceId>,
    /// See [`Job::attempt`].
    pub attempt: u32,
    /// Tries that did not work since it last made progress.
    pub tries: u32,
    /// Why the last try did not work.
    pub setback: Option<String>,
    /// Why it is not known whether the device ran it.
    pub doubt: Option<String>,
    /// See [`Job::duty`].
    pub duty: Option<Duty>,
    /// See [`Job::counts_in_hand`].
    pub counts_in_hand: bool,
    /// What the first cancel was told.
    pub receipt: Option<Receipt>,
    /// See [`Job::error`].
    pub error: Option<JobError>,
}

impl Head {
    /// Whether both tell the same facts: a later build may put an error into other words.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let code = |head: &Self| head.error.as_ref().map(|error| error.code.clone());
        let wordless = |head: &Self| Self {
            error: None,
            ..head.clone()
        };
        code(self) == code(other) && wordless(self) == wordless(other)
    }

    /// The head of `job`.
    pub fn of(job: &Job) -> Self {
        let spec = &job.spec;
        Self {
            id: job.id,
            submission: job.submission,
            seq: job.seq,
            state: job.state,
            state_since: job.state_since,
            phase: job.phase,
            shown: job.shown,
            created_at: job.created_at,
            updated_at: job.updated_at,
            expires_at: spec.expires_at,
            not_before: job.not_before,
            name: spec.name.clone(),
            tenant: spec.owner.tenant.clone(),
            project: spec.owner.project.clone(),
            key: spec.key(),
            trace_id: spec.trace.trace_id,
            priority: spec.priority,
            shots: spec.shots,
            want: job.want(),
            reservation: spec.reservation,
            device: job.device.clone(),
            holds: job.holds().cloned(),
            attempt: job.attempt(),
            tries: job.tries,
            setback: job.setback.clone(),
            doubt: job.doubt.as_ref().map(|doubt| doubt.cause.clone()),
            duty: job.duty(),
            counts_in_hand: job.counts_in_hand(),
            receipt: job.receipt,
            error: job.error(),
        }
    }
}
