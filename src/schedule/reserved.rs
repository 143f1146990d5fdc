//! The slots that are reserved, and the jobs that wait for them: each is a pool with one place.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::planted::{Bug, planted};
use crate::schedule::pool::Pool;
use crate::schedule::rank::Rank;
use crate::schedule::tenants::Tenant;
use crate::time::Monotonic;

/// All of them. Every operation costs O(log n), but those that say otherwise.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub(super) slots: BTreeMap<ReservationId, Slot>,
    /// When no turn is given any more in those where turns are given.
    ends: BTreeSet<(Monotonic, ReservationId)>,
    /// Those in which a job waits and none runs.
    ready: BTreeSet<ReservationId>,
    /// Where each job waits or runs that has named one.
    jobs: BTreeMap<JobId, ReservationId>,
    /// Jobs that wait in all of them.
    pub(super) waiting: usize,
}

/// One slot that is reserved.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) device: DeviceId,
    pub(super) tenant: Tenant,
    pub(super) until: Monotonic,
    /// Whether turns are given.
    open: bool,
    /// Since when its device is lost.
    pub(super) lost_since: Option<Monotonic>,
    pub(super) jobs: Pool,
}

impl Slot {
    pub(super) fn new(device: &DeviceId, tenant: Tenant, until: Monotonic) -> Self {
        Self {
            device: device.clone(),
            tenant,
            until,
            open: false,
            lost_since: None,
            jobs: Pool::new(1),
        }
    }

    /// Whether its time has not passed.
    pub(super) fn is_in_time(&self, now: Monotonic) -> bool {
        now < self.until || planted(Bug::ReservationsNeverExpire)
    }
}

impl Reserved {
    /// Turns are given from now on.
    pub(super) fn open(&mut self, id: ReservationId) {
        self.change(id, |slot| slot.open = true);
    }

    /// No turn is given any more. Who has had one keeps it.
    pub(super) fn close(&mut self, id: ReservationId) {
        self.change(id, |slot| slot.open = false);
    }

    /// Those whose time has passed at `now`, and that are not closed.
    pub(super) fn due(&self, now: Monotonic) -> impl Iterator<Item = ReservationId> {
        let due = self.ends.iter().take_while(move |(until, _)| *until <= now);
        due.map(|(_, id)| *id)
    }

    /// When the next one's time has passed.
    pub(super) fn next_end(&self) -> Option<Monotonic> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Those in which somebody could have a turn at `now`, if their slot is not taken: O(n).
    pub(super) fn ready(&self, now: Monotonic) -> impl Iterator<Item = (ReservationId, &DeviceId)> {
        let ready = self.ready.iter().map(|id| (*id, &self.slots[id]));
        let in_time = ready.filter(move |(_, slot)| slot.is_in_time(now));
        in_time.map(|(id, slot)| (id, &slot.device))
    }

    /// The slot for which a job waits, or which it has.
    pub(super) fn slot_of(&self, job: JobId) -> Option<&Slot> {
        Some(&self.slots[self.jobs.get(&job)?])
    }

    #[cfg(test)]
    pub(super) fn named_by(&self, job: JobId) -> Option<ReservationId> {
        self.jobs.get(&job).copied()
    }

    /// The device whose reserved slot a job has.
    pub(super) fn held_by(&self, job: JobId) -> Option<&DeviceId> {
        let slot = self.slot_of(job)?;
        (slot.jobs.holder() == Some(job)).then_some(&slot.device)
    }

    /// Does nothing if that is reserved no more.
    pub(super) fn enqueue(&mut self, id: ReservationId, job: JobId, rank: Rank) {
        if self
            .change(id, |slot| slot.jobs.enqueue(job, rank))
            .is_some()
        {
            self.jobs.insert(job, id);
        }
    }

    /// Whether the job has the slot now.
    pub(super) fn take(&mut self, id: ReservationId, job: JobId) -> bool {
        let taken = self.change(id, |slot| slot.jobs.take(job)).unwrap_or(false);
        if taken {
            self.jobs.insert(job, id);
        }
        taken
    }

    pub(super) fn pick(&mut self, id: ReservationId) -> Option<JobId> {
        self.change(id, |slot| slot.jobs.pick()).flatten()
    }

    /// The job neither waits nor runs here any more. Does nothing otherwise.
    pub(super) fn leave(&mut self, job: JobId) {
        if let Some(id) = self.jobs.remove(&job) {
            self.change(id, |slot| slot.jobs.leave(job));
        }
    }

    pub(super) fn remove(&mut self, id: ReservationId) -> Option<Slot> {
        self.close(id);
        let slot = self.slots.remove(&id)?;
        self.waiting -= slot.jobs.waiting();
        for job in slot
            .jobs
            .queue()
            .map(|(_, job)| job)
            .chain(slot.jobs.holder())
        {
            self.jobs.remove(&job);
        }
        Some(slot)
    }

    /// Changes a slot, and everything that depends on it.
    fn change<R>(&mut self, id: ReservationId, change: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        let slot = self.slots.get_mut(&id)?;
        self.waiting -= slot.jobs.waiting();
        let changed = change(slot);
        self.waiting += slot.jobs.waiting();
        let ready = slot.open && slot.jobs.waiting() > 0 && slot.jobs.holder().is_none();
        match ready {
            true => self.ready.insert(id),
            false => self.ready.remove(&id),
        };
        match slot.open {
            true => self.ends.insert((slot.until, id)),
            false => self.ends.remove(&(slot.until, id)),
        };
        Some(changed)
    }

    /// Walks all cross-references.
    pub(super) fn check(&self) {
        let open = self.slots.iter().filter(|(_, slot)| slot.open);
        let ends = open.clone().map(|(id, slot)| (slot.until, *id));
        assert_eq!(self.ends, ends.collect());
        let ready =
            open.filter(|(_, slot)| slot.jobs.waiting() > 0 && slot.jobs.holder().is_none());
        assert_eq!(self.ready, ready.map(|(id, _)| *id).collect());
        let jobs = self.slots.iter().flat_map(|(id, slot)| {
            let waiting = slot.jobs.queue().map(|(_, job)| job);
            let jobs = waiting.chain(slot.jobs.holder());
            jobs.map(|job| (job, *id))
        });
        assert_eq!(self.jobs, jobs.collect());
        let waiting = self.slots.values().map(|slot| slot.jobs.waiting());
        assert_eq!(self.waiting, waiting.sum::<usize>());
    }
}
