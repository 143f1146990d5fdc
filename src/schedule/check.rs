//! Whether the schedule agrees with itself, for tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::schedule::Scheduler;
use crate::schedule::tenants::Tenant;

impl Scheduler {
    /// Walks all cross-references.
    ///
    /// # Panics
    /// When they do not agree: a bug of this module.
    pub fn check(&self) {
        let (mut waiting, mut running) = (0, 0);
        let mut tenants = BTreeMap::<Tenant, (usize, usize)>::new();
        for (want, key, group) in self.groups.iter() {
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
                let place = &self.waiting[&job];
                assert_eq!(place.group, key);
                tenants.entry(place.tenant).or_default().0 += 1;
            }
            waiting += group.waiting();
        }
        assert_eq!(self.waiting.len(), waiting);
        for (device, lane) in &self.lanes {
            lane.check();
            assert!(self.ready.contains(device) || !lane.is_ready(), "{device}");
            let groups = || {
                self.groups
                    .iter()
                    .filter(|(.., group)| group.devices.contains(device))
            };
            let waiting = groups().map(|(.., group)| group.waiting());
            assert_eq!(lane.waiting, waiting.sum::<usize>());
            let backlog = groups().map(|(.., group)| group.backlog_milli());
            assert_eq!(lane.backlog_milli, backlog.sum::<u64>());
            let firsts = groups().flat_map(|(_, key, group)| {
                let firsts = group.firsts();
                firsts.map(move |(tenant, job)| (tenant, job, key))
            });
            assert_eq!(lane.firsts().collect::<BTreeSet<_>>(), firsts.collect());
            for job in lane.holders() {
                assert_eq!(self.held_by(job), Some(device));
            }
            running += lane.running();
            let slots = self.reserved.slots.values();
            let slots = slots.filter(|slot| slot.device == *device);
            assert_eq!(lane.reserved, slots.clone().count());
            let occupied = slots.filter(|slot| slot.jobs.holder().is_some());
            assert_eq!(lane.occupied, occupied.count());
        }
        self.reserved.check();
        assert_eq!(self.holders.len(), running);
        for holder in self.holders.values() {
            let (jobs, slots) = tenants.entry(holder.tenant).or_default();
            (*jobs, *slots) = (*jobs + 1, *slots + 1);
        }
        for slot in self.reserved.slots.values() {
            let (jobs, slots) = tenants.entry(slot.tenant).or_default();
            (*jobs, *slots) = (*jobs + 1, *slots + 1);
        }
        assert_eq!(self.tenants.counts().collect::<BTreeMap<_, _>>(), tenants);
    }
}
