//! A new process goes on where the last one stopped: every job that has a duty goes into the
//! table, and is looked at like any other. There is no second road. A job that cannot be read is
//! ended with what is left of it, and holds up nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join;

use crate::ids::{Epoch, JobId, Sha256Sum};
use crate::job::Job;
use crate::job::head::Head;
use crate::job::salvage::{Remains, remains};
use crate::job::spec::{JobSpec, Owner, ProgramFormat};
use crate::job::state::State;
use crate::job::trace::TraceContext;
use crate::kernel::Kernel;
use crate::kernel::table::Times;
use crate::planted::{Bug, planted};
use crate::ports::store::{AppendError, JobStore, Salvage, StoreError, Unfinished};
use crate::ports::{Clock as _, Env};
use crate::time::{Monotonic, Timestamp};

/// Jobs that are read from the store at a time.
const PAGE: usize = 4096;

impl<E: Env> Kernel<E> {
    /// Takes over all jobs first and looks at them then: what one of them holds must be known
    /// before another is given anything. While one page is taken over, the next is read.
    pub(super) async fn recover(&self) -> Result<(), StoreError> {
        let mut jobs = Vec::new();
        let now = (self.env.clock().monotonic(), self.env.clock().now());
        let store = self.env.store();
        let mut page = store.unfinished(0, PAGE).await?;
        while let Some(last) = page.last() {
            let rest = store.unfinished(last.submission, PAGE);
            let (rest, taken) = join(rest, self.take_over(page, &mut jobs, now)).await;
            taken?;
            page = rest?;
        }
        if !jobs.is_empty() {
            tracing::info!(jobs = jobs.len(), "jobs of the last run are taken over");
        }
        self.wake(jobs);
        Ok(())
    }

    async fn take_over(
        &self,
        page: Vec<Unfinished>,
        jobs: &mut Vec<JobId>,
        now: (Monotonic, Timestamp),
    ) -> Result<(), StoreError> {
        for unfinished in page {
            let (head, at_hand) = match unfinished.head {
                Ok(head) => (head, None),
                Err(reason) => match self.quarantine(unfinished.id, &reason).await? {
                    Some(job) => (Head::of(&job), Some(Arc::new(job))),
                    None => continue,
                },
            };
            if head.duty.is_some() && !forgotten(&head) {
                jobs.push(head.id);
                self.take_in(head, at_hand, now);
            }
        }
        Ok(())
    }

    /// Writes down what is left of a job whose record cannot be read.
    pub(super) async fn quarantine(
        &self,
        id: JobId,
        reason: &str,
    ) -> Result<Option<Job>, StoreError> {
        let now = self.env.clock().now();
        match mend(self.env.store(), self.epoch, id, now).await {
            Ok(None) => Ok(None),
            Ok(Some(Mended { job, lost: None })) => {
                tracing::warn!(job_id = %id, reason, "the job was made again from what is whole");
                Ok(Some(job))
            }
            Ok(Some(Mended {
                job,
                lost: Some(lost),
            })) => {
                tracing::error!(
                    event = "quarantined", job_id = %id, reason, lost, state = job.state.name(),
                    "the record of a job cannot be read; what could not be is kept aside"
                );
                Ok(Some(job))
            }
            Err(why @ (AppendError::Full(_) | AppendError::Unavailable(_))) => Err(why.into()),
            Err(why) => {
                self.stop(&format!("{id} cannot be set aside: {why}"));
                Ok(None)
            }
        }
    }

    /// Puts a job into the table as its record says. Wall times become times on the monotonic
    /// clock here, and only here; `now` is the same moment on both. Does nothing if it is there.
    pub(super) fn take_in(
        &self,
        job: Head,
        at_hand: Option<Arc<Job>>,
        (now, wall): (Monotonic, Timestamp),
    ) {
        // A clock that went back is behind what is stored, and would prolong every wait.
        let wall = wall.max(job.updated_at);
        let entered = now - wall.since(job.state_since);
        let left = job.expires_at.since(wall);
        let forgotten = planted(Bug::RecoveryForgetsDeadlines) && job.seq > 1;
        let deadline = now + if forgotten { left * 1000 } else { left };
        let (id, not_before) = (job.id, job.not_before);
        self.with_table(|table| {
            if table.jobs.contains_key(&id) {
                return;
            }
            let times = Times { entered, deadline };
            table.insert(job, at_hand, now, times);
            if let Some(not_before) = not_before
                && !planted(Bug::RecoveryForgetsBackOffs)
            {
                table.pause(id, now + not_before.since(wall));
            }
        });
    }
}

/// What a mistake that can be planted does not take over.
fn forgotten(job: &Head) -> bool {
    let executing = job.state == State::Executing && planted(Bug::RecoveryForgetsExecuting);
    let ended = job.state.is_terminal() && planted(Bug::RecoveryForgetsEnded);
    executing || ended
}

/// A job that was written anew.
#[derive(Debug)]
pub struct Mended {
    /// The job now.
    pub job: Job,
    /// What of it is lost; `None` if its head, its name, a checkpoint, or events before a whole one
    /// alone were.
    pub lost: Option<String>,
}

/// Makes a job again from what can still be read of its history, and writes that in place of its
/// record, of which the rest is kept aside; `None` if there is no such job.
///
/// # Errors
/// Those of [`JobStore::replace`]; [`AppendError::Unavailable`] if the store cannot be read.
pub async fn mend<S: JobStore>(
    store: &S,
    epoch: Epoch,
    id: JobId,
    now: Timestamp,
) -> Result<Option<Mended>, AppendError> {
    let salvage = store.salvage(id).await;
    let Some(salvage) = salvage.map_err(|why| AppendError::Unavailable(why.to_string()))? else {
        return Ok(None);
    };
    let Salvage {
        submission,
        head,
        events,
        broken,
        whole,
    } = salvage;
    if let Some(job) = whole {
        // Its history stays as it is: what a hole in it said is in the checkpoint after it.
        store.replace(epoch, job.clone(), Vec::new()).await?;
        return Ok(Some(Mended { job, lost: None }));
    }
    let unknown = || match head {
        Some(head) => (head.created_at, spec_of(head)),
        None => (now, unknown_spec(now)),
    };
    let Remains { job, events, lost } = remains(id, events, broken, unknown, now);
    store.replace(epoch, job.clone(), events).await?;
    let job = Job { submission, ..job };
    Ok(Some(Mended { job, lost }))
}

/// What a job was to do, as far as its head tells. Its key is kept with the head, aside.
fn spec_of(head: Head) -> JobSpec {
    JobSpec {
        name: head.name,
        target: head.want.target,
        reservation: head.reservation,
        priority: head.priority,
        shots: head.shots,
        owner: Owner {
            tenant: head.tenant,
            project: head.project,
            subject: String::new(),
        },
        trace: TraceContext::new(head.trace_id),
        ..unknown_spec(head.expires_at)
    }
}

/// What stands where nothing is known any more of what a job was to do: it asks for nothing.
fn unknown_spec(expires_at: Timestamp) -> JobSpec {
    JobSpec {
        name: "a job whose record is lost".to_owned(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(&[]),
        program_bytes: 0,
        target: "unknown".parse().expect("a plain word is a target"),
        reservation: None,
        priority: 0,
        shots: 1,
        seed: None,
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::new(),
        expires_at,
        owner: Owner {
            tenant: String::new(),
            project: String::new(),
            subject: String::new(),
        },
        idempotency_key: None,
        request_id: String::new(),
        trace: TraceContext::new(1),
    }
}
