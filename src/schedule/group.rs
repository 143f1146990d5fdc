//! Jobs that ask for the same. They wait in one place, wherever they may run, and each device that
//! fits sees the first job of each tenant: so a job that may run on k of the devices costs k looks
//! when it is the first of its tenant, and one otherwise.

use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{DeviceId, JobId};
use crate::schedule::fit::Want;
use crate::schedule::rank::Rank;
use crate::schedule::share::Tenant;

/// Names a group by what its jobs ask for.
pub(super) type Key = Arc<Want>;
/// A job and its place among those of its tenant.
pub(super) type Ranked = (Rank, JobId);
/// All groups that have jobs.
pub(super) type Groups = BTreeMap<Key, Group>;

/// Jobs that may run on the same devices.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Where they may run.
    pub(super) devices: BTreeSet<DeviceId>,
    /// So many of these take jobs now.
    pub(super) open: usize,
    tenants: BTreeMap<Tenant, BTreeSet<Ranked>>,
    waiting: usize,
}

/// The first job of a tenant in a group, before and after a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) before: Option<Ranked>,
    pub(super) after: Option<Ranked>,
}

impl Group {
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// What one of these jobs counts on each of its devices, in thousandths of a job: those that
    /// take jobs now will run as many of them each.
    pub(super) fn share_milli(&self) -> u64 {
        1000 / (self.open as u64).max(1)
    }

    /// The same of all.
    pub(super) fn backlog_milli(&self) -> u64 {
        self.share_milli() * self.waiting as u64
    }

    /// The tenant of this name as it is kept here, so that its name is kept once.
    pub(super) fn known(&self, tenant: &str) -> Option<&Tenant> {
        self.tenants.get_key_value(tenant).map(|(known, _)| known)
    }

    pub(super) fn put(&mut self, tenant: &Tenant, job: Ranked) -> Change {
        self.waiting += 1;
        match self.tenants.get_mut(tenant) {
            None => {
                self.tenants.insert(tenant.clone(), [job].into());
                Change {
                    before: None,
                    after: Some(job),
                }
            }
            Some(jobs) => {
                let before = jobs.first().copied();
                jobs.insert(job);
                let after = jobs.first().copied();
                Change { before, after }
            }
        }
    }

    /// # Panics
    /// If the job is not here.
    pub(super) fn take(&mut self, tenant: &Tenant, job: Ranked) -> Change {
        self.waiting -= 1;
        let jobs = self.tenants.get_mut(tenant);
        let jobs = jobs.expect("a job that waits is in its group");
        let before = jobs.first().copied();
        assert!(jobs.remove(&job), "a job that waits is in its group");
        let after = jobs.first().copied();
        if after.is_none() {
            self.tenants.remove(tenant);
        }
        Change { before, after }
    }

    /// The jobs of a tenant, the most urgent first.
    pub(super) fn jobs_of(&self, tenant: &Tenant) -> Iter<'_, Ranked> {
        self.tenants[tenant].iter()
    }

    /// The first job of each tenant.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (&Tenant, Ranked)> {
        let firsts = self.tenants.iter();
        firsts.filter_map(|(tenant, jobs)| Some((tenant, *jobs.first()?)))
    }

    /// All jobs, by tenant, the most urgent of each first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> {
        let jobs = self.tenants.values().flatten();
        jobs.map(|(_, job)| *job)
    }

    /// Walks what is counted.
    pub(super) fn check(&self) {
        let waiting = self.tenants.values().map(BTreeSet::len);
        assert_eq!(self.waiting, waiting.sum::<usize>());
        assert!(self.tenants.values().all(|jobs| !jobs.is_empty()));
    }
}
