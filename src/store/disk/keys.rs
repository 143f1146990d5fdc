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
use crate::store::{head, own, place, record};

/// What the store says of its keys itself: a page that makes no sense may hide rows, or a bit of a key
/// be another, and nobody would miss them.
const TALLY: &str = "keys";

/// How many keys there are, and the exclusive or of all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    count: u64,
    sum: [u8; 32],
}

/// The index of all rows of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// How a key begins, and when a row came that may be its: whole keys would take three times the
    /// memory. A key is a hash already, and is spread by none.
    rows: HashTable<(u64, u64)>,
    /// The number of the next row.
    next: u64,
    /// Earlier kernels wrote rows in the order of hashes, and there may be such.
    by_hash: bool,
    /// How keys begin whose rows are not found, though jobs say that they have them.
    lost: BTreeSet<u64>,
    /// There are more that are lost: not all jobs could be asked.
    blind: bool,
    /// Of all rows and of what is lost.
    tally: Tally,
    /// The rows that came or went since a commit was seen to succeed.
    touched: Vec<(u64, [u8; 32])>,
}

impl Keys {
    /// The index of what is stored. Rows that cannot be read are no reason not to open the store, as long
    /// as the heads of jobs, which lie on other pages, tell whose keys are among them.
    pub(super) fn of(
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<Self, redb::Error> {
        let mut keys = Self::default();
        if planted(Bug::KeysNotIndexed) {
            return Ok(keys);
        }
        let whole = readable(caught(|| keys.read(rows, Order::Up)))?.is_ok();
        let stored = readable(caught(|| stored(rows)))?.ok().flatten();
        if whole && stored == Some(keys.tally) {
            return Ok(keys);
        }
        // New rows go behind all that are there. Behind those only that come before a damaged page they
        // would be written into it.
        let behind = readable(caught(|| keys.read(rows, Order::Down)))?.is_ok();
        keys.by_hash = true;
        let found = keys.tally.count;
        let mut told = Told::default();
        if readable(caught(|| keys.ask_heads(rows, Order::Up, &mut told)))?.is_err() {
            keys.blind = true;
            // From the other end, those behind what is damaged are told.
            drop(readable(caught(|| {
                keys.ask_heads(rows, Order::Down, &mut Told::default())
            }))?);
        }
        // Jobs have keys, and rows need not be anybody's: one that is not does not make up for one that
        // is missing.
        keys.tally.count = told.keys;
        match stored {
            Some(stored) if told.keys < stored.count => {
                keys.blind = true;
                keys.tally.count = stored.count;
            }
            Some(_) => {}
            None => keys.blind |= !readable(caught(|| told.is_all(rows)))?.unwrap_or(false),
        }
        if keys.blind {
            // The sum is spoilt, so that all is looked at again at the next start.
            keys.tally.sum[0] ^= 1;
        }
        if !(whole && behind && !keys.blind && keys.lost.is_empty()) {
            tracing::error!(
                found,
                lost = keys.lost.len(),
                all_told = !keys.blind,
                "idempotency keys of the job store cannot be read: requests with those that are lost \
                 are refused, and if not all are told, those with any that is not found; go on with a \
                 copy of the store"
            );
        }
        Ok(keys)
    }

    /// The same after a failure: of the last commit nobody knows whether it is there.
    pub(super) fn again(
        mut self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<Self, redb::Error> {
        let settled = caught(|| {
            for (arrival, key) in std::mem::take(&mut self.touched) {
                let there = rows.get(&place::arrived(arrival, &key)[..])?.is_some();
                match (there, self.arrivals(&key).contains(&arrival)) {
                    (true, false) => self.insert(arrival, &key),
                    (false, true) => self.take(arrival, &key),
                    _ => {}
                }
            }
            stored(rows)
        });
        match settled {
            Ok(Some(tally)) if tally == self.tally => Ok(self),
            _ => Self::of(rows),
        }
    }

    fn read(
        &mut self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
        order: Order,
    ) -> Result<(), redb::Error> {
        let (from, to) = place::ALL_KEYS;
        scan(rows, &from, &to, order, &mut |place, _| {
            match place::arrival_at(place) {
                // Reached from the other end.
                Some((arrival, key)) if self.arrivals(&key).contains(&arrival) => {
                    return ControlFlow::Break(());
                }
                Some((arrival, key)) => self.insert(arrival, &key),
                None => self.by_hash = true,
            }
            ControlFlow::Continue(())
        })
    }

    /// Finds the keys that are lost. Not asked are jobs without a head, and heads that were set aside.
    fn ask_heads(
        &mut self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
        order: Order,
        told: &mut Told,
    ) -> Result<(), redb::Error> {
        let (from, to) = place::ALL_HEADS;
        scan(rows, &from, &to, order, &mut |place, row| {
            told.heads += 1;
            told.last = place::submission_at(place).unwrap_or(0);
            let Ok(head) = head::stub(row) else {
                self.blind = true;
                return ControlFlow::Continue(());
            };
            if let Some(key) = head.key {
                let is_by_hash = matches!(rows.get(&place::key(key)[..]), Ok(Some(_)));
                let key = key.to_bytes();
                told.keys += u64::from(!is_by_hash);
                if !is_by_hash && self.arrivals(&key).is_empty() && self.lost.insert(begin(&key)) {
                    self.tally.add(&key);
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
        self.tally.add(key);
    }

    fn take(&mut self, arrival: u64, key: &[u8; 32]) {
        let row = (begin(key), arrival);
        if let Ok(entry) = self.rows.find_entry(row.0, |each| *each == row) {
            entry.remove();
            self.tally.take(key);
        }
    }

    /// The number of a new row of a key.
    pub(super) fn arrive(&mut self, key: &[u8; 32]) -> u64 {
        let arrival = self.next;
        self.insert(arrival, key);
        self.touched.push((arrival, *key));
        arrival
    }

    /// A row that is there no longer.
    pub(super) fn leave(&mut self, arrival: u64, key: &[u8; 32]) {
        self.take(arrival, key);
        self.touched.push((arrival, *key));
    }

    /// The row with the tally.
    pub(super) fn tally(&self) -> (Vec<u8>, Vec<u8>) {
        let Tally { count, sum } = self.tally;
        let row = [&count.to_be_bytes()[..], &sum].concat();
        (place::meta(TALLY), record::seal(&row))
    }

    /// What came and went is on the disk.
    pub(super) fn committed(&mut self) {
        self.touched.clear();
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

    /// Whether a key that has no row may have lost it.
    pub(super) fn is_lost(&self, key: &[u8; 32]) -> bool {
        self.blind || self.lost.contains(&begin(key))
    }

    /// A key is free again whose row was lost.
    pub(super) fn forget(&mut self, key: &[u8; 32]) {
        if self.lost.remove(&begin(key)) {
            self.tally.take(key);
        }
    }
}

impl Tally {
    fn add(&mut self, key: &[u8; 32]) {
        self.count += 1;
        self.mix(key);
    }

    fn take(&mut self, key: &[u8; 32]) {
        self.count = self.count.saturating_sub(1);
        self.mix(key);
    }

    fn mix(&mut self, key: &[u8; 32]) {
        for (sum, key) in self.sum.iter_mut().zip(key) {
            *sum ^= key;
        }
    }
}

/// What the heads of all jobs told.
#[derive(Debug, Default)]
struct Told {
    heads: u64,
    /// The submission number of the last.
    last: u64,
    /// Keys whose rows do not lie in the order of hashes.
    keys: u64,
}

impl Told {
    /// Whether that were all heads, in a store that has no tally: one of an earlier kernel has none, and
    /// one whose pages lie where others should may have lost it.
    fn is_all(
        &self,
        rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<bool, redb::Error> {
        let number = |name| {
            let row = rows.get(&place::meta(name)[..])?;
            Ok::<_, redb::Error>(row.map(|row| record::as_number(row.value())))
        };
        let count = |read: Option<Result<u64, String>>| match read {
            None => Some(0),
            Some(read) => read.ok(),
        };
        let (given, gone) = (count(number(own::GIVEN)?), count(number(own::GONE)?));
        let (Some(given), Some(gone)) = (given, gone) else {
            return Ok(false);
        };
        let is_store = rows.is_empty()? || number(own::EPOCH)?.is_some();
        Ok(is_store && self.heads >= given.max(self.last).saturating_sub(gone))
    }
}

/// The tally as it is stored, if it can be read.
fn stored(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Option<Tally>, redb::Error> {
    let row = rows.get(&place::meta(TALLY)[..])?;
    Ok(row.and_then(|row| {
        let (count, sum) = record::open(row.value()).ok()?.split_first_chunk()?;
        Some(Tally {
            count: u64::from_be_bytes(*count),
            sum: sum.try_into().ok()?,
        })
    }))
}

/// What cannot be read now may be read at the next start, and the engine takes it for the end of
/// all reading: nothing is concluded from it.
fn readable<T>(read: Result<T, redb::Error>) -> Result<Result<T, redb::Error>, redb::Error> {
    match read {
        Err(redb::Error::Io(why)) => {
            let what = format!(
                "idempotency keys cannot be read: {why}; if that stays so, go on with a copy of the \
                 file in which zeros stand for what cannot be read"
            );
            Err(redb::Error::Io(std::io::Error::new(why.kind(), what)))
        }
        read => Ok(read),
    }
}

/// A page that makes no sense may let the engine panic, which is an error as good as any.
fn caught<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = "a page of its file makes no sense".to_owned();
        Err(redb::Error::Corrupted(what))
    })
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

    #[test]
    fn a_tally_that_lost_what_it_gained_is_what_it_was() {
        let mut keys = Keys::default();
        keys.arrive(&alike(1));
        let before = keys.tally();
        let second = keys.arrive(&alike(2));
        assert_ne!(keys.tally(), before);
        keys.leave(second, &alike(2));
        assert_eq!(keys.tally(), before);
    }
}
