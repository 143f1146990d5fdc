//! How a command ends, as its exit code tells scripts. The codes mean the same for every command.

use std::process::ExitCode;

use crate::job::state::State;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// The job failed, or the command did.
    Failed = 1,
    /// The command line, the program's file or the job's id is wrong.
    Usage = 2,
    /// The kernel cannot be reached, or says that it cannot serve now: try again.
    Unreachable = 3,
    /// The job's deadline passed.
    TimedOut = 4,
    /// The job was cancelled.
    Cancelled = 5,
    /// Somebody pressed Ctrl-C or closed the pipe, and the job's end is not known: as shells say it.
    Interrupted = 130,
}

/// What `--help` says of them.
pub(super) const CODES: &str = "\
Exit codes: 0 done, 1 the job (or the command) failed, 2 wrong use, 3 the kernel
cannot be reached or cannot serve now, 4 the job timed out, 5 it was cancelled,
130 interrupted before the job's end was known.";

/// The same for a command that shows what is known of a job, whatever became of it.
pub(super) const CODES_OF_A_LOOK: &str = "\
Exit codes: 0 done (however the job ended), 2 wrong use, 3 the kernel cannot be
reached or cannot serve now.";

impl Exit {
    /// What a command answers that tells how a job stands; a job that goes on is no failure.
    pub(super) fn of(state: Option<State>) -> Self {
        match state {
            Some(State::Failed) => Self::Failed,
            Some(State::Cancelled) => Self::Cancelled,
            Some(State::Timeout) => Self::TimedOut,
            _ => Self::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
