//! What damage hides: a store that is not what it was must not look like one that has less in it.

use qrtx::ids::JobId;
use qrtx::job::key::Key;
use qrtx::os::jobs::FILE;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::AppendError;
use qrtx_testkit::disk::Disk;
use qrtx_testkit::jobs::job;
use redb::{ReadableTable as _, StorageBackend as _};

use crate::keys::{PAGE, Rows, change_rows, disk_with, forget, named, repeated, stored};
use crate::{alone, open};

fn edit(disk: &Disk, change: impl FnOnce(&mut Rows<'_>)) {
    let disk = disk.boot().open().unwrap();
    let engine = redb::Builder::new().create_with_backend(disk).unwrap();
    change_rows(&engine, change);
}

fn row_of_key(arrival: u64, number: u64) -> Vec<u8> {
    let key = Key::new("t", "p", &format!("key {number}")).to_bytes();
    [&b"k"[..], &arrival.to_be_bytes(), &key].concat()
}

fn head(submission: u64) -> Vec<u8> {
    [&b"i"[..], &submission.to_be_bytes()].concat()
}

fn name(number: u64) -> Vec<u8> {
    [&b"n"[..], &JobId::new(number, [0; 10]).to_be_bytes()].concat()
}

/// One bit of where a row stands.
fn misplace(rows: &mut Rows<'_>, place: &[u8], at: usize) {
    let row = rows.remove(place).unwrap().unwrap().value().to_vec();
    let mut elsewhere = place.to_vec();
    elsewhere[at] ^= 1;
    rows.insert(&elsewhere[..], &row[..]).unwrap();
}

/// One bit of what a row says.
fn spoil(rows: &mut Rows<'_>, place: &[u8]) {
    let mut row = rows.get(place).unwrap().unwrap().value().to_vec();
    row[20] ^= 1;
    rows.insert(place, &row[..]).unwrap();
}

/// Keys whose repetition runs, or is answered with another's job.
async fn wrong(disk: &Disk, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut wrong = Vec::new();
    let Ok(store) = open(disk, alone()) else {
        return wrong;
    };
    let Ok(epoch) = store.claim().await else {
        return wrong;
    };
    for number in numbers {
        match repeated(&store, epoch, number, number + 1_000).await {
            Ok(_) => wrong.push(number),
            Err(AppendError::KeyTaken(holder)) if holder.job != named(number).job.id => {
                wrong.push(number);
            }
            Err(_) => {}
        }
    }
    wrong
}

#[tokio::test]
async fn a_store_whose_table_has_another_name_is_not_taken_for_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    stored(directory.path(), 1..20).await;
    let file = directory.path().join(FILE);
    let whole = std::fs::read(&file).unwrap();
    let names = (0..whole.len() - 4).filter(|at| &whole[*at..][..4] == b"qrtx");
    let names: Vec<_> = names.collect();
    assert!(!names.is_empty());
    for name in names {
        let mut damaged = whole.clone();
        damaged[name] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        if let Ok(store) = qrtx::os::jobs::open(directory.path()) {
            assert_eq!(store.count().await, Ok(19), "it opens as a new one");
        }
    }
    std::fs::write(&file, &whole).unwrap();
    assert!(qrtx::os::jobs::open(directory.path()).is_ok());
}

#[tokio::test]
async fn a_row_that_is_nobodys_does_not_make_up_for_one_that_is_missing() {
    let disk = disk_with(1..20).await;
    edit(&disk, |rows| {
        misplace(rows, &row_of_key(6, 7), 9);
        rows.remove(&head(7)[..]).unwrap().unwrap();
    });
    for start in 0..3 {
        assert_eq!(wrong(&disk, 7..8).await, [0_u64; 0], "start {start}");
    }
}

#[tokio::test]
async fn a_key_whose_row_is_nobodys_stays_lost_and_hides_no_other_at_each_start() {
    let disk = disk_with(1..20).await;
    edit(&disk, |rows| misplace(rows, &row_of_key(6, 7), 9));
    for start in 0..3 {
        assert_eq!(wrong(&disk, 1..20).await, [0_u64; 0], "start {start}");
        let store = open(&disk, alone()).unwrap();
        let epoch = store.claim().await.unwrap();
        let new = 100 + start;
        let taken = repeated(&store, epoch, new, new).await;
        assert!(taken.is_ok(), "not all are refused: {taken:?}");
    }
}

#[tokio::test]
async fn a_job_that_was_written_anew_without_its_key_is_missed() {
    let disk = disk_with(1..20).await;
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    let left = job().submitted(7);
    let written = store.replace(epoch, left.job.clone(), left.history.clone());
    written.await.unwrap();
    assert!(store.close());
    drop(store);
    edit(&disk, |rows| misplace(rows, &row_of_key(6, 7), 9));
    assert_eq!(wrong(&disk, 7..8).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_job_that_cannot_be_found_is_not_one_that_was_forgotten() {
    let disk = disk_with(1..20).await;
    edit(&disk, |rows| {
        misplace(rows, &name(7), 5);
        spoil(rows, &head(7));
    });
    assert_eq!(wrong(&disk, 7..8).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_row_of_an_earlier_kernel_is_not_believed_of_a_job_whose_head_cannot_be_read() {
    let disk = disk_with(1..20).await;
    edit(&disk, |rows| {
        // Its sum is over what it says alone.
        let earlier = |row: &[u8]| {
            let mut row = row.to_vec();
            let sum = crc32fast::hash(&row[5..]);
            row[1..5].copy_from_slice(&sum.to_be_bytes());
            row
        };
        let places = [row_of_key(6, 7), row_of_key(7, 8)];
        let says = |place: &Vec<u8>| earlier(rows.get(&place[..]).unwrap().unwrap().value());
        let [one, other] = [says(&places[0]), says(&places[1])];
        rows.insert(&places[0][..], &other[..]).unwrap();
        rows.insert(&places[1][..], &one[..]).unwrap();
        spoil(rows, &head(8));
    });
    assert_eq!(wrong(&disk, 7..8).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_key_that_begins_like_one_in_the_order_of_hashes_outlives_it() {
    let disk = disk_with(1..2).await;
    let old = row_of_key(0, 1);
    edit(&disk, |rows| {
        let row = rows.remove(&old[..]).unwrap().unwrap().value().to_vec();
        let by_hash = [&b"k"[..], &old[9..]].concat();
        rows.insert(&by_hash[..], &row[..]).unwrap();
        rows.remove(&b"mkeys"[..]).unwrap().unwrap();
    });
    let mut like: [u8; 32] = old[9..].try_into().unwrap();
    like[31] ^= 1;
    let keyed = |number: u64| {
        let mut append = job().key("like").submitted(number).commit();
        let submission = append.submission.as_mut().unwrap();
        submission.key = Some(Key::from_bytes(like));
        append
    };
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    store.append(epoch, keyed(2)).await.unwrap();
    forget(&store, epoch, 1).await;
    let again = store.append(epoch, keyed(4)).await;
    assert!(matches!(again, Err(AppendError::KeyTaken(_))), "{again:?}");
}

#[tokio::test]
async fn no_page_in_the_place_of_another_hides_more_than_the_last_key() {
    let disk = disk_with(1..40).await;
    let file = disk.boot().open().unwrap();
    let mut whole = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read(0, &mut whole).unwrap();
    drop(file);
    let pages = whole.len() / PAGE;
    let is_used = |page: &usize| whole[page * PAGE..][..PAGE].iter().any(|byte| *byte != 0);
    let used: Vec<_> = (1..pages).filter(is_used).collect();
    let mut found = Vec::new();
    for from in &used {
        for to in used.iter().filter(|to| *to != from) {
            let damaged = disk.durable();
            for at in 0..PAGE {
                damaged.overwrite(to * PAGE + at, whole[from * PAGE + at]);
            }
            let wrong = wrong(&damaged, 1..40).await;
            // The page with the last keys and their tally as it was one commit before is whole, and
            // nothing tells that it is not the latest (DESIGN, "Where do idempotency keys lie?").
            if wrong.iter().any(|key| *key != 39) {
                found.push((*from, *to, wrong.len()));
            }
        }
    }
    assert_eq!(found, [(0_usize, 0_usize, 0_usize); 0]);
}
