//! What holds when rows cannot be read any more.

use qrtx::job::Job;
use qrtx::job::event::Event;
use qrtx::job::head::Head;
use qrtx::ports::store::{AppendError, Filter, JobStore, ReadError};
use qrtx::time::Timestamp;

use super::{ALL, Spot, assert_told, claim, record, stored, submit};
use crate::jobs::{Life, PROGRAM, job, straight_way};

/// Three jobs in Validating, of which the second will be spoilt.
async fn three(store: &impl JobStore) -> [Life; 3] {
    let epoch = claim(store).await;
    let mut lives = [1, 2, 3].map(|number| job().submitted(number));
    for life in &mut lives {
        submit(store, epoch, life).await;
        record(store, epoch, life, Event::Admitted).await;
    }
    lives
}

/// Neither at the start of a kernel nor in a list.
pub async fn a_job_that_cannot_be_read_hides_no_other<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let lives = three(&store).await;
    let bad = &lives[1];
    let store = spoil(store, bad, &[Spot::Head]).await;
    let names_it =
        |why: &ReadError| matches!(why, ReadError::Corrupt { job, .. } if *job == bad.job.id);
    let read = store.job(bad.job.id).await;
    assert!(read.as_ref().is_err_and(names_it), "{read:?}");
    let read = store.head(bad.job.id).await;
    assert!(read.as_ref().is_err_and(names_it), "{read:?}");

    let unfinished = store.unfinished(0, ALL).await.expect("it can be read");
    let ids: Vec<_> = unfinished.iter().map(|one| one.id).collect();
    assert_eq!(ids, lives.each_ref().map(|life| life.job.id));
    assert!(unfinished[0].head.is_ok() && unfinished[2].head.is_ok());

    let page = store.list(&Filter::default(), u64::MAX, ALL).await;
    let page = page.expect("it can be read");
    assert_eq!(page.unreadable, [bad.job.id]);
    let listed: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
    assert_eq!(listed, [lives[2].job.id, lives[0].job.id]);
    for good in [&lives[0], &lives[2]] {
        assert_told(&store, good).await;
    }
}

/// And what is wrong is said.
pub async fn of_a_spoilt_job_everything_before_the_damage_is_salvaged<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let mut life = job().tenant("whose").submitted(1);
    submit(&store, epoch, &mut life).await;
    for event in straight_way(10) {
        record(&store, epoch, &mut life, event).await;
    }
    let whole = store.salvage(life.job.id).await.expect("it can be read");
    let whole = whole.expect("it is there");
    assert_eq!((whole.events, whole.broken), (life.history.clone(), None));

    let store = spoil(store, &life, &[Spot::Event(4)]).await;
    let left = store.salvage(life.job.id).await.expect("it can be read");
    let left = left.expect("it is there");
    assert_eq!(left.events, life.history[..3]);
    let broken = left.broken.expect("something is wrong");
    assert!(broken.contains("event 4"), "{broken}");
    assert_eq!(left.head, Some(Head::of(&life.job)));
    assert_eq!(left.submission, life.job.submission);
    let store = spoil(store, &life, &[Spot::Head]).await;
    let left = store.salvage(life.job.id).await.expect("it can be read");
    assert_eq!(left.map(|left| left.head), Some(None));

    let read = store.events(life.job.id, 0, ALL).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    let before = store.events(life.job.id, 0, 3).await;
    assert_eq!(before.as_deref(), Ok(&life.history[..3]));
    let behind = store.events(life.job.id, 4, ALL).await;
    assert_eq!(behind.as_deref(), Ok(&life.history[4..]));
}

/// A job that has gone all the way.
async fn completed(store: &impl JobStore) -> Life {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, epoch, &mut life).await;
    for event in straight_way(10) {
        record(store, epoch, &mut life, event).await;
    }
    life
}

/// What was paid for is there twice, and the job is read from what is whole.
pub async fn an_event_before_a_whole_checkpoint_is_not_missed<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let life = completed(&store).await;
    let store = spoil(store, &life, &[Spot::Event(4)]).await;
    assert_eq!(stored(&store, life.job.id).await, Some(life.job));
}

/// Not even from the events behind it: who mends it looks at all of them.
pub async fn a_job_is_not_read_from_a_spoilt_checkpoint<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let life = completed(&store).await;
    let store = spoil(store, &life, &[Spot::Checkpoint]).await;
    let read = store.job(life.job.id).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    let head = store.head(life.job.id).await;
    assert_eq!(head, Ok(Some(Head::of(&life.job))));
    let left = store.salvage(life.job.id).await.expect("it can be read");
    let left = left.expect("it is there");
    assert_eq!((left.events, left.broken), (life.history, None));
}

/// A repetition of its request would be told of a job that is not there.
pub async fn a_job_that_does_not_know_its_key_any_more_takes_it_along<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let mut life = job().key("once").submitted(1);
    submit(&store, epoch, &mut life).await;
    let store = spoil(store, &life, &[Spot::Event(1)]).await;
    let left = store.salvage(life.job.id).await.expect("it can be read");
    let head = left.expect("it is there").head.expect("it is whole");
    assert_eq!(head.key, life.key());

    let mut left = job().submitted(1);
    let over = Event::DeadlinePassed {
        waited_for: String::new(),
    };
    left.then(over).then(Event::Reported { written: true });
    let epoch = claim(&store).await;
    let written = store.replace(epoch, left.job, left.history).await;
    assert_eq!(written, Ok(()));
    let forgotten = store.forget(epoch, vec![life.job.id]).await;
    assert_eq!(forgotten, Ok(()));
    let key = life.key().expect("it has one");
    assert_eq!(store.key_holder(&key).await, Ok(None));
}

/// However often it was tried.
pub async fn a_long_history_makes_the_job_that_it_says(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, epoch, &mut life).await;
    record(store, epoch, &mut life, Event::Admitted).await;
    for number in 1..=100 {
        let retried = Event::Retried {
            not_before: Timestamp(number),
            cause: format!("try {number} did not work"),
            settlement: None,
            of_store: number % 2 == 0,
        };
        record(store, epoch, &mut life, retried).await;
        assert_told(store, &life).await;
    }
}

/// Program, key and place in the list are those of before, and the job goes on from there.
pub async fn a_record_that_is_replaced_reads_as_what_was_written<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let old = claim(&store).await;
    let mut life = job().key("once").submitted(1);
    submit(&store, old, &mut life).await;
    for event in straight_way(10) {
        record(&store, old, &mut life, event).await;
    }
    let store = spoil(store, &life, &[Spot::Head, Spot::Event(3)]).await;
    let epoch = claim(&store).await;
    let mut rest = job().key("once").submitted(1);
    rest.then(Event::Admitted).then(Event::DeadlinePassed {
        waited_for: String::new(),
    });
    rest.job.submission = life.job.submission;
    let Life {
        job: after,
        history,
        ..
    } = rest.clone();
    let written = store.replace(epoch, after.clone(), history.clone()).await;
    assert_eq!(written, Ok(()));
    assert_told(&store, &rest).await;
    let again = store.replace(epoch, after, history).await;
    assert_eq!(again, Ok(()), "repeating it changes nothing");
    assert_told(&store, &rest).await;
    assert_eq!(store.program(life.job.id).await, Ok(Some(PROGRAM.to_vec())));
    let holder = store.key_holder(&life.key().expect("it has one")).await;
    let holder = holder.expect("it can be read").map(|holder| holder.job);
    assert_eq!(holder, Some(life.job.id));
    assert_eq!(store.count().await, Ok(1));

    rest.commit();
    record(&store, epoch, &mut rest, Event::Reported { written: true }).await;
    assert_told(&store, &rest).await;
    let fenced = store
        .replace(old, rest.job.clone(), rest.history.clone())
        .await;
    assert_eq!(fenced, Err(AppendError::Fenced(epoch)));
}

/// Nothing comes into being this way, and no history begins in the middle.
pub async fn only_whole_records_of_jobs_that_are_there_are_replaced(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    let unborn = store
        .replace(epoch, life.job.clone(), life.history.clone())
        .await;
    assert!(
        matches!(unborn, Err(AppendError::OutOfOrder { .. })),
        "{unborn:?}"
    );
    assert_eq!(stored(store, life.job.id).await, None::<Job>);
    submit(store, epoch, &mut life).await;
    record(store, epoch, &mut life, Event::Admitted).await;
    let part = store
        .replace(epoch, life.job.clone(), life.history[1..].to_vec())
        .await;
    assert!(
        matches!(part, Err(AppendError::OutOfOrder { .. })),
        "{part:?}"
    );
    assert_told(store, &life).await;
}
