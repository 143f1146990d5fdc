//! What the rules of a job store see of the engine: a map of bytes, in which the row of an
//! idempotency key stands in the place that the key tells, wherever it lies.

use std::ops::{Bound, Deref};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::ReadableTable;

use crate::store::disk::engine::{Engine, Table};
use crate::store::disk::keys::Keys;
use crate::store::map::{Failed, Map, MapMut, OnRow, Order};
use crate::store::place;

/// The rows in one view of them; a failure of the engine makes it suspect.
pub(in crate::store) struct View<'a, T> {
    pub(super) rows: T,
    pub(super) keys: &'a RwLock<Keys>,
    /// Nobody else is making a commit: what the index knows is there, or was.
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
    /// When the row of a key came, if it has one that came since there is such an order.
    fn arrival(&self, key: &[u8; 32]) -> Result<Option<u64>, Failed> {
        let arrivals = self.keys().arrivals(key);
        for arrival in arrivals {
            if self.has(&place::arrived(arrival, key))? {
                return Ok(Some(arrival));
            }
        }
        Ok(None)
    }

    fn has(&self, place: &[u8]) -> Result<bool, Failed> {
        Ok(self.told(self.rows.get(place))?.is_some())
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
        let Some(key) = place::key_at(place) else {
            return self.value(place, read);
        };
        match self.arrival(key)? {
            Some(arrival) => self.value(&place::arrived(arrival, key), read),
            None if self.keys().by_hash() => self.value(place, read),
            None => Ok(None),
        }
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

    fn has_lost(&self, place: &[u8]) -> bool {
        place::key_at(place).is_some_and(|key| {
            let keys = self.keys();
            keys.is_lost(key) || self.alone && !keys.arrivals(key).is_empty()
        })
    }
}

impl MapMut for Changes<'_, '_> {
    fn put(&mut self, place: &[u8], value: &[u8]) -> Result<(), Failed> {
        let Some(key) = place::key_at(place) else {
            let put = self.rows.insert(place, value).map(drop);
            return self.told(put);
        };
        let there = self.arrival(key)?;
        let arrival = there.unwrap_or_else(|| self.keys_mut().arrive(key));
        let put = self.rows.insert(&place::arrived(arrival, key)[..], value);
        let put = put.map(drop);
        self.told(put)
    }

    fn remove(&mut self, place: &[u8]) -> Result<(), Failed> {
        if let Some(key) = place::key_at(place) {
            self.keys_mut().forget(key);
            if let Some(arrival) = self.arrival(key)? {
                let removed = self.rows.remove(&place::arrived(arrival, key)[..]);
                let removed = removed.map(drop);
                self.told(removed)?;
                self.keys_mut().leave(arrival, key);
            }
        }
        let removed = self.rows.remove(place).map(drop);
        self.told(removed)
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
