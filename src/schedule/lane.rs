//! One device: who waits for it, and who holds its slots.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::JobId;
use crate::schedule::policy::{PassedOver, Rule};
use crate::schedule::rank::Rank;
use crate::schedule::share::{Doing, Shares, Tenant};
use crate::time::Monotonic;

/// What an execution is taken to last before one has been seen.
const TYPICAL: Duration = Duration::from_secs(1);

/// The queue of a device, by tenants, and its slots.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) slots: u32,
    pub(super) open: bool,
    pub(super) tenants: BTreeMap<Tenant, Queue>,
    pub(super) shares: Shares,
    /// The first waiting job of each tenant, so that it can be told who was passed over.
    heads: BTreeSet<(Rank, JobId, Tenant)>,
    held: BTreeMap<JobId, Held>,
    waiting: usize,
    typical: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiting: BTreeSet<(Rank, JobId)>,
    running: usize,
    pub(super) at_limit: bool,
    weight: u64,
}

/// What the whole schedule knows of a tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) weight: u64,
    /// It may have no more jobs running.
    pub(super) at_limit: bool,
}

#[derive(Debug, Clone)]
struct Held {
    tenant: Tenant,
    since: Monotonic,
    /// Charged to the tenant in advance.
    charged: Duration,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            slots: 0,
            open: false,
            tenants: BTreeMap::new(),
            shares: Shares::default(),
            heads: BTreeSet::new(),
            held: BTreeMap::new(),
            waiting: 0,
            typical: TYPICAL,
        }
    }
}

/// What a turn brought.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) job: JobId,
    pub(super) tenant: Tenant,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Lane {
    pub(super) fn is_ready(&self) -> bool {
        self.open && self.held.len() < self.slots as usize && self.shares.first().is_some()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn running(&self) -> usize {
        self.held.len()
    }

    /// Puts a job into its tenant's queue.
    pub(super) fn enqueue(&mut self, job: JobId, rank: Rank, tenant: &Tenant, standing: Standing) {
        self.change(tenant, |queue| {
            queue.weight = standing.weight;
            queue.at_limit = standing.at_limit;
            queue.waiting.insert((rank, job));
        });
        self.waiting += 1;
    }

    /// Takes a job out of its tenant's queue.
    pub(super) fn remove(&mut self, job: JobId, tenant: &Tenant, rank: Rank) {
        self.change(tenant, |queue| {
            queue.waiting.remove(&(rank, job));
        });
        self.waiting -= 1;
    }

    /// The tenant of this name as it is kept here, so that its name is kept once.
    pub(super) fn known(&self, tenant: &str) -> Option<&Tenant> {
        self.tenants.get_key_value(tenant).map(|(known, _)| known)
    }

    /// Whether a tenant may have no more jobs running.
    pub(super) fn set_limit(&mut self, tenant: &Tenant, at_limit: bool) {
        if self.tenants.contains_key(tenant) {
            self.change(tenant, |queue| queue.at_limit = at_limit);
        }
    }

    /// The next job takes a slot.
    ///
    /// # Panics
    /// If the lane is not ready.
    pub(super) fn turn(&mut self, now: Monotonic) -> Turn {
        let tenant = self
            .shares
            .first()
            .expect("a ready lane has a tenant whose turn it is");
        let tenant = tenant.clone();
        self.shares.has_turn(&tenant);
        let queue = &self.tenants[&tenant];
        let (rank, job) = *queue
            .waiting
            .first()
            .expect("a tenant that waits has a job waiting");
        let mut passed_over = Vec::new();
        if let Some((_, other, whose)) = self.heads.first().filter(|(.., whose)| *whose != tenant) {
            let rule = match self.shares.may_have_a_turn(whose) {
                true => Rule::FairShare,
                false => Rule::TenantLimit,
            };
            passed_over.push(PassedOver { job: *other, rule });
        }
        if let Some((next, other)) = queue.waiting.iter().nth(1) {
            let rule = rank.precedence_over(next).into();
            passed_over.push(PassedOver { job: *other, rule });
        }
        let weight = queue.weight;
        // In one change, or the tenant would be idle in between and lose what it lags behind.
        self.change(&tenant, |queue| {
            queue.waiting.remove(&(rank, job));
            queue.running += 1;
        });
        self.waiting -= 1;
        self.charge_in_advance(job, &tenant, weight, now);
        Turn {
            job,
            tenant,
            passed_over,
        }
    }

    /// A job takes a slot, whether there is one or not: its record says so.
    pub(super) fn hold(&mut self, job: JobId, tenant: &Tenant, weight: u64, since: Monotonic) {
        self.change(tenant, |queue| {
            queue.weight = weight;
            queue.running += 1;
        });
        self.charge_in_advance(job, tenant, weight, since);
    }

    /// What a turn costs a tenant until it is known what it took.
    pub(super) fn price(&self, tenant: &Tenant) -> u64 {
        micros(self.typical) / self.tenants[tenant].weight
    }

    fn charge_in_advance(&mut self, job: JobId, tenant: &Tenant, weight: u64, since: Monotonic) {
        let charged = self.typical;
        self.shares.charge(tenant, micros(charged) / weight, 0);
        let held = Held {
            tenant: tenant.clone(),
            since,
            charged,
        };
        self.held.insert(job, held);
    }

    /// A job gives its slot back; its tenant is charged what it took.
    pub(super) fn release(&mut self, job: JobId, now: Monotonic) {
        let Some(held) = self.held.remove(&job) else {
            return;
        };
        let took = now.since(held.since);
        let weight = self.tenants[&held.tenant].weight;
        let (more, less) = (micros(took) / weight, micros(held.charged) / weight);
        self.shares.charge(&held.tenant, more, less);
        self.change(&held.tenant, |queue| queue.running -= 1);
        self.typical = (self.typical * 7 + took) / 8;
    }

    /// The jobs that wait here, by tenant, the most urgent of each first.
    pub(super) fn queue(&self) -> impl Iterator<Item = JobId> {
        let queues = self.tenants.values();
        queues.flat_map(|queue| queue.waiting.iter().map(|(_, job)| *job))
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = JobId> {
        self.held.keys().copied()
    }

    /// Whose jobs hold the slots, and since when.
    pub(super) fn since(&self) -> impl Iterator<Item = (&str, Monotonic)> {
        let held = self.held.values();
        held.map(|held| (&*held.tenant, held.since))
    }

    #[cfg(test)]
    pub(super) fn tenants_remembered(&self) -> usize {
        self.shares.remembered()
    }

    /// Changes a tenant's queue, and everything that depends on it.
    fn change(&mut self, tenant: &Tenant, change: impl FnOnce(&mut Queue)) {
        let queue = self.tenants.entry(tenant.clone()).or_default();
        let before = queue.waiting.first().copied();
        change(queue);
        let after = queue.waiting.first().copied();
        if before != after {
            if let Some((rank, job)) = before {
                self.heads.remove(&(rank, job, tenant.clone()));
            }
            if let Some((rank, job)) = after {
                self.heads.insert((rank, job, tenant.clone()));
            }
        }
        let doing = match (after, queue.at_limit, queue.running) {
            (Some(_), false, _) => Doing::Waits,
            (None, _, 0) => Doing::Idle,
            _ => Doing::Busy,
        };
        self.shares.set(tenant, doing);
        if doing == Doing::Idle {
            self.tenants.remove(tenant);
            if self.tenants.is_empty() {
                self.shares.all_idle();
            }
        }
    }

    /// Walks all cross-references.
    pub(super) fn check(&self) {
        self.shares.check();
        let waiting = self.tenants.values().map(|queue| queue.waiting.len());
        assert_eq!(self.waiting, waiting.sum::<usize>());
        let running = self.tenants.values().map(|queue| queue.running);
        assert_eq!(self.held.len(), running.sum::<usize>());
        let heads = self.tenants.iter().filter_map(|(tenant, queue)| {
            let (rank, job) = queue.waiting.first()?;
            Some((*rank, *job, tenant.clone()))
        });
        assert_eq!(self.heads, heads.collect());
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
