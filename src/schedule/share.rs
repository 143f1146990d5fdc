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

/// What one device has given to each tenant.
#[derive(Debug, Default)]
pub(super) struct Shares {
    used: BTreeMap<Tenant, Used>,
    /// Tenants whose turn may come, by what they have used.
    turns: BTreeSet<(Used, Tenant)>,
    /// Tenants that have nothing waiting and nothing running, by what they have used.
    idle: BTreeSet<(Used, Tenant)>,
    /// What the tenant had used that had the last turn: where newcomers start.
    start: Used,
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
        let used = self.used.get(tenant).copied();
        used.is_some_and(|used| self.turns.contains(&(used, tenant.clone())))
    }

    /// Notes what a tenant does now.
    pub(super) fn set(&mut self, tenant: &Tenant, doing: Doing) {
        let used = match self.used.get(tenant) {
            Some(used) => *used,
            None if doing == Doing::Idle => return,
            None => self.start,
        };
        let place = (used, tenant.clone());
        let came_back = self.idle.remove(&place) && doing != Doing::Idle;
        self.turns.remove(&place);
        let used = if came_back {
            used.max(self.start)
        } else {
            used
        };
        let place = (used, tenant.clone());
        match doing {
            Doing::Waits => {
                self.turns.insert(place);
            }
            Doing::Busy => {}
            Doing::Idle => {
                self.idle.insert(place);
            }
        }
        self.used.insert(tenant.clone(), used);
    }

    /// The tenant has a turn: newcomers start from here.
    pub(super) fn has_turn(&mut self, tenant: &Tenant) {
        let used = self.used.get(tenant).copied().unwrap_or(self.start);
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
            self.used.remove(&tenant);
        }
    }

    /// Changes what a tenant has used.
    pub(super) fn charge(&mut self, tenant: &Tenant, more: Used, less: Used) {
        let Some(used) = self.used.get_mut(tenant) else {
            return;
        };
        let before = (*used, tenant.clone());
        *used = used.saturating_add(more).saturating_sub(less);
        let after = (*used, tenant.clone());
        for set in [&mut self.turns, &mut self.idle] {
            if set.remove(&before) {
                set.insert(after.clone());
            }
        }
    }

    /// How many tenants are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.used.len()
    }

    /// Walks all cross-references; a tenant is in one of the sets at most.
    pub(super) fn check(&self) {
        for (used, tenant) in self.turns.iter().chain(&self.idle) {
            assert_eq!(self.used.get(tenant), Some(used), "{tenant}");
        }
        assert!(self.turns.is_disjoint(&self.idle));
    }
}
