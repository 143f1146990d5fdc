//! What holds when the name of a job does not lead to it any more.

use qrtx::ids::Epoch;
use qrtx::job::event::Event;
use qrtx::ports::store::{Filter, JobStore, ReadError};

use super::{ALL, Spot, assert_told, claim, record, stored, submit};
use crate::jobs::{Life, PROGRAM, job, straight_way};

/// Several jobs, so that the number of the last is no other number of the store.
async fn the_last_of_seven(store: &impl JobStore, epoch: Epoch) -> Life {
    for number in 1..7 {
        submit(store, epoch, &mut job().submitted(number)).await;
    }
    let mut life = job().key("once").submitted(7);
    submit(store, epoch, &mut life).await;
    record(store, epoch, &mut life, Event::Admitted).await;
    life
}

/// It is told from a job that was never there, stands in lists, and can be written anew.
pub async fn a_job_whose_name_is_damaged_can_be_mended<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let life = the_last_of_seven(&store, epoch).await;
    let id = life.job.id;
    let store = spoil(store, &life, &[Spot::Name]).await;
    let read = store.job(id).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    let page = store.list(&Filter::default(), u64::MAX, 1).await;
    assert_eq!(page.expect("it can be read").jobs[0].id, id);

    let epoch = claim(&store).await;
    let left = store.salvage(id).await.expect("it can be read");
    let left = left.expect("it is found by its head");
    assert_eq!((&left.events, &left.broken), (&life.history, &None));
    let written = store.replace(epoch, life.job.clone(), left.events).await;
    assert_eq!(written, Ok(()));
    assert_told(&store, &life).await;
    assert_eq!(store.program(id).await, Ok(Some(PROGRAM.to_vec())));
}

/// Whoever has the job at hand does not look it up, and is not held up.
pub async fn a_job_whose_name_is_damaged_goes_on<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let mut life = the_last_of_seven(&store, epoch).await;
    let store = spoil(store, &life, &[Spot::Name]).await;
    let epoch = claim(&store).await;
    for event in straight_way(10).into_iter().skip(1) {
        record(&store, epoch, &mut life, event).await;
    }
    assert_told(&store, &life).await;
}

/// Nor does it keep others from being forgotten.
pub async fn a_job_whose_name_is_damaged_is_forgotten<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let mut life = the_last_of_seven(&store, epoch).await;
    for event in straight_way(10).into_iter().skip(1) {
        record(&store, epoch, &mut life, event).await;
    }
    let store = spoil(store, &life, &[Spot::Name]).await;
    let epoch = claim(&store).await;
    let forgotten = store.forget(epoch, vec![life.job.id]).await;
    assert_eq!(forgotten, Ok(()));
    assert_eq!(store.count().await, Ok(6));
    assert_eq!(stored(&store, life.job.id).await, None);
    let page = store.list(&Filter::default(), u64::MAX, ALL).await;
    assert_eq!(page.expect("it can be read").jobs.len(), 6);
}

/// What was paid for is not lost with a head and an early event.
pub async fn a_whole_checkpoint_outlives_a_hole_before_it<S: JobStore>(
    store: S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    let epoch = claim(&store).await;
    let mut life = job().submitted(1);
    submit(&store, epoch, &mut life).await;
    for event in straight_way(10) {
        record(&store, epoch, &mut life, event).await;
    }
    let store = spoil(store, &life, &[Spot::Head, Spot::Event(3)]).await;
    let left = store.salvage(life.job.id).await.expect("it can be read");
    let whole = left
        .expect("it is there")
        .whole
        .expect("it has a checkpoint");
    assert_eq!(whole, life.job);

    let epoch = claim(&store).await;
    let written = store.replace(epoch, whole, Vec::new()).await;
    assert_eq!(written, Ok(()));
    assert_eq!(stored(&store, life.job.id).await.as_ref(), Some(&life.job));
    let history = store.events(life.job.id, 0, ALL).await;
    assert!(
        matches!(history, Err(ReadError::Corrupt { .. })),
        "what cannot be read stays as it is: {history:?}"
    );
    let behind = store.events(life.job.id, 3, ALL).await;
    assert_eq!(behind.as_deref(), Ok(&life.history[3..]));
}
