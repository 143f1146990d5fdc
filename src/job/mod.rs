//! A job: the fold of its events. What it waits for, holds and owes is a function of its record,
//! so a crash loses nothing that is not derived again.

pub mod event;
pub mod failure;
pub mod history;
pub mod ledger;
pub mod request;
pub mod spec;
pub mod state;
pub mod trace;
pub mod transition;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, ExecutionId, JobId, Sha256Sum};
use crate::job::event::{ArtifactRef, CircuitRef, Event, Evidence, Outcome, Recorded};
use crate::job::failure::Failure;
use crate::job::ledger::{Entry, Settlement};
use crate::job::spec::JobSpec;
use crate::job::state::{Phase, PublicState, State};
use crate::job::transition::{Refused, transition};
use crate::time::Timestamp;

/// Everything the kernel knows of a job but its program and the wording of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it shall do.
    pub spec: Arc<JobSpec>,
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
    /// The end of the present back-off.
    pub not_before: Option<Timestamp>,
    /// Why the last try did not work.
    pub setback: Option<String>,
    /// The compiled circuit.
    pub circuit: Option<CircuitRef>,
    /// The device that was picked.
    pub device: Option<DeviceId>,
    /// What is known of the execution, only in Executing.
    pub phase: Option<Phase>,
    /// Why it is not known whether the device ran, only in Executing.
    pub doubt: Option<String>,
    /// One line per execution.
    pub ledger: Vec<Entry>,
    /// The counts, once they are in hand.
    pub outcome: Option<Arc<Outcome>>,
    /// What is stored.
    pub artifacts: Vec<ArtifactRef>,
    /// `meta.json`.
    pub manifest: Option<ArtifactRef>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the first cancel was told.
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

impl Job {
    /// The job that a first event makes; `submission` is known when that is stored.
    pub fn submitted(id: JobId, spec: JobSpec, at: Timestamp) -> Self {
        Self {
            id,
            spec: Arc::new(spec),
            submission: 0,
            seq: 1,
            state: State::Pending,
            state_seq: 1,
            state_since: at,
            created_at: at,
            updated_at: at,
            tries: 0,
            not_before: None,
            setback: None,
            circuit: None,
            device: None,
            phase: None,
            doubt: None,
            ledger: Vec::new(),
            outcome: None,
            artifacts: Vec::new(),
            manifest: None,
            failure: None,
            receipt: None,
            reported: false,
            shown: PublicState::Pending,
        }
    }

    /// The job that a whole history makes.
    ///
    /// # Errors
    /// [`Refused`] when the history has gaps or breaks the table.
    pub fn fold(id: JobId, history: &[Recorded]) -> Result<Self, Refused> {
        let broken = |event: &Event, detail: String| Refused {
            state: State::Pending,
            event: event.name(),
            detail,
        };
        let (first, rest) = history
            .split_first()
            .ok_or_else(|| broken(&Event::Admitted, "the history is empty".to_owned()))?;
        let Event::Submitted { spec } = &first.event else {
            return Err(broken(
                &first.event,
                "a history begins with Submitted".to_owned(),
            ));
        };
        let mut job = Self::submitted(id, (**spec).clone(), first.at);
        for recorded in rest {
            if recorded.seq != job.seq + 1 {
                let detail = format!("event {} follows event {}", recorded.seq, job.seq);
                return Err(broken(&recorded.event, detail));
            }
            job.apply(&recorded.event, recorded.at)?;
        }
        Ok(job)
    }

    /// Records one more fact, at `at`.
    ///
    /// # Errors
    /// [`Refused`] when the table or the job's own record does not allow it; nothing is changed.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), Refused> {
        let next = transition(self.state, event)?;
        self.check(event)?;
        self.seq += 1;
        // The wall clock may have gone backwards; what clients see does not.
        self.updated_at = self.updated_at.max(at);
        self.not_before = None;
        self.absorb(event);
        if next != self.state {
            self.enter(next);
        }
        Ok(())
    }

    /// The event in its place, as it is stored; call it right after [`Job::apply`].
    pub fn recorded(&self, event: Event) -> Recorded {
        Recorded {
            seq: self.seq,
            at: self.updated_at,
            state: self.state,
            attempt: self.attempt(),
            phase: self.phase,
            event,
        }
    }

    fn check(&self, event: &Event) -> Result<(), Refused> {
        let refuse = |detail: &str| {
            Err(Refused {
                state: self.state,
                event: event.name(),
                detail: detail.to_owned(),
            })
        };
        match event {
            Event::PhaseReached { phase } => match self.phase {
                Some(now) if now.may_become(*phase) => Ok(()),
                _ => refuse("the phase cannot follow"),
            },
            Event::Retried {
                settlement: None, ..
            } if self.state == State::Executing => {
                refuse("an execution is not left without saying what became of its shots")
            }
            Event::Retried { settlement, .. } | Event::Failed { settlement, .. }
                if settlement.is_some() && self.state != State::Executing =>
            {
                refuse("no device was asked")
            }
            Event::Settled { .. } if self.open_run().is_none() => refuse("no execution is open"),
            Event::ReceiptGiven if self.receipt.is_some() => refuse("a receipt was given"),
            Event::Reported { .. } if self.reported => refuse("it was reported"),
            _ => Ok(()),
        }
    }

    /// Takes over what the event says, in the state before it.
    fn absorb(&mut self, event: &Event) {
        match event {
            Event::Submitted { .. } | Event::Admitted | Event::Validated { .. } => self.progress(),
            Event::Compiled { circuit } => {
                self.circuit = Some(circuit.clone());
                self.progress();
            }
            Event::Assigned { device, .. } => self.device = Some(device.clone()),
            Event::Intended { token, on_unknown } => self.ledger.push(Entry {
                attempt: self.attempt() + 1,
                device: self.device.clone().expect("Allocating has a device"),
                token: *token,
                intended_at: self.updated_at,
                on_unknown: *on_unknown,
                requested: self.spec.shots,
                settlement: Settlement::unknown(self.spec.shots, "the execution is open"),
                open: true,
            }),
            Event::PhaseReached { phase } => self.phase = Some(*phase),
            Event::Doubted { cause } => self.doubt = Some(cause.clone()),
            Event::Executed { outcome } => {
                self.settle(&Settlement::delivered(self.spec.shots));
                self.outcome = Some(Arc::from(outcome.clone()));
                self.progress();
            }
            Event::Stored {
                artifacts,
                manifest,
            } => {
                self.artifacts.clone_from(artifacts);
                self.manifest = Some(manifest.clone());
            }
            Event::CircuitLost { cause } => {
                self.circuit = None;
                self.setback = Some(cause.clone());
            }
            Event::Retried {
                not_before,
                cause,
                settlement,
            } => {
                self.tries += 1;
                self.not_before = Some(*not_before);
                self.setback = Some(cause.clone());
                settlement.iter().for_each(|known| self.settle(known));
            }
            Event::Failed {
                failure,
                settlement,
            } => {
                self.failure = Some(failure.clone());
                settlement.iter().for_each(|known| self.settle(known));
            }
            Event::CancelRequested { .. } => {
                // With an execution open, the receipt depends on what the driver says.
                self.receipt = match self.open_run() {
                    Some(_) => None,
                    None if self.never_ran() => Some(Receipt::NotStarted),
                    None => Some(Receipt::StopUnconfirmed),
                };
            }
            Event::DeadlinePassed => {}
            Event::ReceiptGiven => self.receipt = Some(Receipt::StopUnconfirmed),
            Event::Settled {
                settlement,
                evidence,
            } => {
                self.settle(settlement);
                if self.state == State::Cancelled && self.receipt.is_none() {
                    self.receipt = Some(match evidence {
                        Evidence::NeverAsked if self.never_ran() => Receipt::NotStarted,
                        Evidence::Driver => Receipt::StoppedOnDevice {
                            shots_used: settlement.wasted,
                        },
                        Evidence::NeverAsked | Evidence::None => Receipt::StopUnconfirmed,
                    });
                }
            }
            Event::Reported { .. } => self.reported = true,
        }
    }

    fn progress(&mut self) {
        self.tries = 0;
        self.setback = None;
    }

    fn settle(&mut self, settlement: &Settlement) {
        if let Some(entry) = self.ledger.last_mut() {
            assert_eq!(
                settlement.total(),
                u64::from(entry.requested),
                "{}: {settlement:?}",
                self.id
            );
            entry.settlement = settlement.clone();
            entry.open = false;
        }
    }

    fn enter(&mut self, next: State) {
        self.state = next;
        self.state_seq = self.seq;
        self.state_since = self.updated_at;
        self.phase = (next == State::Executing).then_some(Phase::QuantumInitializing);
        self.doubt = None;
        if matches!(next, State::Queued | State::Compiling) {
            self.device = None;
        }
        self.shown = self.shown.max(next.public());
    }

    /// Which execution this is, from 1; 0 before the first.
    pub fn attempt(&self) -> u32 {
        self.ledger.last().map_or(0, |entry| entry.attempt)
    }

    /// The execution that the device may be at.
    pub fn open_run(&self) -> Option<&Entry> {
        self.ledger.last().filter(|entry| entry.open)
    }

    /// Whether it is proved that no shot was fired for this job.
    fn never_ran(&self) -> bool {
        let proved = |entry: &Entry| entry.settlement.not_run == entry.requested;
        self.ledger.iter().all(proved)
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
        match self.state {
            State::Allocating => self.device.as_ref(),
            _ => self.open_run().map(|entry| &entry.device),
        }
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
    pub fn error(&self) -> Option<(&'static str, String)> {
        match self.state {
            State::Failed => {
                let failure = self.failure.as_ref().expect("Failed carries its failure");
                Some((failure.category.code(), failure.summary.clone()))
            }
            State::Cancelled => {
                Some((failure::CANCELLED_CODE, "a client cancelled the job".into()))
            }
            State::Timeout => {
                let waited = self.spec.expires_at.since(self.created_at).as_secs_f64();
                let summary = match &self.setback {
                    Some(setback) => format!(
                        "the job did not end within its {waited} s; the last setback was: {setback}"
                    ),
                    None => format!("the job did not end within its {waited} s"),
                };
                Some((failure::TIMEOUT_CODE, summary))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
