//! What holds when jobs are forgotten.

use qrtx::job::event::Event;
use qrtx::job::failure::{Category, Failure};
use qrtx::job::head::Head;
use qrtx::ports::store::{AppendError, Ended, Filter, JobStore};

use super::{ALL, assert_told, claim, record, stored, submit};
use crate::jobs::{Life, job, straight_way};

async fn completed(store: &impl JobStore, epoch: qrtx::ids::Epoch, life: &mut Life) {
    submit(store, epoch, life).await;
    for event in straight_way(10) {
        record(store, epoch, life, event).await;
    }
}

/// Oldest first, with what a decision about them needs.
pub async fn ended_are_exactly_the_jobs_that_are_over_and_done_with(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut done = job().key("once").submitted(3);
    let mut waiting = job().submitted(2);
    let mut untold = job().submitted(1);
    let mut last = job().submitted(4);
    completed(store, epoch, &mut done).await;
    submit(store, epoch, &mut waiting).await;
    submit(store, epoch, &mut untold).await;
    let failure = Failure::new(Category::CompileError, "it is no program");
    let failed = Event::Failed {
        failure,
        settlement: None,
    };
    record(store, epoch, &mut untold, failed).await;
    completed(store, epoch, &mut last).await;
    let told = |life: &Life, keyed| Ended {
        submission: life.job.submission,
        id: life.job.id,
        at: life.job.state_since,
        created_at: life.job.created_at,
        keyed,
    };
    let ended = store.ended(0, ALL).await.expect("it can be read").0;
    assert_eq!(ended, [told(&done, true), told(&last, false)]);
    let (first, next) = store.ended(0, 1).await.expect("it can be read");
    assert_eq!(first, ended[..1]);
    let mut after = next.expect("there is more");
    let mut rest = Vec::new();
    loop {
        let (found, next) = store.ended(after, 1).await.expect("it can be read");
        rest.extend(found);
        let Some(next) = next else { break };
        after = next;
    }
    assert_eq!(rest, ended[1..]);
}

/// The name leads to the artifacts, and goes when they are gone.
pub async fn of_a_forgotten_job_only_its_name_is_left_until_that_is_cleared(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut lives = [1, 2].map(|number| job().key(&number.to_string()).submitted(number));
    for life in &mut lives {
        completed(store, epoch, life).await;
    }
    let [gone, kept] = &lives;
    let id = gone.job.id;
    assert_eq!(store.forget(epoch, vec![id]).await, Ok(()));
    assert_eq!(stored(store, id).await, None);
    assert_eq!(store.events(id, 0, ALL).await, Ok(Vec::new()));
    assert_eq!(store.program(id).await, Ok(None));
    assert_eq!(store.salvage(id).await, Ok(None));
    let key = gone.key().expect("it has one");
    assert_eq!(store.key_holder(&key).await, Ok(None));
    let listed = store.list(&Filter::default(), u64::MAX, ALL).await;
    assert_eq!(listed.map(|page| page.jobs), Ok(vec![Head::of(&kept.job)]));
    assert_told(store, kept).await;
    assert_eq!(store.count().await, Ok(1));

    assert_eq!(store.forget(epoch, vec![id]).await, Ok(()), "once more");
    assert_eq!(store.count().await, Ok(1));
    assert_eq!(store.forgotten(ALL).await, Ok(vec![id]));
    assert_eq!(store.cleared(epoch, vec![id]).await, Ok(()));
    assert_eq!(store.cleared(epoch, vec![id]).await, Ok(()), "once more");
    assert_eq!(store.forgotten(ALL).await, Ok(Vec::new()));

    let new = claim(store).await;
    let stale = store.forget(epoch, vec![kept.job.id]).await;
    assert_eq!(stale, Err(AppendError::Fenced(new)));
    assert_told(store, kept).await;
}

/// Whoever asks by mistake does no harm.
pub async fn a_job_with_a_duty_is_not_forgotten(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    submit(store, epoch, &mut life).await;
    assert_eq!(store.forget(epoch, vec![life.job.id]).await, Ok(()));
    assert_told(store, &life).await;
    assert_eq!(store.forgotten(ALL).await, Ok(Vec::new()));
    assert_eq!(store.count().await, Ok(1));
}

/// Not even when the last job of all is forgotten.
pub async fn a_submission_number_is_never_given_twice(store: &impl JobStore) {
    let epoch = claim(store).await;
    let (mut first, mut second) = (job().submitted(1), job().submitted(2));
    completed(store, epoch, &mut first).await;
    assert_eq!(store.forget(epoch, vec![first.job.id]).await, Ok(()));
    assert_eq!(store.count().await, Ok(0));
    let next = submit(store, epoch, &mut second).await;
    assert!(next > first.job.submission, "{next}");
    assert_eq!(store.count().await, Ok(1));
}
