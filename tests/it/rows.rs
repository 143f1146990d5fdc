//! Rows of a store that is closed, changed as no kernel would change them.

use std::path::Path;

/// Removes the rows of a store whose place begins so.
pub(crate) fn lose(folder: &Path, places: &[&[u8]]) -> usize {
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("qrtx");
    let store = redb::Database::open(folder.join("data/jobs.redb")).unwrap();
    let commit = store.begin_write().unwrap();
    let lost = |place: &[u8]| places.iter().any(|begin| place.starts_with(begin));
    let mut rows = commit.open_table(table).unwrap();
    let before = redb::ReadableTableMetadata::len(&rows).unwrap();
    rows.retain(|place, _| !lost(place)).unwrap();
    let after = redb::ReadableTableMetadata::len(&rows).unwrap();
    drop(rows);
    commit.commit().unwrap();
    usize::try_from(before - after).unwrap()
}

/// Lets two rows of a store change places.
pub(crate) fn exchange(folder: &Path, one: &[u8], other: &[u8]) {
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("qrtx");
    let store = redb::Database::open(folder.join("data/jobs.redb")).unwrap();
    let commit = store.begin_write().unwrap();
    let mut rows = commit.open_table(table).unwrap();
    let first = rows.remove(one).unwrap().unwrap().value().to_vec();
    let second = rows.insert(other, &first[..]).unwrap();
    let second = second.unwrap().value().to_vec();
    rows.insert(one, &second[..]).unwrap();
    drop(rows);
    commit.commit().unwrap();
}

/// Lets a row say what another says.
pub(crate) fn copy(folder: &Path, from: &[u8], to: &[u8]) {
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("qrtx");
    let store = redb::Database::open(folder.join("data/jobs.redb")).unwrap();
    let commit = store.begin_write().unwrap();
    let mut rows = commit.open_table(table).unwrap();
    let row = redb::ReadableTable::get(&rows, from)
        .unwrap()
        .unwrap()
        .value()
        .to_vec();
    rows.insert(to, &row[..]).unwrap();
    drop(rows);
    commit.commit().unwrap();
}

pub(crate) fn row_of(submission: u64, number: u64) -> Vec<u8> {
    [&b"j"[..], &submission.to_be_bytes(), &number.to_be_bytes()].concat()
}

pub(crate) fn head_of(submission: u64) -> Vec<u8> {
    [&b"i"[..], &submission.to_be_bytes()].concat()
}
