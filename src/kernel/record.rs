//! The one gate: decide, write down, then change. Nobody hears of a change that is not stored,
//! and everything that shows the kernel (watchers, metrics, log, spans) hangs on it. What promises
//! nothing may wait here for what does, so that one commit takes both.

use std::sync::Arc;
use std::time::Duration;

use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::job::state::Phase;
use crate::kernel::table::Since;
use crate::kernel::{Kernel, Stopped};
use crate::observe::log;
use crate::planted::{Bug, planted};
use crate::ports::store::{Append, AppendError, JobStore as _};
use crate::ports::{Clock as _, Env};
use crate::time::Timestamp;

/// A job in the hands of its loop, which knows more of it than the store may do yet.
#[derive(Debug)]
pub(super) struct InHand {
    /// The job with all that has happened.
    pub(super) job: Job,
    pub(super) since: Since,
    /// What has happened and waits to be stored.
    pub(super) unstored: Vec<Happened>,
}

/// One event, and the job around it.
#[derive(Debug)]
pub(super) struct Happened {
    before: Job,
    after: Job,
    recorded: Recorded,
    at: Timestamp,
    since: Since,
}

impl InHand {
    pub(super) fn new(job: Job, since: Since) -> Self {
        Self {
            job,
            since,
            unstored: Vec::new(),
        }
    }

    /// Whether something waits to be stored.
    pub(super) fn is_ahead(&self) -> bool {
        !self.unstored.is_empty()
    }
}

impl<E: Env> Kernel<E> {
    /// Records events of a job, and lets the world know as soon as they are stored: at once, in
    /// one commit with what waited, unless all of them [may wait](Event::may_wait).
    ///
    /// # Panics
    /// When the table refuses an event: whatever comes from outside was checked before.
    pub(super) async fn record(
        &self,
        hand: &mut InHand,
        events: Vec<Event>,
    ) -> Result<(), Stopped> {
        let clock = self.env.clock();
        let (at, now) = (clock.now(), clock.monotonic());
        let due = !events.iter().all(Event::may_wait);
        for event in events {
            let before = hand.job.clone();
            hand.job
                .apply(&event, at)
                .unwrap_or_else(|refused| panic!("{}: {refused}", before.id));
            if hand.job.state_seq != before.state_seq {
                hand.since.entered = now;
            }
            if hand.job.open_run().is_some() && before.open_run().is_none() {
                hand.since.opened = now;
            }
            hand.unstored.push(Happened {
                before,
                after: hand.job.clone(),
                recorded: hand.job.recorded(event),
                at,
                since: hand.since,
            });
        }
        match due {
            true => self.store(&hand.job, &mut hand.unstored).await,
            false => Ok(()),
        }
    }

    /// Stores what waits for it; `job` is as the last of it left it.
    pub(super) async fn store(
        &self,
        job: &Job,
        unstored: &mut Vec<Happened>,
    ) -> Result<(), Stopped> {
        if unstored.is_empty() {
            return Ok(());
        }
        let events = unstored.iter().map(|happened| happened.recorded.clone());
        let append = Append {
            job: job.clone(),
            events: events.collect(),
            submission: None,
        };
        self.commit(append).await?;
        unstored
            .drain(..)
            .for_each(|happened| self.publish(happened));
        Ok(())
    }

    /// Repeats an append until the store has taken it: it is the truth, so nothing goes on
    /// without it.
    async fn commit(&self, append: Append) -> Result<u64, Stopped> {
        let mut pause = Duration::from_millis(self.limits.backoff_ms_base);
        loop {
            let job = append.job.id;
            match self.env.store().append(self.epoch, append.clone()).await {
                Ok(submission) => return Ok(submission),
                Err(AppendError::Unavailable(_)) if planted(Bug::AppendNotRepeated) => {
                    return Ok(0);
                }
                Err(why @ (AppendError::Unavailable(_) | AppendError::Full(_))) => {
                    tracing::error!(job_id = %job, "{why}; it is tried again in {pause:?}");
                }
                Err(why) => return Err(self.stop(&format!("{job} cannot be recorded: {why}"))),
            }
            self.env.clock().sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(self.limits.backoff_ms_max));
        }
    }

    /// Everybody may know now.
    fn publish(&self, happened: Happened) {
        let Happened {
            before,
            after,
            recorded,
            at,
            since,
        } = happened;
        log::event(&after, &recorded);
        if before.state != after.state {
            self.metrics.moved(&before, &after);
            self.traces.moved(&before, &after);
        }
        let now = self.env.clock().monotonic();
        let executed = matches!(
            recorded.event,
            Event::PhaseReached {
                phase: Phase::PostProcessing
            }
        );
        let after = Arc::new(after);
        self.with_table(|table| {
            if let Some(device) = after.device.as_ref().filter(|_| executed) {
                let span = now.since(since.entered);
                let tenant = &after.spec.owner.tenant;
                table.forecast.took(device, tenant, span);
            }
            table.changed(&before, after.clone(), since, now);
            for device in [before.holds(), after.holds()].into_iter().flatten() {
                self.metrics
                    .set_device(device, table.scheduler.load(device));
            }
            if let Some(not_before) = after.not_before
                && !planted(Bug::BackoffForgotten)
            {
                // Not since the record's own time, which stands still while the wall clock is
                // behind it.
                table.pause(after.id, now + not_before.since(at));
            }
        });
    }
}
