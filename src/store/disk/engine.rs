//! The engine beneath the store on disk (redb), as a map of bytes. After any failure nobody knows
//! what is on the disk: the engine is closed and opened again before it is used any more.

use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{
    Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase as _, TableDefinition,
    TableError,
};

use crate::planted::{Bug, planted};
use crate::store::disk::keys::Keys;
use crate::store::disk::view::{Changes, Snapshot, View};
use crate::store::map::Failed;

/// One table for everything: what a commit writes lies together, and costs one root.
const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("qrtx");

pub(super) type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Opens the engine's file, again and again, and says whether that was empty before.
pub(super) type Opener = Box<dyn Fn() -> Result<(Database, bool), DatabaseError> + Send + Sync>;

/// The engine, open or not.
pub(in crate::store) struct Engine {
    opener: Opener,
    opened: RwLock<Option<Opened>>,
    /// Something failed since it was opened.
    suspect: AtomicBool,
}

/// The engine while it is open. Fields are dropped in this order: nothing may look at a file that
/// is being closed.
struct Opened {
    /// What was committed last, if anybody has looked since: to begin a look costs more than most
    /// looks. It keeps the pages of that commit, so it is not kept beyond the next.
    latest: Mutex<Option<Arc<Table>>>,
    /// It knows what a commit writes before that is there, and what was removed no longer: whoever
    /// looks meanwhile finds no row, which is what there will be or was.
    keys: RwLock<Keys>,
    database: Database,
}

impl Opened {
    /// What was committed last. It is begun under the lock: begun before a commit and kept after
    /// it, it would hide that commit.
    fn latest(&self) -> Result<Arc<Table>, redb::Error> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = &*latest {
            return Ok(rows.clone());
        }
        let rows = Arc::new(self.database.begin_read()?.open_table(ROWS)?);
        *latest = Some(rows.clone());
        Ok(rows)
    }

    fn keys_mut(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn committed(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that is not open yet.
    pub(super) fn new(opener: Opener) -> Self {
        Self {
            opener,
            opened: RwLock::new(None),
            suspect: AtomicBool::new(false),
        }
    }

    /// Opens it for the first time, with the engine's own words if it cannot be.
    pub(super) fn open(&self) -> Result<(), DatabaseError> {
        let now = open(&self.opener, None)?;
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        *opened = Some(now);
        Ok(())
    }

    /// What `look` sees in what was committed last.
    pub(super) fn read<T, E: From<Failed>>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.guarded(|| self.look(look))
    }

    /// One commit, on stable storage on return; after an error it may be there or not.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.guarded(|| self.commit(change))
    }

    /// A page that makes no sense may let the engine panic, which is an answer as good as any.
    fn guarded<T, E: From<Failed>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            self.suspect();
            let what = "a page of its file makes no sense; the log has the reason".to_owned();
            Err(Failed::Broken(what).into())
        })
    }

    fn look<T, E: From<Failed>>(
        &self,
        look: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let opened = self.opened()?;
        let opened = opened.as_ref().expect("it is open");
        let rows = opened.latest().map_err(|why| self.failed(why))?;
        let keys = &opened.keys;
        look(&View {
            rows,
            keys,
            alone: false,
            engine: self,
        })
    }

    fn commit<T>(
        &self,
        change: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let opened = self.opened()?;
        let opened = opened.as_ref().expect("it is open");
        let began = opened.database.begin_write();
        let mut commit = began.map_err(|why| self.failed(why))?;
        if planted(Bug::CommitNotSynced) {
            let unsynced = commit.set_durability(Durability::None);
            unsynced.map_err(|why| self.failed(why))?;
        } else {
            // Opening after a crash is instant then, however much is stored (D12).
            commit.set_quick_repair(true);
        }
        let done = {
            let mut rows = commit.open_table(ROWS).map_err(|why| self.failed(why))?;
            let mut changes = View {
                rows: &mut rows,
                keys: &opened.keys,
                alone: true,
                engine: self,
            };
            change(&mut changes).and_then(|done| changes.tally_keys().map(|()| done))
        };
        match done {
            Ok(done) => {
                let committed = commit.commit();
                opened.committed();
                committed.map_err(|why| self.failed(why))?;
                opened.keys_mut().committed();
                Ok(done)
            }
            Err(failed) => {
                self.suspect();
                drop(commit);
                Err(failed)
            }
        }
    }

    /// It is not to be trusted until it has been opened again.
    pub(super) fn suspect(&self) {
        let suspect = !planted(Bug::EngineNotReopened);
        self.suspect.store(suspect, Ordering::Release);
    }

    fn opened(&self) -> Result<RwLockReadGuard<'_, Option<Opened>>, Failed> {
        loop {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            if opened.is_some() && !self.suspect.load(Ordering::Acquire) {
                return Ok(opened);
            }
            drop(opened);
            self.reopen()?;
        }
    }

    fn reopen(&self) -> Result<(), Failed> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.is_some() && !self.suspect.load(Ordering::Acquire) {
            return Ok(());
        }
        // Closed first: it is the only one that may have the file open.
        let keys = opened.take().map(|opened| {
            let keys = std::mem::take(&mut *opened.keys_mut());
            close(opened);
            keys
        });
        let now = open(&self.opener, keys).map_err(|why| failure(why.into()))?;
        *opened = Some(now);
        self.suspect.store(false, Ordering::Release);
        tracing::warn!("the job store was opened again after a failure");
        Ok(())
    }

    /// Closes it until it is used again, and says whether that went in order.
    pub(super) fn close(&self) -> bool {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.take().is_none_or(close)
    }

    pub(super) fn failed(&self, why: impl Into<redb::Error>) -> Failed {
        self.suspect();
        failure(why.into())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let opened = self.opened.get_mut();
        let opened = opened.unwrap_or_else(PoisonError::into_inner);
        opened.take().map(close);
    }
}

/// Closes it, and says whether that went in order: what it would still write may meet a page that
/// makes no sense.
fn close(opened: Opened) -> bool {
    let closed = catch_unwind(AssertUnwindSafe(|| drop(opened)));
    if closed.is_err() {
        tracing::error!("the job store could not be closed in order: a page of it makes no sense");
    }
    closed.is_ok()
}

/// Opens the engine, with the index of keys that it had before, if it had one. A file that was tampered
/// with may let it panic, which is an answer as good as any.
fn open(opener: &Opener, keys: Option<Keys>) -> Result<Opened, DatabaseError> {
    catch_unwind(AssertUnwindSafe(|| open_or_make(opener, keys))).unwrap_or_else(|_| {
        let what = "the file makes no sense; the log has the reason".to_owned();
        Err(DatabaseError::Storage(redb::StorageError::Corrupted(what)))
    })
}

/// Opens the engine, and gives it its table if its file was empty. Any other has it, or one bit of the
/// page that says so is damaged: that is no reason to begin anew.
fn open_or_make(opener: &Opener, keys: Option<Keys>) -> Result<Opened, DatabaseError> {
    let (database, is_new) = opener()?;
    let storage = |why: redb::Error| {
        let why = match why {
            redb::Error::Io(why) => why,
            why => io::Error::other(why.to_string()),
        };
        DatabaseError::Storage(redb::StorageError::Io(why))
    };
    let begun = database.begin_read().map_err(|why| storage(why.into()))?;
    let missing = match begun.open_table(ROWS) {
        Ok(_) => false,
        Err(TableError::TableDoesNotExist(_)) if is_new => true,
        Err(why) => return Err(storage(why.into())),
    };
    drop(begun);
    if missing {
        let mut commit = database.begin_write().map_err(|why| storage(why.into()))?;
        commit.set_quick_repair(true);
        commit.open_table(ROWS).map_err(|why| storage(why.into()))?;
        commit.commit().map_err(|why| storage(why.into()))?;
    }
    let begun = database.begin_read().map_err(|why| storage(why.into()))?;
    let rows = begun.open_table(ROWS).map_err(|why| storage(why.into()))?;
    let keys = match keys {
        Some(keys) => keys.again(&rows),
        None => Keys::of(&rows),
    };
    let keys = keys.map_err(storage)?;
    Ok(Opened {
        latest: Mutex::new(None),
        keys: RwLock::new(keys),
        database,
    })
}

fn failure(why: redb::Error) -> Failed {
    match why {
        redb::Error::Io(why) if is_full(&why) => Failed::Full(why.to_string()),
        why => Failed::Broken(why.to_string()),
    }
}

/// Whether there is no room.
pub(super) fn is_full(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
