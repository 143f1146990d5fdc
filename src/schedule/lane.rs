//! One device: who waits for it, and who holds its slots.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ids::JobId;
use crate::planted::{Bug, planted};
use crate::schedule::Load;
use crate::schedule::fit::Profile;
use crate::schedule::group::{Change, Key, Ranked};
use crate::schedule::heap::Heap;
use crate::schedule::policy::{PassedOver, Rule};
use crate::schedule::share::{Account, Shares};
use crate::schedule::sorted::Sorted;
use crate::schedule::tenants::{ByTenant, Standing, Tenant};
use crate::time::Monotonic;

/// What an execution is taken to last before one has been seen.
const TYPICAL: Duration = Duration::from_secs(1);

/// The number of a lane. It is never given again, because lanes stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneKey(u32);

impl From<u32> for LaneKey {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<LaneKey> for u32 {
    fn from(key: LaneKey) -> Self {
        key.0
    }
}

/// The queue of a device, by tenants, and its slots.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) slots: u32,
    pub(super) open: bool,
    /// What is known of the device; nothing before it was listed.
    pub(super) profile: Option<Profile>,
    pub(super) tenants: ByTenant<Queue>,
    pub(super) shares: Shares,
    /// The first waiting job of each tenant, so that it can be told who was passed over.
    heads: Heap<Ranked>,
    /// In no order; whoever holds a slot knows at which place.
    held: Vec<Held>,
    /// It is among those of which the schedule knows that a turn may come.
    pub(super) is_listed: bool,
    /// The group of those that ask for this device and nothing else, if there is one.
    pub(super) group: Option<Key>,
    /// Slots that are reserved, and those of them in which a job runs.
    pub(super) reserved: usize,
    pub(super) occupied: usize,
    /// Jobs that wait and may run here.
    pub(super) waiting: usize,
    /// The same in thousandths, of which a job that may run on several devices has its part.
    pub(super) backlog_milli: u64,
    typical: Duration,
}

/// What one tenant has here.
#[derive(Debug)]
pub(super) struct Queue {
    /// The first job of each group that may run here.
    pub(super) firsts: Sorted<Ranked, Key>,
    pub(super) account: Account,
    running: usize,
    pub(super) at_limit: bool,
    weight: u64,
}

#[derive(Debug)]
struct Held {
    job: JobId,
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
            tenants: ByTenant::new(),
            shares: Shares::default(),
            heads: Heap::default(),
            held: Vec::new(),
            is_listed: false,
            group: None,
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
    pub(super) fn follow(&mut self, tenant: Tenant, group: Key, first: Change, its: Standing<'_>) {
        self.make_queue(tenant, its);
        self.change(tenant, |queue| queue.follow(group, first));
    }

    /// Sees to it that a tenant has a queue, in which its standing is as it is now.
    fn make_queue(&mut self, tenant: Tenant, its: Standing<'_>) {
        let queue = self.tenants.get_or_insert_with(tenant, || Queue {
            firsts: Sorted::default(),
            account: self.shares.open(its.name),
            running: 0,
            at_limit: false,
            weight: its.weight,
        });
        queue.at_limit = its.at_limit;
    }

    /// Whether a tenant may have no more jobs running.
    pub(super) fn set_limit(&mut self, tenant: Tenant, at_limit: bool) {
        if self.tenants.get_mut(tenant).is_some() {
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
        let (job, group) = first.expect("a tenant that waits has a job waiting");
        Turn {
            job,
            tenant,
            group: *group,
        }
    }

    /// Whom a turn passes over, before it is taken; `first` is what it changes in its group.
    pub(super) fn passed_over(&self, turn: &Turn, first: Change) -> Vec<PassedOver> {
        let mut passed_over = Vec::with_capacity(2);
        let head = self.heads.first();
        if let Some(((_, other), whose)) = head.filter(|(_, whose)| *whose != turn.tenant) {
            let rule = match self.tenants[*whose].account.may_have_a_turn() {
                true => Rule::FairShare,
                false => Rule::TenantLimit,
            };
            passed_over.push(PassedOver { job: *other, rule });
        }
        let elsewhere = self.tenants[turn.tenant].firsts.second();
        let elsewhere = elsewhere.map(|(job, _)| job);
        if let Some((rank, other)) = first.after.into_iter().chain(elsewhere).min() {
            let rule = turn.job.0.precedence_over(&rank).into();
            passed_over.push(PassedOver { job: other, rule });
        }
        passed_over
    }

    /// The job whose turn it is takes a slot. Its place among those held.
    pub(super) fn take(&mut self, turn: &Turn, first: Change, now: Monotonic) -> usize {
        let Turn { job, tenant, group } = *turn;
        self.shares.has_turn(&self.tenants[tenant].account);
        // In one change, or the tenant would be idle in between and lose what it lags behind.
        self.change(tenant, |queue| {
            queue.follow(group, first);
            queue.running += 1;
        });
        self.charge_in_advance(job.1, tenant, now)
    }

    /// A job takes a slot, whether there is one or not: its record says so. Its place among those
    /// held.
    pub(super) fn hold(
        &mut self,
        job: JobId,
        tenant: Tenant,
        its: Standing<'_>,
        since: Monotonic,
    ) -> usize {
        self.make_queue(tenant, its);
        self.change(tenant, |queue| queue.running += 1);
        self.charge_in_advance(job, tenant, since)
    }

    /// A slot is reserved for a tenant, which is charged its whole time in advance: nobody else can
    /// use it.
    pub(super) fn reserve(&mut self, tenant: Tenant, its: Standing<'_>, span: Duration) {
        self.reserved += 1;
        self.make_queue(tenant, its);
        self.change(tenant, |queue| queue.running += 1);
        self.charge(tenant, span, Duration::ZERO);
    }

    /// A slot is reserved no more; what was left of its time is not charged.
    pub(super) fn unreserve(&mut self, tenant: Tenant, left: Duration) {
        self.reserved -= 1;
        self.charge(tenant, Duration::ZERO, left);
        self.change(tenant, |queue| queue.running -= 1);
    }

    /// What a turn costs a tenant until it is known what it took.
    pub(super) fn price(&self, tenant: Tenant) -> u64 {
        micros(self.typical) / self.tenants[tenant].weight
    }

    fn charge_in_advance(&mut self, job: JobId, tenant: Tenant, since: Monotonic) -> usize {
        let charged = self.typical;
        self.charge(tenant, charged, Duration::ZERO);
        self.held.push(Held {
            job,
            tenant,
            since,
            charged,
        });
        self.held.len() - 1
    }

    /// Changes what a tenant has used, in the device's time.
    fn charge(&mut self, tenant: Tenant, more: Duration, less: Duration) {
        if planted(Bug::UseIsNotCharged) {
            return;
        }
        let queue = &mut self.tenants[tenant];
        let [more, less] = [more, less].map(|span| micros(span) / queue.weight);
        self.shares.charge(tenant, &mut queue.account, more, less);
    }

    /// The job at a place among those held gives its slot back; its tenant, which this gives, is
    /// charged what it took. The last of those held comes to that place: this one, if it is another.
    pub(super) fn release(&mut self, at: usize, now: Monotonic) -> (Tenant, Option<JobId>) {
        let held = self.held.swap_remove(at);
        let took = now.since(held.since);
        self.charge(held.tenant, took, held.charged);
        self.change(held.tenant, |queue| queue.running -= 1);
        self.typical = (self.typical * 7 + took) / 8;
        (held.tenant, self.held.get(at).map(|moved| moved.job))
    }

    /// Who holds the slots, each at its place.
    pub(super) fn holders(&self) -> impl Iterator<Item = (JobId, Tenant)> {
        self.held.iter().map(|held| (held.job, held.tenant))
    }

    /// Whose jobs hold the slots, and since when, by the ids of the jobs.
    pub(super) fn since(&self) -> impl Iterator<Item = (&str, Monotonic)> {
        let mut held: Vec<_> = self.held.iter().collect();
        held.sort_unstable_by_key(|held| held.job);
        let held = held.into_iter();
        held.map(|held| (&**self.tenants[held.tenant].account.name(), held.since))
    }

    #[cfg(test)]
    pub(super) fn tenants_remembered(&self) -> usize {
        self.tenants.len() + self.shares.remembered()
    }

    /// Changes a tenant's queue, and everything that depends on it.
    fn change(&mut self, tenant: Tenant, change: impl FnOnce(&mut Queue)) {
        let queue = &mut self.tenants[tenant];
        let before = queue.first();
        change(queue);
        let after = queue.first();
        if before != after {
            match after {
                Some(job) => self.heads.set(tenant, job),
                None => self.heads.remove(tenant),
            }
        }
        let may_have_a_turn = after.is_some() && !queue.at_limit;
        self.shares.set(tenant, &mut queue.account, may_have_a_turn);
        if after.is_none()
            && queue.running == 0
            && let Some(queue) = self.tenants.remove(tenant)
        {
            self.shares.close(queue.account);
            if self.tenants.len() == 0 {
                self.shares.all_idle();
            }
        }
    }

    /// The first job of each tenant in each group.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (Tenant, Ranked, Key)> {
        let queues = self.tenants.iter();
        queues.flat_map(|(tenant, queue)| {
            let firsts = queue.firsts.iter();
            firsts.map(move |(job, group)| (tenant, *job, *group))
        })
    }

    /// Walks all cross-references.
    pub(super) fn check(&self) {
        let accounts = self.tenants.iter();
        self.shares
            .check(accounts.map(|(tenant, queue)| (tenant, &queue.account)));
        let running = self.tenants.iter().map(|(_, queue)| queue.running);
        assert_eq!(self.held.len() + self.reserved, running.sum::<usize>());
        let heads = self
            .tenants
            .iter()
            .filter_map(|(tenant, queue)| Some((queue.first()?, tenant)));
        let heads: BTreeSet<_> = heads.collect();
        assert!(self.heads.iter().eq(&heads));
    }
}

impl Queue {
    /// The most urgent job.
    fn first(&self) -> Option<Ranked> {
        self.firsts.first().map(|(job, _)| job)
    }

    fn follow(&mut self, group: Key, Change { before, after }: Change) {
        if before == after {
            return;
        }
        if let Some(job) = before {
            self.firsts.remove(&job);
        }
        if let Some(job) = after {
            self.firsts.insert(job, group);
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
