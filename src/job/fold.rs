//! How events make a job: the fold, and what each event changes.

use std::sync::Arc;

use crate::ids::JobId;
use crate::job::event::{Event, Evidence, Recorded};
use crate::job::ledger::{Entry, Settlement};
use crate::job::shared_spec::SharedSpec;
use crate::job::state::{Phase, PublicState, State};
use crate::job::transition::{Refused, transition};
use crate::job::{Doubt, Job, Receipt};
use crate::planted::{Bug, planted};
use crate::time::Timestamp;

impl Job {
    /// The job that a first event makes; `submission` is known when that is stored.
    pub fn submitted(id: JobId, spec: impl Into<SharedSpec>, at: Timestamp) -> Self {
        Self {
            id,
            spec: spec.into(),
            submission: 0,
            seq: 1,
            state: State::Pending,
            state_seq: 1,
            state_since: at,
            created_at: at,
            updated_at: at,
            tries: 0,
            store_tries: 0,
            circuits_lost: 0,
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
        let mut job = Self::submitted(id, spec.clone(), first.at);
        job.follow(rest)?;
        Ok(job)
    }

    /// Records what was recorded of this job before.
    ///
    /// # Errors
    /// [`Refused`] when the events do not follow or break the table; those before are recorded.
    pub fn follow(&mut self, events: &[Recorded]) -> Result<(), Refused> {
        for recorded in events {
            if recorded.seq != self.seq + 1 {
                return Err(Refused {
                    state: self.state,
                    event: recorded.event.name(),
                    detail: format!("event {} follows event {}", recorded.seq, self.seq),
                });
            }
            self.apply(&recorded.event, recorded.at)?;
        }
        Ok(())
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
            Event::Doubted { cause, over } => {
                let (cause, over) = (cause.clone(), *over);
                self.doubt = Some(Doubt { cause, over });
            }
            Event::Executed { outcome } => {
                self.settle(&Settlement::delivered(self.spec.shots));
                self.outcome = Some(Arc::from(outcome.clone()));
                self.circuits_lost = 0;
                self.progress();
            }
            Event::Stored {
                artifacts,
                manifest,
            } => {
                self.artifacts.clone_from(artifacts);
                self.manifest = Some(manifest.clone());
            }
            Event::CircuitLost { cause, not_before } => {
                self.circuit = None;
                self.circuits_lost += 1;
                self.not_before = *not_before;
                self.setback = Some(cause.clone());
            }
            Event::Retried {
                not_before,
                cause,
                settlement,
                of_store,
            } => {
                self.tries += 1;
                self.store_tries += u32::from(*of_store);
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
                    Some(_) if planted(Bug::ReceiptGuessed) => Some(Receipt::NotStarted),
                    Some(_) => None,
                    None if self.never_ran() => Some(Receipt::NotStarted),
                    None => Some(Receipt::StopUnconfirmed),
                };
            }
            Event::DeadlinePassed { waited_for } if !waited_for.is_empty() => {
                self.setback = Some(waited_for.clone());
            }
            Event::DeadlinePassed { .. } => {}
            Event::ReceiptGiven => self.receipt = Some(Receipt::StopUnconfirmed),
            Event::Settled {
                settlement,
                evidence,
            } => {
                self.settle(settlement);
                if self.state == State::Cancelled && self.receipt.is_none() {
                    self.receipt = Some(match evidence {
                        Evidence::NeverAsked if self.never_ran() => Receipt::NotStarted,
                        // Whatever became of this one, another may still be going on.
                        _ if self.has_lost_an_execution() => Receipt::StopUnconfirmed,
                        Evidence::Driver if planted(Bug::ReceiptModest) => Receipt::StopUnconfirmed,
                        Evidence::Driver if planted(Bug::ReceiptWithoutCost) => {
                            Receipt::StoppedOnDevice { shots_used: 0 }
                        }
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
        (self.tries, self.store_tries) = (0, 0);
        self.setback = None;
    }

    /// Whether nobody knows what became of one of its executions.
    fn has_lost_an_execution(&self) -> bool {
        let mut entries = self.ledger.iter();
        entries.any(|entry| entry.settlement.unknown > 0)
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
        if !next.is_terminal() {
            self.doubt = None;
        }
        if matches!(next, State::Queued | State::Compiling) {
            self.device = None;
        }
        self.shown = match planted(Bug::ShownGoesBack) {
            true => next.public(),
            false => self.shown.max(next.public()),
        };
    }

    /// Whether it is proved that no shot was fired for this job.
    fn never_ran(&self) -> bool {
        let proved = |entry: &Entry| entry.settlement.not_run == entry.requested;
        self.ledger.iter().all(proved)
    }
}
