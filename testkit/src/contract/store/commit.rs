//! What a commit promises.

use qrtx::job::event::Event;
use qrtx::job::key::Key;
use qrtx::ports::store::{AppendError, Filter, JobStore, KeyHolder};

use super::{ALL, assert_told, claim, record, stored, submit};
use crate::jobs::{job, straight_way};

/// An epoch is never given twice.
pub async fn every_claim_gives_a_greater_epoch(store: &impl JobStore) {
    let epochs = [claim(store).await, claim(store).await, claim(store).await];
    assert!(
        epochs.is_sorted_by(|earlier, later| earlier < later),
        "{epochs:?}"
    );
}

/// Who was replaced as the writer writes no more, and is told by whom.
pub async fn a_stale_epoch_is_refused_and_leaves_no_trace(store: &impl JobStore) {
    let old = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, old, &mut life).await;
    let new = claim(store).await;
    let before = life.clone();
    let refused = store.append(old, life.then(Event::Admitted).commit()).await;
    assert_eq!(refused, Err(AppendError::Fenced(new)));
    let refused = store.append(old, job().submitted(2).commit()).await;
    assert_eq!(refused, Err(AppendError::Fenced(new)));
    assert_told(store, &before).await;
    let listed = store.list(&Filter::default(), u64::MAX, ALL).await;
    assert_eq!(listed.map(|page| page.jobs.len()), Ok(1));
}

/// Pages of events fit together, wherever they are cut.
pub async fn events_come_back_in_order_and_without_gaps(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, epoch, &mut life).await;
    for event in straight_way(10) {
        record(store, epoch, &mut life, event).await;
    }
    assert_told(store, &life).await;
    for after in 0..=life.history.len() {
        for most in [0, 1, 3, ALL] {
            let page = store.events(life.job.id, after as u64, most).await;
            let rest = &life.history[after..];
            assert_eq!(
                page.as_deref(),
                Ok(&rest[..most.min(rest.len())]),
                "{most} after {after}"
            );
        }
    }
    let beyond = store.events(life.job.id, u64::MAX, ALL).await;
    assert_eq!(beyond, Ok(Vec::new()));
}

/// Whoever does not know whether an append worked may repeat it.
pub async fn an_append_that_is_repeated_answers_the_same_and_changes_nothing(
    store: &impl JobStore,
) {
    let epoch = claim(store).await;
    let mut life = job().key("once").submitted(1);
    let first = life.commit();
    let submission = store.append(epoch, first.clone()).await;
    assert_eq!(store.append(epoch, first.clone()).await, submission);
    life.job.submission = submission.expect("a fresh store takes a job");

    life.then(Event::Admitted).then(Event::Validated {
        by: "compiler".to_owned(),
    });
    let two = life.commit();
    assert_eq!(
        store.append(epoch, two.clone()).await,
        Ok(life.job.submission)
    );
    assert_eq!(store.append(epoch, two).await, Ok(life.job.submission));
    assert_eq!(
        store.append(epoch, first).await,
        Ok(life.job.submission),
        "also a late repetition"
    );
    assert_told(store, &life).await;
}

/// Two histories cannot both be true.
pub async fn another_append_at_a_taken_place_is_out_of_order(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, epoch, &mut life).await;
    let mut other = life.clone();
    record(store, epoch, &mut life, Event::Admitted).await;
    let refused = store
        .append(
            epoch,
            other
                .then(Event::DeadlinePassed {
                    waited_for: String::new(),
                })
                .commit(),
        )
        .await;
    let id = life.job.id;
    assert_eq!(
        refused,
        Err(AppendError::OutOfOrder {
            job: id,
            given: 2,
            last: 2
        })
    );
    let refused = store
        .append(epoch, job().priority(9).submitted(1).commit())
        .await;
    assert_eq!(
        refused,
        Err(AppendError::OutOfOrder {
            job: id,
            given: 1,
            last: 2
        })
    );
    assert_told(store, &life).await;
}

/// A history has no holes, and begins with its first event.
pub async fn an_append_that_leaves_a_gap_is_out_of_order(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    let id = life.job.id;
    let mut unborn = life.clone();
    unborn.commit();
    let refused = store
        .append(epoch, unborn.then(Event::Admitted).commit())
        .await;
    assert_eq!(
        refused,
        Err(AppendError::OutOfOrder {
            job: id,
            given: 2,
            last: 0
        })
    );
    assert_eq!(stored(store, id).await, None);

    submit(store, epoch, &mut life).await;
    let before = life.clone();
    life.then(Event::Admitted).commit();
    let refused = store
        .append(
            epoch,
            life.then(Event::DeadlinePassed {
                waited_for: String::new(),
            })
            .commit(),
        )
        .await;
    assert_eq!(
        refused,
        Err(AppendError::OutOfOrder {
            job: id,
            given: 3,
            last: 1
        })
    );
    assert_told(store, &before).await;
}

/// The second job of a key is none.
pub async fn a_key_that_is_taken_names_its_holder_and_nothing_is_stored(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut first = job().key("once").submitted(1);
    let append = first.commit();
    let fingerprint = append
        .submission
        .as_ref()
        .expect("it is the first")
        .fingerprint;
    let submission = store
        .append(epoch, append)
        .await
        .expect("a fresh store takes a job");
    let holder = KeyHolder {
        job: first.job.id,
        fingerprint,
    };

    let mut second = job().key("once").priority(9).submitted(2);
    let taken = store.append(epoch, second.commit()).await;
    assert_eq!(taken, Err(AppendError::KeyTaken(holder)));
    assert_eq!(stored(store, second.job.id).await, None);
    assert_eq!(store.program(second.job.id).await, Ok(None));
    assert_eq!(store.events(second.job.id, 0, ALL).await, Ok(Vec::new()));
    let key = first.key().expect("it has one");
    assert_eq!(store.key_holder(&key).await, Ok(Some(holder)));

    let mut third = job().submitted(3);
    let next = submit(store, epoch, &mut third).await;
    assert!(next > submission, "{next} follows {submission}");
}

/// Tenants and projects do not get in each other's way (D21).
pub async fn one_key_may_be_used_once_in_every_scope(store: &impl JobStore) {
    let epoch = claim(store).await;
    let (mut ours, mut theirs) = (
        job().key("once").submitted(1),
        job().key("once").tenant("other").submitted(2),
    );
    submit(store, epoch, &mut ours).await;
    submit(store, epoch, &mut theirs).await;
    for life in [&ours, &theirs] {
        let key = life.key().expect("it has one");
        let holder = store.key_holder(&key).await.expect("a store can be read");
        assert_eq!(holder.map(|holder| holder.job), Some(life.job.id));
    }
    let unused = Key::new(&ours.job.spec.owner.tenant, "other", "once");
    assert_eq!(store.key_holder(&unused).await, Ok(None));
}
