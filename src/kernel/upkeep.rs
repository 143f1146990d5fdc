//! The two tasks that a kernel keeps beside its jobs: one that sleeps until the next alarm, and
//! one that asks for the devices.

use std::collections::BTreeSet;
use std::future::{self, Future};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::devices::{Book, Status};
use crate::job::state::State;
use crate::kernel::Kernel;
use crate::kernel::slot::Gist;
use crate::ports::devices::Devices as _;
use crate::ports::{Clock as _, Env};
use crate::schedule::timers::Alarm;

impl<E: Env> Kernel<E> {
    /// One ordered set of alarms, one sleeping task (D17).
    pub(super) async fn ring_alarms(self: Arc<Self>) {
        loop {
            let moved = self.timers_moved.notified();
            let next = self.table().timers.next();
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.env.clock().sleep_until(at) => {}
                        () = moved => continue,
                    }
                }
                None => {
                    moved.await;
                    continue;
                }
            }
            let now = self.env.clock().monotonic();
            let mut due = Vec::new();
            self.with_table(|table| {
                while let Some((job, alarm)) = table.timers.pop_due(now) {
                    if alarm == Alarm::Deadline
                        && let Some(slot) = table.jobs.get_mut(&job)
                    {
                        let waited_for = waited_for(&slot.gist, &self.devices);
                        slot.astir().wishes.deadline = Some(waited_for);
                    }
                    due.push(job);
                }
            });
            self.wake(due);
        }
    }

    /// Asks for the devices again and again.
    pub(super) async fn poll_devices(self: Arc<Self>) {
        let pause = Duration::from_millis(self.limits.device_poll_ms);
        loop {
            self.while_rests_end(self.refresh_devices()).await;
            self.while_rests_end(self.env.clock().sleep(pause)).await;
        }
    }

    /// Waits for `work`, which may take long. Whichever device has rested for long enough meanwhile works
    /// again then, not with the next word about it.
    async fn while_rests_end(&self, work: impl Future<Output = ()>) {
        let clock = self.env.clock();
        let mut work = pin!(work);
        loop {
            let release = self.devices.next_release();
            let release = release.filter(|release| clock.monotonic() < *release);
            let rest = async {
                match release {
                    Some(release) => clock.sleep_until(release).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut work => return,
                () = rest => self.show_lanes(),
            }
        }
    }

    /// A planted mistake: nobody is served until the driver-manager was heard of.
    pub(super) async fn wait_for_devices(&self) {
        while self.env.devices().list().await.is_err() {
            let poll = Duration::from_millis(self.limits.device_poll_ms);
            self.env.clock().sleep(poll).await;
        }
    }

    async fn refresh_devices(&self) {
        let asked = self.env.clock().monotonic();
        let reached = match self.env.devices().list().await {
            Ok(devices) => {
                let at = self.env.clock().moment();
                self.devices.listed(devices, asked, at);
                true
            }
            Err(why) => {
                tracing::warn!("the devices cannot be asked: {why}");
                self.devices.lost(&why.to_string(), asked);
                false
            }
        };
        // A million jobs may wait for a first word, and are not looked at for nothing.
        let patience_is_over = self.around(false).first_contact_over;
        let word_is_due = reached || patience_is_over;
        self.show_lanes();
        let concerned = self.with_table(|table| {
            // Whoever waits for a first word, or for a device that is not there after all.
            let mut concerned = match word_is_due {
                true => table.take_unreached(),
                false => BTreeSet::new(),
            };
            if reached && patience_is_over {
                concerned.extend(table.scheduler.stranded());
            }
            concerned
        });
        self.wake(concerned);
        if reached {
            self.end_lost_reservations();
        }
    }

    /// Tells the schedule what is known of the devices, and starts whatever has room now.
    pub(super) fn show_lanes(&self) {
        let now = self.env.clock().monotonic();
        self.with_table(|table| {
            for lane in self.devices.lanes(&self.limits, now) {
                let scheduler = &mut table.scheduler;
                let open = lane.status == Status::Online;
                scheduler.set_profile(&lane.device, lane.profile);
                scheduler.set_device(&lane.device, lane.slots, open);
                let load = scheduler.load(&lane.device);
                self.metrics.set_device(&lane.device, load);
                let lost_times = lane.lost_times;
                self.metrics
                    .set_status(&lane.device, lane.status, lost_times);
            }
        });
    }
}

/// What a job that waits for a device would need, for a person; else nothing.
fn waited_for(job: &Gist, devices: &Book) -> String {
    if job.counts_in_hand {
        return "the counts are here, but the artifact store does not take them".to_owned();
    }
    let waits = matches!(
        job.state,
        State::Pending | State::Queued | State::Allocating
    );
    let why = waits.then(|| devices.why_waiting(&job.want)).flatten();
    why.unwrap_or_default()
}
