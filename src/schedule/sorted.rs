//! Things in order, of which mostly the first is asked. It lies apart, so that to look at it, and to
//! be the only one, costs no way through a tree.

use std::collections::{BTreeMap, btree_map};
use std::iter::Chain;
use std::option;

/// Things `T` by keys `K`, no two of which are equal. The first is found in O(1), each change costs
/// O(log n).
#[derive(Debug)]
pub(super) struct Sorted<K, T> {
    /// There is none only if there is nothing.
    first: Option<(K, T)>,
    rest: BTreeMap<K, T>,
}

/// A walk in order.
pub(super) type Iter<'a, K, T> = Chain<option::IntoIter<(&'a K, &'a T)>, btree_map::Iter<'a, K, T>>;

impl<K, T> Default for Sorted<K, T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy, T> Sorted<K, T> {
    pub(super) fn first(&self) -> Option<(K, &T)> {
        self.first.as_ref().map(|(key, thing)| (*key, thing))
    }

    pub(super) fn second(&self) -> Option<(K, &T)> {
        let second = self.rest.first_key_value();
        second.map(|(key, thing)| (*key, thing))
    }

    /// Puts in what is not here yet.
    pub(super) fn insert(&mut self, key: K, thing: T) {
        match &mut self.first {
            Some(first) if first.0 < key => {
                self.rest.insert(key, thing);
            }
            first => {
                if let Some((key, thing)) = first.replace((key, thing)) {
                    self.rest.insert(key, thing);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<T> {
        match &self.first {
            Some((first, _)) if first == key => {
                let next = self.rest.pop_first();
                let first = std::mem::replace(&mut self.first, next);
                first.map(|(_, thing)| thing)
            }
            _ => self.rest.remove(key),
        }
    }

    pub(super) fn iter(&self) -> Iter<'_, K, T> {
        let first = self.first.as_ref().map(|(key, thing)| (key, thing));
        first.into_iter().chain(&self.rest)
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len() + usize::from(self.first.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sorted_has_the_order_of_a_map(
            acts in proptest::collection::vec((0u8..9, any::<bool>()), 1..60),
        ) {
            let (mut sorted, mut map) = (Sorted::default(), BTreeMap::new());
            for (nth, (key, comes)) in acts.into_iter().enumerate() {
                if !comes || map.contains_key(&key) {
                    prop_assert_eq!(sorted.remove(&key), map.remove(&key));
                } else {
                    sorted.insert(key, nth);
                    map.insert(key, nth);
                }
                prop_assert!(sorted.iter().eq(&map));
                prop_assert_eq!(sorted.len(), map.len());
                let mut inside = map.iter().map(|(key, nth)| (*key, nth));
                prop_assert_eq!(sorted.first(), inside.next());
                prop_assert_eq!(sorted.second(), inside.next());
            }
        }
    }
}
