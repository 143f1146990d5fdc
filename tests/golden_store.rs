//! Stores that earlier versions wrote are read by this one. Each is one file in `tests/stores/`,
//! named after the versions of the stored forms of events and of heads; it is written once and never
//! changed.

#![cfg(not(madsim))]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests say what they expect, and look at real files"
)]

use std::path::{Path, PathBuf};

use qrtx::job::Job;
use qrtx::job::event::{Event, FORMAT};
use qrtx::job::failure::{Category, Failure};
use qrtx::job::head::Head;
use qrtx::os::jobs::{self, FILE};
use qrtx::ports::JobStore;
use qrtx::ports::store::Filter;
use qrtx::store::{HEAD_FORM, RedbStore};
use qrtx_testkit::jobs::{Life, PROGRAM, job, straight_way};

/// What the golden stores hold: a job in every kind of place.
fn lives() -> Vec<Life> {
    let mut done = job().key("once").submitted(1);
    for event in straight_way(10) {
        done.then(event);
    }
    let mut failed = job().tenant("other").target("qpu").submitted(2);
    failed.then(Event::Admitted).then(Event::Failed {
        failure: Failure::new(Category::ValidationError, "it is no program"),
        settlement: None,
    });
    let mut waiting = job().priority(9).submitted(3);
    for event in straight_way(10).into_iter().take(3) {
        waiting.then(event);
    }
    let mut executing = job().submitted(4);
    for event in straight_way(10).into_iter().take(5) {
        executing.then(event);
    }
    vec![done, failed, waiting, executing]
}

async fn write(directory: &Path) {
    let store = jobs::open(directory).unwrap();
    let epoch = store.claim().await.unwrap();
    for mut life in lives() {
        store.append(epoch, life.commit()).await.unwrap();
    }
}

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

/// Every store that is kept.
fn golden() -> Vec<PathBuf> {
    let stores = std::fs::read_dir(stores()).unwrap();
    let mut stores: Vec<_> = stores.map(|store| store.unwrap().path()).collect();
    stores.sort();
    stores
}

/// The store of this version.
fn this() -> PathBuf {
    stores().join(format!("events-{FORMAT}-heads-{HEAD_FORM}.redb"))
}

async fn assert_whole(store: &RedbStore) {
    let lives = lives();
    for (life, submission) in lives.iter().zip(1..) {
        let wanted = Job {
            submission,
            ..life.job.clone()
        };
        let id = wanted.id;
        let head = store.head(id).await.unwrap();
        assert_eq!(head, Some(Head::of(&wanted)));
        assert_eq!(store.job(id).await.unwrap(), Some(wanted));
        let events = store.events(id, 0, usize::MAX).await.unwrap();
        assert_eq!(events, life.history);
        assert_eq!(store.program(id).await.unwrap().as_deref(), Some(PROGRAM));
    }
    let listed = store.list(&Filter::default(), u64::MAX, 99).await.unwrap();
    assert_eq!((listed.jobs.len(), listed.unreadable.len()), (4, 0));
    let ended = store.ended(0, 99).await.unwrap().0;
    assert_eq!(ended.len(), 1);
    let holder = store.key_holder(&lives[0].key().unwrap()).await.unwrap();
    assert_eq!(holder.map(|holder| holder.job), Some(lives[0].job.id));
    let unfinished = store.unfinished(0, 99).await.unwrap();
    let unfinished: Vec<_> = unfinished.iter().map(|one| one.id).collect();
    let owing = lives.iter().filter(|life| life.job.duty().is_some());
    assert_eq!(
        unfinished,
        owing.map(|life| life.job.id).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_store_of_every_version_reads_as_it_was_written_and_goes_on() {
    for file in golden() {
        let directory = tempfile::tempdir().unwrap();
        let copied = std::fs::copy(&file, directory.path().join(FILE));
        copied.unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let store = jobs::open(directory.path()).unwrap();
        assert_whole(&store).await;
        let epoch = store.claim().await.unwrap();
        let mut life = lives().remove(2);
        life.commit();
        life.job.submission = 3;
        let event = Event::DeadlinePassed {
            waited_for: String::new(),
        };
        store
            .append(epoch, life.then(event).commit())
            .await
            .unwrap();
        assert_eq!(store.job(life.job.id).await.unwrap(), Some(life.job));
        let done = lives().remove(0).job.id;
        store.forget(epoch, vec![done]).await.unwrap();
        assert_eq!(store.job(done).await.unwrap(), None, "{}", file.display());
        let key = lives()[0].key().unwrap();
        assert_eq!(store.key_holder(&key).await.unwrap(), None);
    }
}

/// Runs something to its end, with all that it has put on other threads: a store is closed when the
/// last of them has let go of it.
fn whole<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(what)
}

#[test]
fn what_this_version_writes_is_what_its_golden_store_holds() {
    // Whoever raises the version copies this file to where the message says.
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    if written.exists() {
        std::fs::remove_dir_all(&written).unwrap();
    }
    whole(write(&written));
    whole(async { assert_whole(&jobs::open(&written).unwrap()).await });
    let (written, kept) = (written.join(FILE), this());
    let (written, kept) = (written.display(), kept.display());
    assert!(this().exists(), "copy {written} to {kept}");
}
