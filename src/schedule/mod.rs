//! Whose turn it is: where jobs meet, a data structure decides. Nothing here waits, reads a
//! clock or draws a number; [`crate::kernel`] turns decisions into running jobs.

pub mod pool;
pub mod rank;
pub mod timers;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{DeviceId, JobId};
use crate::schedule::rank::Rank;

/// A queue per device, and who holds its slots.
///
/// With `n` jobs waiting, every operation costs O(log n); none looks at all of them.
#[derive(Debug, Default)]
pub struct Scheduler {
    lanes: BTreeMap<DeviceId, Lane>,
    /// The lanes that have a job waiting and a slot free, so that a pick need not search.
    ready: BTreeSet<DeviceId>,
    /// Where each waiting job waits, and where each holder holds.
    places: BTreeMap<JobId, Place>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Lane {
    slots: u32,
    open: bool,
    waiting: BTreeSet<(Rank, JobId)>,
    held: BTreeSet<JobId>,
}

impl Lane {
    fn is_ready(&self) -> bool {
        self.open && !self.waiting.is_empty() && self.held.len() < self.slots as usize
    }
}

#[derive(Debug, Clone)]
enum Place {
    Waits(DeviceId, Rank),
    Holds(DeviceId),
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
    pub fn enqueue(&mut self, job: JobId, device: &DeviceId, rank: Rank) {
        match self.places.get(&job) {
            Some(Place::Holds(_)) => return,
            Some(Place::Waits(..)) => self.remove(job),
            None => {}
        }
        self.lanes
            .entry(device.clone())
            .or_default()
            .waiting
            .insert((rank, job));
        self.places.insert(job, Place::Waits(device.clone(), rank));
        self.waiting += 1;
        self.refresh(device);
    }

    /// Takes a job out of its queue; a slot it holds stays held. Does nothing otherwise.
    pub fn remove(&mut self, job: JobId) {
        let Some(Place::Waits(device, rank)) = self.places.get(&job).cloned() else {
            return;
        };
        self.places.remove(&job);
        self.waiting -= 1;
        self.lane(&device).waiting.remove(&(rank, job));
        self.refresh(&device);
    }

    /// The most urgent job that fits a free slot; it holds the slot from now on.
    pub fn pick(&mut self) -> Option<Pick> {
        let device = self.ready.first()?.clone();
        let lane = self.lane(&device);
        let (_, job) = lane
            .waiting
            .pop_first()
            .expect("a ready lane has a job waiting");
        let left_waiting = lane.waiting.len();
        lane.held.insert(job);
        self.waiting -= 1;
        self.places.insert(job, Place::Holds(device.clone()));
        self.refresh(&device);
        Some(Pick {
            job,
            device,
            left_waiting,
        })
    }

    /// Notes that a job holds a slot, because its record says so. After a restart there may be
    /// more holders than slots.
    pub fn hold(&mut self, job: JobId, device: &DeviceId) {
        self.remove(job);
        self.release(job);
        self.lanes
            .entry(device.clone())
            .or_default()
            .held
            .insert(job);
        self.places.insert(job, Place::Holds(device.clone()));
        self.refresh(device);
    }

    /// The job holds nothing afterwards; a place in a queue stays. Does nothing otherwise.
    pub fn release(&mut self, job: JobId) {
        let Some(Place::Holds(device)) = self.places.get(&job).cloned() else {
            return;
        };
        self.places.remove(&job);
        self.lane(&device).held.remove(&job);
        self.refresh(&device);
    }

    /// How busy a device is; nothing is known of one that was never named.
    pub fn load(&self, device: &DeviceId) -> Load {
        self.lanes
            .get(device)
            .map_or_else(Load::default, |lane| Load {
                waiting: lane.waiting.len(),
                running: lane.held.len(),
                slots: lane.slots,
            })
    }

    /// Jobs that wait, on all devices together.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The device whose slot a job holds.
    pub fn held_by(&self, job: JobId) -> Option<&DeviceId> {
        match self.places.get(&job)? {
            Place::Holds(device) => Some(device),
            Place::Waits(..) => None,
        }
    }

    /// The jobs that wait for a device, most urgent first.
    pub fn queue(&self, device: &DeviceId) -> impl Iterator<Item = JobId> {
        self.lanes
            .get(device)
            .into_iter()
            .flat_map(|lane| lane.waiting.iter().map(|(_, job)| *job))
    }

    /// The devices that jobs wait for.
    pub fn wanted(&self) -> impl Iterator<Item = &DeviceId> {
        self.lanes
            .iter()
            .filter(|(_, lane)| !lane.waiting.is_empty())
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

    /// Walks all cross-references.
    ///
    /// # Panics
    /// When they do not agree: a bug of this file. For tests.
    pub fn check(&self) {
        let mut places = 0;
        for (device, lane) in &self.lanes {
            assert_eq!(self.ready.contains(device), lane.is_ready(), "{device}");
            for (rank, job) in &lane.waiting {
                let place = self.places.get(job);
                assert!(
                    matches!(place, Some(Place::Waits(at, as_)) if at == device && as_ == rank)
                );
            }
            for job in &lane.held {
                assert_eq!(self.held_by(*job), Some(device));
            }
            places += lane.waiting.len() + lane.held.len();
        }
        assert_eq!(places, self.places.len());
        assert_eq!(
            self.waiting,
            self.lanes
                .values()
                .map(|lane| lane.waiting.len())
                .sum::<usize>()
        );
    }
}

#[cfg(test)]
mod tests;
