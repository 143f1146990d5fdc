//! Fills a store with jobs as a kernel would have left them.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use qrtx::ids::{Epoch, JobId};
use qrtx::ports::JobStore;
use qrtx::ports::store::Append;
use qrtx::time::Timestamp;

use super::instant::DEVICE;
use super::{Broken, Progress};
use crate::jobs::{job, straight_way};

/// Appends that wait for a commit at a time.
const AT_ONCE: usize = 2048;

/// Which jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Compiled and waiting for a device.
    Waiting,
    /// Completed.
    Ended,
}

/// Fills `store` with `count` jobs of one kind; gives their names.
pub(super) async fn fill<S: JobStore>(
    store: &S,
    kind: Kind,
    count: u64,
    progress: Progress<'_>,
) -> Result<Vec<JobId>, Broken> {
    let epoch = store.claim().await.map_err(Broken::at("the store"))?;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = Timestamp(i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
    stream::iter(0..count)
        .map(|number| append(store, epoch, kind, number, now))
        .buffered(AT_ONCE)
        .enumerate()
        .map(|(number, done)| {
            if (number + 1) % 100_000 == 0 {
                progress(&format!("{} of {count} jobs are stored", number + 1));
            }
            done
        })
        .try_collect()
        .await
}

async fn append<S: JobStore>(
    store: &S,
    epoch: Epoch,
    kind: Kind,
    number: u64,
    now: Timestamp,
) -> Result<JobId, Broken> {
    let append = made(kind, number, now);
    let id = append.job.id;
    store
        .append(epoch, append)
        .await
        .map_err(Broken::at("the store"))?;
    Ok(id)
}

/// A life up to where it waits, or to its end, as one commit.
fn made(kind: Kind, number: u64, now: Timestamp) -> Append {
    let day = Duration::from_secs(24 * 3600);
    let draft = job().target(DEVICE).shots(100).expires_at(now + day);
    let draft = draft.key(&format!("fill-{number}"));
    let mut life = draft.submitted_at(number, now);
    let way = match kind {
        Kind::Waiting => 3,
        Kind::Ended => usize::MAX,
    };
    for event in straight_way(100).into_iter().take(way) {
        life.then(event);
    }
    life.commit()
}
