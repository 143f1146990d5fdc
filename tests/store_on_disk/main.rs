//! The store on disk over a disk that crashes, tears, fills up and fails: what was acknowledged is
//! there, nothing is there by halves, and it goes on by itself when it can.

#![cfg(not(madsim))]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start tasks and may panic"
)]

mod faults;
mod group;
mod hidden;
mod keys;

use std::sync::Arc;
use std::time::Duration;

use qrtx::ports::store::{Filter, JobStore as _};
use qrtx::store::disk::{OpenError, RedbStore, Room, Surroundings};
use qrtx::time::Monotonic;
use qrtx_testkit::contract;
use qrtx_testkit::contract::store::Spot;
use qrtx_testkit::disk::Disk;
use qrtx_testkit::jobs::{Life, job};
use redb::StorageBackend as _;

/// Every call is a commit of its own, made where it is asked for.
pub(crate) fn alone() -> Surroundings {
    Surroundings {
        offload: |work| work(),
        now: Arc::new(|| Monotonic(Duration::ZERO)),
        room: Room::default(),
        cache_bytes: 1 << 20,
    }
}

/// As in production.
pub(crate) fn together() -> Surroundings {
    let offload: qrtx::ports::Offload = |work| drop(tokio::task::spawn_blocking(work));
    Surroundings { offload, ..alone() }
}

pub(crate) fn open(disk: &Disk, surroundings: Surroundings) -> Result<RedbStore, OpenError> {
    let machine = disk.boot();
    RedbStore::open(move || machine.open(), surroundings)
}

#[tokio::test]
async fn the_store_on_disk_keeps_the_contract() {
    let disks = std::sync::Mutex::new(Vec::new());
    let fresh = async || {
        let disk = Disk::default();
        disks.lock().unwrap().push(disk.clone());
        open(&disk, alone()).unwrap()
    };
    let last = || disks.lock().unwrap().last().unwrap().clone();
    let reopen = async |store| {
        drop(store);
        open(&last(), alone()).unwrap()
    };
    let spoil = async |store: RedbStore, life: &Life, spots: &[Spot]| {
        drop(store);
        for spot in spots {
            let row = match spot {
                // The first field of a head is the id of its job.
                Spot::Head => [&[0x0a, 16][..], &life.job.id.to_be_bytes()].concat(),
                Spot::Checkpoint => serde_json::to_vec(&life.job).unwrap(),
                Spot::Event(number) => {
                    serde_json::to_vec(&life.history[*number as usize - 1]).unwrap()
                }
                // With the sum of the row, which tells it from the same number elsewhere.
                Spot::Name => {
                    let number = life.job.submission.to_be_bytes();
                    let sum = crc32fast::hash(&number).to_be_bytes();
                    [&sum[..], &number].concat()
                }
            };
            assert!(last().spoil(&row) > 0, "{spot:?}");
        }
        open(&last(), alone()).unwrap()
    };
    contract::store::job_store(fresh, reopen, spoil).await;
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_with_a_reason() {
    let disk = Disk::default();
    let file = disk.boot().open().unwrap();
    file.set_len(100_000).unwrap();
    file.write(0, &[7; 5000]).unwrap();
    let refused = open(&disk, alone()).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn an_empty_file_is_no_new_store() {
    let directory = tempfile::tempdir().unwrap();
    drop(qrtx::os::jobs::open(directory.path()).unwrap());
    let file = directory.path().join(qrtx::os::jobs::FILE);
    for (bytes, wanted) in [(0, "the file is empty"), (100, "put a copy of it back")] {
        std::fs::write(&file, vec![0; bytes]).unwrap();
        let why = qrtx::os::jobs::open(directory.path()).unwrap_err();
        assert!(why.to_string().contains(wanted), "{bytes} bytes: {why}");
    }
}

/// Whatever the engine makes of it, the kernel gets an answer.
#[tokio::test]
async fn a_page_that_makes_no_sense_is_an_error_and_no_panic() {
    const PAGE: usize = 4096;
    let disk = Disk::default();
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in 1..40 {
        let append = job().submitted(number).commit();
        store.append(epoch, append).await.unwrap();
    }
    drop(store);
    let pages = usize::try_from(disk.bytes()).unwrap() / PAGE;
    let mut broken = 0;
    for page in 1..pages {
        for (at, byte) in [(0, 0xff), (2, 0xff), (4, 0x7f), (9, 0xff)] {
            let damaged = disk.durable();
            damaged.overwrite(page * PAGE + at, byte);
            if let Ok(store) = open(&damaged, alone()) {
                let all = store.list(&Filter::default(), u64::MAX, 99).await;
                let claimed = store.claim().await;
                broken += usize::from(all.is_err() || claimed.is_err());
            }
        }
    }
    assert!(broken > 0, "no damage was seen");
}

/// A disk that writes one page where another should be: the rows that are found there belong elsewhere.
#[tokio::test]
async fn a_page_in_the_place_of_another_is_an_error_and_no_endless_search() {
    const PAGE: usize = 4096;
    let directory = tempfile::tempdir().unwrap();
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in 1..40 {
        let append = job().submitted(number).commit();
        store.append(epoch, append).await.unwrap();
    }
    // The last commit's task may hold the store for a moment longer.
    assert!(store.close());
    drop(store);
    let file = directory.path().join(qrtx::os::jobs::FILE);
    // Whoever claims a store without this number goes through all of it.
    let engine = redb::Database::open(&file).unwrap();
    let commit = engine.begin_write().unwrap();
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("qrtx");
    let mut rows = commit.open_table(table).unwrap();
    assert!(rows.remove(&b"mgone"[..]).unwrap().is_some());
    drop(rows);
    commit.commit().unwrap();
    drop(engine);
    let whole = std::fs::read(&file).unwrap();
    let pages: Vec<_> = (1..whole.len() / PAGE)
        .filter(|page| whole[page * PAGE..][..PAGE].iter().any(|byte| *byte != 0))
        .collect();
    let mut elsewhere = 0;
    for (from, to) in pages
        .iter()
        .flat_map(|from| pages.iter().map(move |to| (*from, *to)))
    {
        let mut damaged = whole.clone();
        damaged.copy_within(from * PAGE..(from + 1) * PAGE, to * PAGE);
        std::fs::write(&file, damaged).unwrap();
        if let Ok(store) = qrtx::os::jobs::open(directory.path()) {
            let all = store.list(&Filter::default(), u64::MAX, 99).await;
            let claimed = store.claim().await;
            let why = [format!("{:?}", all.map(drop)), format!("{claimed:?}")];
            elsewhere += why
                .iter()
                .filter(|why| why.contains("belong elsewhere"))
                .count();
        }
    }
    assert!(elsewhere > 0, "no row was found where it does not belong");
}

#[tokio::test]
async fn two_kernels_do_not_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = qrtx::os::jobs::open(directory.path()).unwrap();
    let why = qrtx::os::jobs::open(directory.path())
        .unwrap_err()
        .to_string();
    assert!(why.contains("in use by another kernel"), "{why}");
    drop(first);
    qrtx::os::jobs::open(directory.path()).unwrap();
}
