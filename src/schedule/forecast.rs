//! How long a job will wait still, with an interval: what stands ahead of it as the policy would
//! serve it, times what such executions took lately, corrected by how wrong that was before.
//!
//! A forecast costs O(turns × log tenants) with at most [`TURNS_MAX`] turns looked at, and for each
//! slot that is held a look at a bounded number of executions; learning costs O(log n).

mod correction;
mod durations;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{DeviceId, JobId};
use crate::schedule::Scheduler;
use crate::schedule::line::TURNS_MAX;
use crate::time::Monotonic;
use correction::{Correction, Ratios};
use durations::Durations;

/// Waiting jobs of a device whose waits will teach something. While there are so many, no more
/// are chosen, so that what is remembered stays little.
const TOLD_MAX: usize = 256;

/// How long, with a chance of one half and of nine tenths that it is not longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// In half of the cases it is at most this.
    pub p50: Duration,
    /// In nine of ten cases it is at most this.
    pub p90: Duration,
}

/// What was told of a wait, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where the job waited.
    pub device: DeviceId,
    /// What was told when it came.
    pub told: Interval,
    /// What it was.
    pub waited: Duration,
}

/// What is known of waiting, learnt since start.
#[derive(Debug, Default)]
pub struct Forecast {
    devices: BTreeMap<DeviceId, Known>,
    told: BTreeMap<JobId, Told>,
}

#[derive(Debug, Default)]
struct Known {
    durations: Durations,
    /// Of guesses by the turns before a job's own.
    by_turns: Correction,
    /// Of guesses by all that waits, for somebody who is not there yet.
    by_backlog: Correction,
    told: usize,
}

/// A forecast that will be held against what comes.
#[derive(Debug)]
struct Told {
    device: DeviceId,
    at: Monotonic,
    by_turns: (Guess, Ratios),
    by_backlog: (Guess, Ratios),
}

/// A wait that is not corrected yet.
#[derive(Debug, Clone, Copy)]
struct Guess {
    seconds: f64,
    size: usize,
}

impl Forecast {
    /// An execution on a device took so long.
    pub fn took(&mut self, device: &DeviceId, tenant: &str, span: Duration) {
        let known = self.devices.entry(device.clone()).or_default();
        known.durations.took(tenant, span.as_secs_f64());
    }

    /// Seconds an execution on a device took lately; `None` before the first.
    pub fn execution_seconds(&self, device: &DeviceId) -> Option<f64> {
        self.devices.get(device)?.durations.of_any()
    }

    /// How long a job will wait from now on. `None` if it does not wait, or if nobody can say: its
    /// device takes nothing, its tenant may have no more running, or no execution was seen.
    pub fn of(&self, scheduler: &Scheduler, job: JobId, now: Monotonic) -> Option<Interval> {
        let (device, guess) = self.nearest(scheduler, job, now)?;
        Some(guess.times(self.devices[device].by_turns.ratios(guess.size)))
    }

    /// The device where a job that waits will have its turn first, as far as can be told.
    pub fn device_of<'a>(
        &self,
        scheduler: &'a Scheduler,
        job: JobId,
        now: Monotonic,
    ) -> Option<&'a DeviceId> {
        let (device, _) = self.nearest(scheduler, job, now)?;
        Some(device)
    }

    fn nearest<'a>(
        &self,
        scheduler: &'a Scheduler,
        job: JobId,
        now: Monotonic,
    ) -> Option<(&'a DeviceId, Guess)> {
        let guesses = scheduler.may_run_on(job).filter_map(|device| {
            let known = self.devices.get(device)?;
            Some((device, known.by_turns(scheduler, device, job, now)?))
        });
        guesses.min_by(|(_, one), (_, other)| one.seconds.total_cmp(&other.seconds))
    }

    /// How long a job would wait that is enqueued now, whosever it is. `None` if nobody can say.
    pub fn of_another(
        &self,
        scheduler: &Scheduler,
        device: &DeviceId,
        now: Monotonic,
    ) -> Option<Interval> {
        let known = self.devices.get(device)?;
        let guess = known.by_backlog(scheduler, device, now)?;
        Some(guess.times(known.by_backlog.ratios(guess.size)))
    }

    /// A job has just come into the queue of its device: what can be told now will be held against
    /// its true wait.
    pub fn came(&mut self, scheduler: &Scheduler, job: JobId, now: Monotonic) {
        self.left(job);
        let full = |device| {
            self.devices
                .get(device)
                .is_some_and(|it| it.told == TOLD_MAX)
        };
        if scheduler.may_run_on(job).any(full) {
            return;
        }
        let Some((device, by_turns)) = self.nearest(scheduler, job, now) else {
            return;
        };
        let known = self.devices.get_mut(device).expect("it was just looked at");
        let Some(by_backlog) = known.by_backlog(scheduler, device, now) else {
            return;
        };
        known.told += 1;
        let told = Told {
            device: device.clone(),
            at: now,
            by_turns: (by_turns, known.by_turns.ratios(by_turns.size)),
            by_backlog: (by_backlog, known.by_backlog.ratios(by_backlog.size)),
        };
        self.told.insert(job, told);
    }

    /// A job's turn has come. What was told of it, if that was remembered.
    pub fn started(&mut self, job: JobId, now: Monotonic) -> Option<Kept> {
        let told = self.forget(job)?;
        let known = self.devices.get_mut(&told.device)?;
        let waited = now.since(told.at);
        for ((guess, ratios), correction) in [
            (told.by_turns, &mut known.by_turns),
            (told.by_backlog, &mut known.by_backlog),
        ] {
            if guess.seconds > 0.0 {
                correction.learn(guess.size, waited.as_secs_f64() / guess.seconds, ratios);
            }
        }
        let (guess, ratios) = told.by_turns;
        Some(Kept {
            device: told.device,
            told: guess.times(ratios),
            waited,
        })
    }

    /// A job waits no more, and its turn has not come. Does nothing otherwise.
    pub fn left(&mut self, job: JobId) {
        self.forget(job);
    }

    fn forget(&mut self, job: JobId) -> Option<Told> {
        let told = self.told.remove(&job)?;
        if let Some(known) = self.devices.get_mut(&told.device) {
            known.told -= 1;
        }
        Some(told)
    }
}

impl Known {
    /// What the turns before a job's own will take.
    fn by_turns(
        &self,
        scheduler: &Scheduler,
        device: &DeviceId,
        job: JobId,
        now: Monotonic,
    ) -> Option<Guess> {
        let any = self.durations.of_any()?;
        let (mut seconds, mut turns) = (0.0, 0);
        for (tenant, part) in scheduler.tenants_before(job, device)? {
            seconds += part * self.durations.of(tenant)?;
            turns += 1;
        }
        if turns == TURNS_MAX {
            // Who comes after those that were looked at may be before it or not.
            let rest = scheduler.backlog(device) - turns as f64;
            seconds += rest.max(0.0) / 2.0 * any;
        }
        self.guess(scheduler, device, seconds, now)
    }

    /// What all will take that wait.
    fn by_backlog(
        &self,
        scheduler: &Scheduler,
        device: &DeviceId,
        now: Monotonic,
    ) -> Option<Guess> {
        let seconds = scheduler.backlog(device) * self.durations.of_any()?;
        self.guess(scheduler, device, seconds, now)
    }

    /// How long it takes until a slot is free behind so much work.
    fn guess(
        &self,
        scheduler: &Scheduler,
        device: &DeviceId,
        ahead: f64,
        now: Monotonic,
    ) -> Option<Guess> {
        let any = self.durations.of_any()?;
        let load = scheduler.load(device);
        // What is reserved is no slot for others.
        let slots = (load.slots as usize).saturating_sub(load.reserved);
        if !scheduler.is_open(device) || slots == 0 {
            return None;
        }
        let mut seconds = ahead;
        // With a slot free nobody has to wait for those that run.
        if load.free == 0 {
            for (tenant, since) in scheduler.holders(device) {
                let expected = self.durations.of(tenant)?;
                let elapsed = now.since(since).as_secs_f64();
                seconds += self.durations.rest(expected, elapsed);
            }
        }
        seconds /= slots as f64;
        let size = Correction::size(seconds / any.max(f64::MIN_POSITIVE));
        Some(Guess { seconds, size })
    }
}

impl Guess {
    fn times(self, ratios: Ratios) -> Interval {
        let span =
            |ratio: f64| Duration::try_from_secs_f64(self.seconds * ratio).unwrap_or(Duration::MAX);
        Interval {
            p50: span(ratios.p50),
            p90: span(ratios.p90),
        }
    }
}

#[cfg(test)]
mod tests;
