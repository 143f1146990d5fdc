//! What may be asked of the schedule. Nothing here changes anything, or looks at all jobs.

use std::collections::BTreeMap;

use crate::ids::{DeviceId, JobId};
use crate::schedule::group::Group;
use crate::schedule::lane::Lane;
use crate::schedule::line::Line;
use crate::schedule::{Load, Scheduler};
use crate::time::Monotonic;

impl Scheduler {
    /// How busy a device is; nothing is known of one that was never named.
    pub fn load(&self, device: &DeviceId) -> Load {
        let lane = self.lanes.get(device);
        let load = lane.map_or_else(Load::default, Lane::load);
        let waiting = load.waiting + self.waiting_in_reserved(device);
        Load { waiting, ..load }
    }

    /// How many jobs wait for the same as this one, itself among them; none if it does not wait.
    pub fn waiting_as(&self, job: JobId) -> usize {
        let place = self.waiting.get(job);
        place.map_or(0, |place| self.groups[place.group].waiting())
    }

    /// Jobs that wait for a device; one that may run on several counts as its part.
    pub fn backlog(&self, device: &DeviceId) -> f64 {
        let lane = self.lanes.get(device);
        lane.map_or(0.0, |lane| lane.backlog_milli as f64 / 1000.0)
    }

    /// Who is ahead of a job that waits, on the device where it is nearest to its turn, one that
    /// takes jobs first; `None` if it does not wait. Looks at a bounded number of turns for each
    /// device.
    pub fn line(&self, job: JobId) -> Option<Line> {
        if let Some(slot) = self.reserved.slot_of(job) {
            return slot.jobs.line(job);
        }
        let place = self.waiting.get(job)?;
        let lanes = self.groups[place.group]
            .devices
            .values()
            .map(|key| &self.lanes[*key]);
        let lines = lanes.map(|lane| {
            let line = lane.line(&self.groups, (place.rank, job), place.tenant);
            (!lane.open, line)
        });
        let nearest = lines.min_by_key(|(closed, line)| (*closed, line.ahead));
        Some(nearest.map_or_else(Line::default, |(_, line)| line))
    }

    /// Whose the turns are that would come on a device before that of a job that waits, in order
    /// and as [`Self::line`] tells them, each with its part if the job may run elsewhere as well.
    /// `None` if it does not wait there, or if its tenant may hold no more.
    pub fn tenants_before(
        &self,
        job: JobId,
        device: &DeviceId,
    ) -> Option<impl Iterator<Item = (&str, f64)>> {
        let place = self.waiting.get(job)?;
        let group = &self.groups[place.group];
        let lane = self.lanes.get(device);
        let lane = lane.filter(|_| group.devices.contains_key(device))?;
        lane.tenants_before(&self.groups, job, place.tenant)
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

    /// The devices on which a job may run that waits.
    pub fn may_run_on(&self, job: JobId) -> impl Iterator<Item = &DeviceId> {
        let place = self.waiting.get(job);
        let devices = place.map(|place| &self.groups[place.group].devices);
        devices.into_iter().flat_map(BTreeMap::keys)
    }

    /// Whether a job waits.
    pub fn is_waiting(&self, job: JobId) -> bool {
        let reserved = self.reserved.slot_of(job);
        self.waiting.get(job).is_some()
            || reserved.is_some_and(|slot| slot.jobs.holder() != Some(job))
    }

    /// How many slots a tenant holds, if it may hold no more.
    pub fn limit_of(&self, tenant: &str) -> Option<usize> {
        self.tenants.limit_of(tenant)
    }

    /// Jobs that wait, on all devices together.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.reserved.waiting
    }

    /// The device whose slot a job holds.
    pub fn held_by(&self, job: JobId) -> Option<&DeviceId> {
        let reserved = || self.reserved.held_by(job);
        let holder = self.holders.get(job);
        let holder = holder.map(|holder| self.lanes.name(holder.lane));
        holder.or_else(reserved)
    }

    /// The jobs that wait and that no device can run of which anything is known, which costs a look
    /// at each group.
    pub fn stranded(&self) -> impl Iterator<Item = JobId> {
        let groups = self.groups.iter().map(|(_, _, group)| group);
        let stranded = groups.filter(|group| {
            let mut lanes = group.devices.values().map(|lane| &self.lanes[*lane]);
            lanes.all(|lane| lane.profile.is_none())
        });
        stranded.flat_map(Group::jobs)
    }
}
