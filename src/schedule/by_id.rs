//! Things by the ids of jobs. Among a million of jobs that is the only search that does not begin
//! where the last one ended, so that it waits for memory: a table looks at one place, where a tree
//! looks at one on every level.

use crate::ids::JobId;

/// Things `T` by the ids of jobs. Every operation costs O(1); one that adds does so on the mean,
/// because the table doubles when it is full. It cannot be walked: hashes are no order to decide by.
#[derive(Debug)]
pub(super) struct ById<T> {
    /// An open-addressed table, a power of two in size: each thing is at the place of its hash, or
    /// behind it with no empty cell in between.
    cells: Vec<Cell>,
    /// What is in no cell any more stays until its number is given again.
    things: Vec<(JobId, T)>,
    free: Vec<u32>,
}

/// Eight bytes, so that a million of them are near. With the hash at hand neither a search that finds
/// nothing nor a table that grows looks at the things themselves.
#[derive(Debug, Clone, Copy)]
struct Cell {
    hash: u32,
    number: u32,
}

const EMPTY: Cell = Cell {
    hash: 0,
    number: u32::MAX,
};
const CELLS_MIN: usize = 8;

impl Cell {
    fn is_empty(self) -> bool {
        self.number == EMPTY.number
    }
}

impl<T> ById<T> {
    pub(super) fn new() -> Self {
        Self {
            cells: vec![EMPTY; CELLS_MIN],
            things: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.things.len() - self.free.len()
    }

    pub(super) fn get(&self, job: JobId) -> Option<&T> {
        let at = self.find(job)?;
        Some(&self.things[self.cells[at].number as usize].1)
    }

    pub(super) fn get_mut(&mut self, job: JobId) -> Option<&mut T> {
        let at = self.find(job)?;
        Some(&mut self.things[self.cells[at].number as usize].1)
    }

    /// Puts in what is not here yet, and gives it a number as long as it is here.
    pub(super) fn insert(&mut self, job: JobId, thing: T) -> u32 {
        // At most two thirds are taken, or the ways past others would be long.
        if 3 * (self.len() + 1) > 2 * self.cells.len() {
            self.grow();
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.things[number as usize] = (job, thing);
                number
            }
            None => {
                let next = u32::try_from(self.things.len()).ok();
                let next = next.filter(|next| *next != EMPTY.number);
                self.things.push((job, thing));
                next.expect("fewer than 2^32 jobs are here at a time")
            }
        };
        let hash = hash(job);
        self.put(Cell { hash, number });
        number
    }

    /// Takes out a job by its number, which is faster than by its id: the thing is not looked at.
    pub(super) fn remove_at(&mut self, job: JobId, number: u32) {
        let mut at = self.place(hash(job));
        while self.cells[at].number != number {
            assert!(
                !self.cells[at].is_empty(),
                "a number is of a job that is here"
            );
            at = self.after(at);
        }
        self.empty(at);
        self.free.push(number);
    }

    fn find(&self, job: JobId) -> Option<usize> {
        let hash = hash(job);
        let mut at = self.place(hash);
        loop {
            let cell = self.cells[at];
            if cell.is_empty() {
                return None;
            }
            if cell.hash == hash && self.things[cell.number as usize].0 == job {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    fn put(&mut self, cell: Cell) {
        let mut at = self.place(cell.hash);
        while !self.cells[at].is_empty() {
            at = self.after(at);
        }
        self.cells[at] = cell;
    }

    /// Empties a cell; those behind it that are not at their places come nearer to them.
    fn empty(&mut self, mut hole: usize) {
        let mut at = self.after(hole);
        while !self.cells[at].is_empty() {
            let home = self.place(self.cells[at].hash);
            let way = |from: usize| at.wrapping_sub(from) & (self.cells.len() - 1);
            if way(home) >= way(hole) {
                self.cells[hole] = self.cells[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.cells[hole] = EMPTY;
    }

    fn grow(&mut self) {
        let twice = vec![EMPTY; 2 * self.cells.len()];
        for cell in std::mem::replace(&mut self.cells, twice) {
            if !cell.is_empty() {
                self.put(cell);
            }
        }
    }

    fn place(&self, hash: u32) -> usize {
        hash as usize & (self.cells.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }
}

impl<T: Copy> ById<T> {
    pub(super) fn remove(&mut self, job: JobId) -> Option<T> {
        let at = self.find(job)?;
        let number = self.cells[at].number;
        self.empty(at);
        self.free.push(number);
        Some(self.things[number as usize].1)
    }
}

/// A hash without a secret, so that it is the same in every run. Ids are made here, and mostly of
/// chance: nobody can choose them so that they meet.
fn hash(job: JobId) -> u32 {
    // The golden ratio, as far as 64 bits tell it. The middle of a product depends on all bits.
    const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15;
    let [high, low] = job.halves();
    let fold = |half: u64| {
        let product = u128::from(half) * FACTOR;
        (product >> 64) as u64 ^ product as u64
    };
    (fold(fold(high) ^ low) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn job(number: u64) -> JobId {
        JobId::new(number, [0; 10])
    }

    proptest! {
        #[test]
        fn what_is_found_by_id_is_what_an_ordered_map_finds(
            acts in proptest::collection::vec((0u64..40, 0u8..4), 1..200),
        ) {
            let (mut by_id, mut map) = (ById::new(), BTreeMap::new());
            for (nth, (id, act)) in acts.into_iter().enumerate() {
                match act {
                    0 => prop_assert_eq!(by_id.remove(job(id)), map.remove(&id).map(|it: (usize, u32)| it.0)),
                    1 => if let Some((_, number)) = map.remove(&id) {
                        by_id.remove_at(job(id), number);
                    },
                    _ => if !map.contains_key(&id) {
                        let number = by_id.insert(job(id), nth);
                        prop_assert!(map.values().all(|(_, other)| *other != number));
                        map.insert(id, (nth, number));
                    },
                }
                prop_assert_eq!(by_id.len(), map.len());
                for id in 0..40 {
                    prop_assert_eq!(by_id.get(job(id)), map.get(&id).map(|(nth, _)| nth));
                }
            }
        }
    }

    #[test]
    fn ids_that_are_near_one_another_are_spread_over_a_table() {
        for step in [1, 256, 1 << 24] {
            let ids = (0..1u64 << 10).map(|number| job(number * step));
            let places = ids.map(|id| hash(id) % (1 << 11));
            // By chance 806 places of 2048 are taken.
            let taken = places.collect::<BTreeSet<_>>().len();
            assert!(taken > 700, "{taken} places for steps of {step}");
        }
    }
}
