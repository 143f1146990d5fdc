//! A job: the fold of its events. What it waits for, holds and owes is a function of its record,
//! so a crash loses nothing that is not derived again.

pub mod event;
pub mod failure;
mod fold;
pub mod head;
pub mod history;
pub mod key;
pub mod ledger;
pub mod request;
pub mod requirements;
pub mod salvage;
pub mod shared_spec;
pub mod spec;
pub mod state;
pub mod target;
pub mod trace;
pub mod transition;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, ExecutionId, JobId, Sha256Sum};
use crate::job::event::{ArtifactRef, CircuitRef, Outcome};
use crate::job::failure::{Failure, JobError};
use crate::job::ledger::Entry;
use crate::job::shared_spec::SharedSpec;
use crate::job::state::{Phase, PublicState, State};
use crate::schedule::fit::{Needs, Want};
use crate::time::Timestamp;

/// Everything the kernel knows of a job but its program and the wording of its history. What is not
/// there is not written into a checkpoint either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it shall do.
    pub spec: SharedSpec,
    /// Its place in the order of all submissions: the store's own count.
    pub submission: u64,
    /// The number of the last event.
    pub seq: u64,
    /// Where it is.
    pub state: State,
    /// The event that brought it there.
    pub state_seq: u64,
    /// When that was.
    pub state_since: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the last event was recorded; never decreases.
    pub updated_at: Timestamp,
    /// Tries that did not work since the job last made progress.
    pub tries: u32,
    /// Those of them in which the store or QFS was waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub store_tries: u32,
    /// Circuits of it that QFS has lost since a device last ran one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub circuits_lost: u32,
    /// The end of the present back-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Why the last try did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setback: Option<String>,
    /// The compiled circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitRef>,
    /// The device that was picked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// What is known of the execution, only in Executing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Why it is not known whether the device ran; only in Executing, and after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// One line per execution.
    pub ledger: Vec<Entry>,
    /// The counts, once they are in hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Arc<Outcome>>,
    /// What is stored.
    pub artifacts: Vec<ArtifactRef>,
    /// `meta.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ArtifactRef>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the first cancel was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Whether `error.json` is dealt with.
    pub reported: bool,
    /// The furthest that system-api was shown: it never goes back (D10).
    pub shown: PublicState,
}

/// What a cancel achieved (D15). `TooLate` is no part of a record: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// No device was asked.
    NotStarted,
    /// The driver confirmed that the execution is over.
    StoppedOnDevice {
        /// Shots fired for nothing.
        shots_used: u32,
    },
    /// The device may go on.
    StopUnconfirmed,
}

/// Why it is not known whether a device ran a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What happened to the call.
    pub cause: String,
    /// The driver itself has spoken: whatever ran, it is over.
    pub over: bool,
}

/// The one thing that a job needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// To be let in.
    Admit,
    /// To be checked.
    Validate,
    /// To be compiled.
    Compile,
    /// Its turn on a device.
    Assign,
    /// The device's own word that it is ready.
    Allocate,
    /// To be executed, or to find out whether it was.
    Execute,
    /// Its results stored and read back.
    Complete,
    /// Its open execution stopped or waited for, after the end.
    Settle,
    /// `error.json`, after the end.
    Report,
}

impl Duty {
    /// Every duty, in the order in which they are stored by number.
    pub const ALL: [Self; 9] = [
        Self::Admit,
        Self::Validate,
        Self::Compile,
        Self::Assign,
        Self::Allocate,
        Self::Execute,
        Self::Complete,
        Self::Settle,
        Self::Report,
    ];
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Job {
    /// Whether the counts are in this kernel's hand: a cancel is too late then (D15).
    pub fn counts_in_hand(&self) -> bool {
        let answered = self.phase == Some(Phase::PostProcessing) && self.doubt.is_none();
        answered || self.state == State::Completing
    }

    /// Which execution this is, from 1; 0 before the first.
    pub fn attempt(&self) -> u32 {
        self.ledger.last().map_or(0, |entry| entry.attempt)
    }

    /// The execution that the device may be at.
    pub fn open_run(&self) -> Option<&Entry> {
        self.ledger.last().filter(|entry| entry.open)
    }

    /// Names the last execution towards the driver.
    pub fn execution_id(&self) -> ExecutionId {
        ExecutionId {
            job: self.id,
            attempt: self.attempt(),
        }
    }

    /// The device a slot of which this job takes: from its turn until the execution is over,
    /// also after the job's own end (D15).
    pub fn holds(&self) -> Option<&DeviceId> {
        match (self.state, self.phase) {
            (State::Allocating, _) => self.device.as_ref(),
            // The answer is back, and only we are still busy with it.
            (_, Some(Phase::PostProcessing)) => None,
            _ => self.open_run().map(|entry| &entry.device),
        }
    }

    /// What it asks of the device that shall run it. What its circuit needs is known once it is
    /// compiled, and is asked of a class alone: a device that is named was asked for as it is.
    pub fn want(&self) -> Want {
        Want {
            target: self.spec.target.clone(),
            needs: self.needs().cloned(),
        }
    }

    /// What its circuit needs, as far as that is recorded.
    pub fn needs(&self) -> Option<&Arc<Needs>> {
        self.circuit.as_ref()?.needs.as_ref()
    }

    /// What the job needs next; `None` when it is over and done with.
    pub fn duty(&self) -> Option<Duty> {
        Some(match self.state {
            State::Pending => Duty::Admit,
            State::Validating => Duty::Validate,
            State::Compiling => Duty::Compile,
            State::Queued => Duty::Assign,
            State::Allocating => Duty::Allocate,
            State::Executing => Duty::Execute,
            State::Completing => Duty::Complete,
            State::Completed => return None,
            State::Failed | State::Cancelled | State::Timeout => {
                // An open execution comes first: its slot is what others wait for.
                if self.open_run().is_some() {
                    Duty::Settle
                } else if !self.reported {
                    Duty::Report
                } else {
                    return None;
                }
            }
        })
    }

    /// The hash of the circuit that must run.
    pub fn circuit_sha256(&self) -> Option<Sha256Sum> {
        self.circuit.as_ref().map(|circuit| circuit.sha256)
    }

    /// The `error_code` and `error_summary` of an end that is no success (D20: never empty).
    pub fn error(&self) -> Option<JobError> {
        let (code, summary) = match self.state {
            State::Failed => {
                let failure = self.failure.as_ref().expect("Failed carries its failure");
                (failure.category.code(), failure.summary.clone())
            }
            State::Cancelled => (failure::CANCELLED_CODE, "a client cancelled the job".into()),
            State::Timeout => {
                let waited = self.spec.expires_at.since(self.created_at).as_secs_f64();
                let summary = match &self.setback {
                    Some(setback) => {
                        format!("the job did not end within its {waited} s: {setback}")
                    }
                    None => format!("the job did not end within its {waited} s"),
                };
                (failure::TIMEOUT_CODE, summary)
            }
            _ => return None,
        };
        Some(JobError {
            code: code.into(),
            summary,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
