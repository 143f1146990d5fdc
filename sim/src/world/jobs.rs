//! Where the jobs of a run are kept, whatever becomes of its kernels: in memory that no crash
//! takes, or in the engine of production on a disk that may crash.

use std::time::Duration;

use qrtx::ports::JobStore as _;
use qrtx::ports::store::ReadError;
use qrtx::store::disk::OpenError;
use qrtx::store::{MemoryStore, RedbStore};

use super::disk::JobDisk;
use crate::process::Process;

/// What a commit takes on a good disk.
pub const COMMIT: Duration = Duration::from_millis(1);

/// What outlives the kernels.
#[derive(Debug, Clone)]
pub enum Jobs {
    /// Memory.
    Memory(MemoryStore),
    /// A disk.
    Disk(JobDisk),
}

/// A job store in somebody's hands.
#[derive(Debug, Clone)]
pub enum Opened {
    /// Everybody sees the same.
    Memory(MemoryStore),
    /// One process at a time has it.
    Disk(RedbStore),
}

/// Asks a job store, whichever it is.
macro_rules! on {
    ($opened:expr, $jobs:ident => $asked:expr) => {
        match $opened {
            $crate::world::jobs::Opened::Memory($jobs) => $asked,
            $crate::world::jobs::Opened::Disk($jobs) => $asked,
        }
    };
}
pub(super) use on;

impl Jobs {
    /// The store in the hands of `process`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, process: &Process) -> Result<Opened, OpenError> {
        match self {
            Self::Memory(jobs) => Ok(Opened::Memory(jobs.clone())),
            Self::Disk(disk) => disk.open(process).map(Opened::Disk),
        }
    }

    /// What is there for sure, also if the power failed now, for somebody who only looks.
    ///
    /// # Panics
    /// If it cannot be opened: then nothing is left at all.
    pub fn left(&self) -> Opened {
        match self {
            Self::Memory(jobs) => Opened::Memory(jobs.clone()),
            Self::Disk(disk) => Opened::Disk(disk.durable().expect("a store is left on the disk")),
        }
    }

    /// Whether no job owes anything.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn owe_nothing(&self) -> Result<bool, ReadError> {
        let owing = on!(&self.left(), jobs => jobs.unfinished(0, 1).await)?;
        Ok(owing.is_empty())
    }

    /// A number that stays the same for as long as what is there for sure does, where there is one.
    pub fn version(&self) -> Option<u64> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(disk.syncs()),
        }
    }

    /// The machine lost power.
    pub fn lose_power(&self) {
        if let Self::Disk(disk) = self {
            disk.lose_power();
        }
    }

    /// A sum over everything on the disk, if there is one.
    pub fn sum(&self) -> Option<u64> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(disk.sum()),
        }
    }
}
