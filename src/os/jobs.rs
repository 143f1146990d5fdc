//! Opens the job store on disk: one file in the data directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;

use crate::os::clock::SystemClock;
use crate::os::production::off_the_async_threads;
use crate::ports::Clock as _;
use crate::store::disk::{OpenError, RedbStore, Room, Surroundings};

/// The store's file in the data directory.
pub const FILE: &str = "jobs.redb";

/// Memory for pages of the store, unless the operator says otherwise; the engine's own default is a
/// gigabyte (D12). It fills as far as the store is large.
pub const CACHE_MIB: u32 = 192;

/// The job store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the job store {} cannot be opened: {source}; {}", file.display(), way_out(source))]
pub struct Unusable {
    file: PathBuf,
    source: OpenError,
}

impl Unusable {
    /// Another kernel has it open.
    pub fn is_in_use(&self) -> bool {
        matches!(self.source, OpenError::InUse)
    }

    /// It can be opened as soon as there is room.
    pub fn is_full(&self) -> bool {
        matches!(self.source, OpenError::Full(_))
    }
}

fn way_out(why: &OpenError) -> &'static str {
    match why {
        OpenError::InUse => "stop that kernel first, or choose another directory with --data-dir",
        OpenError::Damaged(_) => "put a copy of it back, or begin anew in another --data-dir",
        OpenError::Full(_) => "make room",
        _ => "choose another directory with --data-dir",
    }
}

/// Opens the job store in a directory, both of which are made if they are not there.
///
/// # Errors
/// [`Unusable`].
pub fn open(directory: impl AsRef<Path>) -> Result<RedbStore, Unusable> {
    open_cached(directory, CACHE_MIB)
}

/// The same with so much memory for pages of the store.
///
/// # Errors
/// [`Unusable`].
pub fn open_cached(directory: impl AsRef<Path>, cache_mib: u32) -> Result<RedbStore, Unusable> {
    let file = directory.as_ref().join(FILE);
    let unusable = |source| Unusable {
        file: file.clone(),
        source,
    };
    let made = std::fs::create_dir_all(directory.as_ref());
    made.map_err(|why| unusable(why.into()))?;
    let clock = SystemClock::default();
    let surroundings = Surroundings {
        offload: off_the_async_threads,
        now: Arc::new(move || clock.monotonic()),
        room: Room::default(),
        cache_bytes: cache_mib as usize * (1 << 20),
    };
    make(&file, &surroundings).map_err(unusable)?;
    let path = file.clone();
    RedbStore::open(move || open_file(&path), surroundings).map_err(unusable)
}

/// A store that is made is made under another name first: a crash meanwhile would leave a file
/// that is no store.
fn make(file: &Path, surroundings: &Surroundings) -> Result<(), OpenError> {
    if file.exists() {
        return Ok(());
    }
    let draft = file.with_extension("new");
    if draft.exists() {
        std::fs::remove_file(&draft)?;
    }
    let path = draft.clone();
    drop(RedbStore::open(
        move || new_file(&path),
        surroundings.clone(),
    )?);
    std::fs::rename(&draft, file)?;
    // A name is on stable storage when its directory is.
    let directory = match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// The file of a store that was made: one that is empty by now has lost its jobs, and is not taken
/// for a new one.
fn open_file(path: &Path) -> io::Result<FileBackend> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() == 0 {
        let what = "the file is empty, and a store never is";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    FileBackend::new(file).map_err(io::Error::other)
}

fn new_file(path: &Path) -> io::Result<FileBackend> {
    let mut how = OpenOptions::new();
    let file = how.read(true).write(true).create(true).truncate(false);
    FileBackend::new(file.open(path)?).map_err(io::Error::other)
}
