//! What holds for every job, whatever happens to it.

use proptest::prelude::*;

use super::examples::{every_event, job, outcome};
use crate::job::event::{Event, Evidence, Recorded};
use crate::job::ledger::Settlement;
use crate::job::state::{Phase, State};
use crate::job::{Duty, Job};
use crate::time::Timestamp;

/// Some event with content that fits a job of ten shots; whether it fits the job is its affair.
fn any_event() -> impl Strategy<Value = Event> {
    let settlement = prop_oneof![
        Just(Settlement::not_run(10, "refused")),
        (0u64..20).prop_map(|used| Settlement::stopped(10, used, "stopped")),
        Just(Settlement::wasted(10, "rejected")),
        Just(Settlement::unknown(10, "lost")),
    ];
    let evidence = prop_oneof![
        Just(Evidence::NeverAsked),
        Just(Evidence::Driver),
        Just(Evidence::None),
    ];
    let example = |number: usize| every_event().remove(number);
    // Ends are rare, or few lives would come as far as a device.
    prop_oneof![
        20 => (1..10_usize).prop_map(example),
        2 => (0..every_event().len()).prop_map(example),
        3 => (settlement, evidence, any::<i32>(), 0usize..4).prop_map(
            |(settlement, evidence, seconds, kind)| match kind {
                0 => Event::Settled { settlement, evidence },
                1 => Event::Retried {
                    not_before: Timestamp(i64::from(seconds)),
                    cause: "away".into(),
                    settlement: Some(settlement),
                    of_store: false,
                },
                2 => Event::Retried {
                    not_before: Timestamp(i64::from(seconds)),
                    cause: "away".into(),
                    settlement: None,
                    of_store: false,
                },
                _ => Event::Executed { outcome: Box::new(outcome(10)) },
            }
        ),
        3 => proptest::sample::select(&Phase::ALL[..])
            .prop_map(|phase| Event::PhaseReached { phase }),
    ]
}

/// An event, and how the wall clock moves before it, in microseconds: sometimes backwards.
fn any_life() -> impl Strategy<Value = Vec<(Event, i64)>> {
    proptest::collection::vec((any_event(), -2_000_000_i64..5_000_000), 1..120)
}

/// What [`live`] saw.
struct Life {
    job: Job,
    history: Vec<Recorded>,
    /// The job before and after each event that was recorded.
    steps: Vec<(Job, Job)>,
}

/// Records whatever can be recorded; what is refused must leave no trace.
fn live(events: Vec<(Event, i64)>) -> Life {
    let mut job = job();
    let mut clock = job.created_at.0;
    let mut history = vec![job.recorded(every_event().remove(0))];
    let mut steps = Vec::new();
    for (event, pause) in events {
        clock += pause;
        let before = job.clone();
        match job.apply(&event, Timestamp(clock)) {
            Ok(()) => {
                history.push(job.recorded(event));
                steps.push((before, job.clone()));
            }
            Err(_) => assert_eq!(job, before, "a refused event changed the job"),
        }
    }
    Life {
        job,
        history,
        steps,
    }
}

proptest! {
    #[test]
    fn ends_are_final(events in any_life()) {
        for (before, after) in live(events).steps {
            if before.state.is_terminal() {
                prop_assert_eq!(before.state, after.state);
                prop_assert_eq!(before.state_seq, after.state_seq);
            }
        }
    }

    #[test]
    fn public_state_never_goes_back(events in any_life()) {
        for (before, after) in live(events).steps {
            prop_assert!(before.shown <= after.shown);
            prop_assert!(after.state.public() <= after.shown);
        }
    }

    #[test]
    fn time_never_goes_back_though_the_clock_does(events in any_life()) {
        for (before, after) in live(events).steps {
            prop_assert!(before.updated_at <= after.updated_at);
            prop_assert!(after.state_since <= after.updated_at);
        }
    }

    #[test]
    fn from_every_checkpoint_on_the_rest_of_the_history_makes_the_same_job(events in any_life()) {
        let Life { job, history, steps } = live(events);
        for (_, mut checkpoint) in steps {
            // As it comes back from a store.
            let stored = serde_json::to_vec(&checkpoint).unwrap();
            checkpoint = serde_json::from_slice(&stored).unwrap();
            let (_, rest) = history.split_at(usize::try_from(checkpoint.seq).unwrap());
            if let [_, gap @ ..] = rest && !gap.is_empty() {
                prop_assert!(checkpoint.clone().follow(gap).is_err());
            }
            checkpoint.follow(rest).unwrap();
            prop_assert_eq!(&checkpoint, &job);
        }
    }

    #[test]
    fn every_shot_is_accounted_for(events in any_life()) {
        for (before, after) in live(events).steps {
            for (number, entry) in after.ledger.iter().enumerate() {
                prop_assert_eq!(entry.settlement.total(), u64::from(entry.requested));
                prop_assert_eq!(entry.attempt as usize, number + 1);
                prop_assert!(!entry.open || number + 1 == after.ledger.len());
            }
            prop_assert!(before.ledger.len() <= after.ledger.len());
            if after.state == State::Completed {
                let last = after.ledger.last().unwrap();
                prop_assert_eq!(last.settlement.delivered, last.requested);
            }
        }
    }

    #[test]
    fn events_are_numbered_without_gaps(events in any_life()) {
        let life = live(events);
        for (number, recorded) in life.history.iter().enumerate() {
            prop_assert_eq!(recorded.seq, number as u64 + 1);
        }
        prop_assert_eq!(life.job.seq, life.history.len() as u64);
    }

    #[test]
    fn a_history_tells_the_whole_job(events in any_life()) {
        let life = live(events);
        prop_assert_eq!(Job::fold(life.job.id, &life.history).unwrap(), life.job);
    }

    #[test]
    fn a_job_and_its_events_read_back_as_written(events in any_life(), seconds: f64) {
        let mut life = live(events);
        if let Some(outcome) = life.job.outcome.as_mut() && seconds.is_finite() {
            std::sync::Arc::make_mut(outcome).execution_seconds = seconds;
        }
        let stored = serde_json::to_vec(&life.job).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Job>(&stored).unwrap(), life.job);
        let stored = serde_json::to_vec(&life.history).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Vec<Recorded>>(&stored).unwrap(), life.history);
    }

    #[test]
    fn a_slot_is_taken_exactly_from_the_turn_to_the_end_of_the_execution(events in any_life()) {
        for (_, job) in live(events).steps {
            let answered = job.phase == Some(Phase::PostProcessing);
            let running = job.open_run().is_some() && !answered;
            let takes = job.state == State::Allocating || running;
            prop_assert_eq!(job.holds().is_some(), takes);
            prop_assert!(job.state != State::Executing || job.open_run().is_some());
        }
    }

    #[test]
    fn only_a_job_that_is_done_with_has_no_duty(events in any_life()) {
        for (_, job) in live(events).steps {
            let done = job.state == State::Completed
                || job.state.is_terminal() && job.reported && job.open_run().is_none();
            prop_assert_eq!(job.duty().is_none(), done);
            prop_assert_eq!(job.duty() == Some(Duty::Execute), job.state == State::Executing);
            prop_assert_eq!(job.phase.is_some(), job.state == State::Executing);
            prop_assert_eq!(job.error().is_some(), job.state.is_terminal() && job.state != State::Completed);
        }
    }
}
