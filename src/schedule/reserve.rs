//! Slots that are reserved. A reservation holds a slot of its device whether a job runs there or
//! not, and its tenant is charged for that. Of the jobs that name it one runs at a time.

use std::time::Duration;

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::schedule::policy::PassedOver;
use crate::schedule::rank::Rank;
use crate::schedule::reserved::Slot;
use crate::schedule::{Pick, Scheduler};
use crate::time::Monotonic;

impl Scheduler {
    /// Reserves a slot, whether one is free or not: while all are taken it is the next that is
    /// given back. No job has a turn there before [`Self::open_reservation`].
    pub fn reserve(
        &mut self,
        id: ReservationId,
        device: &DeviceId,
        tenant: &str,
        span: (Monotonic, Monotonic),
    ) {
        let (now, until) = span;
        let tenant = self.tenants.comes(tenant);
        let key = self.lane_of(device);
        self.lanes[key].reserve(tenant, self.tenants.standing(tenant), until.since(now));
        self.count(tenant, 1);
        let slot = Slot::new(device, tenant, until);
        self.reserved.slots.insert(id, slot);
        self.refresh(key);
    }

    /// Jobs may have turns in a reserved slot, until its time has passed.
    pub fn open_reservation(&mut self, id: ReservationId) {
        self.reserved.open(id);
    }

    /// No job has a turn in a reserved slot any more; it stays reserved.
    pub fn close_reservation(&mut self, id: ReservationId) {
        self.reserved.close(id);
    }

    /// A slot is reserved no more. A job that runs there keeps it as any other does; those that
    /// wait for it do so no longer, and are given back.
    pub fn end_reservation(&mut self, id: ReservationId, now: Monotonic) -> Vec<JobId> {
        let Some(slot) = self.reserved.remove(id) else {
            return Vec::new();
        };
        let key = self.lane_of(&slot.device);
        if let Some(job) = slot.jobs.holder() {
            self.lanes[key].occupied -= 1;
            // Until now its time was charged with the reservation.
            let tenant = self.tenants.standing(slot.tenant).name.clone();
            self.hold(job, &slot.device, &tenant, now);
        }
        let left = slot.until.since(now);
        self.lanes[key].unreserve(slot.tenant, left);
        self.count(slot.tenant, -1);
        self.tenants.left(slot.tenant);
        self.refresh(key);
        slot.jobs.queue().map(|(_, job)| job).collect()
    }

    /// Lets a job wait for a reserved slot. One that waits already gets its new rank; one that
    /// holds a slot keeps it. Does nothing if that is reserved no more.
    pub fn enqueue_reserved(&mut self, job: JobId, id: ReservationId, rank: Rank) {
        if self.held_by(job).is_some() {
            return;
        }
        self.remove(job);
        self.reserved.enqueue(id, job, rank);
    }

    /// Notes that a job holds a reserved slot, because its record says so; false if it is reserved
    /// no more, or if another job has it.
    pub fn hold_reserved(&mut self, job: JobId, id: ReservationId) -> bool {
        let taken = self.reserved.take(id, job);
        if taken {
            let device = self.reserved.slots[&id].device.clone();
            let key = self.lane_of(&device);
            self.lanes[key].occupied += 1;
        }
        taken
    }

    /// The next job whose turn it is in a slot that it has reserved.
    pub(super) fn pick_reserved(&mut self, now: Monotonic) -> Option<Pick> {
        let has_room = |(_, device): &(_, &DeviceId)| self.has_room_for_a_holder(device);
        let (id, device) = self.reserved.ready(now).find(has_room)?;
        let device = device.clone();
        let mut queue = self.reserved.slots[&id].jobs.queue();
        let (first, next) = (queue.next(), queue.next());
        let passed_over = first.zip(next).map(|((rank, _), (other, job))| PassedOver {
            job,
            rule: rank.precedence_over(&other).into(),
        });
        let passed_over = passed_over.into_iter().collect();
        drop(queue);
        let job = self.reserved.pick(id)?;
        let key = self.lane_of(&device);
        self.lanes[key].occupied += 1;
        let left_waiting = self.reserved.slots[&id].jobs.waiting();
        Some(Pick {
            job,
            device,
            left_waiting,
            passed_over,
        })
    }

    /// Takes a job out of the queue for a reserved slot.
    pub(super) fn remove_reserved(&mut self, job: JobId) {
        if self.reserved.held_by(job).is_none() {
            self.reserved.leave(job);
        }
    }

    /// The job gives a reserved slot back, if it has one.
    pub(super) fn release_reserved(&mut self, job: JobId) {
        if let Some(device) = self.reserved.held_by(job).cloned() {
            self.reserved.leave(job);
            let key = self.lane_of(&device);
            self.lanes[key].occupied -= 1;
        }
    }

    /// Whether the time of a reservation has not passed; false for one that is over.
    pub fn is_in_time(&self, id: ReservationId, now: Monotonic) -> bool {
        let slot = self.reserved.slots.get(&id);
        slot.is_some_and(|slot| slot.is_in_time(now))
    }

    /// Reservations whose time has passed, and of which that was not noted yet.
    pub fn expired_reservations(&self, now: Monotonic) -> Vec<ReservationId> {
        self.reserved.due(now).collect()
    }

    /// When the next one's time has passed.
    pub fn next_expiry(&self) -> Option<Monotonic> {
        self.reserved.next_end()
    }

    /// Notes which devices are lost, and gives the reservations whose device has been for so long.
    pub fn lost_reservations(
        &mut self,
        lost: impl Fn(&DeviceId) -> bool,
        now: Monotonic,
        patience: Duration,
    ) -> Vec<ReservationId> {
        let mut over = Vec::new();
        for (id, slot) in &mut self.reserved.slots {
            let since = lost(&slot.device).then(|| slot.lost_since.unwrap_or(now));
            slot.lost_since = since;
            over.extend(
                since
                    .filter(|since| now.since(*since) >= patience)
                    .map(|_| *id),
            );
        }
        over
    }

    /// The job that has a reserved slot, if one has.
    pub fn holder_of(&self, id: ReservationId) -> Option<JobId> {
        self.reserved.slots.get(&id)?.jobs.holder()
    }

    /// Jobs that wait for a reserved slot.
    pub fn waiting_for(&self, id: ReservationId) -> usize {
        let slot = self.reserved.slots.get(&id);
        slot.map_or(0, |slot| slot.jobs.waiting())
    }

    /// Whether any slot is empty for a job that has one reserved on this device.
    pub fn has_room_for_a_holder(&self, device: &DeviceId) -> bool {
        let lane = self.lanes.get(device);
        lane.is_some_and(super::lane::Lane::has_room_for_a_holder)
    }

    /// Jobs that wait for slots of a device that are reserved.
    pub(super) fn waiting_in_reserved(&self, device: &DeviceId) -> usize {
        if self.reserved.waiting == 0 {
            return 0;
        }
        let slots = self.reserved.slots.values();
        let here = slots.filter(|slot| slot.device == *device);
        here.map(|slot| slot.jobs.waiting()).sum()
    }
}

#[cfg(test)]
mod tests;
