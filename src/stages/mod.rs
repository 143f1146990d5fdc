//! The stages: each does the one thing that a job in its state needs, and says what happened.
//! A stage may be dropped at any await and performed again; it never writes a job's record.

mod allocate;
mod compile;
mod complete;
pub mod documents;
mod execute;
mod report;
mod settle;
mod validate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, Fuse};

use crate::ids::{Epoch, Sha256Sum};
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::job::ledger::Settlement;
use crate::job::state::Phase;
use crate::job::{Duty, Job};
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::ports::compiler::{CallContext, CallError};
use crate::ports::devices::{Run, RunError, RunResult};
use crate::ports::store::{JobStore as _, ReadError};
use crate::ports::{Clock as _, Env};
use crate::store::Artifacts;
use crate::store::artifacts::ArtifactError;
use crate::time::Monotonic;
use tokio::sync::oneshot;

/// What a stage may use. It knows the world and the device book, not the kernel.
#[derive(Debug)]
pub struct Context<'a, E: Env> {
    /// The world.
    pub env: &'a Arc<E>,
    /// The bounds.
    pub limits: &'a Limits,
    /// This kernel's place as the store's writer.
    pub epoch: Epoch,
    /// QFS.
    pub artifacts: &'a Artifacts<E>,
    /// What is known of the devices.
    pub devices: &'a crate::devices::Book,
    /// Why the job may not use the reservation that it names any more, if it names one.
    pub reservation_over: Option<String>,
    /// When this stay in the state began, on our clock.
    pub entered: Monotonic,
    /// When the open execution began, if there is one, or was taken over from an earlier life.
    pub opened: Monotonic,
}

/// This process's own hand in an execution. Whoever is in Executing without one does not
/// execute: it asks what happened (D14).
#[derive(Debug, Default)]
pub enum Hand {
    /// None: the intent is another process's, or the answer was lost.
    #[default]
    Empty,
    /// The run that may be asked for once its intent is recorded.
    Ready(Box<Run>),
    /// The call is out.
    Out(Call),
    /// The answer is here. From now on a cancel is too late.
    Answered(Box<Result<RunResult, RunError>>),
}

/// A call that is out.
pub struct Call {
    /// Its answer comes here.
    pub answer: oneshot::Receiver<Result<RunResult, RunError>>,
    /// The phases that the device reports meanwhile.
    pub phases: Fuse<BoxStream<'static, Phase>>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// What is left of a call whose task has ended without a word.
pub(crate) fn lost_call() -> RunError {
    let cause = "the call ended without an answer".to_owned();
    RunError::Doubt { cause, over: false }
}

/// Why a stage did not get on.
#[derive(Debug, Clone, PartialEq)]
pub enum Setback {
    /// Another try may work.
    Later(Box<Later>),
    /// Another try would not.
    Never(Failure, Option<Settlement>),
    /// What was stored of the circuit is gone or damaged: it has to be compiled again.
    CircuitLost(String),
}

/// What may work later.
#[derive(Debug, Clone, PartialEq)]
pub struct Later {
    /// Whose fault it is if it never does.
    pub category: Category,
    /// What happened, where, and what to do.
    pub cause: String,
    /// When the neighbour wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What became of the shots, if a device was asked.
    pub settlement: Option<Settlement>,
}

impl Setback {
    /// A call that brought no answer, as a setback of that category.
    pub fn of_call(category: Category, error: CallError) -> Self {
        match error {
            CallError::Unavailable {
                message,
                retry_after,
            } => Self::Later(Box::new(Later {
                category,
                cause: message,
                retry_after,
                settlement: None,
            })),
            CallError::Rejected(message) => Self::Never(Failure::new(category, message), None),
        }
    }

    fn persist(cause: String) -> Self {
        let category = Category::PersistError;
        Self::Later(Box::new(Later {
            category,
            cause,
            retry_after: None,
            settlement: None,
        }))
    }
}

/// Whatever QFS does not take or give is waited for: the store has what it needs.
impl From<ArtifactError> for Setback {
    fn from(error: ArtifactError) -> Self {
        Self::persist(error.to_string())
    }
}

impl From<ReadError> for Setback {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::persist(error.to_string()),
            ReadError::Corrupt { .. } => Self::Never(
                Failure::new(Category::PersistError, error.to_string()),
                None,
            ),
        }
    }
}

impl<E: Env> Context<'_, E> {
    /// What goes along with a call for `job` that may take `bound` at most.
    pub fn call<'j>(&self, job: &'j Job, bound: Duration) -> CallContext<'j> {
        let span = job
            .spec
            .trace
            .stage_span(&job.id.to_string(), job.state_seq);
        CallContext {
            job: job.id,
            spec: &job.spec,
            span,
            deadline: bound,
        }
    }

    /// Why a job is not begun whose reservation is over, with what became of its shots.
    fn without_reservation(&self, settlement: Option<Settlement>) -> Option<Setback> {
        let why = self.reservation_over.clone()?;
        let failure = Failure::new(Category::AllocationError, why);
        Some(Setback::Never(failure, settlement))
    }

    /// What is left of a bound on this stay, given in ms.
    pub fn left(&self, bound_ms: u64) -> Duration {
        self.left_since(self.entered, bound_ms)
    }

    /// What is left of the bound on the open execution.
    pub fn execution_left(&self) -> Duration {
        self.left_since(self.opened, self.limits.execute_ms)
    }

    /// How long a driver is asked at least what became of an execution: a question may be lost, and
    /// what is given up while it runs is paid for unnoticed.
    pub fn last_word_ms(&self) -> u64 {
        self.limits.call_ms.saturating_mul(2)
    }

    fn left_since(&self, began: Monotonic, bound_ms: u64) -> Duration {
        let elapsed = match planted(Bug::ExecutionHasNoBound) {
            true => Duration::ZERO,
            false => self.env.clock().monotonic().since(began),
        };
        Duration::from_millis(bound_ms).saturating_sub(elapsed)
    }

    /// The program of `job`, out of the store.
    async fn program(&self, job: &Job) -> Result<Vec<u8>, Setback> {
        let lost = |what: &str| {
            let cause = format!("the program of {} {what}", job.id);
            Setback::Never(Failure::new(Category::PersistError, cause), None)
        };
        match self.env.store().program(job.id).await? {
            None => Err(lost("is missing from the job store")),
            // One that lies where another should is whole by itself.
            Some(program) if Sha256Sum::of(&program) != job.spec.program_sha256 => {
                Err(lost("in the job store is not the one that was submitted"))
            }
            Some(program) => Ok(program),
        }
    }
}

/// Does what `duty` asks for; [`Duty::Admit`] and [`Duty::Assign`] are decisions of the table
/// and never come here.
///
/// # Errors
/// [`Setback`], over which the kernel judges.
pub async fn perform<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    duty: Duty,
    hand: &mut Hand,
) -> Result<Vec<Event>, Setback> {
    match duty {
        Duty::Validate => validate::perform(ctx, job).await.map(|event| vec![event]),
        Duty::Compile => compile::perform(ctx, job).await.map(|event| vec![event]),
        Duty::Allocate => allocate::perform(ctx, job, hand)
            .await
            .map(|event| vec![event]),
        Duty::Execute => execute::perform(ctx, job, hand).await,
        Duty::Complete => complete::perform(ctx, job).await.map(|event| vec![event]),
        Duty::Settle => Ok(vec![settle::perform(ctx, job, hand).await]),
        Duty::Report => report::perform(ctx, job).await.map(|event| vec![event]),
        Duty::Admit | Duty::Assign => unreachable!("{:?} is decided where jobs meet", duty),
    }
}
