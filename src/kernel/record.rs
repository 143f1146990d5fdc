//! The one gate: decide, write down, then change. Nobody hears of a change that is not stored,
//! and everything that shows the kernel (watchers, metrics, log, spans) hangs on it. What promises
//! nothing may wait here for what does, so that one commit takes both.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::DeviceId;
use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::job::state::Phase;
use crate::kernel::slot::Since;
use crate::kernel::{Kernel, Stopped};
use crate::observe::log;
use crate::planted::{Bug, planted};
use crate::ports::store::{Append, AppendError, JobStore as _};
use crate::ports::{Clock as _, Env};
use crate::time::{Monotonic, Timestamp};

/// A job in the hands of its loop, which knows more of it than the store may do yet.
#[derive(Debug)]
pub(super) struct InHand {
    /// The job with all that has happened.
    pub(super) job: Arc<Job>,
    pub(super) since: Since,
    /// What has happened and waits to be stored.
    pub(super) unstored: Vec<Happened>,
}

/// One event, and the job around it.
#[derive(Debug)]
pub(super) struct Happened {
    before: Arc<Job>,
    after: Arc<Job>,
    recorded: Recorded,
    at: Timestamp,
    since: Since,
}

impl Happened {
    /// Whether an execution begins with it.
    fn opens(&self) -> bool {
        self.after.open_run().is_some() && self.before.open_run().is_none()
    }

    /// The device whose answer is back with it.
    fn answered(&self) -> Option<&DeviceId> {
        let answered = matches!(
            self.recorded.event,
            Event::PhaseReached {
                phase: Phase::PostProcessing
            }
        );
        self.after.device.as_ref().filter(|_| answered)
    }
}

impl InHand {
    pub(super) fn new(job: Arc<Job>, since: Since) -> Self {
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
            Arc::make_mut(&mut hand.job)
                .apply(&event, at)
                .unwrap_or_else(|refused| panic!("{}: {refused}", before.id));
            if hand.job.state_seq != before.state_seq {
                hand.since.entered = now;
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
            true => {
                self.store(&hand.job, &mut hand.since, &mut hand.unstored)
                    .await
            }
            false => Ok(()),
        }
    }

    /// Stores what waits for it, repeating the append until the store has taken it: it is the
    /// truth, so nothing goes on without it. `job` is as the last of it left it.
    ///
    /// The time of an execution begins when its intent is stored: a store that was away, or a
    /// kernel that stood still before, takes nothing of it.
    pub(super) async fn store(
        &self,
        job: &Arc<Job>,
        since: &mut Since,
        unstored: &mut Vec<Happened>,
    ) -> Result<(), Stopped> {
        if unstored.is_empty() {
            return Ok(());
        }
        let mut pause = Duration::from_millis(self.limits.backoff_ms_base);
        loop {
            let events = unstored.iter().map(|happened| happened.recorded.clone());
            let append = Append {
                job: job.clone(),
                events: events.collect(),
                submission: None,
            };
            let id = job.id;
            match self.env.store().append(self.epoch, append).await {
                Ok(_) => break,
                Err(AppendError::Unavailable(_)) if planted(Bug::AppendNotRepeated) => break,
                Err(why @ (AppendError::Unavailable(_) | AppendError::Full(_))) => {
                    tracing::error!(job_id = %id, "{why}; it is tried again in {pause:?}");
                }
                Err(AppendError::Fenced(_)) if planted(Bug::FencedGoesOn) => {}
                Err(why) => return Err(self.stop(&format!("{id} cannot be recorded: {why}"))),
            }
            self.env.clock().sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(self.limits.backoff_ms_max));
        }
        let now = self.env.clock().monotonic();
        for happened in unstored.iter_mut().filter(|happened| happened.opens()) {
            *since = Since {
                entered: now,
                opened: now,
            };
            happened.since = *since;
        }
        self.publish(std::mem::take(unstored), now);
        Ok(())
    }

    /// Everybody may know now, and looks once for all that one commit has brought.
    fn publish(&self, stored: Vec<Happened>, now: Monotonic) {
        for happened in &stored {
            self.show(happened);
        }
        let Some(last) = stored.last() else { return };
        let after = &last.after;
        let held = stored
            .iter()
            .flat_map(|happened| [happened.before.holds(), happened.after.holds()]);
        let held: Vec<_> = held.flatten().collect();
        self.with_table(|table| {
            for happened in &stored {
                if let Some(device) = happened.answered() {
                    let span = now.since(happened.since.entered);
                    let tenant = &happened.after.spec.owner.tenant;
                    table.forecast.took(device, tenant, span);
                }
            }
            if !held.is_empty()
                && let Some(slot) = table.jobs.get_mut(&after.id)
            {
                slot.has_held();
            }
            table.changed(after.clone(), last.since, now);
            for device in held {
                self.metrics
                    .set_device(device, table.scheduler.load(device));
            }
            if let Some(not_before) = after.not_before
                && !planted(Bug::BackoffForgotten)
            {
                // Not since the record's own time, which stands still while the wall clock is
                // behind it.
                table.pause(after.id, now + not_before.since(last.at));
            }
        });
    }

    /// One event, where each is told of.
    fn show(&self, happened: &Happened) {
        let Happened {
            before,
            after,
            recorded,
            ..
        } = happened;
        log::event(after, recorded);
        if before.state != after.state {
            self.metrics.moved(before, after);
            self.traces.moved(before, after);
        }
    }
}
