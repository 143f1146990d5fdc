//! Jobs that ask for the same. They wait in one place, wherever they may run, and each device that
//! fits sees the first job of each tenant: so a job that may run on k of the devices costs k looks
//! when it is the first of its tenant, and one otherwise.

use std::collections::BTreeMap;

use crate::ids::{DeviceId, JobId};
use crate::schedule::fit::Want;
use crate::schedule::lane::LaneKey;
use crate::schedule::rank::Rank;
use crate::schedule::registry::Registry;
use crate::schedule::sorted::{Iter, Sorted};
use crate::schedule::tenants::Tenant;

/// The number of a group, as long as it has jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u32);

impl From<u32> for Key {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<Key> for u32 {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// A job and its place among those of its tenant.
pub(super) type Ranked = (Rank, JobId);
/// All groups that have jobs, by what these ask for.
pub(super) type Groups = Registry<Key, Want, Group>;

/// Jobs that may run on the same devices.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Where they may run.
    pub(super) devices: BTreeMap<DeviceId, LaneKey>,
    /// So many of these take jobs now.
    pub(super) open: usize,
    /// The jobs of each tenant, with their numbers among all that wait.
    tenants: BTreeMap<Tenant, Sorted<Ranked, u32>>,
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

    pub(super) fn put(&mut self, tenant: Tenant, job: Ranked, number: u32) -> Change {
        self.waiting += 1;
        let jobs = self.tenants.entry(tenant).or_default();
        let before = jobs.first().map(|(job, _)| job);
        jobs.insert(job, number);
        let after = before.map_or(job, |before| before.min(job));
        Change {
            before,
            after: Some(after),
        }
    }

    /// Takes a job out, and gives its number.
    ///
    /// # Panics
    /// If the job is not here.
    pub(super) fn take(&mut self, tenant: Tenant, job: Ranked) -> (Change, u32) {
        self.waiting -= 1;
        let jobs = self.tenants.get_mut(&tenant);
        let jobs = jobs.expect("a job that waits is in its group");
        let before = jobs.first().map(|(job, _)| job);
        let number = jobs.remove(&job);
        let number = number.expect("a job that waits is in its group");
        let after = jobs.first().map(|(job, _)| job);
        if after.is_none() {
            self.tenants.remove(&tenant);
        }
        (Change { before, after }, number)
    }

    /// The jobs of a tenant, the most urgent first.
    pub(super) fn jobs_of(&self, tenant: Tenant) -> Iter<'_, Ranked, u32> {
        self.tenants[&tenant].iter()
    }

    /// The first job of each tenant.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (Tenant, Ranked)> {
        let firsts = self.tenants.iter();
        firsts.filter_map(|(tenant, jobs)| Some((*tenant, jobs.first()?.0)))
    }

    /// All jobs, by tenant, the most urgent of each first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> {
        let jobs = self.tenants.values().flat_map(Sorted::iter);
        jobs.map(|((_, job), _)| *job)
    }

    /// Walks what is counted.
    pub(super) fn check(&self) {
        let waiting = self.tenants.values().map(Sorted::len);
        assert_eq!(self.waiting, waiting.sum::<usize>());
        assert!(self.tenants.values().all(|jobs| jobs.len() > 0));
    }
}
