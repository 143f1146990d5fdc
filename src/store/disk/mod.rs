//! The job store on disk: the rules of every store over redb, with one commit for all that ask at
//! a time. It stands over any [`StorageBackend`], so that a simulated disk can lie beneath it, and
//! has no thread of its own: commits are made wherever [`Offload`] puts them.

mod engine;
mod queue;
mod writer;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

use redb::{Builder, DatabaseError, StorageBackend};

use crate::ids::{DeviceId, Epoch, JobId};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::ports::offload::{self, Offload};
use crate::ports::store::{
    Append, AppendError, Ended, Filter, JobStore, Key, KeyHolder, Page, ReadError, Salvage,
    Unfinished,
};
use crate::store::commit::{self, Change, Encoded};
use crate::store::disk::engine::{Engine, Snapshot};
use crate::store::disk::writer::Writer;
use crate::store::look;
use crate::time::Monotonic;

pub use queue::Room;

/// What a store on disk needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Where it works while others wait.
    pub offload: Offload,
    /// What tells how long somebody has waited.
    pub now: Arc<dyn Fn() -> Monotonic + Send + Sync>,
    /// How much may wait, and go into one commit.
    pub room: Room,
    /// Memory for pages of the file; the system's page cache comes on top.
    pub cache_bytes: usize,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("room", &self.room)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("it is in use by another kernel")]
    InUse,
    /// It is no store, or a damaged one.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It cannot be read or written.
    #[error("{0}")]
    Unavailable(String),
}

/// A job store on disk. Clones share what is stored; the file is closed with the last of them.
#[derive(Debug, Clone)]
pub struct RedbStore {
    writer: Arc<Writer>,
    surroundings: Surroundings,
}

impl RedbStore {
    /// Opens the store in what `disk` opens, and makes one if that is empty. `disk` is called
    /// again whenever the store must be opened again after a failure.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<B: StorageBackend>(
        disk: impl Fn() -> io::Result<B> + Send + Sync + 'static,
        surroundings: Surroundings,
    ) -> Result<Self, OpenError> {
        let cache_bytes = surroundings.cache_bytes;
        let opener = move || {
            let mut builder = Builder::new();
            builder.set_cache_size(cache_bytes);
            builder.create_with_backend(disk()?)
        };
        let engine = Engine::new(Box::new(opener));
        engine.open().map_err(|why| match why {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
            DatabaseError::Storage(redb::StorageError::Io(why))
                if why.kind() != io::ErrorKind::InvalidData =>
            {
                OpenError::Unavailable(why.to_string())
            }
            why => OpenError::Damaged(why.to_string()),
        })?;
        Ok(Self {
            writer: Arc::new(Writer::new(engine, surroundings.room)),
            surroundings,
        })
    }

    async fn change(&self, epoch: Epoch, change: Change) -> Result<u64, AppendError> {
        let now = (self.surroundings.now)();
        let (told, lead) = self.writer.ask(now, epoch, change)?;
        if let Some(lead) = lead {
            (self.surroundings.offload)(Box::new(move || lead.follow_through()));
        }
        let broke_off = || AppendError::Unavailable("the commit broke off".to_owned());
        told.await.unwrap_or_else(|_| Err(broke_off()))
    }

    /// A look at one thing: it is in memory, or a few pages away.
    fn glance<T>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.writer.engine.read(look)
    }

    /// A look at many things, off the async threads.
    async fn survey<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let writer = self.writer.clone();
        let seen = offload::run(self.surroundings.offload, move || writer.engine.read(look));
        let broke_off = || ReadError::Unavailable("the look at it broke off".to_owned());
        seen.await.unwrap_or_else(|_| Err(broke_off()))
    }
}

impl JobStore for RedbStore {
    async fn claim(&self) -> Result<Epoch, ReadError> {
        let writer = self.writer.clone();
        let claimed = offload::run(self.surroundings.offload, move || {
            writer.engine.write(|map| commit::claim(map))
        });
        let broke_off = || ReadError::Unavailable("the claim broke off".to_owned());
        Ok(claimed.await.map_err(|_| broke_off())??)
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.change(epoch, Change::Append(Encoded::new(append)))
            .await
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        self.glance(|map| look::job(map, job))
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.glance(|map| look::events(map, job, after, most))
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        self.glance(|map| look::program(map, job))
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        self.glance(|map| look::key_holder(map, key))
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        let filter = filter.clone();
        self.survey(move |map| look::list(map, &filter, before, most))
            .await
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        self.survey(move |map| look::unfinished(map, after, most))
            .await
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        self.survey(move |map| look::salvage(map, job)).await
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        let change = Change::replace(&job, &events);
        self.change(epoch, change).await.map(drop)
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        self.survey(move |map| look::ended(map, after, most)).await
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, Change::Forget(jobs)).await.map(drop)
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        self.survey(move |map| look::forgotten(map, most)).await
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, Change::Cleared(jobs)).await.map(drop)
    }

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        let change = Change::Draining(device, draining);
        self.change(epoch, change).await.map(drop)
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        self.glance(|map| look::draining(map))
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.glance(|map| Ok(commit::count(map)?))
    }
}
