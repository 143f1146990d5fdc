//! Whose turn it is among tenants: of those that have a job waiting, the one that has used least
//! of the device, for its weight.
//!
//! This is start-time fair queueing (Goyal, Vin and Cheng 1996) with device time as the good. What
//! an execution will take is not known when its turn comes, so a typical time is charged in
//! advance and put right when the slot is given back. A tenant that comes anew starts where the
//! others are: nobody saves up turns by staying away.

use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whose jobs they are.
pub(super) type Tenant = Arc<str>;

/// Device time in microseconds over the tenant's weight.
type Used = u64;

/// Tenants without jobs whose use is remembered. Beyond, those that have used least are forgotten:
/// starting anew gives them least.
const IDLE_MAX: usize = 10_000;

/// Tenants by what they have used.
type Places = BTreeSet<(Used, Tenant)>;

/// What one device has given to each tenant.
#[derive(Debug, Default)]
pub(super) struct Shares {
    accounts: BTreeMap<Tenant, Account>,
    /// Tenants whose turn may come, by what they have used.
    turns: Places,
    /// Tenants that have nothing waiting and nothing running, by what they have used.
    idle: Places,
    /// What the tenant had used that had the last turn: where newcomers start.
    start: Used,
}

/// What one tenant has used, and where that is noted.
#[derive(Debug, Clone, Copy)]
struct Account {
    used: Used,
    doing: Doing,
}

/// What a tenant does on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It has jobs waiting and may run one more.
    Waits,
    /// It has jobs running, or is at its limit.
    Busy,
    /// It has no jobs here.
    Idle,
}

impl Shares {
    /// The tenant whose turn it is.
    pub(super) fn first(&self) -> Option<&Tenant> {
        self.turns.first().map(|(_, tenant)| tenant)
    }

    /// The tenants whose turn may come, with what they have used, the next first.
    pub(super) fn turns(&self) -> Iter<'_, (Used, Tenant)> {
        self.turns.iter()
    }

    pub(super) fn may_have_a_turn(&self, tenant: &Tenant) -> bool {
        let account = self.accounts.get(tenant);
        account.is_some_and(|account| account.doing == Doing::Waits)
    }

    /// Notes what a tenant does now. Mostly that is what it did before, and costs one look.
    pub(super) fn set(&mut self, tenant: &Tenant, doing: Doing) {
        let account = match self.accounts.get(tenant) {
            Some(before) if before.doing == doing => return,
            Some(before) => {
                let used = before.used;
                let came_back = before.doing == Doing::Idle;
                if let Some(set) = Self::set_of(&mut self.turns, &mut self.idle, before.doing) {
                    set.remove(&(used, tenant.clone()));
                }
                let used = if came_back {
                    used.max(self.start)
                } else {
                    used
                };
                Account { used, doing }
            }
            None if doing == Doing::Idle => return,
            None => Account {
                used: self.start,
                doing,
            },
        };
        if let Some(set) = Self::set_of(&mut self.turns, &mut self.idle, doing) {
            set.insert((account.used, tenant.clone()));
        }
        self.accounts.insert(tenant.clone(), account);
    }

    /// The set that a tenant is in while it does this.
    fn set_of<'a>(
        turns: &'a mut Places,
        idle: &'a mut Places,
        doing: Doing,
    ) -> Option<&'a mut Places> {
        match doing {
            Doing::Waits => Some(turns),
            Doing::Busy => None,
            Doing::Idle => Some(idle),
        }
    }

    /// The tenant has a turn: newcomers start from here.
    pub(super) fn has_turn(&mut self, tenant: &Tenant) {
        let account = self.accounts.get(tenant);
        let used = account.map_or(self.start, |account| account.used);
        self.start = self.start.max(used);
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
            && let Some((_, tenant)) = self.idle.pop_first()
        {
            self.accounts.remove(&tenant);
        }
    }

    /// Changes what a tenant has used.
    pub(super) fn charge(&mut self, tenant: &Tenant, more: Used, less: Used) {
        let Some(account) = self.accounts.get_mut(tenant) else {
            return;
        };
        let before = account.used;
        account.used = before.saturating_add(more).saturating_sub(less);
        let after = account.used;
        if let Some(set) = Self::set_of(&mut self.turns, &mut self.idle, account.doing) {
            set.remove(&(before, tenant.clone()));
            set.insert((after, tenant.clone()));
        }
    }

    /// How many tenants are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.accounts.len()
    }

    /// Walks all cross-references: a tenant is in the set that its account names, and in no other.
    pub(super) fn check(&self) {
        for (set, doing) in [(&self.turns, Doing::Waits), (&self.idle, Doing::Idle)] {
            let accounts = self.accounts.iter();
            let named = accounts.filter(|(_, account)| account.doing == doing);
            let named = named.map(|(tenant, account)| (account.used, tenant.clone()));
            assert_eq!(*set, named.collect());
        }
    }
}
