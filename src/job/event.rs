//! What happens to jobs, in the past tense. The store keeps these and nothing else about a
//! job's life; what was decided by chance or by the world is in the event that it decided, so
//! that a history can be replayed (D24).
//!
//! A change of this file changes what is stored: raise [`FORMAT`] and keep reading the old form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, FencingToken, Sha256Sum};
use crate::job::failure::Failure;
use crate::job::ledger::Settlement;
use crate::job::shared_spec::SharedSpec;
use crate::job::state::{Phase, State};
use crate::schedule::fit::Needs;
use crate::schedule::policy::PassedOver;
use crate::time::Timestamp;

/// The version of the stored form of an event.
pub const FORMAT: u32 = 1;

/// A fact about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Event {
    /// The job was accepted. Always the first event, and only that.
    Submitted {
        /// What it shall do.
        spec: SharedSpec,
    },
    /// A compile slot was found.
    Admitted,
    /// The program may be compiled.
    Validated {
        /// Who said so: `compiler`, or `skipped` when it has no ValidateCircuit.
        by: String,
    },
    /// The circuit is stored.
    Compiled {
        /// Where and what it is.
        circuit: CircuitRef,
    },
    /// It is this job's turn on this device.
    Assigned {
        /// The device.
        device: DeviceId,
        /// Jobs that still waited for the device then.
        left_waiting: u32,
        /// Jobs that could have had the turn, and why they had not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<PassedOver>,
    },
    /// The device will be asked to run the job, unless we crash right now (D14).
    Intended {
        /// The token the driver gets.
        token: FencingToken,
        /// What the device's policy says if the outcome stays unknown.
        on_unknown: OnUnknown,
    },
    /// The execution came to this phase.
    PhaseReached {
        /// The phase.
        phase: Phase,
    },
    /// Whether the device ran the job is not known: it will be asked.
    Doubted {
        /// What happened to the call.
        cause: String,
        /// The driver itself has spoken: whatever ran, it is over.
        #[serde(default)]
        over: bool,
    },
    /// The counts are in hand.
    Executed {
        /// What the device answered.
        outcome: Box<Outcome>,
    },
    /// The artifacts are written and read back.
    Stored {
        /// What is there, `meta.json` left out.
        artifacts: Vec<ArtifactRef>,
        /// `meta.json` itself.
        manifest: ArtifactRef,
    },
    /// The stored circuit is gone or damaged: it will be compiled again.
    CircuitLost {
        /// What was found instead.
        cause: String,
        /// Not before this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
    },
    /// What was tried did not work and will be tried again.
    Retried {
        /// Not before this.
        not_before: Timestamp,
        /// What did not work.
        cause: String,
        /// What became of the shots, if a device was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settlement: Option<Settlement>,
        /// Whether it is the store or QFS that is waited for: that is no try of a neighbour.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        of_store: bool,
    },
    /// The job ended without a result.
    Failed {
        /// Why.
        failure: Failure,
        /// What became of the shots, if a device was asked and that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settlement: Option<Settlement>,
    },
    /// A client cancelled the job.
    CancelRequested {
        /// The client's reason; may be empty.
        reason: String,
    },
    /// The deadline passed.
    DeadlinePassed {
        /// What the job was waiting for then; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        waited_for: String,
    },
    /// A cancel was answered before the driver confirmed anything.
    ReceiptGiven,
    /// What became of an execution that was open when the job ended.
    Settled {
        /// The whole of its shots.
        settlement: Settlement,
        /// How we know.
        evidence: Evidence,
    },
    /// `error.json` is written, or was given up.
    Reported {
        /// Whether it is there.
        written: bool,
    },
}

/// How the fate of an execution is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The call was never made.
    NeverAsked,
    /// The driver said so.
    Driver,
    /// It is not known; its time has passed.
    None,
}

/// What to do when nobody can say whether a device ran a job (D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// End the job: shots are paid for.
    Fail,
    /// Run it again: running twice does no harm on this device.
    Rerun,
}

/// A stored circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitRef {
    /// Its language.
    pub format: CircuitFormat,
    /// Its hash: what is executed is what was compiled.
    pub sha256: Sha256Sum,
    /// Its size.
    pub bytes: u64,
    /// The widths that the keys of its counts may have; empty when that is not known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub key_widths: BTreeSet<u32>,
    /// What a device must have to run it, for a job of a class, which is given its device later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Arc<Needs>>,
}

/// How a circuit is written for the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CircuitFormat {
    /// AQO as JSON.
    AqoJson,
    /// OpenQASM 3 as text.
    Qasm3Text,
}

impl CircuitFormat {
    /// The circuit's file name in the job's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::AqoJson => "compiled.aqo.json",
            Self::Qasm3Text => "compiled.qasm",
        }
    }
}

/// What a device answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The circuit that ran.
    pub circuit_sha256: Sha256Sum,
    /// What was counted.
    pub counts: Counts,
    /// Seconds, as the device measured them.
    pub execution_seconds: f64,
    /// What the device told beside the counts.
    pub metadata: BTreeMap<String, String>,
}

/// Counts in the event itself, or in an object of their own when they are large (D13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Bit string to shots.
    Inline(BTreeMap<String, u64>),
    /// A synced object that holds the same map as JSON.
    Object(ArtifactRef),
}

/// One stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// Its file name in the job's folder.
    pub file: String,
    /// Its hash.
    pub sha256: Sha256Sum,
    /// Its size.
    pub bytes: u64,
}

impl ArtifactRef {
    /// Describes `content` as the file of that name.
    pub fn of(file: impl Into<String>, content: &[u8]) -> Self {
        Self {
            file: file.into(),
            sha256: Sha256Sum::of(content),
            bytes: content.len() as u64,
        }
    }
}

/// An event in its place in a job's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The state after it.
    pub state: State,
    /// The execution it belongs to; 0 before the first.
    pub attempt: u32,
    /// The phase after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The fact.
    pub event: Event,
}

impl Event {
    /// Whether the event may wait and be stored together with the next one. It promises nothing to
    /// anybody and nothing is begun on its strength: a job that loses it in a crash does a little
    /// of its work again. Every other event is on stable storage before anything follows from it.
    pub fn may_wait(&self) -> bool {
        match self {
            Self::Admitted | Self::Validated { .. } | Self::Assigned { .. } => true,
            // With the answer in hand the device's slot is free, and a cancel is too late.
            Self::PhaseReached { phase } => *phase != Phase::PostProcessing,
            _ => false,
        }
    }

    /// The event's name, as it is stored and told.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "Submitted",
            Self::Admitted => "Admitted",
            Self::Validated { .. } => "Validated",
            Self::Compiled { .. } => "Compiled",
            Self::Assigned { .. } => "Assigned",
            Self::Intended { .. } => "Intended",
            Self::PhaseReached { .. } => "PhaseReached",
            Self::Doubted { .. } => "Doubted",
            Self::Executed { .. } => "Executed",
            Self::Stored { .. } => "Stored",
            Self::CircuitLost { .. } => "CircuitLost",
            Self::Retried { .. } => "Retried",
            Self::Failed { .. } => "Failed",
            Self::CancelRequested { .. } => "CancelRequested",
            Self::DeadlinePassed { .. } => "DeadlinePassed",
            Self::ReceiptGiven => "ReceiptGiven",
            Self::Settled { .. } => "Settled",
            Self::Reported { .. } => "Reported",
        }
    }

    /// The event in one sentence for a person.
    pub fn sentence(&self) -> String {
        match self {
            Self::Submitted { spec } => format!("{:?} was accepted for {}", spec.name, spec.target),
            Self::Admitted => "a compile slot is free, the program is being checked".to_owned(),
            Self::Validated { by } if by == "skipped" => {
                "the compiler has no separate check, the program is being compiled".to_owned()
            }
            Self::Validated { .. } => "the program is valid and is being compiled".to_owned(),
            Self::Compiled { circuit } => format!("the circuit is stored, {} bytes", circuit.bytes),
            Self::Assigned {
                device,
                left_waiting,
                passed_over,
            } => {
                let before: Vec<_> = passed_over
                    .iter()
                    .map(|other| format!(", before {}, {}", other.job, other.rule.sentence()))
                    .collect();
                format!(
                    "it is this job's turn on {device}, {left_waiting} more are waiting{}",
                    before.concat()
                )
            }
            Self::Intended { .. } => {
                "the execution is recorded and about to be asked for".to_owned()
            }
            Self::PhaseReached { phase } => format!("the execution reached {}", phase.name()),
            Self::Doubted { cause, .. } => {
                format!("it is not known whether the device ran: {cause}")
            }
            Self::Executed { outcome } => {
                format!(
                    "the device answered after {:.6} s",
                    outcome.execution_seconds
                )
            }
            Self::Stored { artifacts, .. } => {
                format!(
                    "{} artifacts are stored and were read back",
                    artifacts.len() + 1
                )
            }
            Self::CircuitLost { cause, .. } => format!("the program is compiled again: {cause}"),
            Self::Retried { cause, .. } => format!("another try will follow: {cause}"),
            Self::Failed { failure, .. } => failure.summary.clone(),
            Self::CancelRequested { reason } if reason.is_empty() => {
                "a client cancelled".to_owned()
            }
            Self::CancelRequested { reason } => format!("a client cancelled: {reason}"),
            Self::DeadlinePassed { waited_for } if waited_for.is_empty() => {
                "the job's deadline passed".to_owned()
            }
            Self::DeadlinePassed { waited_for } => {
                format!("the job's deadline passed; {waited_for}")
            }
            Self::ReceiptGiven => "the cancel was answered, the stop is unconfirmed".to_owned(),
            Self::Settled { settlement, .. } => format!(
                "the open execution is settled: {} shots wasted, {} not run, {} unknown",
                settlement.wasted, settlement.not_run, settlement.unknown
            ),
            Self::Reported { written: true } => "error.json is written".to_owned(),
            Self::Reported { written: false } => "error.json could not be written".to_owned(),
        }
    }
}
