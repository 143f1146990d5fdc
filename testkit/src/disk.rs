//! A disk that can crash, tear, fill up and fail, for stores that stand over redb's
//! [`StorageBackend`]. What was written and not synced may be lost, whole or in part; a sync that
//! failed has lost what it was to save for good, though it can still be read (as with the page
//! cache of a real system), and only what is written again is saved by the next.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use qrtx::ids::Sha256Sum;
use redb::StorageBackend;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// What a file system gives to a file at a time, when something is written there.
const BLOCK_BYTES: u64 = 4096;

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What survives a crash for sure.
    durable: Vec<u8>,
    /// What is read.
    visible: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Change>,
    /// Counts the crashes: whoever booted before the last one has nothing any more.
    life: u64,
    syncs: u64,
    crash_at: Option<(u64, u64)>,
    /// The blocks that were ever written. To grow a file takes none, as on real systems.
    blocks: BTreeSet<u64>,
    capacity: Option<u64>,
    failures: Failures,
    /// Where a sector begins that cannot be read.
    unreadable: Option<u64>,
}

/// Which of the next operations fail: `Some(n)` is the n-th from now on, from 0.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures {
    /// Reads.
    pub reads: Option<u64>,
    /// Writes.
    pub writes: Option<u64>,
    /// Syncs.
    pub syncs: Option<u64>,
    /// Whether that one alone fails, and not all of its kind that follow as well.
    pub once: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// The machine that the disk is in, switched on.
    pub fn boot(&self) -> Machine {
        let life = self.state().life;
        Machine {
            disk: self.clone(),
            life,
        }
    }

    /// Lets the machine crash at sync number `sync` from now on, from 0; `seed` chooses what of
    /// the writes since the last sync is kept. Nothing works after it until the machine is booted
    /// again.
    pub fn crash_at(&self, sync: u64, seed: u64) {
        let mut state = self.state();
        state.crash_at = Some((state.syncs + sync, seed));
    }

    /// Crashes now, and keeps what `seed` chooses.
    pub fn crash(&self, seed: u64) {
        self.state().crash(seed);
    }

    /// Whether a crash that was asked for has not happened.
    pub fn is_armed(&self) -> bool {
        self.state().crash_at.is_some()
    }

    /// Lets operations fail, or work again.
    pub fn fail(&self, failures: Failures) {
        self.state().failures = failures;
    }

    /// Has room for so many bytes; `None` for no bound. What was written once can be written over,
    /// however full it is.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes on it, in whole blocks.
    pub fn bytes(&self) -> u64 {
        self.state().blocks.len() as u64 * BLOCK_BYTES
    }

    /// A sum over all that can be read.
    pub fn sum(&self) -> u64 {
        let visible = &self.state().visible;
        Sha256Sum::of(visible).prefix()
    }

    /// What this one would hold if the machine went down now and nothing were kept of the writes
    /// since the last sync, on a disk of its own.
    pub fn durable(&self) -> Self {
        let durable = self.state().durable.clone();
        let state = State {
            visible: durable.clone(),
            durable,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Flips a bit in every place where `what` lies; the number of places.
    pub fn spoil(&self, what: &[u8]) -> usize {
        let mut state = self.state();
        let places: Vec<_> = state
            .visible
            .windows(what.len())
            .enumerate()
            .filter(|(_, window)| *window == what)
            .map(|(place, _)| place + what.len() / 2)
            .collect();
        for place in &places {
            state.visible[*place] ^= 1;
            state.durable[*place] ^= 1;
        }
        places.len()
    }

    /// Puts a byte where another was, which is given back.
    pub fn overwrite(&self, place: usize, byte: u8) -> u8 {
        let mut state = self.state();
        state.durable[place] = byte;
        std::mem::replace(&mut state.visible[place], byte)
    }

    /// Has a sector there that nobody can read any more.
    pub fn unreadable(&self, place: u64) {
        self.state().unreadable = Some(place);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds the disk")
    }
}

/// Small, and the same everywhere.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl State {
    fn crash(&mut self, mut seed: u64) {
        // Some crashes keep all, some nothing, most something.
        let keeps = [0, 128, 255][next(&mut seed) as usize % 3];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Length(length) if next(&mut seed) % 256 <= keeps => {
                    self.durable.resize(length as usize, 0);
                }
                Change::Length(_) => {}
                Change::Write(offset, data) => {
                    // Sectors of one write may reach the disk one without the other.
                    for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        let at = offset + (number * SECTOR_BYTES) as u64;
                        // A file is as long as it was told to be: beyond, nothing can be kept.
                        let room = (self.durable.len() as u64).saturating_sub(at);
                        let sector = &sector[..sector.len().min(room as usize)];
                        if next(&mut seed) % 256 <= keeps && !sector.is_empty() {
                            put(&mut self.durable, at, sector);
                        }
                    }
                }
            }
        }
        self.visible = self.durable.clone();
        self.life += 1;
        self.crash_at = None;
    }

    fn strikes(&mut self, which: fn(&mut Failures) -> &mut Option<u64>) -> bool {
        let once = self.failures.once;
        strikes(which(&mut self.failures), once)
    }

    /// Gives the file the blocks that it needs to be written there.
    fn allocate(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let blocks = offset / BLOCK_BYTES..(offset + length).div_ceil(BLOCK_BYTES);
        for block in blocks {
            let full =
                (self.blocks.len() as u64 + 1) * BLOCK_BYTES > self.capacity.unwrap_or(u64::MAX);
            if full && !self.blocks.contains(&block) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.blocks.insert(block);
        }
        Ok(())
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + data.len());
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    bytes[from..to].copy_from_slice(data);
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("the disk fails to {what}"))
}

/// Whether this operation is one of those that fail.
fn strikes(failure: &mut Option<u64>, once: bool) -> bool {
    match failure {
        None => false,
        Some(0) => {
            *failure = Some(0).filter(|_| !once);
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
    }
}

/// The machine from one boot to its crash.
#[derive(Debug, Clone)]
pub struct Machine {
    disk: Disk,
    life: u64,
}

impl Machine {
    /// Opens the disk as a file.
    ///
    /// # Errors
    /// After a crash.
    pub fn open(&self) -> io::Result<Handle> {
        let Self { disk, life } = self.clone();
        let handle = Handle { disk, life };
        drop(handle.living()?);
        Ok(handle)
    }
}

/// The disk in the hands of one process.
#[derive(Debug)]
pub struct Handle {
    disk: Disk,
    life: u64,
}

impl Handle {
    fn living(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        match state.life == self.life {
            true => Ok(state),
            false => Err(broken("answer: the machine is down")),
        }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.living()?.visible.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.living()?;
        let sectors = offset..offset + out.len() as u64;
        let is_bad = state.unreadable.is_some_and(|bad| sectors.contains(&bad));
        if is_bad || state.strikes(|failures| &mut failures.reads) {
            return Err(broken("read"));
        }
        let from = offset as usize;
        let there = state.visible.get(from..from + out.len());
        out.copy_from_slice(there.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.living()?;
        if state.strikes(|failures| &mut failures.writes) {
            return Err(broken("grow"));
        }
        state.blocks.split_off(&len.div_ceil(BLOCK_BYTES));
        state.visible.resize(len as usize, 0);
        state.pending.push(Change::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.living()?;
        let sync = state.syncs;
        state.syncs += 1;
        if let Some((at, seed)) = state.crash_at
            && sync >= at
        {
            state.crash(seed);
            return Err(broken("sync: the machine went down"));
        }
        if state.strikes(|failures| &mut failures.syncs) {
            // Seen by everybody, saved by nobody.
            state.pending.clear();
            return Err(broken("sync"));
        }
        for change in std::mem::take(&mut state.pending) {
            match change {
                Change::Length(length) => state.durable.resize(length as usize, 0),
                Change::Write(offset, data) => put(&mut state.durable, offset, &data),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.living()?;
        state.allocate(offset, data.len() as u64)?;
        if state.strikes(|failures| &mut failures.writes) {
            return Err(broken("write"));
        }
        put(&mut state.visible, offset, data);
        state.pending.push(Change::Write(offset, data.to_vec()));
        Ok(())
    }
}
