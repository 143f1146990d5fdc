//! The kernel: jobs come in, are driven to their ends, and can be asked after at any time.
//!
//! `table` holds the jobs and decides whose turn it is; `run` drives one job; `record` is the one
//! gate through which every change goes; `recover` makes a new process go on where the last one
//! stopped, by the same road.

mod cancel;
mod drain;
mod explain;
mod judge;
mod query;
mod record;
mod recover;
mod reserve;
mod retain;
mod run;
mod slot;
mod submit;
mod table;
mod upkeep;
mod waits;
mod watch;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;

use crate::devices::{Book, Patience, Policy};
use crate::ids::{DeviceId, Epoch, JobId, ReservationId};
use crate::job::request::Violation;
use crate::job::state::State;
use crate::kernel::table::{Around, Claim, Table};
use crate::limits::Limits;
use crate::observe::{Metrics, Traces};
use crate::planted::{Bug, planted};
use crate::ports::store::{JobStore as _, ReadError, StoreError};
use crate::ports::{Clock as _, Env};
use crate::store::Artifacts;
use crate::time::Monotonic;

pub use cancel::{Cancelled, Told};
pub use explain::Explanation;
pub use query::{Outlook, Results};
pub use recover::{Mended, mend};
pub use reserve::{Held, Reserved};
pub use submit::Submitted;
pub use waits::{Cause, Queue, Reason, Start, Wait};

/// What an operator decides about a kernel.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bounds.
    pub limits: Limits,
    /// What is decided about devices.
    pub devices: Policy,
    /// Where spans go.
    pub traces: Traces,
}

impl Default for Settings {
    fn default() -> Self {
        let (limits, devices) = (Limits::default(), Policy::default());
        Self {
            limits,
            devices,
            traces: Traces::none(),
        }
    }
}

/// A running kernel.
#[derive(Debug)]
pub struct Kernel<E: Env> {
    env: Arc<E>,
    limits: Limits,
    epoch: Epoch,
    artifacts: Artifacts<E>,
    devices: Book,
    metrics: Metrics,
    traces: Traces,
    started: Monotonic,
    table: Mutex<Table>,
    timers_moved: Notify,
    reservations_moved: Notify,
    stopped: OnceLock<String>,
    stopping: Notify,
    /// The kernel itself, for the tasks that it starts.
    me: std::sync::Weak<Self>,
}

/// The kernel has lost the right to write, or broken a law: nothing goes on.
#[derive(Debug)]
pub(crate) struct Stopped;

/// Why the kernel does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request breaks rules: change it.
    #[error("the request is not valid: {}", say(.0))]
    Invalid(Vec<Violation>),
    /// There is no such job.
    #[error("there is no job {0:?}")]
    NotFound(String),
    /// There is no such device.
    #[error("{message}")]
    UnknownDevice {
        /// The device that was named.
        device: DeviceId,
        /// The same for a person, with those that there are.
        message: String,
    },
    /// The idempotency key stands for another request: use another key.
    #[error("the idempotency key was used for {0} with other content; use another key")]
    KeyConflict(JobId),
    /// The same of a reservation.
    #[error("the idempotency key was used for {0}, which is another one; use another key")]
    ReservationKeyConflict(ReservationId),
    /// There is no such reservation.
    #[error("there is no reservation {0}; `qrtx devices` lists those that go on")]
    UnknownReservation(String),
    /// The job may not use the reservation that it names.
    #[error("{why}")]
    NotReserved {
        /// That reservation.
        id: ReservationId,
        /// Why not, and what to do.
        why: String,
    },
    /// The device takes no jobs: reserve another, or wait.
    #[error("{0}")]
    DeviceNotReady(String),
    /// Too much is waiting: try again later.
    #[error("{what}; try again in {:.1} s", retry_after.as_secs_f64())]
    Overloaded {
        /// What there is too much of.
        what: String,
        /// The limit that is reached, by its name in the settings, if it is one of those.
        limit: Option<&'static str>,
        /// When to try again.
        retry_after: Duration,
    },
    /// The job has not ended: its results come later.
    #[error("the job is {}, its results are not ready", .0.name())]
    NotEnded(State),
    /// Something the kernel needs is away: try again.
    #[error("{0}")]
    Unavailable(String),
    /// What is stored makes no sense.
    #[error("{0}")]
    Corrupt(String),
}

fn say(violations: &[Violation]) -> String {
    let each = violations
        .iter()
        .map(|wrong| format!("{} {}", wrong.field, wrong.reason));
    each.collect::<Vec<_>>().join("; ")
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::Unavailable(error.to_string()),
            ReadError::Corrupt { .. } => Self::Corrupt(error.to_string()),
        }
    }
}

impl<E: Env> Kernel<E> {
    /// Takes the writer's place, takes over every job that has not ended, and starts.
    ///
    /// # Errors
    /// [`StoreError`]: with [`AppendError::Full`](crate::ports::store::AppendError::Full) it can as soon as
    /// there is room.
    pub async fn start(env: E, settings: Settings) -> Result<Arc<Self>, StoreError> {
        let epoch = env.store().claim().await?;
        let started = env.clock().monotonic();
        let env = Arc::new(env);
        let bound = Duration::from_millis(settings.limits.artifact_ms);
        let artifacts = Artifacts::new(env.clone(), bound);
        let kernel = Arc::new_cyclic(|me| Self {
            env,
            epoch,
            artifacts,
            devices: Book::new(settings.devices, Patience::of(&settings.limits)),
            metrics: Metrics::default(),
            traces: settings.traces,
            started,
            table: Mutex::new(Table::new(&settings.limits)),
            timers_moved: Notify::new(),
            reservations_moved: Notify::new(),
            stopped: OnceLock::new(),
            stopping: Notify::new(),
            limits: settings.limits,
            me: me.clone(),
        });
        if !planted(Bug::RecoveryForgetsDraining) {
            kernel.see_draining().await?;
        }
        kernel.see_reservations().await?;
        kernel.recover().await?;
        if planted(Bug::RecoveryWaitsForDevices) {
            kernel.wait_for_devices().await;
        }
        kernel.env.spawn(kernel.clone().ring_alarms());
        kernel.env.spawn(kernel.clone().poll_devices());
        kernel.env.spawn(kernel.clone().retain());
        kernel.env.spawn(kernel.clone().expire_reservations());
        Ok(kernel)
    }

    /// The clock that the kernel lives by.
    pub fn clock(&self) -> &E::Clock {
        self.env.clock()
    }

    /// The kernel's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Which start of a kernel on this store this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Waits until the kernel stops by itself, and says why: it never does while all is well.
    pub async fn stopped(&self) -> String {
        loop {
            let heard = self.stopping.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            if let Some(why) = self.stopped.get() {
                return why.clone();
            }
            heard.await;
        }
    }

    /// Why the kernel has stopped by itself; `None` while all is well.
    pub fn why_stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    fn stop(&self, why: &str) -> Stopped {
        if self.stopped.set(why.to_owned()).is_ok() {
            tracing::error!("the kernel stops: {why}");
        }
        self.stopping.notify_waiters();
        Stopped
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(|broken| {
            self.stop("a decision of the job table panicked; the log has the reason");
            broken.into_inner()
        })
    }

    /// Changes the table, and starts whatever has room now.
    fn with_table<R>(&self, change: impl FnOnce(&mut Table) -> R) -> R {
        let mut table = self.table();
        let alarm = table.timers.next();
        let changed = change(&mut table);
        let woken = table.pump(self.env.clock().monotonic());
        self.metrics
            .set_jobs(table.scheduler.waiting(), table.admission.jobs());
        let kept = std::mem::take(&mut table.kept);
        let alarm_moved = table.timers.next() != alarm;
        drop(table);
        if alarm_moved {
            self.timers_moved.notify_one();
        }
        kept.iter().for_each(|kept| self.metrics.waited(kept));
        woken.into_iter().for_each(|claim| self.launch(claim));
        changed
    }

    /// Looks at jobs again, because something changed for them.
    fn wake(&self, jobs: impl IntoIterator<Item = JobId>) {
        let around = self.around(false);
        let due: Vec<_> = self.with_table(|table| {
            let place = |job| table.place(job, &self.devices, around);
            jobs.into_iter().filter_map(place).collect()
        });
        due.into_iter().for_each(|claim| self.launch(claim));
    }

    /// Starts the loop of a job. A loop that panics has broken a law of ours: nobody can say what
    /// holds any more, so the kernel stops, and the next one goes on from what is stored.
    fn launch(&self, claim: Claim) {
        let Some(kernel) = self.me.upgrade() else {
            return;
        };
        let id = claim.id;
        self.env.spawn(async move {
            let run = AssertUnwindSafe(kernel.clone().run_job(claim)).catch_unwind();
            if run.await.is_err() {
                kernel.stop(&format!(
                    "the loop of {id} panicked; the log has the reason"
                ));
            }
        });
    }

    fn around(&self, answered: bool) -> Around {
        let now = self.env.clock().monotonic();
        let patience = Duration::from_millis(self.limits.first_contact_ms);
        Around {
            now,
            first_contact_over: now.since(self.started) >= patience,
            answered,
        }
    }
}
