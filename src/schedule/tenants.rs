//! The tenants that have jobs here: what the whole schedule knows of each, under a number.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use hashbrown::HashMap;
use slab::Slab;

use crate::planted::{Bug, planted};
use crate::schedule::policy::Policy;

const HAS_IT: &str = "only a tenant that has it is asked for";

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
    /// Looked at by name alone: hashes are no order to decide by.
    numbers: HashMap<Arc<str>, Tenant, BuildHasherDefault<DefaultHasher>>,
    known: Slab<Known>,
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
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
            numbers: HashMap::default(),
            known: Slab::new(),
        }
    }

    /// A job of this tenant is here from now on.
    pub(super) fn comes(&mut self, name: &str) -> Tenant {
        if let Some(tenant) = self.numbers.get(name) {
            self.known[tenant.number()].jobs += 1;
            return *tenant;
        }
        let name: Arc<str> = name.into();
        let number = self.known.insert(Known {
            weight: self.policy.weight(&name),
            name: name.clone(),
            jobs: 1,
            running: 0,
        });
        let number = u32::try_from(number).expect("there are fewer than 2^32 tenants");
        self.numbers.insert(name, Tenant(number));
        Tenant(number)
    }

    /// A job of this tenant is here no more. With its last one the tenant's number ends.
    pub(super) fn left(&mut self, tenant: Tenant) {
        let known = &mut self.known[tenant.number()];
        known.jobs -= 1;
        if known.jobs == 0 {
            let known = self.known.remove(tenant.number());
            self.numbers.remove(&known.name);
        }
    }

    /// Changes how many slots a tenant holds. Whether it is at its limit or not, if that is new.
    pub(super) fn count(&mut self, tenant: Tenant, more: isize) -> Option<bool> {
        let before = self.is_at_limit(tenant);
        let known = &mut self.known[tenant.number()];
        known.running = known
            .running
            .checked_add_signed(more)
            .expect("a slot is given back once");
        let after = self.is_at_limit(tenant);
        (before != after).then_some(after)
    }

    pub(super) fn standing(&self, tenant: Tenant) -> Standing<'_> {
        Standing {
            name: &self.known[tenant.number()].name,
            weight: self.known[tenant.number()].weight,
            at_limit: self.is_at_limit(tenant),
        }
    }

    fn is_at_limit(&self, tenant: Tenant) -> bool {
        let running = self.known[tenant.number()].running;
        running >= self.policy.tenant_running && !planted(Bug::TenantLimitForgotten)
    }

    /// How many slots a tenant holds, if it may hold no more.
    pub(super) fn limit_of(&self, name: &str) -> Option<usize> {
        match self.numbers.get(name).copied() {
            Some(tenant) => {
                let running = self.known[tenant.number()].running;
                self.is_at_limit(tenant).then_some(running)
            }
            None => (self.policy.tenant_running == 0).then_some(0),
        }
    }

    /// Each tenant with how many jobs it has here, and how many slots.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Tenant, (usize, usize))> {
        let known = self.known.iter();
        known.map(|(number, known)| (Tenant(number as u32), (known.jobs, known.running)))
    }
}

/// Things `T` of tenants, by their numbers: each is found in O(1).
#[derive(Debug)]
pub(super) struct ByTenant<T> {
    /// Boxed, because a tenant with a great number may have nothing here.
    things: Vec<Option<Box<T>>>,
    len: usize,
}

impl<T> ByTenant<T> {
    pub(super) fn new() -> Self {
        Self {
            things: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get_mut(&mut self, tenant: Tenant) -> Option<&mut T> {
        self.things.get_mut(tenant.number())?.as_deref_mut()
    }

    /// What a tenant has, `new` if it had nothing.
    pub(super) fn get_or_insert_with(&mut self, tenant: Tenant, new: impl FnOnce() -> T) -> &mut T {
        let number = tenant.number();
        if self.things.len() <= number {
            self.things.resize_with(number + 1, || None);
        }
        self.things[number].get_or_insert_with(|| {
            self.len += 1;
            Box::new(new())
        })
    }

    pub(super) fn remove(&mut self, tenant: Tenant) -> Option<T> {
        let thing = self.things.get_mut(tenant.number())?.take()?;
        self.len -= 1;
        Some(*thing)
    }

    /// All there is, by the numbers of the tenants.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Tenant, &T)> {
        let things = self.things.iter().enumerate();
        things.filter_map(|(number, thing)| Some((Tenant(number as u32), thing.as_deref()?)))
    }
}

impl<T> Index<Tenant> for ByTenant<T> {
    type Output = T;

    fn index(&self, tenant: Tenant) -> &T {
        self.things[tenant.number()].as_deref().expect(HAS_IT)
    }
}

impl<T> IndexMut<Tenant> for ByTenant<T> {
    fn index_mut(&mut self, tenant: Tenant) -> &mut T {
        self.things[tenant.number()].as_deref_mut().expect(HAS_IT)
    }
}
