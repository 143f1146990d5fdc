//! Whose turn it is among tenants: of those that have a job waiting, the one that has used least
//! of the device, for its weight.
//!
//! This is start-time fair queueing (Goyal, Vin and Cheng 1996) with device time as the good. What
//! an execution will take is not known when its turn comes, so a typical time is charged in
//! advance and put right when the slot is given back. A tenant that comes anew starts where the
//! others are: nobody saves up turns by staying away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::schedule::heap::{Heap, InOrder};
use crate::schedule::tenants::Tenant;

/// Device time in microseconds over the tenant's weight.
type Used = u64;

/// Tenants without jobs whose use is remembered. Beyond, those that have used least are forgotten:
/// starting anew gives them least.
const IDLE_MAX: usize = 10_000;

/// What a turn goes by: least use first, and the name among equals.
pub(super) type Place = (Used, Arc<str>);

/// Who comes next, by what one device has given to each tenant. What a tenant with jobs has used is
/// in its [`Account`], which stands where else something is kept of it on the device.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Tenants whose turn may come.
    turns: Heap<Place>,
    /// Tenants that have nothing waiting and nothing running.
    idle: BTreeSet<Place>,
    /// What those have used.
    idle_used: BTreeMap<Arc<str>, Used>,
    /// What the tenant had used that had the last turn: where newcomers start.
    start: Used,
}

/// What a tenant that has jobs on a device has used of it.
#[derive(Debug)]
pub(super) struct Account {
    name: Arc<str>,
    used: Used,
    may_have_a_turn: bool,
}

impl Account {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn may_have_a_turn(&self) -> bool {
        self.may_have_a_turn
    }

    fn place(&self) -> Place {
        (self.used, self.name.clone())
    }
}

impl Shares {
    /// The tenant whose turn it is.
    pub(super) fn first(&self) -> Option<Tenant> {
        self.turns.first().map(|(_, tenant)| *tenant)
    }

    /// The tenants whose turn may come, with what they have used, the next first.
    pub(super) fn turns(&self) -> InOrder<'_, Place> {
        self.turns.iter()
    }

    /// The account of a tenant that had no jobs here.
    pub(super) fn open(&mut self, name: &Arc<str>) -> Account {
        let before = self.idle_used.remove(name);
        if let Some(used) = before {
            self.idle.remove(&(used, name.clone()));
        }
        Account {
            name: name.clone(),
            used: before.unwrap_or(0).max(self.start),
            may_have_a_turn: false,
        }
    }

    /// A tenant has no jobs here any more; it has no turn to come.
    pub(super) fn close(&mut self, account: Account) {
        assert!(!account.may_have_a_turn, "whoever has a turn has a job");
        self.idle.insert(account.place());
        self.idle_used.insert(account.name, account.used);
    }

    /// Notes whether a tenant's turn may come. Mostly that is as before, and costs nothing.
    pub(super) fn set(&mut self, tenant: Tenant, account: &mut Account, may_have_a_turn: bool) {
        if may_have_a_turn == account.may_have_a_turn {
            return;
        }
        account.may_have_a_turn = may_have_a_turn;
        match may_have_a_turn {
            true => self.turns.set(tenant, account.place()),
            false => self.turns.remove(tenant),
        }
    }

    /// The tenant has a turn: newcomers start from here.
    pub(super) fn has_turn(&mut self, account: &Account) {
        self.start = self.start.max(account.used);
        self.forget();
    }

    /// The device has nothing to do: whoever comes next starts where the last have ended.
    pub(super) fn all_idle(&mut self) {
        if let Some((used, _)) = self.idle.last() {
            self.start = self.start.max(*used);
        }
        self.forget();
    }

    /// Whoever stayed away long enough to start where newcomers do need not be remembered.
    fn forget(&mut self) {
        while let Some((used, _)) = self.idle.first()
            && (*used <= self.start || self.idle.len() > IDLE_MAX)
            && let Some((_, name)) = self.idle.pop_first()
        {
            self.idle_used.remove(&name);
        }
    }

    /// Changes what a tenant has used.
    pub(super) fn charge(&mut self, tenant: Tenant, account: &mut Account, more: Used, less: Used) {
        account.used = account.used.saturating_add(more).saturating_sub(less);
        self.turns.change(tenant, |(used, _)| *used = account.used);
    }

    /// How many tenants without jobs are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.idle.len()
    }

    /// Walks all cross-references: those whose turn may come are these, and no others.
    pub(super) fn check<'a>(&self, accounts: impl Iterator<Item = (Tenant, &'a Account)>) {
        let turns = accounts.filter(|(_, account)| account.may_have_a_turn);
        let turns = turns.map(|(tenant, account)| (account.place(), tenant));
        let turns: BTreeSet<_> = turns.collect();
        assert!(self.turns.iter().eq(&turns));
        let idle = self.idle_used.iter();
        let idle = idle.map(|(name, used)| (*used, name.clone()));
        assert_eq!(self.idle, idle.collect());
    }
}
