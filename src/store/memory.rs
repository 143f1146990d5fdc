//! The store that forgets when the process ends (`--store memory`), and that a simulated node
//! may leave behind when it is killed: clones share what is stored.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::ids::{DeviceId, Epoch, JobId};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::ports::store::{
    Append, AppendError, Ended, Filter, JobStore, Key, KeyHolder, Page, ReadError, Salvage,
    Unfinished,
};
use crate::store::commit::{self, Change, Encoded, Refusal};
use crate::store::look;
use crate::store::map::{MapMut as _, Rows};
use crate::store::place;

/// A job store in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: Arc<RwLock<Rows>>,
}

impl MemoryStore {
    /// Spoils one row of a job, as a bad disk does: the head with number 0, else the event of that
    /// number. False if there is none. For tests of what happens then.
    pub fn spoil(&self, job: JobId, number: u64) -> bool {
        let mut rows = self.writable();
        let Ok(Some(submission)) = commit::submission_of(&*rows, job) else {
            return false;
        };
        let place = place::row(submission, number);
        let Some(row) = rows.get(&place[..]).cloned() else {
            return false;
        };
        let spoilt: Vec<u8> = row.into_iter().rev().collect();
        rows.put(&place, &spoilt).is_ok()
    }

    fn readable(&self) -> RwLockReadGuard<'_, Rows> {
        let rows = self.rows.read();
        rows.expect("no code panics while it holds the store")
    }

    fn writable(&self) -> RwLockWriteGuard<'_, Rows> {
        let rows = self.rows.write();
        rows.expect("no code panics while it holds the store")
    }

    fn change(&self, epoch: Epoch, change: &Change) -> Result<u64, AppendError> {
        change
            .make(&mut *self.writable(), epoch)
            .map_err(|refusal| match refusal {
                Refusal::No(why) => why,
                Refusal::Off(failed) => failed.into(),
            })
    }
}

impl JobStore for MemoryStore {
    async fn claim(&self) -> Result<Epoch, ReadError> {
        Ok(commit::claim(&mut *self.writable())?)
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.change(epoch, &Change::Append(Encoded::new(append)))
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        look::job(&*self.readable(), job)
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        look::events(&*self.readable(), job, after, most)
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        look::program(&*self.readable(), job)
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        look::key_holder(&*self.readable(), key)
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        look::list(&*self.readable(), filter, before, most)
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        look::unfinished(&*self.readable(), after, most)
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        look::salvage(&*self.readable(), job)
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        self.change(epoch, &Change::replace(&job, &events))
            .map(drop)
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        look::ended(&*self.readable(), after, most)
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, &Change::Forget(jobs)).map(drop)
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        look::forgotten(&*self.readable(), most)
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, &Change::Cleared(jobs)).map(drop)
    }

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        let change = Change::Draining(device, draining);
        self.change(epoch, &change).map(drop)
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        look::draining(&*self.readable())
    }

    async fn count(&self) -> Result<u64, ReadError> {
        Ok(commit::count(&*self.readable())?)
    }
}
