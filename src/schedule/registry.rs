//! Things that have a long name outside and a number inside, so that what names one a million times
//! is small, and finds it without comparing texts.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use slab::Slab;

/// Things `T`, each with a name `N` and, as long as it is here, a number `I`. By number one is found
/// in O(1), by name in O(log n). A number is given again when its thing has left, so it says nothing
/// of an order.
#[derive(Debug)]
pub(super) struct Registry<I, N, T> {
    numbers: BTreeMap<N, I>,
    things: Slab<(N, T)>,
}

impl<I: Copy + From<u32> + Into<u32>, N: Ord + Clone, T> Registry<I, N, T> {
    pub(super) fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            things: Slab::new(),
        }
    }

    /// The number of what has this name.
    pub(super) fn find<Q: Ord + ?Sized>(&self, name: &Q) -> Option<I>
    where
        N: std::borrow::Borrow<Q>,
    {
        self.numbers.get(name).copied()
    }

    /// Gives a number to something whose name is not here; a clone of the name should cost little.
    pub(super) fn add(&mut self, name: N, thing: T) -> I {
        let number = self.things.insert((name.clone(), thing));
        let number = u32::try_from(number).expect("fewer than 2^32 are here at a time");
        let number = number.into();
        let before = self.numbers.insert(name, number);
        assert!(before.is_none(), "a name has one number");
        number
    }

    /// Lets something go; its number may be given to another.
    pub(super) fn remove(&mut self, number: I) {
        let (name, _) = self.things.remove(place(number));
        self.numbers.remove(&name);
    }

    pub(super) fn name(&self, number: I) -> &N {
        &self.things[place(number)].0
    }

    /// A thing and its name.
    pub(super) fn get_mut(&mut self, number: I) -> (&N, &mut T) {
        let (name, thing) = &mut self.things[place(number)];
        (name, thing)
    }

    /// What has this name.
    pub(super) fn get<Q: Ord + ?Sized>(&self, name: &Q) -> Option<&T>
    where
        N: std::borrow::Borrow<Q>,
    {
        self.find(name).map(|number| &self[number])
    }

    /// All there is, in no order that means anything.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&N, I, &mut T)> {
        let things = self.things.iter_mut();
        things.map(|(number, (name, thing))| (&*name, (number as u32).into(), thing))
    }

    /// All there is, in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&N, I, &T)> {
        let numbers = self.numbers.iter();
        numbers.map(|(name, number)| (name, *number, &self[*number]))
    }
}

impl<I: Into<u32>, N, T> Index<I> for Registry<I, N, T> {
    type Output = T;

    fn index(&self, number: I) -> &T {
        &self.things[place(number)].1
    }
}

impl<I: Into<u32>, N, T> IndexMut<I> for Registry<I, N, T> {
    fn index_mut(&mut self, number: I) -> &mut T {
        &mut self.things[place(number)].1
    }
}

fn place(number: impl Into<u32>) -> usize {
    number.into() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_number_until_it_leaves_and_then_the_number_is_anothers() {
        let mut registry = Registry::<u32, String, char>::new();
        let (ada, bob) = (
            registry.add("ada".into(), 'a'),
            registry.add("bob".into(), 'b'),
        );
        assert_eq!(
            (registry.find("ada"), registry.find("bob")),
            (Some(ada), Some(bob))
        );
        registry.remove(ada);
        assert_eq!(registry.find("ada"), None);
        let abe = registry.add("abe".into(), 'x');
        assert_eq!((abe, registry[abe], registry[bob]), (ada, 'x', 'b'));
        assert_eq!(registry.name(abe), "abe");
        let all: Vec<_> = registry.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(all, ["abe", "bob"]);
    }
}
