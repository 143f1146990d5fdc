//! Whose turn it is: where jobs meet, a data structure decides. Nothing here waits, reads a
//! clock or draws a number; [`crate::kernel`] turns decisions into running jobs.
//!
//! On each device, fair share picks the tenant (`share`), and priority with age picks among its
//! jobs ([`rank`]); then come the earlier deadline and the earlier submission.

pub mod admission;
mod by_id;
mod check;
pub mod fit;
pub mod forecast;
mod group;
mod heap;
mod lane;
pub mod line;
mod look;
pub mod policy;
pub mod pool;
pub mod rank;
pub mod register;
mod registry;
pub mod reservation;
mod reserve;
mod reserved;
mod share;
mod sorted;
mod tenants;
pub mod timers;

use std::collections::BTreeMap;

use crate::ids::{DeviceId, JobId};
use crate::job::target::Target;
use crate::planted::{Bug, planted};
use crate::schedule::by_id::ById;
use crate::schedule::fit::{Profile, Want};
use crate::schedule::group::{Change, Group, Groups, Key};
use crate::schedule::lane::{Lane, LaneKey};
use crate::schedule::policy::{PassedOver, Policy};
use crate::schedule::rank::Rank;
use crate::schedule::registry::Registry;
use crate::schedule::reserved::Reserved;
use crate::schedule::tenants::{Tenant, Tenants};
use crate::time::Monotonic;

/// All devices that were ever named.
type Lanes = Registry<LaneKey, DeviceId, Lane>;

/// Who waits for which devices, and who holds their slots.
///
/// Jobs that ask for the same wait together, in groups; a device that is free takes the first job
/// of all groups that may run there. With `n` jobs waiting of `t` tenants in `g` groups, a job that
/// may run on `k` devices costs O(log n + k (log t + log g)), and O(log n + k) where it is not the
/// first of its tenant. Some operations look further: one that takes a tenant to its limit or back,
/// at each device; a job that asks for what no other does, at each device; a device that is new, or
/// tells something new of itself, at each group. None looks at all jobs, but for one that comes when
/// the table of ids is full, so that it doubles: O(1) on the mean.
/// An enqueue with its pick costs about 2.5 times a plain heap's at a million jobs (DESIGN.md).
#[derive(Debug)]
pub struct Scheduler {
    lanes: Lanes,
    groups: Groups,
    tenants: Tenants,
    /// The lanes that have a job whose turn may come and a slot free, so that a pick need not
    /// search. One that has not any more is taken out when its turn to be looked at comes.
    ready: BTreeMap<DeviceId, LaneKey>,
    /// Where each waiting job waits.
    waiting: ById<Waiting>,
    /// Where each holder holds.
    holders: ById<Holder>,
    reserved: Reserved,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    rank: Rank,
    group: Key,
    tenant: Tenant,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    lane: LaneKey,
    /// Its place among those that hold a slot there.
    at: usize,
}

/// A decision: this job, on this device, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Whose turn it is.
    pub job: JobId,
    /// Where.
    pub device: DeviceId,
    /// Jobs that still wait for the device.
    pub left_waiting: usize,
    /// The most urgent job of another tenant, if it would have come before, and the next of the
    /// same one.
    pub passed_over: Vec<PassedOver>,
}

/// How busy a device is with this kernel's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Jobs that wait.
    pub waiting: usize,
    /// Jobs that run, in reserved slots or others.
    pub running: usize,
    /// Slots in all.
    pub slots: u32,
    /// Slots that are reserved, whether a job runs there or not.
    pub reserved: usize,
    /// Slots that the next job may have that has none reserved.
    pub free: usize,
}

impl Load {
    /// What has the slots, for a person; `of` is nothing, or ` of ` and the device.
    pub fn taken(&self, of: &str) -> String {
        let slots = self.slots as usize;
        match self.reserved {
            0 => format!("{} of {slots} slots{of} are taken", self.running),
            // There may be more reserved than the device has by now.
            reserved if reserved >= slots => {
                format!("all slots{of} are reserved ({reserved} of {slots})")
            }
            reserved => {
                let taken = (slots - reserved).saturating_sub(self.free);
                format!("{taken} of {slots} slots{of} are taken, and {reserved} reserved")
            }
        }
    }
}

impl Scheduler {
    /// A schedule without devices.
    pub fn new(policy: Policy) -> Self {
        Self {
            lanes: Lanes::new(),
            groups: Groups::new(),
            tenants: Tenants::new(policy),
            ready: BTreeMap::new(),
            waiting: ById::new(),
            holders: ById::new(),
            reserved: Reserved::default(),
        }
    }

    /// Says how many slots a device has, and whether it takes jobs now. Slots that are held
    /// stay held, even if there are now fewer.
    pub fn set_device(&mut self, device: &DeviceId, slots: u32, open: bool) {
        let key = self.lane_of(device);
        let lane = &mut self.lanes[key];
        lane.slots = slots;
        if lane.open != open {
            lane.open = open;
            let groups = self.groups.iter();
            let here = groups.filter(|(.., group)| group.devices.contains_key(device));
            let here: Vec<_> = here.map(|(_, key, _)| key).collect();
            for group in here {
                self.share_anew(group, |group| match open {
                    true => group.open += 1,
                    false => group.open -= 1,
                });
            }
        }
        self.refresh(key);
    }

    /// Says what a device is and can do, on which it depends who may run there.
    pub fn set_profile(&mut self, device: &DeviceId, profile: Profile) {
        let lane_key = self.lane_of(device);
        let lane = &mut self.lanes[lane_key];
        if lane.profile.as_ref() == Some(&profile) {
            return;
        }
        lane.profile = Some(profile);
        let profile = lane.profile.as_ref();
        let changed = self.groups.iter().filter(|(want, _, group)| {
            want.fits(device, profile) != group.devices.contains_key(device)
        });
        let changed: Vec<_> = changed.map(|(_, key, _)| key).collect();
        for group in changed {
            self.change_place(group, lane_key);
        }
        self.refresh(lane_key);
    }

    /// A group's jobs may run on a device from now on, or no more.
    fn change_place(&mut self, key: Key, lane_key: LaneKey) {
        let open = usize::from(self.lanes[lane_key].open);
        let device = self.lanes.name(lane_key).clone();
        let is_new = !self.groups[key].devices.contains_key(&device);
        self.share_anew(key, |group| match is_new {
            true => {
                group.devices.insert(device, lane_key);
                group.open += open;
            }
            false => {
                group.devices.remove(&device);
                group.open -= open;
            }
        });
        let group = &self.groups[key];
        let count = group.waiting();
        let lane = &mut self.lanes[lane_key];
        for (tenant, job) in group.firsts() {
            let (before, after) = match is_new {
                true => (None, Some(job)),
                false => (Some(job), None),
            };
            let first = Change { before, after };
            lane.follow(tenant, key, first, self.tenants.standing(tenant));
        }
        match is_new {
            true => lane.waiting += count,
            false => lane.waiting -= count,
        }
    }

    /// Changes on how many devices a group's jobs may run, and with that the part of each.
    fn share_anew(&mut self, key: Key, change: impl FnOnce(&mut Group)) {
        let group = &mut self.groups[key];
        for lane in group.devices.values() {
            self.lanes[*lane].backlog_milli -= group.backlog_milli();
        }
        change(group);
        for lane in group.devices.values() {
            self.lanes[*lane].backlog_milli += group.backlog_milli();
        }
    }

    /// Puts a job into the queue of a device, as [`Self::enqueue_for`].
    pub fn enqueue(&mut self, job: JobId, device: &DeviceId, tenant: &str, rank: Rank) {
        self.enqueue_with(job, tenant, rank, |scheduler| {
            let key = scheduler.lane_of(device);
            let named = scheduler.lanes[key].group;
            named.unwrap_or_else(|| scheduler.group(&device.clone().into()))
        });
    }

    /// Lets a job wait for what it asks for. One that waits already gets its new place; one that
    /// holds a slot keeps it and does not wait.
    pub fn enqueue_for(&mut self, job: JobId, want: &Want, tenant: &str, rank: Rank) {
        self.enqueue_with(job, tenant, rank, |scheduler| scheduler.group(want));
    }

    fn enqueue_with(
        &mut self,
        job: JobId,
        tenant: &str,
        rank: Rank,
        group: impl FnOnce(&mut Self) -> Key,
    ) {
        if self.held_by(job).is_some() {
            return;
        }
        self.remove(job);
        let group = group(self);
        let tenant = self.tenants.comes(tenant);
        let place = Waiting {
            rank,
            group,
            tenant,
        };
        let number = self.waiting.insert(job, place);
        let first = self.groups[group].put(tenant, (rank, job), number);
        self.tell(group, tenant, first, 1, None);
    }

    /// The group of those that ask for this.
    fn group(&mut self, want: &Want) -> Key {
        if let Some(key) = self.groups.find(want) {
            return key;
        }
        if let Target::Device(device) = &want.target {
            self.lane_of(device);
        }
        let fit =
            |(device, _, lane): &(&DeviceId, _, &Lane)| want.fits(device, lane.profile.as_ref());
        let mut group = Group::default();
        for (device, key, lane) in self.lanes.iter().filter(fit) {
            group.devices.insert(device.clone(), key);
            group.open += usize::from(lane.open);
        }
        let key = self.groups.add(want.clone(), group);
        if let Some(lane) = named(want).and_then(|it| self.lanes.find(it)) {
            self.lanes[lane].group = Some(key);
        }
        key
    }

    /// Tells each device of a group what has changed there; `but` knows already.
    fn tell(&mut self, key: Key, tenant: Tenant, first: Change, more: isize, but: Option<LaneKey>) {
        let moved = first.before != first.after;
        let group = &self.groups[key];
        let share = group.share_milli();
        for (device, lane_key) in &group.devices {
            let lane = &mut self.lanes[*lane_key];
            lane.waiting = lane
                .waiting
                .checked_add_signed(more)
                .expect("who leaves was there");
            match more > 0 {
                true => lane.backlog_milli += share,
                false => lane.backlog_milli -= share,
            }
            if moved && but != Some(*lane_key) {
                lane.follow(tenant, key, first, self.tenants.standing(tenant));
            }
            refresh(&mut self.ready, device, *lane_key, lane);
        }
        if group.waiting() == 0 {
            if let Some(lane) = named(self.groups.name(key)).and_then(|it| self.lanes.find(it)) {
                self.lanes[lane].group = None;
            }
            self.groups.remove(key);
        }
    }

    /// Takes a job out of its queue; a slot it holds stays held. Does nothing otherwise.
    pub fn remove(&mut self, job: JobId) {
        self.remove_reserved(job);
        let Some(place) = self.waiting.remove(job) else {
            return;
        };
        let Waiting {
            rank,
            group,
            tenant,
        } = place;
        let (first, _) = self.groups[group].take(tenant, (rank, job));
        self.tell(group, tenant, first, -1, None);
        self.tenants.left(tenant);
    }

    /// The job whose turn it is on a device that has a slot free; it holds the slot from now on.
    pub fn pick(&mut self, now: Monotonic) -> Option<Pick> {
        if let Some(pick) = self.pick_reserved(now) {
            return Some(pick);
        }
        let key = self.ready_lane()?;
        let lane = &mut self.lanes[key];
        let turn = lane.turn();
        let (first, number) = self.groups[turn.group].take(turn.tenant, turn.job);
        let passed_over = lane.passed_over(&turn, first);
        let at = lane.take(&turn, first, now);
        self.tell(turn.group, turn.tenant, first, -1, Some(key));
        let (_, job) = turn.job;
        self.holders.insert(job, Holder { lane: key, at });
        self.count(turn.tenant, 1);
        let device = self.lanes.name(key).clone();
        self.waiting.remove_at(job, number);
        Some(Pick {
            job,
            device,
            left_waiting: self.lanes[key].waiting,
            passed_over,
        })
    }

    /// The first device that has a slot free and somebody whose turn it is.
    fn ready_lane(&mut self) -> Option<LaneKey> {
        loop {
            let (_, key) = self.ready.first_key_value()?;
            let (key, lane) = (*key, &mut self.lanes[*key]);
            if lane.is_ready() {
                return Some(key);
            }
            lane.is_listed = false;
            self.ready.pop_first();
        }
    }

    /// Notes that a job has held a slot since then, because its record says so. After a restart
    /// there may be more holders than slots.
    pub fn hold(&mut self, job: JobId, device: &DeviceId, tenant: &str, since: Monotonic) {
        self.remove(job);
        self.release(job, since);
        let tenant = self.tenants.comes(tenant);
        let key = self.lane_of(device);
        let at = self.lanes[key].hold(job, tenant, self.tenants.standing(tenant), since);
        self.holders.insert(job, Holder { lane: key, at });
        self.count(tenant, 1);
        self.refresh(key);
    }

    /// The job holds nothing afterwards; a place in a queue stays. Does nothing otherwise.
    pub fn release(&mut self, job: JobId, now: Monotonic) {
        let Some(Holder { lane, at }) = self.holders.remove(job) else {
            return self.release_reserved(job);
        };
        let (tenant, moved) = self.lanes[lane].release(at, now);
        if let Some(moved) = moved.and_then(|job| self.holders.get_mut(job)) {
            moved.at = at;
        }
        self.count(tenant, -1);
        self.tenants.left(tenant);
        if !planted(Bug::SlotIdles) {
            self.refresh(lane);
        }
    }

    fn lane_of(&mut self, device: &DeviceId) -> LaneKey {
        let known = self.lanes.find(device);
        known.unwrap_or_else(|| self.lanes.add(device.clone(), Lane::default()))
    }

    fn refresh(&mut self, key: LaneKey) {
        let (device, lane) = self.lanes.get_mut(key);
        refresh(&mut self.ready, device, key, lane);
    }

    /// Counts the slots of a tenant; at its limit, or no more, every device hears of it.
    fn count(&mut self, tenant: Tenant, more: isize) {
        if let Some(at_limit) = self.tenants.count(tenant, more) {
            for (device, key, lane) in self.lanes.iter_mut() {
                lane.set_limit(tenant, at_limit);
                refresh(&mut self.ready, device, key, lane);
            }
        }
    }
}

/// The device that is asked for, and nothing else.
fn named(want: &Want) -> Option<&DeviceId> {
    match want {
        Want {
            target: Target::Device(device),
            needs: None,
        } => Some(device),
        _ => None,
    }
}

fn refresh(
    ready: &mut BTreeMap<DeviceId, LaneKey>,
    device: &DeviceId,
    key: LaneKey,
    lane: &mut Lane,
) {
    if !lane.is_listed && lane.is_ready() {
        lane.is_listed = true;
        ready.insert(device.clone(), key);
    }
}

#[cfg(test)]
mod tests;
