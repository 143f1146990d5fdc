//! The disk of a simulated kernel with the job store on it. It outlives its node and ends with its
//! run. A process that dies loses nothing of what it has written; a machine that loses power loses
//! of what was not synced what the seed says. Both can strike in the middle of a commit.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use qrtx::ids::JobId;
use qrtx::ports::offload::Offload;
use qrtx::store::RedbStore;
use qrtx::store::disk::{OpenError, Room, Surroundings};
use qrtx::time::Monotonic;
use qrtx_testkit::disk::{Disk, Failures, Handle};
use redb::StorageBackend;

use super::clock::elapsed;
use crate::chance::mix;
use crate::nemesis::Nemesis;
use crate::process::Process;
use crate::record::{CommitRecord, SyncRecord};
use crate::scenario::StoreFault;
use crate::trace::Trace;
use crate::world::artifacts::Files;
use crate::world::jobs::COMMIT;

/// Enough for a whole run: what is read from the disk itself is read after a start.
const CACHE_BYTES: usize = 1 << 20;
/// So few that a crowd takes several commits.
const COMMIT_CHANGES_MAX: usize = 4;

/// The one disk of a run. Clones are the same.
#[derive(Clone)]
pub struct JobDisk(Arc<Inner>);

struct Inner {
    seed: u64,
    disk: Disk,
    nemesis: Nemesis,
    trace: Trace,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who has the file open: only one process at a time may.
    holder: Option<Process>,
    /// What waits for a commit, or was waiting for one when its process died.
    under_way: Vec<UnderWay>,
    numbered: u64,
    failures_of_power: u64,
}

/// An append that was handed to the store and is not answered.
#[derive(Debug, Clone)]
pub struct UnderWay {
    number: u64,
    syncs_before: u64,
    /// What is to be recorded if it was written.
    pub commit: CommitRecord,
    /// The files of a job that it completes.
    pub completes: Option<Files>,
}

impl fmt::Debug for JobDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobDisk").finish_non_exhaustive()
    }
}

impl JobDisk {
    /// A disk with an empty store on it: production makes one under another name first, so that no
    /// kernel ever sees half of one.
    pub fn new(seed: u64, nemesis: Nemesis, trace: Trace) -> Self {
        let disk = Disk::default();
        drop(opened(&disk));
        Self(Arc::new(Inner {
            seed,
            disk,
            nemesis,
            trace,
            state: Mutex::default(),
        }))
    }

    /// The store, in the hands of `process`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, process: &Process) -> Result<RedbStore, OpenError> {
        let (me, process) = (self.clone(), process.clone());
        RedbStore::open(move || me.file(&process), surroundings(after_a_while))
    }

    /// An append is handed to the store by `process`.
    pub fn hands_over(
        &self,
        process: &Process,
        commit: CommitRecord,
        completes: Option<Files>,
    ) -> Handed {
        let mut state = self.state();
        state.numbered += 1;
        let number = state.numbered;
        state.under_way.push(UnderWay {
            number,
            syncs_before: self.0.disk.syncs(),
            commit,
            completes,
        });
        Handed {
            disk: self.clone(),
            process: process.clone(),
            number,
        }
    }

    /// What was under way when its process died; some of it may have been written.
    pub fn broke_off(&self) -> Vec<UnderWay> {
        std::mem::take(&mut self.state().under_way)
    }

    /// The machine lost power.
    pub fn lose_power(&self) {
        let mut state = self.state();
        state.failures_of_power += 1;
        let nth = state.failures_of_power;
        drop(state);
        self.0.disk.crash(mix(self.0.seed ^ mix(nth)));
    }

    /// The store as a power failure would leave it that keeps nothing but what was synced, in the
    /// hands of somebody who only looks.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn durable(&self) -> Result<RedbStore, OpenError> {
        opened(&self.0.disk.durable())
    }

    /// How often it was synced: as long as that stays the same, so does what is durable.
    pub fn syncs(&self) -> u64 {
        self.0.disk.syncs()
    }

    /// A sum over all that is on it.
    pub fn sum(&self) -> u64 {
        self.0.disk.sum()
    }

    fn file(&self, process: &Process) -> io::Result<File> {
        let mut state = self.state();
        if state.holder.as_ref().is_some_and(Process::is_alive) {
            return Err(io::Error::other("another process has it open"));
        }
        let file = File {
            file: self.0.disk.boot().open()?,
            disk: self.clone(),
            process: process.clone(),
        };
        state.holder = Some(process.clone());
        Ok(file)
    }

    /// A commit is about to be synced.
    fn at_sync(&self) {
        let now = self.0.disk.syncs();
        let under_way: Vec<(JobId, Vec<&'static str>, u32)> = {
            let state = self.state();
            let each = state.under_way.iter();
            each.map(|one| {
                let sync = u32::try_from(now - one.syncs_before + 1);
                let sync = sync.expect("few syncs are in a commit");
                (one.commit.job, one.commit.events.clone(), sync)
            })
            .collect()
        };
        let at = self.0.trace.now();
        for (job, events, sync) in &under_way {
            let record = self.0.nemesis.ordinal(*job).map(|job| SyncRecord {
                at,
                job,
                events: events.clone(),
                sync: *sync,
            });
            self.0.trace.records().syncs.extend(record);
        }
        self.0.nemesis.at_sync(&under_way);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panics")
    }
}

/// An append until it is answered. If its process dies before that, it stays with the disk.
#[derive(Debug)]
pub struct Handed {
    disk: JobDisk,
    process: Process,
    number: u64,
}

impl Drop for Handed {
    fn drop(&mut self) {
        if self.process.is_alive() {
            let mut state = self.disk.state();
            state.under_way.retain(|one| one.number != self.number);
        }
    }
}

/// A store on a disk of its own, for somebody who only looks.
fn opened(disk: &Disk) -> Result<RedbStore, OpenError> {
    let machine = disk.boot();
    RedbStore::open(move || machine.open(), surroundings(|work| work()))
}

fn surroundings(offload: Offload) -> Surroundings {
    Surroundings {
        offload,
        now: Arc::new(|| Monotonic(elapsed())),
        room: Room {
            commit_changes_max: COMMIT_CHANGES_MAX,
            ..Room::default()
        },
        cache_bytes: CACHE_BYTES,
    }
}

/// What a disk takes is taken before the work, so that others come meanwhile; a process that dies
/// takes its work along.
fn after_a_while(work: Box<dyn FnOnce() + Send>) {
    madsim::task::spawn(async move {
        madsim::time::sleep(COMMIT).await;
        work();
    });
}

/// The file in the hands of one process.
struct File {
    file: Handle,
    disk: JobDisk,
    process: Process,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").finish_non_exhaustive()
    }
}

impl File {
    /// The disk, as long as the process lives and the disk answers; and what else is wrong with it.
    fn answering(&self) -> io::Result<Option<StoreFault>> {
        if !self.process.is_alive() {
            return Err(io::Error::other("the process is dead"));
        }
        match self.disk.0.nemesis.store_fault() {
            Some(StoreFault::Away) => Err(io::Error::other("the disk does not answer")),
            fault => Ok(fault),
        }
    }

    fn writable(&self) -> io::Result<&Handle> {
        let full = self.answering()? == Some(StoreFault::Full);
        // What is there already has its room.
        self.disk.0.disk.set_capacity(full.then_some(0));
        Ok(&self.file)
    }
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        self.answering()?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.answering()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.answering()?;
        if !self.disk.0.trace.is_closed() {
            self.disk.at_sync();
        }
        // That moment may have been its last.
        if self.answering()? == Some(StoreFault::SyncsFail) {
            let syncs = Some(0);
            let once = true;
            self.disk.0.disk.fail(Failures {
                syncs,
                once,
                ..Failures::default()
            });
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.writable()?.write(offset, data)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        let mine = |holder: &mut Process| holder.life() == self.process.life();
        state.holder.take_if(mine);
    }
}
