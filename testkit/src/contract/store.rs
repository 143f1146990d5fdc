//! What every [`JobStore`] keeps, whatever it is made of.

mod commit;
mod damage;
mod draining;
mod found;
mod read;
mod reservations;
mod retention;

use qrtx::ids::{Epoch, JobId};
use qrtx::job::Job;
use qrtx::job::event::Event;
use qrtx::job::head::Head;
use qrtx::ports::store::{JobStore, Unfinished};

pub use commit::*;
pub use damage::*;
pub use draining::*;
pub use found::*;
pub use read::*;
pub use reservations::*;
pub use retention::*;

use crate::jobs::{Life, PROGRAM, job, straight_way};

const ALL: usize = 1_000;

/// Runs the whole suite, each property with a store of its own from `fresh`; `reopen` closes a
/// store and opens the same one again; `spoil` spoils rows of a job, as a bad disk does, and gives
/// the store that has them.
///
/// # Panics
/// When the store breaks the contract.
pub async fn job_store<S: JobStore>(
    fresh: impl AsyncFn() -> S,
    reopen: impl AsyncFn(S) -> S,
    spoil: impl AsyncFn(S, &Life, &[Spot]) -> S,
) {
    every_claim_gives_a_greater_epoch(&fresh().await).await;
    a_stale_epoch_is_refused_and_leaves_no_trace(&fresh().await).await;
    events_come_back_in_order_and_without_gaps(&fresh().await).await;
    an_append_that_is_repeated_answers_the_same_and_changes_nothing(&fresh().await).await;
    another_append_at_a_taken_place_is_out_of_order(&fresh().await).await;
    an_append_that_leaves_a_gap_is_out_of_order(&fresh().await).await;
    a_key_that_is_taken_names_its_holder_and_nothing_is_stored(&fresh().await).await;
    one_key_may_be_used_once_in_every_scope(&fresh().await).await;
    the_head_is_the_fold_of_the_events(&fresh().await).await;
    a_program_is_read_back_as_it_came(&fresh().await).await;
    the_list_has_the_newest_first_and_can_be_paged(&fresh().await).await;
    the_list_shows_what_the_filter_asks_for(&fresh().await).await;
    the_list_shows_jobs_of_an_age(&fresh().await).await;
    unfinished_are_exactly_the_jobs_with_a_duty_oldest_first(&fresh().await).await;
    of_an_unknown_job_there_is_nothing(&fresh().await).await;
    what_is_stored_outlives_the_store_that_stored_it(fresh().await, &reopen).await;
    a_device_drains_until_that_is_taken_back(fresh().await, &reopen).await;
    a_reservation_is_as_it_was_stored_last_until_it_is_forgotten(fresh().await, reopen).await;
    a_job_that_cannot_be_read_hides_no_other(fresh().await, &spoil).await;
    of_a_spoilt_job_everything_before_the_damage_is_salvaged(fresh().await, &spoil).await;
    an_event_before_a_whole_checkpoint_is_not_missed(fresh().await, &spoil).await;
    a_job_is_not_read_from_a_spoilt_checkpoint(fresh().await, &spoil).await;
    a_job_that_does_not_know_its_key_any_more_takes_it_along(fresh().await, &spoil).await;
    a_job_whose_name_is_damaged_can_be_mended(fresh().await, &spoil).await;
    a_job_whose_name_is_damaged_goes_on(fresh().await, &spoil).await;
    a_job_whose_name_is_damaged_is_forgotten(fresh().await, &spoil).await;
    a_whole_checkpoint_outlives_a_hole_before_it(fresh().await, &spoil).await;
    a_long_history_makes_the_job_that_it_says(&fresh().await).await;
    a_record_that_is_replaced_reads_as_what_was_written(fresh().await, &spoil).await;
    only_whole_records_of_jobs_that_are_there_are_replaced(&fresh().await).await;
    ended_are_exactly_the_jobs_that_are_over_and_done_with(&fresh().await).await;
    of_a_forgotten_job_only_its_name_is_left_until_that_is_cleared(&fresh().await).await;
    a_job_with_a_duty_is_not_forgotten(&fresh().await).await;
    a_submission_number_is_never_given_twice(&fresh().await).await;
}

/// A row of a job that can be spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// What is shown of the job.
    Head,
    /// The whole job as its last commit left it, if that commit wrote it.
    Checkpoint,
    /// The event of this number.
    Event(u64),
    /// The submission number that stands under its name.
    Name,
}

/// Submits a job and gives its submission number.
async fn submit(store: &impl JobStore, epoch: Epoch, life: &mut Life) -> u64 {
    let submission = store
        .append(epoch, life.commit())
        .await
        .expect("a fresh store takes a job");
    life.job.submission = submission;
    submission
}

async fn record(store: &impl JobStore, epoch: Epoch, life: &mut Life, event: Event) {
    life.then(event);
    store
        .append(epoch, life.commit())
        .await
        .expect("the next event is taken");
}

async fn claim(store: &impl JobStore) -> Epoch {
    store.claim().await.expect("a store can be claimed")
}

async fn stored(store: &impl JobStore, job: JobId) -> Option<Job> {
    store.job(job).await.expect("a store can be read")
}

/// That the store has exactly this life, and nothing of it is lost.
async fn assert_told(store: &impl JobStore, life: &Life) {
    assert_eq!(stored(store, life.job.id).await.as_ref(), Some(&life.job));
    let events = store
        .events(life.job.id, 0, ALL)
        .await
        .expect("a store can be read");
    assert_eq!(events, life.history);
}

/// An answer means that it is there for good, epochs and submission numbers included.
pub async fn what_is_stored_outlives_the_store_that_stored_it<S: JobStore>(
    store: S,
    reopen: impl AsyncFn(S) -> S,
) {
    let old = claim(&store).await;
    let mut done = job().key("once").submitted(1);
    let mut live = job().submitted(2);
    submit(&store, old, &mut done).await;
    let last = submit(&store, old, &mut live).await;
    for event in straight_way(10) {
        record(&store, old, &mut done, event).await;
    }
    record(&store, old, &mut live, Event::Admitted).await;

    let store = reopen(store).await;
    assert_told(&store, &done).await;
    assert_told(&store, &live).await;
    let unfinished = store.unfinished(0, ALL).await;
    let one = Unfinished {
        submission: live.job.submission,
        id: live.job.id,
        head: Ok(Head::of(&live.job)),
    };
    assert_eq!(unfinished, Ok(vec![one]));
    assert_eq!(store.program(done.job.id).await, Ok(Some(PROGRAM.to_vec())));
    let holder = store.key_holder(&done.key().expect("it has one")).await;
    assert_eq!(
        holder.map(|holder| holder.map(|holder| holder.job)),
        Ok(Some(done.job.id))
    );

    let new = claim(&store).await;
    assert!(new > old, "{new:?} follows {old:?}");
    let mut next = job().submitted(3);
    assert!(submit(&store, new, &mut next).await > last);
    record(
        &store,
        new,
        &mut live,
        Event::Validated {
            by: "skipped".to_owned(),
        },
    )
    .await;
    assert_told(&store, &live).await;
}
