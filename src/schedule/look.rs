//! What may be asked of the schedule. Nothing here changes anything, or looks at all jobs.

use crate::ids::{DeviceId, JobId};
use crate::schedule::fit::Want;
use crate::schedule::group::Group;
use crate::schedule::lane::Lane;
use crate::schedule::line::Line;
use crate::schedule::{Load, Part, Scheduler};
use crate::time::Monotonic;

impl Scheduler {
    /// How busy a device is; nothing is known of one that was never named.
    pub fn load(&self, device: &DeviceId) -> Load {
        let lane = self.lanes.get(device);
        let load = lane.map_or_else(Load::default, Lane::load);
        let waiting = load.waiting + self.waiting_in_reserved(device);
        Load { waiting, ..load }
    }

    /// How busy all devices are together that may run what is asked for, and how many wait for it.
    pub fn load_of(&self, want: &Want) -> Load {
        let Some(group) = self.groups.get(want) else {
            return Load::default();
        };
        let loads = group.devices.iter().map(|device| self.load(device));
        let all = loads.fold(Load::default(), |all, load| Load {
            running: all.running + load.running,
            slots: all.slots + load.slots,
            reserved: all.reserved + load.reserved,
            free: all.free + load.free,
            ..all
        });
        Load {
            waiting: group.waiting(),
            ..all
        }
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
        let place = self.places.get(&job)?;
        let (key, rank) = match &place.part {
            Part::Waits(key, rank) => (key, rank),
            Part::Reserved(id) => return self.reserved.slots.get(id)?.jobs.line(job),
            Part::Holds(_) => return None,
        };
        let lanes = self.groups[key]
            .devices
            .iter()
            .map(|device| &self.lanes[device]);
        let lines = lanes.map(|lane| {
            let line = lane.line(&self.groups, (*rank, job), &place.tenant);
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
        let place = self.places.get(&job)?;
        let Part::Waits(key, _) = &place.part else {
            return None;
        };
        let lane = self.lanes.get(device);
        let lane = lane.filter(|_| self.groups[key].devices.contains(device))?;
        lane.tenants_before(&self.groups, job, &place.tenant)
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
        let group = match self.places.get(&job).map(|place| &place.part) {
            Some(Part::Waits(key, _)) => self.groups.get(key),
            _ => None,
        };
        group.into_iter().flat_map(|group| &group.devices)
    }

    /// Whether a job waits.
    pub fn is_waiting(&self, job: JobId) -> bool {
        let place = self.places.get(&job);
        place.is_some_and(|place| match place.part {
            Part::Waits(..) => true,
            Part::Holds(_) => false,
            Part::Reserved(_) => self.held_by(job).is_none(),
        })
    }

    /// How many slots a tenant holds, if it may hold no more.
    pub fn limit_of(&self, tenant: &str) -> Option<usize> {
        let running = self.running.get(tenant).copied().unwrap_or(0);
        self.is_at_limit(tenant).then_some(running)
    }

    /// Jobs that wait, on all devices together.
    pub fn waiting(&self) -> usize {
        self.waiting + self.reserved.waiting
    }

    /// The device whose slot a job holds.
    pub fn held_by(&self, job: JobId) -> Option<&DeviceId> {
        match &self.places.get(&job)?.part {
            Part::Holds(device) => Some(device),
            Part::Waits(..) => None,
            Part::Reserved(id) => {
                let slot = self.reserved.slots.get(id)?;
                (slot.jobs.holder() == Some(job)).then_some(&slot.device)
            }
        }
    }

    /// The jobs that wait for this, by tenant, the most urgent of each first.
    pub fn queue(&self, want: &Want) -> impl Iterator<Item = JobId> {
        self.groups.get(want).into_iter().flat_map(Group::jobs)
    }

    /// What is asked for by jobs that wait.
    pub fn wanted(&self) -> impl Iterator<Item = &Want> {
        self.groups.keys().map(|want| &**want)
    }
}
