//! Whose turn it is: where jobs meet, a data structure decides. Nothing here waits, reads a
//! clock or draws a number; [`crate::kernel`] turns decisions into running jobs.
//!
//! On each device, fair share picks the tenant (`share`), and priority with age picks among its
//! jobs ([`rank`]); then come the earlier deadline and the earlier submission.

pub mod admission;
mod check;
pub mod fit;
pub mod forecast;
mod group;
mod lane;
pub mod line;
mod look;
pub mod policy;
pub mod pool;
pub mod rank;
pub mod register;
pub mod reservation;
mod reserve;
mod reserved;
mod share;
pub mod timers;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::job::target::Target;
use crate::planted::{Bug, planted};
use crate::schedule::fit::{Profile, Want};
use crate::schedule::group::{Change, Group, Groups, Key};
use crate::schedule::lane::{Lane, Standing};
use crate::schedule::policy::{PassedOver, Policy};
use crate::schedule::rank::Rank;
use crate::schedule::reserved::Reserved;
use crate::schedule::share::Tenant;
use crate::time::Monotonic;

/// Who waits for which devices, and who holds their slots.
///
/// Jobs that ask for the same wait together, in groups; a device that is free takes the first job
/// of all groups that may run there. With `n` jobs waiting of `t` tenants in `g` groups, a job that
/// may run on `k` devices costs O(log n + k (log t + log g)), and O(log n + k) where it is not the
/// first of its tenant. Some operations look further: one that takes a tenant to its limit or
/// back, at each device; a job that asks for what no other does, at each device; a device that is
/// new, or tells something new of itself, at each group. None looks at all jobs.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    lanes: BTreeMap<DeviceId, Lane>,
    groups: Groups,
    /// The lanes that have a job whose turn may come and a slot free, so that a pick need not
    /// search.
    ready: BTreeSet<DeviceId>,
    /// Where each waiting job waits, and where each holder holds.
    places: BTreeMap<JobId, Place>,
    reserved: Reserved,
    /// How many slots each tenant holds or has reserved, on all devices.
    running: BTreeMap<Tenant, usize>,
    waiting: usize,
}

#[derive(Debug, Clone)]
struct Place {
    tenant: Tenant,
    part: Part,
}

#[derive(Debug, Clone)]
enum Part {
    Waits(Key, Rank),
    Holds(DeviceId),
    /// Waits for a reserved slot, or holds it.
    Reserved(ReservationId),
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
            reserved if reserved >= slots => {
                format!("all slots{of} are reserved ({reserved} of {slots})")
            }
            reserved => {
                let taken = slots - reserved - self.free;
                format!("{taken} of {slots} slots{of} are taken, and {reserved} reserved")
            }
        }
    }
}

impl Scheduler {
    /// A schedule without devices.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            lanes: BTreeMap::new(),
            groups: Groups::new(),
            ready: BTreeSet::new(),
            places: BTreeMap::new(),
            reserved: Reserved::default(),
            running: BTreeMap::new(),
            waiting: 0,
        }
    }

    /// Says how many slots a device has, and whether it takes jobs now. Slots that are held
    /// stay held, even if there are now fewer.
    pub fn set_device(&mut self, device: &DeviceId, slots: u32, open: bool) {
        let lane = self.lanes.entry(device.clone()).or_default();
        lane.slots = slots;
        if lane.open != open {
            lane.open = open;
            let groups = self.groups.iter();
            let here = groups.filter(|(_, group)| group.devices.contains(device));
            let here: Vec<_> = here.map(|(want, _)| want.clone()).collect();
            for group in here {
                self.share_anew(&group, |group| match open {
                    true => group.open += 1,
                    false => group.open -= 1,
                });
            }
        }
        self.refresh(device);
    }

    /// Says what a device is and can do, on which it depends who may run there.
    pub fn set_profile(&mut self, device: &DeviceId, profile: Profile) {
        let lane = self.lanes.entry(device.clone()).or_default();
        if lane.profile.as_ref() == Some(&profile) {
            return;
        }
        lane.profile = Some(profile);
        let profile = lane.profile.as_ref();
        let changed = self
            .groups
            .iter()
            .filter(|(want, group)| want.fits(device, profile) != group.devices.contains(device));
        let changed: Vec<_> = changed.map(|(want, _)| want.clone()).collect();
        for group in changed {
            self.change_place(&group, device);
        }
        self.refresh(device);
    }

    /// A group's jobs may run on a device from now on, or no more.
    fn change_place(&mut self, key: &Key, device: &DeviceId) {
        let open = usize::from(self.lane(device).open);
        let is_new = !self.groups[key].devices.contains(device);
        self.share_anew(key, |group| match is_new {
            true => {
                group.devices.insert(device.clone());
                group.open += open;
            }
            false => {
                group.devices.remove(device);
                group.open -= open;
            }
        });
        let group = &self.groups[key];
        let count = group.waiting();
        let firsts = group.firsts().map(|(whose, job)| (whose.clone(), job));
        for (tenant, job) in firsts.collect::<Vec<_>>() {
            let standing = self.standing(&tenant);
            let (before, after) = match is_new {
                true => (None, Some(job)),
                false => (Some(job), None),
            };
            let first = Change { before, after };
            self.lane(device).follow(&tenant, key, first, standing);
        }
        let lane = self.lane(device);
        match is_new {
            true => lane.waiting += count,
            false => lane.waiting -= count,
        }
    }

    /// Changes on how many devices a group's jobs may run, and with that the part of each.
    fn share_anew(&mut self, key: &Key, change: impl FnOnce(&mut Group)) {
        let group = self.groups.get_mut(key).expect("it was just there");
        let lanes = &mut self.lanes;
        for member in &group.devices {
            let lane = lanes.get_mut(member).expect("a group names lanes");
            lane.backlog_milli -= group.backlog_milli();
        }
        change(group);
        for member in &group.devices {
            let lane = lanes.get_mut(member).expect("a group names lanes");
            lane.backlog_milli += group.backlog_milli();
        }
    }

    /// Puts a job into the queue of a device, as [`Self::enqueue_for`].
    pub fn enqueue(&mut self, job: JobId, device: &DeviceId, tenant: &str, rank: Rank) {
        self.enqueue_for(job, &device.clone().into(), tenant, rank);
    }

    /// Lets a job wait for what it asks for. One that waits already gets its new place; one that
    /// holds a slot keeps it and does not wait.
    pub fn enqueue_for(&mut self, job: JobId, want: &Want, tenant: &str, rank: Rank) {
        match self.places.get(&job).map(|place| &place.part) {
            Some(Part::Holds(_)) => return,
            Some(Part::Reserved(_)) if self.held_by(job).is_some() => return,
            Some(Part::Waits(..) | Part::Reserved(_)) => self.remove(job),
            None => {}
        }
        let key = self.group(want);
        let group = &self.groups[&key];
        let lane = || group.devices.first().map(|device| &self.lanes[device]);
        let known = group.known(tenant);
        let known = known.or_else(|| lane()?.known(tenant));
        let tenant = known.cloned().unwrap_or_else(|| tenant.into());
        let group = self.groups.get_mut(&key).expect("it was just made");
        let first = group.put(&tenant, (rank, job));
        self.tell(&key, &tenant, first, 1, None);
        let part = Part::Waits(key, rank);
        self.places.insert(job, Place { tenant, part });
        self.waiting += 1;
    }

    /// The group of those that ask for this.
    fn group(&mut self, want: &Want) -> Key {
        if let Some((key, _)) = self.groups.get_key_value(want) {
            return key.clone();
        }
        if let Target::Device(device) = &want.target {
            self.lanes.entry(device.clone()).or_default();
        }
        let fit = |(device, lane): &(&DeviceId, &Lane)| want.fits(device, lane.profile.as_ref());
        let mut group = Group::default();
        for (device, lane) in self.lanes.iter().filter(fit) {
            group.devices.insert(device.clone());
            group.open += usize::from(lane.open);
        }
        let key = Key::new(want.clone());
        self.groups.insert(key.clone(), group);
        key
    }

    /// Tells each device of a group what has changed there; `but` knows already.
    fn tell(
        &mut self,
        key: &Key,
        tenant: &Tenant,
        first: Change,
        more: isize,
        but: Option<&DeviceId>,
    ) {
        let moved = first.before != first.after;
        let standing = self.standing(tenant);
        let group = &self.groups[key];
        let share = group.share_milli();
        for device in &group.devices {
            let lane = self.lanes.get_mut(device).expect("a group names lanes");
            lane.waiting = lane
                .waiting
                .checked_add_signed(more)
                .expect("who leaves was there");
            match more > 0 {
                true => lane.backlog_milli += share,
                false => lane.backlog_milli -= share,
            }
            if moved && but != Some(device) {
                lane.follow(tenant, key, first, standing);
            }
            refresh(&mut self.ready, device, lane);
        }
        if self.groups[key].waiting() == 0 {
            self.groups.remove(key);
        }
    }

    fn standing(&self, tenant: &str) -> Standing {
        Standing {
            weight: self.policy.weight(tenant),
            at_limit: self.is_at_limit(tenant),
        }
    }

    /// Takes a job out of its queue; a slot it holds stays held. Does nothing otherwise.
    pub fn remove(&mut self, job: JobId) {
        self.remove_reserved(job);
        let Some(Place {
            part: Part::Waits(key, rank),
            tenant,
        }) = self.places.get(&job).cloned()
        else {
            return;
        };
        self.places.remove(&job);
        self.waiting -= 1;
        let group = self.groups.get_mut(&key).expect("who waits has a group");
        let first = group.take(&tenant, (rank, job));
        self.tell(&key, &tenant, first, -1, None);
    }

    /// The job whose turn it is on a device that has a slot free; it holds the slot from now on.
    pub fn pick(&mut self, now: Monotonic) -> Option<Pick> {
        if let Some(pick) = self.pick_reserved(now) {
            return Some(pick);
        }
        let device = self.ready.first()?.clone();
        let turn = self.lane(&device).turn();
        let group = self
            .groups
            .get_mut(&turn.group)
            .expect("who waits has a group");
        let next = group.jobs_of(&turn.tenant).nth(1).copied();
        let first = group.take(&turn.tenant, turn.job);
        let lane = self.lane(&device);
        let passed_over = lane.passed_over(&turn, next);
        lane.take(&turn, first, now);
        self.tell(&turn.group, &turn.tenant, first, -1, Some(&device));
        self.waiting -= 1;
        let (_, job) = turn.job;
        let place = self.places.get_mut(&job).expect("who waits has a place");
        place.part = Part::Holds(device.clone());
        self.count(&turn.tenant, 1);
        self.refresh(&device);
        let left_waiting = self.lane(&device).waiting;
        Some(Pick {
            job,
            device,
            left_waiting,
            passed_over,
        })
    }

    /// Notes that a job has held a slot since then, because its record says so. After a restart
    /// there may be more holders than slots.
    pub fn hold(&mut self, job: JobId, device: &DeviceId, tenant: &str, since: Monotonic) {
        self.remove(job);
        self.release(job, since);
        let weight = self.policy.weight(tenant);
        let lane = self.lanes.entry(device.clone()).or_default();
        let tenant: Tenant = lane.known(tenant).cloned().unwrap_or_else(|| tenant.into());
        lane.hold(job, &tenant, weight, since);
        let place = Place {
            tenant: tenant.clone(),
            part: Part::Holds(device.clone()),
        };
        self.places.insert(job, place);
        self.count(&tenant, 1);
        self.refresh(device);
    }

    /// The job holds nothing afterwards; a place in a queue stays. Does nothing otherwise.
    pub fn release(&mut self, job: JobId, now: Monotonic) {
        let Some(device) = self.held_by(job).cloned() else {
            return;
        };
        if self.release_reserved(job, &device) {
            return;
        }
        let Place { tenant, .. } = self.places.remove(&job).expect("it was just there");
        self.lane(&device).release(job, now);
        self.count(&tenant, -1);
        if !planted(Bug::SlotIdles) {
            self.refresh(&device);
        }
    }

    fn lane(&mut self, device: &DeviceId) -> &mut Lane {
        self.lanes
            .get_mut(device)
            .expect("every place names a lane that exists")
    }

    fn refresh(&mut self, device: &DeviceId) {
        if let Some(lane) = self.lanes.get(device) {
            refresh(&mut self.ready, device, lane);
        }
    }

    fn is_at_limit(&self, tenant: &str) -> bool {
        let running = self.running.get(tenant).copied().unwrap_or(0);
        running >= self.policy.tenant_running && !planted(Bug::TenantLimitForgotten)
    }

    /// Counts the slots of a tenant; at its limit, or no more, every device hears of it.
    fn count(&mut self, tenant: &Tenant, more: isize) {
        let was_at_limit = self.is_at_limit(tenant);
        let running = self.running.entry(tenant.clone()).or_default();
        *running = running
            .checked_add_signed(more)
            .expect("a slot is given back once");
        if *running == 0 {
            self.running.remove(tenant);
        }
        let is_at_limit = self.is_at_limit(tenant);
        if is_at_limit != was_at_limit {
            let devices: Vec<_> = self.lanes.keys().cloned().collect();
            for device in devices {
                self.lane(&device).set_limit(tenant, is_at_limit);
                self.refresh(&device);
            }
        }
    }
}

fn refresh(ready: &mut BTreeSet<DeviceId>, device: &DeviceId, lane: &Lane) {
    match lane.is_ready() {
        true if !ready.contains(device) => drop(ready.insert(device.clone())),
        true => {}
        false => drop(ready.remove(device)),
    }
}

#[cfg(test)]
mod tests;
