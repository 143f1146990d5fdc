//! Who shares a commit with whom, and who is refused.

use futures::future::join_all;
use qrtx::job::event::Event;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::AppendError;
use qrtx::store::disk::{Room, Surroundings};
use qrtx_testkit::disk::Disk;
use qrtx_testkit::jobs::job;

use crate::{alone, open, together};

#[tokio::test]
async fn whoever_is_alone_waits_for_one_commit_and_nothing_else() {
    let disk = Disk::default();
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    let before = disk.syncs();
    store
        .append(epoch, job().submitted(1).commit())
        .await
        .unwrap();
    // With quick repair a commit has two phases.
    assert_eq!(disk.syncs() - before, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_meanwhile_shares_the_next_commit() {
    let disk = Disk::default();
    let store = open(&disk, together()).unwrap();
    let epoch = store.claim().await.unwrap();
    let before = disk.syncs();
    let submits = (1..=512).map(|number| {
        let store = store.clone();
        async move { store.append(epoch, job().submitted(number).commit()).await }
    });
    let mut submissions: Vec<_> = join_all(submits)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    submissions.sort_unstable();
    assert_eq!(submissions, (1..=512).collect::<Vec<_>>());
    // All were waiting before the first commit was over.
    let commits = (disk.syncs() - before) / 2;
    assert!(commits < 64, "{commits} commits for 512 jobs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refusal_spoils_no_commit_of_others() {
    let disk = Disk::default();
    let store = open(&disk, together()).unwrap();
    let stale = store.claim().await.unwrap();
    let epoch = store.claim().await.unwrap();
    let submits = (1..=64).map(|number| {
        let (store, epoch) = (store.clone(), if number % 4 == 0 { stale } else { epoch });
        async move { store.append(epoch, job().submitted(number).commit()).await }
    });
    for (number, outcome) in (1_u64..).zip(join_all(submits).await) {
        assert_eq!(outcome.is_err(), number % 4 == 0, "{outcome:?}");
    }
    assert_eq!(store.count().await, Ok(48));
}

#[tokio::test]
async fn a_crowd_is_refused_before_it_is_stored_but_never_what_happens_to_a_job() {
    // Nobody ever commits, so whoever comes second waits for ever.
    let surroundings = Surroundings {
        offload: std::mem::forget,
        room: Room {
            waiting_changes_max: 2,
            ..Room::default()
        },
        ..alone()
    };
    let disk = Disk::default();
    let patient = open(&disk, alone()).unwrap();
    let epoch = patient.claim().await.unwrap();
    let mut there = job().submitted(1);
    there.job.submission = patient.append(epoch, there.commit()).await.unwrap();
    drop(patient);
    let store = open(&disk, surroundings).unwrap();
    let mut waiting: Vec<_> = (2..4)
        .map(|number| {
            let mut life = job().submitted(number);
            Box::pin({
                let store = store.clone();
                async move { store.append(epoch, life.commit()).await }
            })
        })
        .collect();
    for one in &mut waiting {
        assert!(futures::poll!(one).is_pending());
    }
    let refused = store.append(epoch, job().submitted(9).commit()).await;
    let Err(AppendError::Full(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("2 changes wait for the disk"), "{why}");
    let event = there.then(Event::Admitted).commit();
    let mut taken = Box::pin(store.append(epoch, event));
    assert!(
        futures::poll!(&mut taken).is_pending(),
        "it is waiting, too"
    );
}
