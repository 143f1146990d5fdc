//! What an acknowledgement is worth when the disk is not to be trusted.

use std::sync::Arc;

use qrtx::ids::{Epoch, Sha256Sum};
use qrtx::job::Job;
use qrtx::job::head::Head;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::{Append, AppendError, Filter, ReadError, Submission};
use qrtx::store::RedbStore;
use qrtx::store::disk::Surroundings;
use qrtx_testkit::disk::{Disk, Failures};
use qrtx_testkit::jobs::{Life, PROGRAM, job, straight_way};

use crate::{alone, open};

/// What clients were told: lives as far as they were acknowledged, and for each one that was not,
/// what it would be with the commit that was under way.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Life>,
    under_way: Option<Life>,
}

/// Jobs come in one after the other and live on, until something is not acknowledged.
async fn work(store: &RedbStore, epoch: Epoch, told: &mut Told, jobs: std::ops::Range<u64>) {
    for number in jobs {
        let mut life = job().key(&number.to_string()).submitted(number);
        let mut before = None;
        let mut events = straight_way(10).into_iter();
        loop {
            match store.append(epoch, life.commit()).await {
                Ok(submission) => life.job.submission = submission,
                Err(_) => {
                    told.acknowledged.extend(before);
                    told.under_way = Some(life);
                    return;
                }
            }
            before = Some(life.clone());
            // Every third job is left waiting, each at another place.
            let Some(event) = events
                .next()
                .filter(|_| number % 3 > 0 || life.job.seq < number % 5)
            else {
                break;
            };
            life.then(event);
        }
        told.acknowledged.extend(before);
    }
}

/// The commit that a life was not acknowledged for.
fn again(doubt: &Life) -> Append {
    let submission = (doubt.history.len() == 1).then(|| Submission {
        program: PROGRAM.to_vec(),
        key: doubt.key(),
        fingerprint: Sha256Sum::of(doubt.job.spec.name.as_bytes()),
    });
    Append {
        job: Arc::new(doubt.job.clone()),
        events: doubt.history.last().cloned().into_iter().collect(),
        submission,
    }
}

/// Everything that was acknowledged is there, the rest as a whole or not at all.
async fn audit(store: &RedbStore, told: &Told, case: &str) {
    let all = store
        .list(&Filter::default(), u64::MAX, usize::MAX)
        .await
        .unwrap();
    assert_eq!(all.unreadable, [], "{case}");
    let mut known = 0;
    for life in &told.acknowledged {
        let job = store.job(life.job.id).await.unwrap();
        let job = job.unwrap_or_else(|| panic!("{case}: {} is lost", life.job.id));
        let doubted = told
            .under_way
            .as_ref()
            .filter(|doubt| doubt.job.id == job.id);
        let history = store.events(job.id, 0, usize::MAX).await.unwrap();
        let is = |life: &Life| {
            Job {
                submission: job.submission,
                ..life.job.clone()
            } == job
                && life.history == history
        };
        assert!(
            is(life) || doubted.is_some_and(is),
            "{case}: {} is {job:?}",
            job.id
        );
        let key = life.key().unwrap();
        assert_eq!(
            store
                .key_holder(&key)
                .await
                .unwrap()
                .map(|holder| holder.job),
            Some(job.id)
        );
        known += 1;
    }
    for head in &all.jobs {
        let history = store.events(head.id, 0, usize::MAX).await.unwrap();
        let folded = Job {
            submission: head.submission,
            ..Job::fold(head.id, &history).unwrap()
        };
        assert_eq!(*head, Head::of(&folded), "{case}");
        let job = store.job(head.id).await.unwrap();
        assert_eq!(job, Some(folded), "{case}");
        assert!(store.program(head.id).await.unwrap().is_some(), "{case}");
    }
    let doubted = told.under_way.as_ref().map(|life| life.job.id);
    let extra = all
        .jobs
        .iter()
        .filter(|job| !told.acknowledged.iter().any(|life| life.job.id == job.id));
    let extra: Vec<_> = extra.map(|job| Some(job.id)).collect();
    assert!(extra.is_empty() || extra == [doubted], "{case}: {extra:?}");
    assert_eq!(
        store.count().await,
        Ok(known + extra.len() as u64),
        "{case}"
    );
    let unfinished = store.unfinished(0, usize::MAX).await.unwrap();
    let unfinished: Vec<_> = unfinished
        .into_iter()
        .map(|one| one.head.unwrap().id)
        .collect();
    let owing = all.jobs.iter().rev().filter(|job| job.duty.is_some());
    assert_eq!(
        unfinished,
        owing.map(|job| job.id).collect::<Vec<_>>(),
        "{case}"
    );
}

#[tokio::test]
async fn whenever_the_machine_crashes_what_was_acknowledged_is_there_and_nothing_by_halves() {
    let (mut crashes, mut kept, mut lost) = (0, 0, 0);
    for sync in 0..60 {
        for seed in 0..6 {
            let case = format!("crash at sync {sync}, seed {seed}");
            let disk = Disk::default();
            let mut told = Told::default();
            // A store is made under another name, so a crash meanwhile leaves none.
            drop(open(&disk, alone()).unwrap());
            disk.crash_at(sync, seed * 1000 + sync);
            if let Ok(store) = open(&disk, alone())
                && let Ok(epoch) = store.claim().await
            {
                work(&store, epoch, &mut told, 1..5).await;
            }
            if disk.is_armed() {
                continue;
            }
            crashes += 1;
            if sync % 2 == 0 {
                disk.crash_at(seed, seed);
                let _ = open(&disk, alone());
                disk.crash(seed);
            }
            let store = open(&disk, alone()).unwrap_or_else(|why| panic!("{case}: {why}"));
            audit(&store, &told, &case).await;
            if let Some(doubt) = &told.under_way {
                let stands =
                    store.events(doubt.job.id, 0, usize::MAX).await.unwrap() == doubt.history;
                *if stands { &mut kept } else { &mut lost } += 1;
            }

            let epoch = store.claim().await.unwrap();
            // Whoever does not know repeats the same, and is told.
            if let Some(mut doubt) = told.under_way.take() {
                doubt.job.submission = store.append(epoch, again(&doubt)).await.unwrap();
                told.acknowledged.retain(|life| life.job.id != doubt.job.id);
                told.acknowledged.push(doubt);
            }
            work(&store, epoch, &mut told, 500..504).await;
            assert!(told.under_way.is_none(), "{case}: it goes on");
            drop(store);
            disk.crash(seed);
            let store = open(&disk, alone()).unwrap();
            audit(&store, &told, &case).await;
        }
    }
    assert!(crashes > 200, "{crashes} crashes");
    assert!(
        kept > 0 && lost > 0,
        "{kept} commits in doubt were there, {lost} were not"
    );
}

#[tokio::test]
async fn whatever_fails_is_not_acknowledged_unless_it_is_there_and_the_store_goes_on() {
    let mut failed = 0;
    for at in 0..80 {
        for (kind, once) in [
            (0, true),
            (1, true),
            (2, true),
            (0, false),
            (1, false),
            (2, false),
        ] {
            let case = format!("operation {at} of kind {kind} fails, once: {once}");
            let disk = Disk::default();
            let store = open(&disk, alone()).unwrap();
            let epoch = store.claim().await.unwrap();
            let mut told = Told::default();
            work(&store, epoch, &mut told, 1..3).await;
            let mut failures = Failures {
                once,
                ..Failures::default()
            };
            *[
                &mut failures.reads,
                &mut failures.writes,
                &mut failures.syncs,
            ][kind] = Some(at);
            disk.fail(failures);
            work(&store, epoch, &mut told, 3..8).await;
            failed += usize::from(told.under_way.is_some());
            disk.fail(Failures::default());

            audit(&store, &told, &case).await;
            let under_way = told.under_way.take();
            work(&store, epoch, &mut told, 10..13).await;
            assert!(told.under_way.is_none(), "{case}: it goes on");
            told.under_way = under_way;
            audit(&store, &told, &case).await;
            // What a failed sync did not save must not have been acknowledged.
            disk.crash(at);
            audit(&open(&disk, alone()).unwrap(), &told, &case).await;
        }
    }
    assert!(failed > 40, "{failed} failures were felt");
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_keeps_what_is_there_and_goes_on_when_there_is_room() {
    let disk = Disk::default();
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    let mut told = Told::default();
    work(&store, epoch, &mut told, 1..6).await;
    disk.set_capacity(Some(disk.bytes()));
    let mut refused = Vec::new();
    for number in 100..400 {
        let mut life = job().submitted(number);
        match store.append(epoch, life.commit()).await {
            Ok(submission) => {
                life.job.submission = submission;
                // An unkeyed job has nothing to audit but its record.
                assert_eq!(store.job(life.job.id).await.unwrap(), Some(life.job));
            }
            Err(why) => refused.push((life, why)),
        }
        if refused.len() == 20 {
            break;
        }
    }
    assert_eq!(refused.len(), 20, "the disk is full");
    for (life, why) in &refused {
        assert!(matches!(why, AppendError::Full(_)), "{why}");
        assert_eq!(
            store.job(life.job.id).await,
            Ok(None),
            "and no half of it is there"
        );
    }
    for life in &told.acknowledged {
        assert_eq!(
            store.job(life.job.id).await.unwrap().as_ref(),
            Some(&life.job)
        );
    }
    disk.set_capacity(None);
    let again = refused.pop().unwrap().0;
    let mut again = job().submitted(again.job.id.to_string().len() as u64 + 1000);
    assert!(store.append(epoch, again.commit()).await.is_ok());
    disk.crash(1);
    let store = open(&disk, alone()).unwrap();
    for life in &told.acknowledged {
        assert_eq!(
            store.job(life.job.id).await.unwrap().as_ref(),
            Some(&life.job)
        );
    }
}

#[tokio::test]
async fn reads_that_fail_are_told_and_do_not_last() {
    let disk = Disk::default();
    let store = open(&disk, alone()).unwrap();
    let epoch = store.claim().await.unwrap();
    let mut told = Told::default();
    work(&store, epoch, &mut told, 1..200).await;
    drop(store);
    // Without a cache every look is a read.
    let surroundings = Surroundings {
        cache_bytes: 0,
        ..alone()
    };
    let store = open(&disk, surroundings).unwrap();
    disk.fail(Failures {
        reads: Some(0),
        ..Failures::default()
    });
    let id = told.acknowledged[100].job.id;
    let read = store.job(id).await;
    assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
    disk.fail(Failures::default());
    assert_eq!(
        store.job(id).await.unwrap().as_ref(),
        Some(&told.acknowledged[100].job)
    );
}
