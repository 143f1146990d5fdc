//! Whether the schedule agrees with itself, for tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::schedule::share::Tenant;
use crate::schedule::{Part, Scheduler};

impl Scheduler {
    /// Walks all cross-references.
    ///
    /// # Panics
    /// When they do not agree: a bug of this module.
    pub fn check(&self) {
        let mut places = 0;
        for (want, group) in &self.groups {
            group.check();
            assert!(group.waiting() > 0, "an empty group is forgotten");
            let fit = self
                .lanes
                .iter()
                .filter(|(device, lane)| want.fits(device, lane.profile.as_ref()));
            let fit: BTreeSet<_> = fit.map(|(device, _)| device.clone()).collect();
            assert_eq!(group.devices, fit, "{want:?}");
            let open = fit.iter().filter(|device| self.is_open(device)).count();
            assert_eq!(group.open, open, "{want:?}");
            for job in group.jobs() {
                let part = self.places.get(&job).map(|place| &place.part);
                assert!(matches!(part, Some(Part::Waits(key, _)) if key == want));
            }
            places += group.waiting();
        }
        assert_eq!(self.waiting, places);
        for (device, lane) in &self.lanes {
            lane.check();
            assert_eq!(self.ready.contains(device), lane.is_ready(), "{device}");
            let groups = || {
                self.groups
                    .iter()
                    .filter(|(_, group)| group.devices.contains(device))
            };
            let waiting = groups().map(|(_, group)| group.waiting());
            assert_eq!(lane.waiting, waiting.sum::<usize>());
            let backlog = groups().map(|(_, group)| group.backlog_milli());
            assert_eq!(lane.backlog_milli, backlog.sum::<u64>());
            let firsts = groups().flat_map(|(key, group)| {
                group
                    .firsts()
                    .map(move |(tenant, (rank, job))| (tenant.clone(), rank, job, key.clone()))
            });
            assert_eq!(lane.firsts().collect::<BTreeSet<_>>(), firsts.collect());
            for job in lane.holders() {
                assert_eq!(self.held_by(job), Some(device));
            }
            places += lane.running();
            let slots = self.reserved.slots.values();
            let slots = slots.filter(|slot| slot.device == *device);
            assert_eq!(lane.reserved, slots.clone().count());
            let occupied = slots.filter(|slot| slot.jobs.holder().is_some());
            assert_eq!(lane.occupied, occupied.count());
        }
        self.reserved.check();
        for (id, slot) in &self.reserved.slots {
            let waiting = slot.jobs.queue().map(|(_, job)| job);
            for job in waiting.chain(slot.jobs.holder()) {
                let part = self.places.get(&job).map(|place| &place.part);
                assert!(matches!(part, Some(Part::Reserved(of)) if of == id));
                places += 1;
            }
        }
        assert_eq!(places, self.places.len());
        let holders = self
            .places
            .values()
            .filter(|place| matches!(place.part, Part::Holds(_)));
        let mut running = BTreeMap::<Tenant, usize>::new();
        for holder in holders {
            *running.entry(holder.tenant.clone()).or_default() += 1;
        }
        for slot in self.reserved.slots.values() {
            *running.entry(slot.tenant.clone()).or_default() += 1;
        }
        assert_eq!(self.running, running);
        assert_eq!(
            self.lanes
                .values()
                .map(|lane| lane.running() + lane.reserved)
                .sum::<usize>(),
            running.values().sum::<usize>()
        );
    }
}
