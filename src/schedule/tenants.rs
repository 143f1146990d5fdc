//! The tenants that have jobs here: what the whole schedule knows of each, under a number.

use std::sync::Arc;

use crate::planted::{Bug, planted};
use crate::schedule::policy::Policy;
use crate::schedule::registry::Registry;

/// The number of a tenant, as long as it has jobs that wait or hold a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenant(u32);

impl Tenant {
    /// For what is kept by numbers. They are given again, so few are far above how many there are.
    pub(super) fn number(self) -> usize {
        self.0 as usize
    }
}

impl From<u32> for Tenant {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<Tenant> for u32 {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

/// The tenants, and what the policy says of each.
#[derive(Debug)]
pub(super) struct Tenants {
    policy: Policy,
    known: Registry<Tenant, Arc<str>, Known>,
}

#[derive(Debug)]
struct Known {
    weight: u64,
    /// Jobs that wait or hold a slot.
    jobs: usize,
    /// Slots that it holds, on all devices.
    running: usize,
}

/// What a device needs to know of a tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) weight: u64,
    /// It may have no more jobs running.
    pub(super) at_limit: bool,
}

impl Tenants {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            known: Registry::new(),
        }
    }

    /// A job of this tenant is here from now on.
    pub(super) fn comes(&mut self, name: &str) -> Tenant {
        let tenant = self.known.find(name).unwrap_or_else(|| {
            let known = Known {
                weight: self.policy.weight(name),
                jobs: 0,
                running: 0,
            };
            self.known.add(name.into(), known)
        });
        self.known[tenant].jobs += 1;
        tenant
    }

    /// A job of this tenant is here no more. With its last one the tenant's number ends.
    pub(super) fn left(&mut self, tenant: Tenant) {
        let known = &mut self.known[tenant];
        known.jobs -= 1;
        if known.jobs == 0 {
            self.known.remove(tenant);
        }
    }

    /// Changes how many slots a tenant holds. Whether it is at its limit or not, if that is new.
    pub(super) fn count(&mut self, tenant: Tenant, more: isize) -> Option<bool> {
        let before = self.is_at_limit(tenant);
        let known = &mut self.known[tenant];
        known.running = known
            .running
            .checked_add_signed(more)
            .expect("a slot is given back once");
        let after = self.is_at_limit(tenant);
        (before != after).then_some(after)
    }

    pub(super) fn standing(&self, tenant: Tenant) -> Standing<'_> {
        Standing {
            name: self.known.name(tenant),
            weight: self.known[tenant].weight,
            at_limit: self.is_at_limit(tenant),
        }
    }

    fn is_at_limit(&self, tenant: Tenant) -> bool {
        let running = self.known[tenant].running;
        running >= self.policy.tenant_running && !planted(Bug::TenantLimitForgotten)
    }

    /// How many slots a tenant holds, if it may hold no more.
    pub(super) fn limit_of(&self, name: &str) -> Option<usize> {
        match self.known.find(name) {
            Some(tenant) => self.is_at_limit(tenant).then(|| self.known[tenant].running),
            None => (self.policy.tenant_running == 0).then_some(0),
        }
    }

    /// Each tenant with how many jobs it has here, and how many slots.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Tenant, (usize, usize))> {
        let known = self.known.iter();
        known.map(|(_, tenant, known)| (tenant, (known.jobs, known.running)))
    }
}
