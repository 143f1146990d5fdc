//! What one commit of the engine costs by itself: as many bytes as a submit writes, and the syncs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, TableDefinition};

use super::Broken;
use super::slices::Act;

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("bare");

/// The sizes of the rows of a submit: head, event, program, summary, name and key.
const ROW_BYTES: [usize; 6] = [1000, 900, 400, 90, 13, 140];

/// Commits of the bare engine, one after another.
#[derive(Debug)]
pub(super) struct Commits {
    database: Arc<Database>,
    count: Arc<AtomicU64>,
}

impl Commits {
    pub(super) fn new(folder: &Path) -> Result<Self, Broken> {
        let database = Database::create(folder.join("bare.redb"));
        Ok(Self {
            database: Arc::new(database.map_err(Broken::at("the bare engine"))?),
            count: Arc::default(),
        })
    }
}

fn commit(database: &Database, number: u64) -> Result<(), redb::Error> {
    let mut commit = database.begin_write()?;
    // As the job store does it, or the file would have to be walked after a crash.
    commit.set_quick_repair(true);
    {
        let mut rows = commit.open_table(ROWS)?;
        for (row, bytes) in ROW_BYTES.iter().enumerate() {
            let key = [&number.to_be_bytes()[..], &[row as u8]].concat();
            rows.insert(key.as_slice(), vec![7; *bytes].as_slice())?;
        }
    }
    commit.commit()?;
    Ok(())
}

impl Act for Commits {
    async fn once(&self, _: usize) -> Result<(), Broken> {
        let (database, count) = (self.database.clone(), self.count.clone());
        let done = tokio::task::spawn_blocking(move || {
            commit(&database, count.fetch_add(1, Ordering::Relaxed))
        });
        let done = done.await.map_err(Broken::at("a bare commit"))?;
        done.map_err(Broken::at("a bare commit"))
    }
}
