//! The journey of one job: from wherever its record says it is, to its end. What it does at
//! each step stands in [`crate::stages`]; whose turn it is, in [`super::table`].

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{JobId, ReservationId};
use crate::job::event::Event;
use crate::job::{Duty, Job};
use crate::kernel::judge::{Judgement, Stay, judge};
use crate::kernel::record::InHand;
use crate::kernel::slot::Since;
use crate::kernel::table::{Claim, Step};
use crate::kernel::{Kernel, Stopped};
use crate::limits::TELL_WITHIN;
use crate::ports::store::{JobStore as _, ReadError, StoreError};
use crate::ports::{Clock as _, Env};
use crate::stages::{self, Context, Hand, Setback, lost_call};
use crate::time::Monotonic;
use tokio::sync::oneshot::error::TryRecvError;

impl<E: Env> Kernel<E> {
    /// Drives a job that this loop owns until it waits, ends, or the kernel stops. Whatever
    /// interrupts it, the next loop goes on from the record.
    ///
    /// # Panics
    /// If the job were to wait as data while its record is behind.
    pub(super) async fn run_job(self: Arc<Self>, claim: Claim) {
        let Ok(job) = self.recall(claim).await else {
            return;
        };
        let since = self.since(job.id);
        let mut job = InHand::new(job, since);
        let mut hand = Hand::Empty;
        loop {
            let answered = hand.is_answered();
            let done = match self.next_step(&job.job, answered) {
                Step::Leave => {
                    assert!(
                        !job.is_ahead(),
                        "{} waits with its record behind",
                        job.job.id
                    );
                    return;
                }
                Step::Record(event) => self.record(&mut job, vec![event]).await,
                Step::Perform(duty) => {
                    let outcome = self.perform(&mut job, duty, &mut hand).await;
                    if self.devices.has_news() {
                        // What was asked for one job is news also for those that would be next.
                        self.show_lanes();
                    }
                    match outcome {
                        Ok(outcome) => self.conclude(&mut job, outcome).await,
                        Err(stopped) => Err(stopped),
                    }
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// The job of a claim, read from the store if it is not at hand. One that cannot be read is
    /// ended with what is left of it, as at a start.
    async fn recall(&self, claim: Claim) -> Result<Arc<Job>, Stopped> {
        let Claim { id, job } = claim;
        if let Some(job) = job {
            return Ok(job);
        }
        let mut pause = Duration::from_millis(self.limits.backoff_ms_base);
        loop {
            let read = match self.env.store().job(id).await {
                Err(ReadError::Corrupt { reason, .. }) => self.quarantine(id, &reason).await,
                Ok(None) => self.quarantine(id, "it cannot be found by its name").await,
                Ok(Some(job)) if self.table().is_behind(id, job.seq) => {
                    return Err(self.stop(&format!("another kernel has written to {id}")));
                }
                read => read.map_err(StoreError::from),
            };
            match read {
                Ok(Some(job)) => {
                    let job = Arc::new(job);
                    let now = self.env.clock().monotonic();
                    self.with_table(|table| table.recalled(job.clone(), now));
                    return Ok(job);
                }
                Ok(None) => return Err(self.stop(&format!("the record of {id} is gone"))),
                Err(why) => {
                    tracing::error!(job_id = %id, "{why}; it is tried again in {pause:?}");
                }
            }
            self.env.clock().sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(self.limits.backoff_ms_max));
        }
    }

    /// Does what `duty` asks for. What waits to be stored does so no longer than
    /// [`TELL_WITHIN`].
    async fn perform(
        &self,
        job: &mut InHand,
        duty: Duty,
        hand: &mut Hand,
    ) -> Result<Result<Vec<Event>, Setback>, Stopped> {
        let answered = matches!(hand, Hand::Answered(_));
        let ctx = self.context(job.since, job.job.spec.reservation);
        let InHand {
            job,
            since,
            unstored,
        } = job;
        let end = async {
            tokio::select! {
                biased;
                // The work comes first: counts in hand are not dropped for a cancel.
                outcome = stages::perform(&ctx, job, duty, hand) => outcome,
                event = self.interruption(job.id, answered) => Ok(vec![event]),
            }
        };
        tokio::pin!(end);
        tokio::select! {
            biased;
            outcome = &mut end => return Ok(outcome),
            () = self.env.clock().sleep(TELL_WITHIN), if !unstored.is_empty() => {}
        }
        // The work goes on beside: a call ends when it has to, also while the store is away.
        let stored = self.store(job, since, unstored);
        let (outcome, ()) = tokio::try_join!(async { Ok(end.await) }, stored)?;
        Ok(outcome)
    }

    /// Writes down what a stage brought, or what is to be done about its setback.
    async fn conclude(
        &self,
        job: &mut InHand,
        outcome: Result<Vec<Event>, Setback>,
    ) -> Result<(), Stopped> {
        let setback = match outcome {
            Ok(events) => return self.record(job, events).await,
            Err(setback) => setback,
        };
        let now = self.env.clock().monotonic();
        let id = job.job.id;
        let stay = Stay {
            now: self.env.clock().now(),
            elapsed: now.since(job.since.entered),
            until_deadline: self.deadline(id).since(now),
            jitter: self.env.chance_u32(),
        };
        match judge(&job.job, setback, &self.limits, stay) {
            Judgement::Record(event) => self.record(job, vec![event]).await,
            Judgement::Pause(span) => {
                self.with_table(|table| table.pause(id, now + span));
                Ok(())
            }
        }
    }

    /// Waits for a wish that can be granted, and says what to record for it.
    async fn interruption(&self, job: JobId, answered: bool) -> Event {
        let Some(wished) = self.table().jobs.get_mut(&job).map(|slot| slot.wished()) else {
            return std::future::pending().await;
        };
        loop {
            let heard = wished.notified();
            let wish = self
                .table()
                .jobs
                .get_mut(&job)
                .and_then(|slot| slot.wish(answered));
            if let Some(event) = wish {
                return event;
            }
            heard.await;
        }
    }

    fn context(&self, since: Since, reservation: Option<ReservationId>) -> Context<'_, E> {
        let over = |id| {
            self.table()
                .reservation_over(id, self.env.clock().monotonic())
        };
        let Since { entered, opened } = since;
        Context {
            env: &self.env,
            limits: &self.limits,
            epoch: self.epoch,
            artifacts: &self.artifacts,
            devices: &self.devices,
            reservation_over: reservation.and_then(over),
            entered,
            opened,
        }
    }

    fn next_step(&self, job: &Job, answered: bool) -> Step {
        let around = self.around(answered);
        self.with_table(|table| table.next_step(job, &self.devices, around))
    }

    fn since(&self, job: JobId) -> Since {
        let now = self.env.clock().monotonic();
        let gone = Since {
            entered: now,
            opened: now,
        };
        self.table().jobs.get(&job).map_or(gone, |slot| slot.since)
    }

    fn deadline(&self, job: JobId) -> Monotonic {
        let never = Monotonic(Duration::MAX);
        self.table()
            .jobs
            .get(&job)
            .map_or(never, |slot| slot.deadline)
    }
}

impl Hand {
    /// Whether the answer of a device is here; one that has just come counts.
    fn is_answered(&mut self) -> bool {
        if let Self::Out(call) = self {
            match call.answer.try_recv() {
                Ok(answered) => *self = Self::Answered(Box::new(answered)),
                Err(TryRecvError::Closed) => *self = Self::Answered(Box::new(Err(lost_call()))),
                Err(TryRecvError::Empty) => {}
            }
        }
        matches!(self, Self::Answered(_))
    }
}
