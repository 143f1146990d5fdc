//! The store that forgets when the process ends (`--store memory`), and that a simulated node
//! may leave behind when it is killed: clones share what is stored.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::ids::{Epoch, JobId};
use crate::ports::store::{AppendError, ReadError};
use crate::store::commit::{self, Change, Refusal};
use crate::store::ground::Ground;
use crate::store::map::{MapMut as _, Rows};
use crate::store::place::{self, CHECKPOINT};
use crate::store::{find, own};

/// A row of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// What is shown of it.
    Head,
    /// The whole job as one of its commits left it.
    Checkpoint,
    /// The event of this number.
    Event(u64),
    /// Its submission number, by its name.
    Name,
}

/// A job store in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: Arc<RwLock<Rows>>,
}

impl MemoryStore {
    /// Spoils one row of a job, as a bad disk does. False if there is none. For tests of what happens
    /// then.
    pub fn spoil(&self, job: JobId, row: Row) -> bool {
        let mut rows = self.writable();
        let Some(place) = place_of(&rows, job, row) else {
            return false;
        };
        let Some(row) = rows.get(&place[..]).cloned() else {
            return false;
        };
        let spoilt: Vec<u8> = row.into_iter().rev().collect();
        rows.put(&place, &spoilt).is_ok()
    }

    /// The same for a row that is lost as a whole.
    pub fn lose(&self, job: JobId, row: Row) -> bool {
        let mut rows = self.writable();
        let place = place_of(&rows, job, row);
        place.is_some_and(|place| Rows::remove(&mut rows, &place[..]).is_some())
    }

    fn readable(&self) -> RwLockReadGuard<'_, Rows> {
        let rows = self.rows.read();
        rows.expect("no code panics while it holds the store")
    }

    fn writable(&self) -> RwLockWriteGuard<'_, Rows> {
        let rows = self.rows.write();
        rows.expect("no code panics while it holds the store")
    }
}

/// Where a row of a job stands.
fn place_of(rows: &Rows, job: JobId, row: Row) -> Option<Vec<u8>> {
    let submission = find::search(rows, job).ok().flatten()?;
    Some(match row {
        Row::Head => place::head(submission).to_vec(),
        Row::Checkpoint => place::row(submission, CHECKPOINT).to_vec(),
        Row::Event(number) => place::row(submission, number).to_vec(),
        Row::Name => place::name(job).to_vec(),
    })
}

impl Ground for MemoryStore {
    type View<'a> = Rows;

    fn glance<T>(&self, look: impl FnOnce(&Rows) -> Result<T, ReadError>) -> Result<T, ReadError> {
        look(&self.readable())
    }

    async fn survey<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Rows) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.glance(look)
    }

    async fn take_over(&self) -> Result<Epoch, AppendError> {
        Ok(own::claim(&mut *self.writable())?)
    }

    async fn change(&self, epoch: Epoch, change: Change) -> Result<u64, AppendError> {
        let mut rows = self.writable();
        let made = change.make(&mut *rows, epoch);
        if commit::is_split() && made.is_ok() {
            change.make_rest(&mut *rows)?;
        }
        made.map_err(|refusal| match refusal {
            Refusal::No(why) => why,
            Refusal::Off(failed) => failed.into(),
        })
    }
}
