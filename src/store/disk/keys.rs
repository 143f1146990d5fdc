//! Where the row of an idempotency key lies on disk. A key is a hash: in the order of hashes each
//! row would fall on a page of its own, and to write those pages would be half of what a commit
//! costs. So the rows lie in the order in which they came, and an index in memory, made again
//! whenever the store is opened, tells where.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hashbrown::HashTable;
use redb::ReadableTable;
use smallvec::SmallVec;

use crate::planted::{Bug, planted};
use crate::store::disk::view::scan;
use crate::store::map::Order;
use crate::store::{head, place, record};

/// How many rows of keys there are, as the store says of itself: a page that makes no sense may hide
/// rows, and nobody would miss them.
const COUNT: &str = "keys";

/// The index of all rows of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// How a key begins, and when a row came that may be its: whole keys would take three times the
    /// memory. A key is a hash already, and is spread by none.
    rows: HashTable<(u64, u64)>,
    /// The number of the next row.
    next: u64,
    /// How many rows there are, also if they were not found, unless nobody knows.
    count: Option<u64>,
    /// The store says so.
    counted: bool,
    /// Earlier kernels wrote rows in the order of hashes, and there are such.
    by_hash: bool,
    /// How keys begin whose rows are not found, though jobs say that they have them.
    lost: BTreeSet<u64>,
}

impl Keys {
    /// The index of what is stored. Rows that make no sense are no reason not to open the store; a
    /// disk that does not answer now may do so the next time.
    pub(super) fn of(
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<Self, redb::Error> {
        let mut keys = Self::default();
        if planted(Bug::KeysNotIndexed) {
            return Ok(keys);
        }
        let read = catch_unwind(AssertUnwindSafe(|| keys.read(rows)));
        let whole = match read {
            Ok(Err(why @ redb::Error::Io(_))) => return Err(why),
            read => matches!(read, Ok(Ok(()))),
        };
        let found = keys.rows.len() as u64;
        let count = catch_unwind(AssertUnwindSafe(|| count(rows)));
        keys.count = match count.ok().flatten() {
            Some(Ok(count)) => Some(count),
            // One row is damaged: it is this one.
            Some(Err(_)) => Some(found),
            // A store that is new, or that an earlier kernel wrote last.
            None => (found == 0).then_some(0),
        };
        if !whole || keys.count != Some(found) {
            keys.by_hash = true;
            let told = catch_unwind(AssertUnwindSafe(|| keys.ask_heads(rows)));
            tracing::error!(
                found,
                of = ?keys.count,
                lost = keys.lost.len(),
                all_told = matches!(told, Ok(Ok(()))),
                "idempotency keys of the job store cannot be read: requests with those that are lost \
                 are refused; go on with a copy of the store"
            );
        }
        Ok(keys)
    }

    fn read(
        &mut self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<(), redb::Error> {
        let (from, to) = place::ALL_KEYS;
        scan(rows, &from, &to, Order::Up, &mut |place, _| {
            match place::arrival_at(place) {
                Some((arrival, key)) => self.insert(arrival, &key),
                None => self.by_hash = true,
            }
            ControlFlow::Continue(())
        })
    }

    /// Finds the keys that are lost. Heads lie on other pages than keys.
    fn ask_heads(
        &mut self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<(), redb::Error> {
        let (from, to) = place::ALL_HEADS;
        scan(rows, &from, &to, Order::Up, &mut |place, row| {
            let submission = place::submission_at(place).unwrap_or(0);
            let key = head::decode(row, submission).ok();
            let key = key.and_then(|head| head.stub().key);
            if let Some(key) = key {
                let by_hash = || matches!(rows.get(&place::key(key)[..]), Ok(Some(_)));
                let key = key.to_bytes();
                if self.arrivals(&key).is_empty() && !by_hash() {
                    self.lost.insert(begin(&key));
                }
            }
            ControlFlow::Continue(())
        })
    }

    fn insert(&mut self, arrival: u64, key: &[u8; 32]) {
        self.next = self.next.max(arrival.saturating_add(1));
        let begins = begin(key);
        self.rows
            .insert_unique(begins, (begins, arrival), |(begins, _)| *begins);
    }

    /// The number of a new row of a key.
    pub(super) fn arrive(&mut self, key: &[u8; 32]) -> u64 {
        let arrival = self.next;
        self.insert(arrival, key);
        self.count = self.count.map(|count| count + 1);
        self.counted = false;
        arrival
    }

    /// A row that is there no longer.
    pub(super) fn leave(&mut self, arrival: u64, key: &[u8; 32]) {
        let row = (begin(key), arrival);
        let entry = self.rows.find_entry(row.0, |each| *each == row);
        entry.ok().map(|entry| entry.remove());
        self.take_one();
    }

    /// The row that says how many there are, if it has to be written.
    pub(super) fn recount(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let counted = std::mem::replace(&mut self.counted, true);
        let count = self.count.filter(|_| !counted)?;
        Some((place::meta(COUNT), record::number(count)))
    }

    /// The numbers of the rows that may be a key's; which one is, the row itself tells.
    pub(super) fn arrivals(&self, key: &[u8; 32]) -> SmallVec<[u64; 1]> {
        let begins = begin(key);
        let rows = self.rows.iter_hash(begins);
        rows.filter(|(each, _)| *each == begins)
            .map(|(_, arrival)| *arrival)
            .collect()
    }

    /// Whether a row may lie in the order of hashes.
    pub(super) fn by_hash(&self) -> bool {
        self.by_hash
    }

    /// Whether a key has lost its row.
    pub(super) fn is_lost(&self, key: &[u8; 32]) -> bool {
        self.lost.contains(&begin(key))
    }

    /// Nobody has a key any longer whose row was lost before.
    pub(super) fn forget(&mut self, key: &[u8; 32]) {
        if self.lost.remove(&begin(key)) {
            self.take_one();
        }
    }

    fn take_one(&mut self) {
        self.count = self.count.map(|count| count.saturating_sub(1));
        self.counted = false;
    }
}

/// What the store says of how many there are, if it says anything.
fn count(rows: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Option<Result<u64, String>> {
    let place = place::meta(COUNT);
    let row = rows.get(&place[..]).ok()??;
    Some(record::as_number(row.value()))
}

fn begin(key: &[u8; 32]) -> u64 {
    let begin = key.first_chunk().expect("a key has 32 bytes");
    u64::from_be_bytes(*begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two keys that begin alike, which nobody's hashes do by chance.
    fn alike(last: u8) -> [u8; 32] {
        let mut key = [7; 32];
        key[31] = last;
        key
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart_by_their_rows() {
        let mut keys = Keys::default();
        let (one, other) = (keys.arrive(&alike(1)), keys.arrive(&alike(2)));
        let mut arrivals = keys.arrivals(&alike(1));
        arrivals.sort_unstable();
        assert_eq!(arrivals[..], [one, other]);
        keys.leave(one, &alike(1));
        assert_eq!(keys.arrivals(&alike(2))[..], [other]);
        assert!(keys.arrivals(&[8; 32]).is_empty());
    }

    #[test]
    fn no_number_is_given_twice_while_its_row_is_there() {
        let mut keys = Keys::default();
        keys.insert(41, &alike(1));
        assert_eq!(keys.arrive(&alike(2)), 42);
        keys.leave(42, &alike(2));
        assert_eq!(keys.arrive(&alike(3)), 43);
    }
}
