//! What can be read of what was committed.

use qrtx::job::Job;
use qrtx::job::event::Event;
use qrtx::job::head::Head;
use qrtx::job::state::State;
use qrtx::ports::store::{Filter, JobStore, Page};
use qrtx::time::Timestamp;

use super::{ALL, claim, record, stored, submit};
use crate::jobs::{PROGRAM, job, straight_way};

/// Neither says anything that the other does not.
pub async fn the_head_is_the_fold_of_the_events(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut life = job().submitted(1);
    let submission = submit(store, epoch, &mut life).await;
    for event in straight_way(10) {
        record(store, epoch, &mut life, event).await;
        let events = store
            .events(life.job.id, 0, ALL)
            .await
            .expect("a store can be read");
        let mut folded = Job::fold(life.job.id, &events).expect("the history is whole");
        folded.submission = submission;
        let head = store.head(life.job.id).await;
        assert_eq!(head, Ok(Some(Head::of(&folded))));
        assert_eq!(stored(store, life.job.id).await, Some(folded));
    }
}

/// Every byte of it.
pub async fn a_program_is_read_back_as_it_came(store: &impl JobStore) {
    let epoch = claim(store).await;
    let (mut plain, mut odd) = (job().submitted(1), job().submitted(2));
    submit(store, epoch, &mut plain).await;
    let mut append = odd.commit();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    if let Some(submission) = append.submission.as_mut() {
        submission.program.clone_from(&bytes);
    }
    store
        .append(epoch, append)
        .await
        .expect("a fresh store takes a job");
    assert_eq!(
        store.program(plain.job.id).await,
        Ok(Some(PROGRAM.to_vec()))
    );
    assert_eq!(store.program(odd.job.id).await, Ok(Some(bytes)));
    record(store, epoch, &mut plain, Event::Admitted).await;
    assert_eq!(
        store.program(plain.job.id).await,
        Ok(Some(PROGRAM.to_vec()))
    );
}

/// Ids are drawn, so it is the submission that orders.
pub async fn the_list_has_the_newest_first_and_can_be_paged(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut submissions = Vec::new();
    for number in [5, 1, 4, 2, 3] {
        let mut life = job().submitted(number);
        submissions.push(submit(store, epoch, &mut life).await);
    }
    assert!(
        submissions.is_sorted_by(|earlier, later| earlier < later),
        "{submissions:?}"
    );
    submissions.reverse();
    let mut before = Some(u64::MAX);
    let mut listed = Vec::new();
    while let Some(below) = before {
        let page = store
            .list(&Filter::default(), below, 2)
            .await
            .expect("a store can be read");
        assert!(page.jobs.len() <= 2);
        listed.extend(page.jobs.iter().map(|job| job.submission));
        before = page.next;
    }
    assert_eq!(listed, submissions);
    let whole = store
        .list(&Filter::default(), u64::MAX, submissions.len())
        .await;
    let whole = whole.expect("a store can be read");
    assert_eq!(
        (whole.jobs.len(), whole.next),
        (submissions.len(), None),
        "a page that is full and the last has no next"
    );
    let none = store.list(&Filter::default(), u64::MAX, 0).await;
    assert_eq!(none.map(|page| page.jobs), Ok(Vec::new()));
}

/// All parts of a filter together, and the state that a job has now.
pub async fn the_list_shows_what_the_filter_asks_for(store: &impl JobStore) {
    let epoch = claim(store).await;
    let drafts = [
        job(),
        job().target("sim-2"),
        job().tenant("other"),
        job().target("sim-2"),
    ];
    let mut lives = Vec::new();
    for (draft, number) in drafts.into_iter().zip(1..) {
        let mut life = draft.submitted(number);
        submit(store, epoch, &mut life).await;
        lives.push(life);
    }
    record(store, epoch, &mut lives[0], Event::Admitted).await;
    record(
        store,
        epoch,
        &mut lives[1],
        Event::DeadlinePassed {
            waited_for: String::new(),
        },
    )
    .await;
    let numbers = async |filter: Filter, most| {
        let listed = store
            .list(&filter, u64::MAX, most)
            .await
            .expect("a store can be read");
        let number = |head: &Head| lives.iter().position(|life| life.job.id == head.id);
        listed.jobs.iter().filter_map(number).collect::<Vec<_>>()
    };
    let states = |states: &[State]| Filter {
        states: states.to_vec(),
        ..Filter::default()
    };
    let sim_2 = Filter {
        target: Some("sim-2".to_owned()),
        ..Filter::default()
    };
    let other = Filter {
        tenant: Some("other".to_owned()),
        ..Filter::default()
    };
    assert_eq!(numbers(Filter::default(), ALL).await, [3, 2, 1, 0]);
    assert_eq!(numbers(states(&[State::Pending]), ALL).await, [3, 2]);
    assert_eq!(
        numbers(states(&[State::Validating, State::Timeout]), ALL).await,
        [1, 0]
    );
    assert_eq!(numbers(sim_2.clone(), ALL).await, [3, 1]);
    assert_eq!(
        numbers(sim_2.clone(), 1).await,
        [3],
        "the page is full before the list ends"
    );
    assert_eq!(numbers(other, ALL).await, [2]);
    let both = Filter {
        states: vec![State::Timeout],
        ..sim_2
    };
    assert_eq!(
        numbers(both, 1).await,
        [1],
        "what does not fit takes no room on the page"
    );
}

/// From a moment on, and up to another.
pub async fn the_list_shows_jobs_of_an_age(store: &impl JobStore) {
    let epoch = claim(store).await;
    for number in 1..=4_i64 {
        let mut life = job().submitted_at(number.unsigned_abs(), Timestamp(number));
        submit(store, epoch, &mut life).await;
    }
    let ages = async |from: Option<i64>, before: Option<i64>| {
        let filter = Filter {
            created_from: from.map(Timestamp),
            created_before: before.map(Timestamp),
            ..Filter::default()
        };
        let listed = store.list(&filter, u64::MAX, ALL).await;
        let listed = listed.expect("a store can be read");
        listed
            .jobs
            .iter()
            .map(|job| job.created_at.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(ages(None, None).await, [4, 3, 2, 1]);
    assert_eq!(ages(Some(2), None).await, [4, 3, 2]);
    assert_eq!(ages(None, Some(2)).await, [1]);
    assert_eq!(ages(Some(2), Some(4)).await, [3, 2]);
}

/// A kernel that starts gets everything that it has to go on with, and no more.
pub async fn unfinished_are_exactly_the_jobs_with_a_duty_oldest_first(store: &impl JobStore) {
    let epoch = claim(store).await;
    let mut lives: Vec<_> = [4, 3, 2, 1].map(|number| job().submitted(number)).into();
    for life in &mut lives {
        submit(store, epoch, life).await;
    }
    for event in straight_way(10) {
        record(store, epoch, &mut lives[1], event).await;
    }
    // It has ended, but nobody has been told why.
    record(
        store,
        epoch,
        &mut lives[2],
        Event::DeadlinePassed {
            waited_for: String::new(),
        },
    )
    .await;
    let unfinished = async || {
        let (mut left, mut after) = (Vec::new(), 0);
        loop {
            let page = store.unfinished(after, 2).await;
            let page = page.expect("a store can be read");
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { return left };
            after = last.submission;
            left.extend(page.into_iter().map(|one| one.head.expect("it is whole")));
        }
    };
    let left = unfinished().await;
    assert_eq!(left, [0, 2, 3].map(|number| Head::of(&lives[number].job)));
    assert!(left.iter().all(|job| job.duty.is_some()));

    record(
        store,
        epoch,
        &mut lives[2],
        Event::Reported { written: true },
    )
    .await;
    assert_eq!(
        unfinished().await,
        [0, 3].map(|number| Head::of(&lives[number].job))
    );
}

/// Not there is an answer, not an error.
pub async fn of_an_unknown_job_there_is_nothing(store: &impl JobStore) {
    let life = job().key("once").submitted(1);
    let (id, key) = (life.job.id, life.key().expect("it has one"));
    assert_eq!(stored(store, id).await, None);
    assert_eq!(store.head(id).await, Ok(None));
    assert_eq!(store.events(id, 0, ALL).await, Ok(Vec::new()));
    assert_eq!(store.program(id).await, Ok(None));
    assert_eq!(store.key_holder(&key).await, Ok(None));
    let listed = store.list(&Filter::default(), u64::MAX, ALL).await;
    assert_eq!(listed, Ok(Page::default()));
    assert_eq!(store.unfinished(0, ALL).await, Ok(Vec::new()));
    assert_eq!(store.salvage(id).await, Ok(None));
    assert_eq!(store.ended(0, ALL).await, Ok((Vec::new(), None)));
    assert_eq!(store.count().await, Ok(0));
}
