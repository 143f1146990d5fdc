//! The job store on disk: the rules of every store over redb, with one commit for all that ask at
//! a time. It stands over any [`StorageBackend`], so that a simulated disk can lie beneath it, and
//! has no thread of its own: commits are made wherever [`Offload`] puts them.

mod engine;
mod keys;
mod queue;
mod view;
mod writer;

use std::fmt;
use std::io::{
    self,
    ErrorKind::{InvalidData, UnexpectedEof},
};
use std::sync::Arc;

use redb::{Builder, DatabaseError, StorageBackend};

use crate::ids::Epoch;
use crate::ports::offload::{self, Offload};
use crate::ports::store::{AppendError, ReadError};
use crate::store::commit::Change;
use crate::store::disk::engine::Engine;
use crate::store::disk::view::Snapshot;
use crate::store::disk::writer::Writer;
use crate::store::ground::Ground;
use crate::store::own;
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
    /// There is no room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// It cannot be read or written.
    #[error("{0}")]
    Unavailable(String),
}

impl From<io::Error> for OpenError {
    fn from(why: io::Error) -> Self {
        match engine::is_full(&why) {
            true => Self::Full(why.to_string()),
            false => Self::Unavailable(why.to_string()),
        }
    }
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
            let disk = disk()?;
            let is_new = disk.len()? == 0;
            Ok((builder.create_with_backend(disk)?, is_new))
        };
        let engine = Engine::new(Box::new(opener));
        engine.open().map_err(|why| match why {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
            DatabaseError::Storage(redb::StorageError::Io(why))
                if !matches!(why.kind(), InvalidData | UnexpectedEof) =>
            {
                OpenError::from(why)
            }
            why => OpenError::Damaged(why.to_string()),
        })?;
        Ok(Self {
            writer: Arc::new(Writer::new(engine, surroundings.room)),
            surroundings,
        })
    }

    /// Closes the file until it is used again, and says whether that went in order; else a page of it
    /// makes no sense, though nobody has looked at that.
    pub fn close(&self) -> bool {
        self.writer.engine.close()
    }
}

impl Ground for RedbStore {
    type View<'a> = Snapshot<'a>;

    fn glance<T>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.writer.engine.read(look)
    }

    async fn survey<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let writer = self.writer.clone();
        let seen = offload::run(self.surroundings.offload, move || writer.engine.read(look));
        let broke_off = || ReadError::Unavailable("the look at it broke off".to_owned());
        seen.await.unwrap_or_else(|_| Err(broke_off()))
    }

    async fn take_over(&self) -> Result<Epoch, AppendError> {
        let writer = self.writer.clone();
        let claimed = offload::run(self.surroundings.offload, move || {
            writer.engine.write(|map| own::claim(map))
        });
        let broke_off = || AppendError::Unavailable("the claim broke off".to_owned());
        Ok(claimed.await.map_err(|_| broke_off())??)
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
}
