//! Whether the schedule agrees with itself, for tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::schedule::Scheduler;
use crate::schedule::fit::Want;
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
                .filter(|(device, _, lane)| want.fits(device, lane.profile.as_ref()));
            let fit: BTreeMap<_, _> = fit.map(|(device, key, _)| (device.clone(), key)).collect();
            assert_eq!(group.devices, fit, "{want:?}");
            let open = fit.keys().filter(|device| self.is_open(device)).count();
            assert_eq!(group.open, open, "{want:?}");
            for job in group.jobs() {
                let place = self.waiting.get(job).expect("a job of a group waits");
                assert_eq!(place.group, key);
                tenants.entry(place.tenant).or_default().0 += 1;
            }
            waiting += group.waiting();
        }
        assert_eq!(self.waiting.len(), waiting);
        for (device, lane_key, lane) in self.lanes.iter() {
            lane.check();
            assert!(lane.is_listed || !lane.is_ready(), "{device}");
            let listed = lane.is_listed.then_some(&lane_key);
            assert_eq!(self.ready.get(device), listed);
            let groups = || {
                self.groups
                    .iter()
                    .filter(|(.., group)| group.devices.contains_key(device))
            };
            let named = self.groups.find(&Want::from(device.clone()));
            assert_eq!(lane.group, named);
            let waiting = groups().map(|(.., group)| group.waiting());
            assert_eq!(lane.waiting, waiting.sum::<usize>());
            let backlog = groups().map(|(.., group)| group.backlog_milli());
            assert_eq!(lane.backlog_milli, backlog.sum::<u64>());
            let firsts = groups().flat_map(|(_, key, group)| {
                let firsts = group.firsts();
                firsts.map(move |(tenant, job)| (tenant, job, key))
            });
            assert_eq!(lane.firsts().collect::<BTreeSet<_>>(), firsts.collect());
            for (place, (job, tenant)) in lane.holders().enumerate() {
                let holder = self.holders.get(job).expect("whoever has a slot holds it");
                assert_eq!((holder.lane, holder.at), (lane_key, place));
                let (jobs, slots) = tenants.entry(tenant).or_default();
                (*jobs, *slots) = (*jobs + 1, *slots + 1);
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
        for slot in self.reserved.slots.values() {
            let (jobs, slots) = tenants.entry(slot.tenant).or_default();
            (*jobs, *slots) = (*jobs + 1, *slots + 1);
        }
        assert_eq!(self.tenants.counts().collect::<BTreeMap<_, _>>(), tenants);
    }
}
