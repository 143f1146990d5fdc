//! Why a job ended without completing, in the words of RFC 0007 and for a person.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The five categories of RFC 0007.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Category {
    /// The request or the program is wrong: the client must change it.
    ValidationError,
    /// The compiler refused the program, or could not be had.
    CompileError,
    /// No device can take the job.
    AllocationError,
    /// The device refused, failed, or nobody knows what it did.
    ExecuteError,
    /// What the job needs or made could not be stored or read.
    PersistError,
}

impl Category {
    /// The `error_code` on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::ValidationError => "ValidationError",
            Self::CompileError => "CompileError",
            Self::AllocationError => "AllocationError",
            Self::ExecuteError => "ExecuteError",
            Self::PersistError => "PersistError",
        }
    }
}

/// A final verdict over a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who must act.
    pub category: Category,
    /// What happened, where, and what to do: one or two sentences.
    pub summary: String,
}

impl Failure {
    /// A verdict with its reason.
    pub fn new(category: Category, summary: impl Into<String>) -> Self {
        Self {
            category,
            summary: summary.into(),
        }
    }
}

/// Why a job ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    /// Who must act, in the words of RFC 0007 or of the existing clients.
    pub code: Cow<'static, str>,
    /// The same for a person; never empty (D20).
    pub summary: String,
}

/// The `error_code` of a cancelled job, as the existing clients know it.
pub const CANCELLED_CODE: &str = "CANCELLED";
/// The `error_code` of a job that met its deadline, as the existing clients know it.
pub const TIMEOUT_CODE: &str = "DEADLINE_EXCEEDED";
