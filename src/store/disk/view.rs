//! What the rules of a job store see of the engine: a map of bytes, in which the row of an
//! idempotency key stands in the place that the key tells, wherever it lies.

use std::ops::{Bound, ControlFlow, Deref};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::ReadableTable;
use smallvec::SmallVec;

use crate::job::key::Key;
use crate::store::disk::engine::{Engine, Table};
use crate::store::disk::keys::Keys;
use crate::store::map::{Failed, Map, MapMut, OnRow, Order};
use crate::store::place;

/// The rows in one view of them; a failure of the engine makes it suspect.
pub(in crate::store) struct View<'a, T> {
    pub(super) rows: T,
    pub(super) keys: &'a RwLock<Keys>,
    /// Nobody else changes the index meanwhile: a row that it knows and that is not there is lost.
    pub(super) alone: bool,
    pub(super) engine: &'a Engine,
}

/// The rows as one commit left them.
pub(in crate::store) type Snapshot<'a> = View<'a, Arc<Table>>;

/// The rows as the commit that is being made will leave them.
pub(super) type Changes<'a, 'c> = View<'a, &'a mut redb::Table<'c, &'static [u8], &'static [u8]>>;

impl<T> View<'_, T> {
    fn told<R>(&self, outcome: Result<R, impl Into<redb::Error>>) -> Result<R, Failed> {
        outcome.map_err(|why| self.engine.failed(why))
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_mut(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> View<'_, R>
where
    R: Deref<Target: ReadableTable<&'static [u8], &'static [u8]>>,
{
    /// Where rows of a key may lie.
    fn places(&self, key: Key) -> SmallVec<[SmallVec<[u8; 41]>; 1]> {
        let keys = self.keys();
        let bytes = key.to_bytes();
        let arrived = keys.arrivals(&bytes).into_iter();
        let arrived = arrived.map(|arrival| place::arrived(arrival, &bytes).into());
        let by_hash = keys
            .by_hash()
            .then(|| SmallVec::from_slice(&place::key(key)));
        arrived.chain(by_hash).collect()
    }

    fn has(&self, place: &[u8]) -> Result<bool, Failed> {
        Ok(self.told(self.rows.get(place))?.is_some())
    }

    /// Whether any key has this number.
    fn has_arrived(&self, arrival: u64) -> Result<bool, Failed> {
        let (from, to) = (
            place::arrived(arrival, &[0; 32]),
            place::arrived(arrival.saturating_add(1), &[0; 32]),
        );
        let mut has = false;
        self.told(scan(&*self.rows, &from, &to, Order::Up, &mut |_, _| {
            has = true;
            ControlFlow::Break(())
        }))?;
        Ok(has)
    }

    fn value<T>(&self, place: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failed> {
        let value = self.told(self.rows.get(place))?;
        Ok(value.map(|value| read(value.value())))
    }
}

impl<R> Map for View<'_, R>
where
    R: Deref<Target: ReadableTable<&'static [u8], &'static [u8]>>,
{
    fn get<T>(&self, place: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failed> {
        self.value(place, read)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), Failed> {
        self.told(scan(&*self.rows, from, to, order, on_row))
    }

    fn holders(&self, key: Key, on_row: &mut dyn FnMut(&[u8])) -> Result<(), Failed> {
        for place in self.places(key) {
            self.value(&place, &mut *on_row)?;
        }
        Ok(())
    }

    fn has_lost(&self, key: Key) -> Result<bool, Failed> {
        let key = key.to_bytes();
        if self.keys().is_lost(&key) {
            return Ok(true);
        }
        // Whoever looks beside a commit may know more than is there.
        let arrivals = match self.alone {
            true => self.keys().arrivals(&key),
            false => SmallVec::new(),
        };
        for arrival in arrivals {
            if !self.has(&place::arrived(arrival, &key))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl MapMut for Changes<'_, '_> {
    fn put(&mut self, place: &[u8], value: &[u8]) -> Result<(), Failed> {
        let put = self.rows.insert(place, value).map(drop);
        self.told(put)
    }

    fn remove(&mut self, place: &[u8]) -> Result<(), Failed> {
        let removed = self.rows.remove(place).map(drop);
        self.told(removed)
    }

    fn hold(&mut self, key: Key, row: &[u8]) -> Result<(), Failed> {
        let key = key.to_bytes();
        let arrival = self.keys_mut().arrive(&key);
        self.put(&place::arrived(arrival, &key), row)
    }

    fn release(&mut self, key: Key, his: &dyn Fn(&[u8]) -> bool) -> Result<(), Failed> {
        self.keys_mut().forget(&key.to_bytes());
        for place in self.places(key) {
            let arrived = place::arrival_at(&place);
            match self.value(&place, his)? {
                Some(false) => continue,
                Some(true) => self.remove(&place)?,
                // It is lost; unless the number is that of a key that begins like this one.
                None => match arrived {
                    Some((arrival, _)) if !self.has_arrived(arrival)? => {}
                    _ => continue,
                },
            }
            if let Some((arrival, key)) = arrived {
                self.keys_mut().leave(arrival, &key);
            }
        }
        Ok(())
    }
}

impl Changes<'_, '_> {
    /// Writes what keys there will be, if there are others.
    pub(super) fn tally_keys(&mut self) -> Result<(), Failed> {
        let (place, tally) = self.keys().tally();
        match self.get(&place, |row| row == tally)? {
            Some(true) => Ok(()),
            _ => self.put(&place, &tally),
        }
    }
}

/// The rows of a range, as long as their order makes sense.
pub(super) fn scan(
    rows: &(impl ReadableTable<&'static [u8], &'static [u8]> + ?Sized),
    from: &[u8],
    to: &[u8],
    order: Order,
    on_row: &mut OnRow<'_>,
) -> Result<(), redb::Error> {
    let bounds = (Bound::Included(from), Bound::Excluded(to));
    let mut rows = rows.range::<&[u8]>(bounds)?;
    let mut edge: Option<Vec<u8>> = None;
    while let Some(row) = order.next(&mut rows) {
        let (key, value) = row?;
        let place = key.value();
        // A page that lies where another should has rows of its own. Whoever goes on from there would
        // never come to an end.
        let follows = edge
            .as_deref()
            .is_none_or(|edge| order.follows(edge, place));
        if !follows || place < from || place >= to {
            let what = "a page of its file holds rows that belong elsewhere".to_owned();
            return Err(redb::Error::Corrupted(what));
        }
        let edge = edge.get_or_insert_default();
        edge.clear();
        edge.extend_from_slice(place);
        if on_row(place, value.value()).is_break() {
            break;
        }
    }
    Ok(())
}
