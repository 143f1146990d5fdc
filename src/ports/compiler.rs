//! What turns programs into circuits, and how it says no.

use std::future::Future;
use std::time::Duration;

use crate::ids::JobId;
use crate::job::event::CircuitFormat;
use crate::job::spec::{JobSpec, ProgramFormat};
use crate::job::trace::SpanRef;
pub use crate::schedule::fit::Capabilities;

/// The job a call is made for, and what goes along with it.
#[derive(Debug, Clone, Copy)]
pub struct CallContext<'a> {
    /// The job.
    pub job: JobId,
    /// What it shall do.
    pub spec: &'a JobSpec,
    /// The span of the stage that calls.
    pub span: SpanRef,
    /// How long the call may take; the callee drops it then.
    pub deadline: Duration,
}

/// A program, its format, and what the device it is for can do.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// How it is written; a reference is resolved before.
    pub format: ProgramFormat,
    /// The text.
    pub source: &'a [u8],
    /// What the target device says of itself; `None` when that is not known.
    pub device: Option<&'a Capabilities>,
}

/// What a check of a program said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The compiler will take it.
    Valid,
    /// The compiler has no separate check (D23).
    NotChecked,
}

/// A circuit as the driver gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// Its language.
    pub format: CircuitFormat,
    /// Its text.
    pub data: Vec<u8>,
}

/// Why a neighbour gave no answer that is of use. The messages name the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It may work later: try again.
    #[error("{message}")]
    Unavailable {
        /// What happened, where, and what to do.
        message: String,
        /// When the neighbour wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// It will not work: do not try again.
    #[error("{0}")]
    Rejected(String),
}

impl CallError {
    /// It may work later, and nobody said when.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            retry_after: None,
        }
    }
}

/// The compiler. Every method may be called again for the same job, and dropped at any time.
pub trait Compiler: Send + Sync + 'static {
    /// Checks a program without compiling it.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when the program is wrong.
    fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> impl Future<Output = Result<Validity, CallError>> + Send;

    /// Turns a program into a circuit.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when it cannot be one.
    fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> impl Future<Output = Result<Circuit, CallError>> + Send;
}
