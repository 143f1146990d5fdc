//! An ordered map of bytes: all that the rules of a job store stand on. In memory it is a
//! `BTreeMap`, on disk a table of the engine; the rules are the same over both.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;

use crate::job::key::Key;
use crate::store::place;

/// The map cannot be read or written now, and whatever was under way did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    /// There is no room.
    #[error("{0}")]
    Full(String),
    /// Anything else.
    #[error("{0}")]
    Broken(String),
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Up,
    Down,
}

impl Order {
    /// The next row of a range that is gone through this way.
    pub(super) fn next<I: DoubleEndedIterator>(self, rows: &mut I) -> Option<I::Item> {
        match self {
            Self::Up => rows.next(),
            Self::Down => rows.next_back(),
        }
    }

    /// Whether `place` may come after `edge` this way.
    pub(super) fn follows(self, edge: &[u8], place: &[u8]) -> bool {
        match self {
            Self::Up => edge < place,
            Self::Down => place < edge,
        }
    }
}

/// What a scan gives each row to; it breaks to end the scan.
pub(super) type OnRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A map that can be read.
pub(super) trait Map {
    /// What `read` makes of the value of `key`, if there is one.
    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failed>;

    /// The rows from `from` up to, but without, `to`, until `on_row` has seen enough.
    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), Failed>;

    /// Gives the rows of an idempotency key to `on_row`. There may be several: one that was hidden by
    /// a damaged page may be there again when another has taken the key.
    fn holders(&self, key: Key, on_row: &mut dyn FnMut(&[u8])) -> Result<(), Failed>;

    /// Whether a key had a row that is not there, as far as anybody knows.
    fn has_lost(&self, _key: Key) -> Result<bool, Failed> {
        Ok(false)
    }
}

/// A map that can be changed.
pub(super) trait MapMut: Map {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failed>;

    fn remove(&mut self, key: &[u8]) -> Result<(), Failed>;

    /// Writes the row of an idempotency key that is free.
    fn hold(&mut self, key: Key, row: &[u8]) -> Result<(), Failed>;

    /// Takes out the rows of a key that are `his`, and what is known of those that are not there.
    fn release(&mut self, key: Key, his: &dyn Fn(&[u8]) -> bool) -> Result<(), Failed>;
}

/// Rows in memory. Nearly all keys fit in where they are compared, side by side.
pub(super) type Rows = BTreeMap<SmallVec<[u8; 36]>, Box<[u8]>>;

impl Map for Rows {
    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failed> {
        Ok(Self::get(self, key).map(|value| read(value)))
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), Failed> {
        if from >= to {
            return Ok(());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let mut rows = self.range::<[u8], _>(bounds);
        while let Some((key, value)) = order.next(&mut rows) {
            if on_row(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn holders(&self, key: Key, on_row: &mut dyn FnMut(&[u8])) -> Result<(), Failed> {
        Map::get(self, &place::key(key), on_row).map(drop)
    }
}

impl MapMut for Rows {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failed> {
        self.insert(SmallVec::from_slice(key), value.into());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failed> {
        Self::remove(self, key);
        Ok(())
    }

    fn hold(&mut self, key: Key, row: &[u8]) -> Result<(), Failed> {
        self.put(&place::key(key), row)
    }

    fn release(&mut self, key: Key, his: &dyn Fn(&[u8]) -> bool) -> Result<(), Failed> {
        let place = place::key(key);
        if Map::get(self, &place, his)? == Some(true) {
            Self::remove(self, &place[..]);
        }
        Ok(())
    }
}
