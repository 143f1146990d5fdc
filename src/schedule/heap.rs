//! Tenants in an order that changes all the time: a binary heap that knows where each of them is, so
//! that a new place costs a few moves in one array, where an ordered map would be searched twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::schedule::tenants::Tenant;

/// Tenants by their places `P`, of which no two are equal, the least first. The first is found in O(1), each change costs
/// O(log n), a walk in order O(log n) a step.
#[derive(Debug)]
pub(super) struct Heap<P> {
    /// None comes before the one at half its place.
    entries: Vec<(P, Tenant)>,
    /// Where each tenant is, by its number.
    at: Vec<Option<u32>>,
}

impl<P> Default for Heap<P> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            at: Vec::new(),
        }
    }
}

impl<P: Ord> Heap<P> {
    pub(super) fn first(&self) -> Option<&(P, Tenant)> {
        self.entries.first()
    }

    /// Puts a tenant in, which is not here yet, or changes its place.
    pub(super) fn set(&mut self, tenant: Tenant, place: P) {
        match self.find(tenant) {
            Some(at) => {
                self.entries[at].0 = place;
                self.settle(at);
            }
            None => {
                let number = tenant.number();
                if self.at.len() <= number {
                    self.at.resize(number + 1, None);
                }
                self.entries.push((place, tenant));
                self.rise(self.entries.len() - 1);
            }
        }
    }

    /// Changes the place of a tenant. Does nothing if it is not here.
    pub(super) fn change(&mut self, tenant: Tenant, change: impl FnOnce(&mut P)) {
        if let Some(at) = self.find(tenant) {
            change(&mut self.entries[at].0);
            self.settle(at);
        }
    }

    /// Takes a tenant out. Does nothing if it is not here.
    pub(super) fn remove(&mut self, tenant: Tenant) {
        if let Some(at) = self.find(tenant) {
            self.at[tenant.number()] = None;
            self.entries.swap_remove(at);
            if at < self.entries.len() {
                self.settle(at);
            }
        }
    }

    /// All, in order.
    pub(super) fn iter(&self) -> InOrder<'_, P> {
        let first = self.entries.first();
        InOrder {
            entries: &self.entries,
            next: first.map(|entry| Reverse((entry, 0))).into_iter().collect(),
        }
    }

    fn find(&self, tenant: Tenant) -> Option<usize> {
        let at = self.at.get(tenant.number()).copied().flatten();
        at.map(|at| at as usize)
    }

    fn settle(&mut self, at: usize) {
        let at = self.rise(at);
        self.sink(at);
    }

    fn rise(&mut self, mut at: usize) -> usize {
        while at > 0 && self.is_before(at, (at - 1) / 2) {
            let above = (at - 1) / 2;
            self.entries.swap(at, above);
            self.note(at);
            at = above;
        }
        self.note(at);
        at
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut below = 2 * at + 1;
            if below + 1 < self.entries.len() && self.is_before(below + 1, below) {
                below += 1;
            }
            if below >= self.entries.len() || !self.is_before(below, at) {
                break;
            }
            self.entries.swap(at, below);
            self.note(at);
            at = below;
        }
        self.note(at);
    }

    fn is_before(&self, one: usize, other: usize) -> bool {
        self.entries[one].0 < self.entries[other].0
    }

    fn note(&mut self, at: usize) {
        let number = self.entries[at].1.number();
        self.at[number] = Some(u32::try_from(at).expect("there are fewer than 2^32 tenants"));
    }
}

/// A walk through a [`Heap`]: of those that were not told yet, the first is below one that was.
pub(super) struct InOrder<'a, P> {
    entries: &'a [(P, Tenant)],
    next: BinaryHeap<Reverse<(&'a (P, Tenant), usize)>>,
}

impl<'a, P: Ord> Iterator for InOrder<'a, P> {
    type Item = &'a (P, Tenant);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((entry, at)) = self.next.pop()?;
        for below in [2 * at + 1, 2 * at + 2] {
            if let Some(entry) = self.entries.get(below) {
                self.next.push(Reverse((entry, below)));
            }
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_heap_has_the_order_of_a_list_that_is_sorted(
            acts in proptest::collection::vec((0u32..12, 0u8..9, 0u8..3), 1..80),
        ) {
            let (mut heap, mut places) = (Heap::default(), BTreeMap::new());
            for (number, place, act) in acts {
                let tenant = Tenant::from(number);
                let place = (place, tenant);
                match act {
                    0 => {
                        heap.set(tenant, place);
                        places.insert(tenant, place);
                    }
                    1 => {
                        heap.change(tenant, |it| it.0 += place.0);
                        places.entry(tenant).and_modify(|it| it.0 += place.0);
                    }
                    _ => {
                        heap.remove(tenant);
                        places.remove(&tenant);
                    }
                }
                let mut sorted: Vec<_> = places.iter().map(|(tenant, it)| (*it, *tenant)).collect();
                sorted.sort_unstable();
                prop_assert_eq!(heap.first(), sorted.first());
                let told: Vec<_> = heap.iter().copied().collect();
                prop_assert_eq!(told, sorted);
            }
        }
    }
}
