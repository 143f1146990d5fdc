//! The one gate: decide, write down, then change. Nobody hears of a change that is not stored,
//! and everything that shows the kernel (watchers, metrics, log, spans) hangs on it.

use std::sync::Arc;
use std::time::Duration;

use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::job::state::Phase;
use crate::kernel::{Kernel, Stopped};
use crate::observe::log;
use crate::planted::{Bug, planted};
use crate::ports::store::{Append, AppendError, JobStore as _};
use crate::ports::{Clock as _, Env};
use crate::time::Timestamp;

impl<E: Env> Kernel<E> {
    /// Records events of a job, in one commit, and lets the world know.
    ///
    /// # Panics
    /// When the table refuses an event: whatever comes from outside was checked before.
    pub(super) async fn record(&self, job: &mut Job, events: Vec<Event>) -> Result<(), Stopped> {
        if events.is_empty() {
            return Ok(());
        }
        let at = self.env.clock().now();
        let mut next = job.clone();
        let mut recorded = Vec::with_capacity(events.len());
        let mut along = Vec::with_capacity(events.len());
        for event in events {
            next.apply(&event, at)
                .unwrap_or_else(|refused| panic!("{}: {refused}", job.id));
            recorded.push(next.recorded(event));
            along.push(next.clone());
        }
        let append = Append {
            job: next,
            events: recorded.clone(),
            submission: None,
        };
        self.commit(append).await?;
        for (after, recorded) in along.into_iter().zip(&recorded) {
            self.publish((job, &after), recorded, at);
            *job = after;
        }
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
    fn publish(&self, (before, after): (&Job, &Job), recorded: &Recorded, at: Timestamp) {
        log::event(after, recorded);
        if before.state != after.state {
            self.metrics.moved(before, after);
            self.traces.moved(before, after);
        }
        let now = self.env.clock().monotonic();
        if let (
            Event::PhaseReached {
                phase: Phase::PostProcessing,
            },
            Some(device),
        ) = (&recorded.event, &after.device)
        {
            self.devices.took(device, now.since(self.entered(after.id)));
        }
        self.with_table(|table| {
            table.changed(before, Arc::new(after.clone()), now);
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
