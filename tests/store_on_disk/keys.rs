//! Idempotency keys, whose rows lie in the order in which they came.

use std::path::Path;
use std::sync::{Arc, Mutex};

use qrtx::ids::Epoch;
use qrtx::os::jobs::FILE;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::AppendError;
use qrtx::store::RedbStore;
use qrtx_testkit::disk::{Disk, Failures};
use qrtx_testkit::jobs::{Life, job, straight_way};
use redb::{ReadableTable as _, StorageBackend as _};

use crate::{alone, open};

const TABLE: redb::TableDefinition<'static, &[u8], &[u8]> = redb::TableDefinition::new("qrtx");
pub(crate) const PAGE: usize = 4096;

pub(crate) fn named(number: u64) -> Life {
    job().key(&format!("key {number}")).submitted(number)
}

/// Whoever has the key of this job, if anybody is known to have it.
pub(crate) async fn repeated(
    store: &RedbStore,
    epoch: Epoch,
    number: u64,
    other: u64,
) -> Result<u64, AppendError> {
    let again = job()
        .key(&format!("key {number}"))
        .submitted(other)
        .commit();
    store.append(epoch, again).await
}

/// Lets a job end and forgets it.
pub(crate) async fn forget(store: &RedbStore, epoch: Epoch, number: u64) {
    let mut over = named(number);
    drop(over.commit());
    for event in straight_way(10) {
        over.then(event);
    }
    store.append(epoch, over.commit()).await.unwrap();
    store.forget(epoch, vec![over.job.id]).await.unwrap();
}

/// Whether its own job has a key.
async fn is_held(store: &RedbStore, epoch: Epoch, number: u64) -> bool {
    match repeated(store, epoch, number, number + 1_000).await {
        Err(AppendError::KeyTaken(holder)) => holder.job == named(number).job.id,
        _ => false,
    }
}

pub(crate) type Rows<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

/// Takes out the row of the seventh key that came.
fn take_seventh(rows: &mut Rows<'_>) -> (Vec<u8>, Vec<u8>) {
    let keys = rows.range(&b"k"[..]..&b"l"[..]).unwrap();
    let keys = keys.map(|row| row.unwrap());
    let mut keys = keys.map(|(place, row)| (place.value().to_vec(), row.value().to_vec()));
    let seventh = keys.nth(6).unwrap();
    drop(keys);
    rows.remove(&seventh.0[..]).unwrap();
    seventh
}

/// The places of all rows of keys, with `change` made to the rows first.
fn places(directory: &Path, change: impl FnOnce(&mut Rows<'_>)) -> Vec<Vec<u8>> {
    let engine = redb::Database::open(directory.join(FILE)).unwrap();
    change_rows(&engine, change)
}

fn edit(directory: &Path, change: impl FnOnce(&mut Rows<'_>)) {
    drop(places(directory, change));
}

pub(crate) fn change_rows(
    engine: &redb::Database,
    change: impl FnOnce(&mut Rows<'_>),
) -> Vec<Vec<u8>> {
    let commit = engine.begin_write().unwrap();
    let mut rows = commit.open_table(TABLE).unwrap();
    change(&mut rows);
    let keys = rows.range(&b"k"[..]..&b"l"[..]).unwrap();
    let keys = keys.map(|row| row.unwrap().0.value().to_vec()).collect();
    drop(rows);
    commit.commit().unwrap();
    keys
}

pub(crate) async fn stored(directory: &Path, numbers: std::ops::Range<u64>) {
    let store = qrtx::os::jobs::open(directory).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in numbers {
        store.append(epoch, named(number).commit()).await.unwrap();
    }
    assert!(store.close());
}

pub(crate) async fn disk_with(numbers: std::ops::Range<u64>) -> Disk {
    let disk = Disk::default();
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in numbers {
        store.append(epoch, named(number).commit()).await.unwrap();
    }
    disk
}

#[tokio::test]
async fn keys_come_one_behind_the_other_also_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    let before = places(directory.path(), |_| {});
    stored(directory.path(), 20..40).await;
    let after = places(directory.path(), |_| {});
    assert_eq!(after.len(), 39);
    assert_eq!(after[..19], before, "what came later is behind");
}

#[tokio::test]
async fn a_key_that_an_earlier_kernel_wrote_in_the_order_of_hashes_is_held_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    places(directory.path(), |rows| {
        let keys = rows.range(&b"k"[..]..&b"l"[..]).unwrap();
        let keys: Vec<_> = keys
            .map(|row| row.unwrap())
            .map(|(place, row)| (place.value().to_vec(), row.value().to_vec()))
            .collect();
        for (place, row) in keys {
            rows.remove(&place[..]).unwrap();
            let by_hash = [&b"k"[..], &place[9..]].concat();
            rows.insert(&by_hash[..], &row[..]).unwrap();
        }
        // They did not say how many there were.
        assert!(rows.remove(&b"mkeys"[..]).unwrap().is_some());
    });
    // Also when it has been opened, and written, since.
    stored(directory.path(), 20..22).await;
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in 1..22 {
        assert!(is_held(&store, epoch, number).await, "{number}");
    }
    forget(&store, epoch, 1).await;
    repeated(&store, epoch, 1, 1_000).await.unwrap();
    let why = repeated(&store, epoch, 1, 2_000).await.unwrap_err();
    assert!(matches!(why, AppendError::KeyTaken(_)), "{why}");
    assert!(store.close());
    let lengths = places(directory.path(), |_| {});
    let lengths = lengths.iter().filter(|place| place.len() == 33).count();
    assert_eq!(lengths, 18, "the key that was forgotten came anew");
}

#[tokio::test]
async fn a_key_whose_row_is_lost_is_refused_until_its_job_is_forgotten_and_others_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    places(directory.path(), |rows| {
        take_seventh(rows);
    });
    for _ in 0..2 {
        let store = qrtx::os::jobs::open(directory.path()).unwrap();
        let epoch = store.claim().await.unwrap();
        let why = repeated(&store, epoch, 7, 1_000).await.unwrap_err();
        assert!(why.to_string().contains("its row is lost"), "{why}");
        let why = repeated(&store, epoch, 8, 1_000).await.unwrap_err();
        assert!(matches!(why, AppendError::KeyTaken(_)), "{why}");
        let new = named(100 + u64::from(epoch.0)).commit();
        store.append(epoch, new).await.unwrap();
        assert!(store.close());
    }
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    forget(&store, epoch, 7).await;
    repeated(&store, epoch, 7, 1_000).await.unwrap();
}

#[tokio::test]
async fn a_key_of_which_a_bit_is_another_is_not_free() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    let mut flipped = false;
    places(directory.path(), |rows| {
        let (mut place, row) = take_seventh(rows);
        place[9] ^= 1;
        flipped = rows.insert(&place[..], &row[..]).unwrap().is_none();
    });
    assert!(flipped);
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    let why = repeated(&store, epoch, 7, 1_000).await.unwrap_err();
    assert!(why.to_string().contains("its row is lost"), "{why}");
}

#[tokio::test]
async fn a_key_whose_job_was_forgotten_while_its_row_was_hidden_is_free() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    let mut hidden = None;
    places(directory.path(), |rows| hidden = Some(take_seventh(rows)));
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    forget(&store, epoch, 7).await;
    assert!(store.close());
    let (place, row) = hidden.unwrap();
    places(directory.path(), |rows| {
        rows.insert(&place[..], &row[..]).unwrap();
    });
    repeated(&store, epoch, 7, 1_000).await.unwrap();
}

#[tokio::test]
async fn a_key_of_a_commit_that_failed_is_held_or_free_as_the_disk_has_it() {
    let mut failed = 0;
    for at in 0..16 {
        for (syncs, once) in [(false, false), (false, true), (true, false), (true, true)] {
            let disk = Disk::default();
            let store = open(&disk, alone()).unwrap();
            let epoch = store.claim().await.unwrap();
            store.append(epoch, named(1).commit()).await.unwrap();
            let fails = Failures {
                writes: (!syncs).then_some(at),
                syncs: syncs.then_some(at),
                once,
                ..Failures::default()
            };
            disk.fail(fails);
            for number in 2..10 {
                failed += u32::from(store.append(epoch, named(number).commit()).await.is_err());
            }
            disk.fail(Failures::default());
            for number in 2..10 {
                let again = store.append(epoch, named(number).commit()).await;
                assert!(again.is_ok(), "{at} {syncs} {once} {number}: {again:?}");
                let other = repeated(&store, epoch, number, 1_000 + number).await;
                assert!(matches!(other, Err(AppendError::KeyTaken(_))), "{other:?}");
            }
        }
    }
    assert!(failed > 0, "no commit failed");
}

/// The index in memory outlives a failure, after which the file is read anew.
#[tokio::test]
async fn a_key_whose_row_is_gone_from_under_an_open_store_is_not_free() {
    let disk = Disk::default();
    let inserted = Arc::new(Mutex::new(disk.clone()));
    let drive = inserted.clone();
    let store = RedbStore::open(move || drive.lock().unwrap().boot().open(), alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    for number in 1..20 {
        store.append(epoch, named(number).commit()).await.unwrap();
    }
    let other = disk.durable();
    let file = other.boot().open().unwrap();
    let engine = redb::Builder::new().create_with_backend(file).unwrap();
    change_rows(&engine, |rows| drop(take_seventh(rows)));
    drop(engine);
    *inserted.lock().unwrap() = other;
    disk.fail(Failures {
        syncs: Some(0),
        once: true,
        ..Failures::default()
    });
    let plain = job().submitted(50).commit();
    assert!(store.append(epoch, plain).await.is_err());
    let why = repeated(&store, epoch, 7, 1_000).await.unwrap_err();
    assert!(why.to_string().contains("its row is lost"), "{why}");
    assert!(is_held(&store, epoch, 8).await);
    forget(&store, epoch, 7).await;
    repeated(&store, epoch, 7, 1_000).await.unwrap();
}

#[tokio::test]
async fn a_row_that_is_anothers_makes_a_key_neither_his_nor_free() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    edit(directory.path(), |rows| {
        let (one, other) = (take_seventh(rows), take_seventh(rows));
        rows.insert(&one.0[..], &other.1[..]).unwrap();
        rows.insert(&other.0[..], &one.1[..]).unwrap();
    });
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    let unclear = async |number| {
        let why = repeated(&store, epoch, number, 1_000).await.unwrap_err();
        assert!(why.to_string().contains("cannot be looked up"), "{why}");
    };
    unclear(7).await;
    unclear(8).await;
    forget(&store, epoch, 8).await;
    unclear(7).await;
    repeated(&store, epoch, 8, 1_000).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_taken_while_an_old_row_of_it_was_hidden_is_his_who_took_it() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    let mut hidden = None;
    edit(directory.path(), |rows| hidden = Some(take_seventh(rows)));
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    forget(&store, epoch, 7).await;
    repeated(&store, epoch, 7, 1_000).await.unwrap();
    assert!(store.close());
    let (place, row) = hidden.unwrap();
    edit(directory.path(), |rows| {
        rows.insert(&place[..], &row[..]).unwrap();
    });
    let store = qrtx::os::jobs::open(directory.path()).unwrap();
    let epoch = store.claim().await.unwrap();
    let why = repeated(&store, epoch, 7, 2_000).await.unwrap_err();
    let AppendError::KeyTaken(holder) = why else {
        panic!("{why}");
    };
    assert_eq!(holder.job, job().submitted(1_000).job.id);
}

#[tokio::test]
async fn a_bit_of_one_number_of_arrival_hides_few_other_keys_and_frees_none() {
    let disk = disk_with(1..200).await;
    let spoilt = disk.spoil(&[&b"k"[..], &6_u64.to_be_bytes()].concat());
    assert!(spoilt > 0, "the row is there");
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    let mut held = 0;
    for number in 1..200 {
        match repeated(&store, epoch, number, number + 1_000).await {
            Err(AppendError::KeyTaken(_)) => held += 1,
            other => assert!(other.is_err(), "{number} runs again"),
        }
    }
    // Those on the same page may not be found beside it.
    assert!(held > 180, "{held}");
}

/// A sector that cannot be read, wherever it is.
#[tokio::test]
async fn a_store_that_cannot_be_read_is_not_opened_and_says_why() {
    let disk = disk_with(1..120).await;
    let pages = disk.bytes() / PAGE as u64;
    let mut refused = 0;
    for page in 1..pages {
        let damaged = disk.durable();
        damaged.unreadable(page * PAGE as u64);
        match open(&damaged, alone()) {
            Err(why) => {
                refused += 1;
                assert!(why.to_string().contains("fails to read"), "{page}: {why}");
            }
            Ok(store) => {
                let why = store.claim().await.err().map(|why| why.to_string());
                let told = why.as_ref().is_none_or(|why| why.contains("fails to read"));
                assert!(told, "{page}: {why:?}");
            }
        }
    }
    assert!(refused > 0, "everything could be read");
}

/// Each page in turn, each in some places: whatever can be read then, nothing runs again, and what is new
/// does no harm to what is there.
#[tokio::test]
async fn no_repetition_is_taken_for_new_whatever_page_of_keys_makes_no_sense() {
    let disk = disk_with(1..120).await;
    let pages = usize::try_from(disk.bytes()).unwrap() / PAGE;
    let (mut taken, mut doubtful, mut new) = (0, 0, 0);
    let (mut ran, mut spoilt) = (Vec::new(), Vec::new());
    let places = [
        (0, 0xff),
        (0, 1),
        (2, 0xff),
        (2, 1),
        (4, 0x7f),
        (9, 0xff),
        (2000, 0x55),
    ];
    let hidden = disk.durable();
    let file = hidden.boot().open().unwrap();
    let engine = redb::Builder::new().create_with_backend(file).unwrap();
    change_rows(&engine, |rows| drop(take_seventh(rows)));
    drop(engine);
    let hidden_bytes = hidden.boot().open().unwrap().len().unwrap();
    let hidden_bytes = usize::try_from(hidden_bytes).unwrap();
    for (page, (at, byte)) in (1..pages).flat_map(|page| places.map(|place| (page, place))) {
        let damaged = disk.durable();
        damaged.overwrite(page * PAGE + at, byte);
        let Ok(store) = open(&damaged, alone()) else {
            continue;
        };
        let Ok(epoch) = store.claim().await else {
            continue;
        };
        for number in (1..120).step_by(7) {
            match repeated(&store, epoch, number, 1_000 + number).await {
                Ok(_) => ran.push((page, at, byte, number)),
                Err(AppendError::KeyTaken(holder)) => {
                    assert_eq!(holder.job, named(number).job.id, "{page} {at} {byte}");
                    taken += 1;
                }
                Err(_) => doubtful += 1,
            }
        }
        let both = hidden.durable();
        if page * PAGE < hidden_bytes {
            both.overwrite(page * PAGE + at, byte);
        }
        if let Ok(store) = open(&both, alone())
            && let Ok(epoch) = store.claim().await
            && repeated(&store, epoch, 7, 1_000).await.is_ok()
        {
            ran.push((page, at, byte, 7));
        }
        let plain = job().submitted(2_000).commit();
        if store.append(epoch, plain).await.is_ok() {
            new += u32::from(store.append(epoch, named(3_000).commit()).await.is_ok());
            drop(store);
            if open(&damaged, alone()).is_err() {
                spoilt.push((page, at, byte));
            }
        }
    }
    assert_eq!(ran, []);
    assert_eq!(spoilt, []);
    assert!(
        taken > 0 && doubtful > 0 && new > 0,
        "{taken} {doubtful} {new}"
    );
}
