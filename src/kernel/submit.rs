//! EnqueueJob: an acknowledged job is in the store, and a repeated request is the same job.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::oneshot;

use crate::ids::{JobId, Sha256Sum};
use crate::job::Job;
use crate::job::event::Event;
use crate::job::head::Head;
use crate::job::key::Key;
use crate::job::request::{Accepted, Circumstances, JobRequest};
use crate::job::shared_spec::SharedSpec;
use crate::job::state::{PublicState, State};
use crate::kernel::{Error, Kernel};
use crate::observe::log;
use crate::planted::{Bug, planted};
use crate::ports::store::{Append, AppendError, JobStore as _, KeyHolder, Submission};
use crate::ports::{Clock as _, Env};
use crate::schedule::admission::{Limit, Refusal};
use crate::time::{Monotonic, Timestamp};

/// A full store is looked at again after this: how fast it drains is not known here.
const ROOM_SOON: Duration = Duration::from_secs(5);

/// An accepted job.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its name.
    pub id: JobId,
    /// Where it is now.
    pub state: State,
    /// The furthest that system-api was shown.
    pub shown: PublicState,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Whether an earlier request with the same key made it.
    pub deduplicated: bool,
}

impl<E: Env> Kernel<E> {
    /// Accepts a job; on return it is in the store.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::KeyConflict`], [`Error::Overloaded`]; with
    /// [`Error::Unavailable`] the job may be there or not, and a repetition with the same key
    /// finds out.
    pub async fn submit(&self, request: JobRequest) -> Result<Submitted, Error> {
        let clock = self.env.clock();
        let accepted_at = clock.monotonic();
        let around = Circumstances {
            now: clock.now(),
            chance: self.env.chance_u128(),
        };
        let Accepted {
            spec,
            program,
            fingerprint,
        } = request.accept(around).map_err(Error::Invalid)?;
        let spec = SharedSpec::from(spec);
        let key = match &spec.idempotency_key {
            Some(key) if planted(Bug::KeysOfAllTenants) => {
                Some(Key::new("", &spec.owner.project, key))
            }
            _ => spec.key(),
        };
        if planted(Bug::RepetitionIsRefused) {
            self.has_room(&spec.owner.tenant)?;
        }
        // Before admission: the repetition of an acknowledged request succeeds under overload.
        if let Some(key) = &key
            && let Some(holder) = self.env.store().key_holder(key).await?
        {
            return self.same_job(holder, fingerprint).await;
        }
        if let Some(id) = spec.reservation {
            let register = &self.table().reservations;
            let admits = register.admits(id, &spec.owner.tenant, &spec.target);
            admits.map_err(|why| Error::NotReserved { id, why })?;
        }
        self.admit(&spec.owner.tenant)?;

        let mut chance = [0; 10];
        self.env.fill(&mut chance);
        let id = JobId::new(around.now.unix_ms(), chance);
        let job = Job::submitted(id, spec.clone(), around.now);
        let events = vec![job.recorded(Event::Submitted { spec })];
        let submission = Some(Submission {
            program,
            key: key.filter(|_| !planted(Bug::KeyForgotten)),
            fingerprint,
        });
        match self
            .store_and_start(
                Append {
                    job: Arc::new(job),
                    events,
                    submission,
                },
                accepted_at,
            )
            .await
        {
            Ok(job) => Ok(Submitted {
                id: job.id,
                state: job.state,
                shown: job.shown,
                created_at: job.created_at,
                deduplicated: false,
            }),
            Err(AppendError::KeyTaken(holder)) => self.same_job(holder, fingerprint).await,
            Err(AppendError::Full(why)) => Err(Error::Overloaded {
                what: format!("the job store is full: {why}"),
                limit: None,
                retry_after: ROOM_SOON,
            }),
            Err(why @ AppendError::Unavailable(_)) => Err(Error::Unavailable(format!(
                "{why}; repeat the request with the same idempotency key"
            ))),
            Err(AppendError::Fenced(_) | AppendError::OutOfOrder { .. }) => Err(
                Error::Unavailable("this kernel has stopped; ask the one in its place".into()),
            ),
        }
    }

    /// Only as a planted mistake.
    fn has_room(&self, tenant: &str) -> Result<(), Error> {
        let now = self.env.clock().monotonic();
        let room = self.table().admission.room(tenant, now);
        room.map_err(|refusal| refused(tenant, &refusal))
    }

    /// A place for one job more; the task that stores the job gives it back.
    fn admit(&self, tenant: &str) -> Result<(), Error> {
        let now = self.env.clock().monotonic();
        let mut table = self.table();
        match table.admission.room(tenant, now) {
            Err(refusal) if !planted(Bug::AdmitsAll) => Err(refused(tenant, &refusal)),
            _ => {
                table.admission.came(tenant, now);
                Ok(())
            }
        }
    }

    async fn same_job(&self, holder: KeyHolder, wanted: Sha256Sum) -> Result<Submitted, Error> {
        if holder.fingerprint != wanted && !planted(Bug::KeyOfAnotherRequest) {
            return Err(Error::KeyConflict(holder.job));
        }
        let job = self.head(holder.job).await?;
        Ok(Submitted {
            id: job.id,
            state: job.state,
            shown: job.shown,
            created_at: job.created_at,
            deduplicated: !planted(Bug::RepetitionNotTold),
        })
    }

    /// In a task of its own, if the store does not take the job at once: a caller that gives up
    /// must not leave a job in the store that nobody drives.
    async fn store_and_start(
        &self,
        append: Append,
        accepted_at: Monotonic,
    ) -> Result<Arc<Job>, AppendError> {
        let gone = || AppendError::Unavailable("the kernel is stopping".to_owned());
        let kernel = self.me.upgrade().ok_or_else(gone)?;
        let (tell, told) = oneshot::channel();
        let mut work = Box::pin(async move {
            let id = append.job.id;
            let tenant = append.job.spec.owner.tenant.clone();
            let stored = kernel.store_new(append, accepted_at).await;
            let in_doubt = matches!(stored, Err(AppendError::Unavailable(_)));
            // Also if the caller has given up: nobody else may hear of it.
            if let Err(why @ (AppendError::Fenced(_) | AppendError::OutOfOrder { .. })) = &stored {
                kernel.stop(&why.to_string());
            }
            // Nobody listens when the caller has given up.
            let _ = tell.send(stored);
            if in_doubt {
                kernel.look_for(id, accepted_at).await;
            }
            // If it is in the table it has come there once more.
            kernel.table().admission.withdrew(&tenant);
        });
        if work.as_mut().now_or_never().is_none() {
            self.env.spawn(work);
        }
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The deadline runs from the acceptance on, whatever the wall clock does meanwhile.
    async fn store_new(
        &self,
        append: Append,
        accepted_at: Monotonic,
    ) -> Result<Arc<Job>, AppendError> {
        let (mut job, submitted) = (append.job.clone(), append.events.clone());
        let submission = self.env.store().append(self.epoch, append).await?;
        Arc::make_mut(&mut job).submission = submission;
        submitted.iter().for_each(|event| log::event(&job, event));
        let accepted = (accepted_at, job.created_at);
        self.take_in(Head::of(&job), Some(job.clone()), accepted);
        self.wake([job.id]);
        Ok(job)
    }

    /// Whether a job whose append failed is in the store is told by the store alone: if it is,
    /// it is driven like any other.
    async fn look_for(&self, id: JobId, accepted_at: Monotonic) {
        let mut pause = Duration::from_millis(self.limits.backoff_ms_base);
        loop {
            match self.env.store().job(id).await {
                Ok(Some(job)) => {
                    tracing::warn!(job_id = %id, "the store has the job after all");
                    let accepted = (accepted_at, job.created_at);
                    self.take_in(Head::of(&job), Some(Arc::new(job)), accepted);
                    return self.wake([id]);
                }
                Ok(None) => return,
                Err(why) => tracing::warn!(job_id = %id, "{why}"),
            }
            self.env.clock().sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(self.limits.backoff_ms_max));
        }
    }
}

fn refused(tenant: &str, refusal: &Refusal) -> Error {
    let Refusal {
        limit,
        jobs,
        most,
        retry_after,
    } = *refusal;
    let whose = match limit {
        Limit::All => String::new(),
        Limit::Tenant => format!(" of {tenant}"),
    };
    let (jobs, have) = match jobs {
        1 => ("1 job".to_owned(), "has"),
        _ => (format!("{jobs} jobs"), "have"),
    };
    Error::Overloaded {
        what: format!(
            "{jobs}{whose} {have} not ended, and {most} may be there at a time ({})",
            limit.name()
        ),
        limit: Some(limit.name()),
        retry_after,
    }
}
