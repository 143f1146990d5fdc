//! One device: who waits for it, and who holds its slots.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::JobId;
use crate::planted::{Bug, planted};
use crate::schedule::Load;
use crate::schedule::fit::Profile;
use crate::schedule::group::{Change, Key, Ranked};
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
    /// What is known of the device; nothing before it was listed.
    pub(super) profile: Option<Profile>,
    pub(super) tenants: BTreeMap<Tenant, Queue>,
    pub(super) shares: Shares,
    /// The first waiting job of each tenant, so that it can be told who was passed over.
    heads: BTreeSet<(Rank, JobId, Tenant)>,
    held: BTreeMap<JobId, Held>,
    /// Slots that are reserved, and those of them in which a job runs.
    pub(super) reserved: usize,
    pub(super) occupied: usize,
    /// Jobs that wait and may run here.
    pub(super) waiting: usize,
    /// The same in thousandths, of which a job that may run on several devices has its part.
    pub(super) backlog_milli: u64,
    typical: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The first job of each group that may run here.
    pub(super) firsts: BTreeSet<(Rank, JobId, Key)>,
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
            profile: None,
            tenants: BTreeMap::new(),
            shares: Shares::default(),
            heads: BTreeSet::new(),
            held: BTreeMap::new(),
            reserved: 0,
            occupied: 0,
            waiting: 0,
            backlog_milli: 0,
            typical: TYPICAL,
        }
    }
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) job: Ranked,
    pub(super) tenant: Tenant,
    pub(super) group: Key,
}

impl Lane {
    pub(super) fn is_ready(&self) -> bool {
        self.open && self.free() > 0 && self.shares.first().is_some()
    }

    /// Slots that nobody has.
    fn free(&self) -> usize {
        let reserved = match planted(Bug::ReservedSlotsAreShared) {
            true => self.occupied,
            false => self.reserved,
        };
        (self.slots as usize).saturating_sub(self.held.len() + reserved)
    }

    /// Whether a slot is empty, so that a job may run that has one reserved. A slot that is
    /// reserved while all are taken is the next that is given back.
    pub(super) fn has_room_for_a_holder(&self) -> bool {
        self.open && self.held.len() + self.occupied < self.slots as usize
    }

    pub(super) fn load(&self) -> Load {
        Load {
            waiting: self.waiting,
            running: self.running() + self.occupied,
            slots: self.slots,
            reserved: self.reserved,
            free: self.free(),
        }
    }

    pub(super) fn running(&self) -> usize {
        self.held.len()
    }

    /// Another job of a tenant is the first of its group.
    pub(super) fn follow(&mut self, tenant: &Tenant, group: &Key, first: Change, its: Standing) {
        self.change(tenant, |queue| {
            queue.weight = its.weight;
            queue.at_limit = its.at_limit;
            queue.follow(group, first);
        });
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

    /// Whose turn it is.
    ///
    /// # Panics
    /// If the lane is not ready.
    pub(super) fn turn(&self) -> Turn {
        let tenant = self.shares.first();
        let tenant = tenant.expect("a ready lane has a tenant whose turn it is");
        let first = self.tenants[tenant].firsts.first();
        let (rank, job, group) = first.expect("a tenant that waits has a job waiting");
        Turn {
            job: (*rank, *job),
            tenant: tenant.clone(),
            group: group.clone(),
        }
    }

    /// Whom a turn passes over; `next` is the job of its tenant that comes after it in its group.
    pub(super) fn passed_over(&self, turn: &Turn, next: Option<Ranked>) -> Vec<PassedOver> {
        let mut passed_over = Vec::new();
        let first = self.heads.first();
        if let Some((_, other, whose)) = first.filter(|(.., whose)| *whose != turn.tenant) {
            let rule = match self.shares.may_have_a_turn(whose) {
                true => Rule::FairShare,
                false => Rule::TenantLimit,
            };
            passed_over.push(PassedOver { job: *other, rule });
        }
        let firsts = self.tenants[&turn.tenant].firsts.iter();
        let elsewhere = firsts.map(|(rank, job, _)| (*rank, *job)).nth(1);
        if let Some((rank, other)) = next.into_iter().chain(elsewhere).min() {
            let rule = turn.job.0.precedence_over(&rank).into();
            passed_over.push(PassedOver { job: other, rule });
        }
        passed_over
    }

    /// The job whose turn it is takes a slot.
    pub(super) fn take(&mut self, turn: &Turn, first: Change, now: Monotonic) {
        let Turn { job, tenant, group } = turn;
        self.shares.has_turn(tenant);
        let weight = self.tenants[tenant].weight;
        // In one change, or the tenant would be idle in between and lose what it lags behind.
        self.change(tenant, |queue| {
            queue.follow(group, first);
            queue.running += 1;
        });
        self.charge_in_advance(job.1, tenant, weight, now);
    }

    /// A job takes a slot, whether there is one or not: its record says so.
    pub(super) fn hold(&mut self, job: JobId, tenant: &Tenant, weight: u64, since: Monotonic) {
        self.change(tenant, |queue| {
            queue.weight = weight;
            queue.running += 1;
        });
        self.charge_in_advance(job, tenant, weight, since);
    }

    /// A slot is reserved for a tenant, which is charged its whole time in advance: nobody else can
    /// use it.
    pub(super) fn reserve(&mut self, tenant: &Tenant, weight: u64, span: Duration) {
        self.reserved += 1;
        self.change(tenant, |queue| {
            queue.weight = weight;
            queue.running += 1;
        });
        self.shares.charge(tenant, micros(span) / weight, 0);
    }

    /// A slot is reserved no more; what was left of its time is not charged.
    pub(super) fn unreserve(&mut self, tenant: &Tenant, left: Duration) {
        self.reserved -= 1;
        let weight = self.tenants[tenant].weight;
        self.shares.charge(tenant, 0, micros(left) / weight);
        self.change(tenant, |queue| queue.running -= 1);
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
        let before = queue.first();
        change(queue);
        let after = queue.first();
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

    /// The first job of each tenant in each group.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (Tenant, Rank, JobId, Key)> {
        let queues = self.tenants.iter();
        queues.flat_map(|(tenant, queue)| {
            let firsts = queue.firsts.iter().cloned();
            firsts.map(|(rank, job, group)| (tenant.clone(), rank, job, group))
        })
    }

    /// Walks all cross-references.
    pub(super) fn check(&self) {
        self.shares.check();
        let running = self.tenants.values().map(|queue| queue.running);
        assert_eq!(self.held.len() + self.reserved, running.sum::<usize>());
        let heads = self.tenants.iter().filter_map(|(tenant, queue)| {
            let (rank, job) = queue.first()?;
            Some((rank, job, tenant.clone()))
        });
        assert_eq!(self.heads, heads.collect());
    }
}

impl Queue {
    /// The most urgent job.
    fn first(&self) -> Option<Ranked> {
        self.firsts.first().map(|(rank, job, _)| (*rank, *job))
    }

    fn follow(&mut self, group: &Key, Change { before, after }: Change) {
        if let Some((rank, job)) = before {
            self.firsts.remove(&(rank, job, group.clone()));
        }
        if let Some((rank, job)) = after {
            self.firsts.insert((rank, job, group.clone()));
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
