//! Whose turn it is: where jobs meet, a data structure decides. Nothing here waits, reads a
//! clock or draws a number; [`crate::kernel`] turns decisions into running jobs.
//!
//! On each device, fair share picks the tenant (`share`), and priority with age picks among its
//! jobs ([`rank`]); then come the earlier deadline and the earlier submission.

pub mod admission;
pub mod forecast;
mod lane;
pub mod line;
pub mod policy;
pub mod pool;
pub mod rank;
mod share;
pub mod timers;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{DeviceId, JobId};
use crate::schedule::lane::{Lane, Standing};
use crate::schedule::line::Line;
use crate::schedule::policy::{PassedOver, Policy};
use crate::schedule::rank::Rank;
use crate::schedule::share::Tenant;
use crate::time::Monotonic;

/// A queue per device, and who holds its slots.
///
/// With `n` jobs waiting of `t` tenants, every operation costs O(log n + log t), but for one that
/// takes a tenant to its limit or back, which also looks at each device; none looks at all jobs.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    lanes: BTreeMap<DeviceId, Lane>,
    /// The lanes that have a job whose turn may come and a slot free, so that a pick need not
    /// search.
    ready: BTreeSet<DeviceId>,
    /// Where each waiting job waits, and where each holder holds.
    places: BTreeMap<JobId, Place>,
    /// How many slots each tenant holds, on all devices.
    running: BTreeMap<Tenant, usize>,
    waiting: usize,
}

#[derive(Debug, Clone)]
struct Place {
    device: DeviceId,
    tenant: Tenant,
    /// `None` for a holder.
    rank: Option<Rank>,
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
    /// Slots taken.
    pub running: usize,
    /// Slots in all.
    pub slots: u32,
}

impl Scheduler {
    /// A schedule without devices.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            lanes: BTreeMap::new(),
            ready: BTreeSet::new(),
            places: BTreeMap::new(),
            running: BTreeMap::new(),
            waiting: 0,
        }
    }

    /// Says how many slots a device has, and whether it takes jobs now. Slots that are held
    /// stay held, even if there are now fewer.
    pub fn set_device(&mut self, device: &DeviceId, slots: u32, open: bool) {
        let lane = self.lanes.entry(device.clone()).or_default();
        lane.slots = slots;
        lane.open = open;
        self.refresh(device);
    }

    /// Puts a job into its device's queue. A job that waits already gets its new place; one that
    /// holds a slot keeps it and does not wait.
    pub fn enqueue(&mut self, job: JobId, device: &DeviceId, tenant: &str, rank: Rank) {
        match self.places.get(&job) {
            Some(Place { rank: None, .. }) => return,
            Some(_) => self.remove(job),
            None => {}
        }
        let standing = Standing {
            weight: self.policy.weight(tenant),
            at_limit: self.is_at_limit(tenant),
        };
        let lane = self.lanes.entry(device.clone()).or_default();
        let tenant = lane.known(tenant).cloned().unwrap_or_else(|| tenant.into());
        lane.enqueue(job, rank, &tenant, standing);
        let place = Place {
            device: device.clone(),
            tenant,
            rank: Some(rank),
        };
        self.places.insert(job, place);
        self.waiting += 1;
        self.refresh(device);
    }

    /// Takes a job out of its queue; a slot it holds stays held. Does nothing otherwise.
    pub fn remove(&mut self, job: JobId) {
        let Some(Place {
            rank: Some(rank), ..
        }) = self.places.get(&job)
        else {
            return;
        };
        let rank = *rank;
        let Place { device, tenant, .. } = self.places.remove(&job).expect("it was just there");
        self.waiting -= 1;
        self.lane(&device).remove(job, &tenant, rank);
        self.refresh(&device);
    }

    /// The job whose turn it is on a device that has a slot free; it holds the slot from now on.
    pub fn pick(&mut self, now: Monotonic) -> Option<Pick> {
        let device = self.ready.first()?.clone();
        let turn = self.lane(&device).turn(now);
        let left_waiting = self.lane(&device).waiting();
        self.waiting -= 1;
        let place = self
            .places
            .get_mut(&turn.job)
            .expect("who waits has a place");
        place.rank = None;
        self.count(&turn.tenant, 1);
        self.refresh(&device);
        Some(Pick {
            job: turn.job,
            device,
            left_waiting,
            passed_over: turn.passed_over,
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
            device: device.clone(),
            tenant: tenant.clone(),
            rank: None,
        };
        self.places.insert(job, place);
        self.count(&tenant, 1);
        self.refresh(device);
    }

    /// The job holds nothing afterwards; a place in a queue stays. Does nothing otherwise.
    pub fn release(&mut self, job: JobId, now: Monotonic) {
        if self.held_by(job).is_none() {
            return;
        }
        let Place { device, tenant, .. } = self.places.remove(&job).expect("it was just there");
        self.lane(&device).release(job, now);
        self.count(&tenant, -1);
        self.refresh(&device);
    }

    /// How busy a device is; nothing is known of one that was never named.
    pub fn load(&self, device: &DeviceId) -> Load {
        self.lanes
            .get(device)
            .map_or_else(Load::default, |lane| Load {
                waiting: lane.waiting(),
                running: lane.running(),
                slots: lane.slots,
            })
    }

    /// Who is ahead of a job that waits; `None` if it does not. Looks at a bounded number of turns.
    pub fn line(&self, job: JobId) -> Option<Line> {
        let place = self.places.get(&job)?;
        let lane = self.lanes.get(&place.device)?;
        Some(lane.line(job, &place.tenant, place.rank?))
    }

    /// Whose the turns are that would come before that of a job that waits, in order and as
    /// [`Self::line`] tells them. `None` if it does not wait, or if its tenant may hold no more.
    pub fn tenants_before(&self, job: JobId) -> Option<impl Iterator<Item = &str>> {
        let place = self.places.get(&job)?;
        place.rank?;
        self.lanes
            .get(&place.device)?
            .tenants_before(job, &place.tenant)
    }

    /// Whose jobs hold the slots of a device, and since when.
    pub fn holders(&self, device: &DeviceId) -> impl Iterator<Item = (&str, Monotonic)> {
        let lane = self.lanes.get(device);
        lane.into_iter().flat_map(Lane::since)
    }

    /// Whether a device takes jobs.
    pub fn is_open(&self, device: &DeviceId) -> bool {
        self.lanes.get(device).is_some_and(|lane| lane.open)
    }

    /// The device for which a job waits.
    pub fn waits_for(&self, job: JobId) -> Option<&DeviceId> {
        let place = self.places.get(&job)?;
        place.rank.map(|_| &place.device)
    }

    /// How many slots a tenant holds, if it may hold no more.
    pub fn limit_of(&self, tenant: &str) -> Option<usize> {
        let running = self.running.get(tenant).copied().unwrap_or(0);
        self.is_at_limit(tenant).then_some(running)
    }

    /// Jobs that wait, on all devices together.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The device whose slot a job holds.
    pub fn held_by(&self, job: JobId) -> Option<&DeviceId> {
        let place = self.places.get(&job)?;
        place.rank.is_none().then_some(&place.device)
    }

    /// The jobs that wait for a device, by tenant, the most urgent of each first.
    pub fn queue(&self, device: &DeviceId) -> impl Iterator<Item = JobId> {
        self.lanes.get(device).into_iter().flat_map(Lane::queue)
    }

    /// The devices that jobs wait for.
    pub fn wanted(&self) -> impl Iterator<Item = &DeviceId> {
        self.lanes
            .iter()
            .filter(|(_, lane)| lane.waiting() > 0)
            .map(|(device, _)| device)
    }

    fn lane(&mut self, device: &DeviceId) -> &mut Lane {
        self.lanes
            .get_mut(device)
            .expect("every place names a lane that exists")
    }

    fn refresh(&mut self, device: &DeviceId) {
        if self.lanes.get(device).is_some_and(Lane::is_ready) {
            self.ready.insert(device.clone());
        } else {
            self.ready.remove(device);
        }
    }

    fn is_at_limit(&self, tenant: &str) -> bool {
        let running = self.running.get(tenant).copied().unwrap_or(0);
        running >= self.policy.tenant_running
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

    /// Walks all cross-references.
    ///
    /// # Panics
    /// When they do not agree: a bug of this module. For tests.
    pub fn check(&self) {
        let mut places = 0;
        for (device, lane) in &self.lanes {
            lane.check();
            assert_eq!(self.ready.contains(device), lane.is_ready(), "{device}");
            let waits = |job| self.places.get(&job).is_some_and(|it| it.rank.is_some());
            assert!(lane.queue().all(waits));
            for job in lane.holders() {
                assert_eq!(self.held_by(job), Some(device));
            }
            places += lane.waiting() + lane.running();
        }
        assert_eq!(places, self.places.len());
        let waiting = self.lanes.values().map(Lane::waiting);
        assert_eq!(self.waiting, waiting.sum::<usize>());
        let holders = self.places.values().filter(|place| place.rank.is_none());
        let mut running = BTreeMap::<Tenant, usize>::new();
        for holder in holders {
            *running.entry(holder.tenant.clone()).or_default() += 1;
        }
        assert_eq!(self.running, running);
    }
}

#[cfg(test)]
mod tests;
