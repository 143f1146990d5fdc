pub(crate) mod examples;
mod properties;
mod salvage;

use std::fmt::Write as _;

use examples::{at, every_event, job, step};

use super::*;
use crate::ids::{Epoch, FencingToken};
use crate::job::event::{Event, Evidence, OnUnknown};
use crate::job::history::stays;
use crate::job::ledger::Settlement;
use crate::job::transition::transition;

#[test]
fn a_job_moves_as_the_table_says() {
    let mut table = String::new();
    for state in State::ALL {
        for event in every_event() {
            if let Ok(next) = transition(state, &event) {
                writeln!(
                    table,
                    "{:<11} {:<15} -> {}",
                    state.name(),
                    event.name(),
                    next.name()
                )
                .unwrap();
            }
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

#[test]
fn only_what_promises_nothing_may_wait_for_the_next_event() {
    let names: Vec<_> = every_event()
        .iter()
        .filter(|event| event.may_wait())
        .map(Event::name)
        .collect();
    assert_eq!(names, ["Admitted", "Validated", "Assigned", "PhaseReached"]);
    let answered = Event::PhaseReached {
        phase: Phase::PostProcessing,
    };
    assert!(!answered.may_wait(), "a slot is free on its strength");
}

#[test]
fn every_event_has_this_stored_form() {
    let mut forms = String::new();
    for event in every_event() {
        let stored = serde_json::to_value(&event).unwrap();
        assert_eq!(
            stored["kind"],
            event.name(),
            "an event is stored by its name"
        );
        // What fits one line of a page is easier to read on one.
        let line = stored.to_string();
        let form = if line.len() > 100 {
            format!("{stored:#}")
        } else {
            line
        };
        writeln!(forms, "{form}").unwrap();
    }
    insta::assert_snapshot!(forms);
}

#[test]
fn a_recorded_event_has_this_stored_form() {
    let mut job = executing();
    let recorded = step(
        &mut job,
        Event::PhaseReached {
            phase: Phase::QuantumRunning,
        },
    );
    insta::assert_json_snapshot!(recorded);
}

#[test]
fn every_event_has_a_sentence_for_people() {
    let mut sentences = String::new();
    for event in every_event() {
        writeln!(sentences, "{:<15} {}", event.name(), event.sentence()).unwrap();
    }
    insta::assert_snapshot!(sentences);
}

#[test]
fn a_refusal_says_where_the_job_is() {
    let mut job = job();
    let refused = job
        .apply(
            &Event::DeadlinePassed {
                waited_for: String::new(),
            },
            at(1),
        )
        .and_then(|()| job.apply(&Event::Admitted, at(2)));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a job in Timeout cannot record Admitted"
    );

    let mut job = executing();
    let retried = Event::Retried {
        not_before: at(9),
        cause: String::new(),
        settlement: None,
        of_store: false,
    };
    let refused = job.apply(&retried, at(2)).unwrap_err();
    insta::assert_snapshot!(refused, @"a job in Executing cannot record Retried: an execution is not left without saying what became of its shots");
}

#[test]
fn a_history_with_a_gap_or_a_false_start_is_no_job() {
    let mut job = job();
    let first = job.recorded(every_event().remove(0));
    let mut second = step(&mut job, Event::Admitted);
    assert!(Job::fold(job.id, &[first.clone(), second.clone()]).is_ok());
    assert!(Job::fold(job.id, &[]).is_err());
    assert!(Job::fold(job.id, std::slice::from_ref(&second)).is_err());
    second.seq += 1;
    assert!(Job::fold(job.id, &[first, second]).is_err());
}

#[test]
fn the_receipt_of_a_cancel_says_what_is_known_of_the_device() {
    let cancel = Event::CancelRequested {
        reason: String::new(),
    };
    let settled = |evidence, settlement| Event::Settled {
        settlement,
        evidence,
    };
    let receipt = |mut job: Job, events: &[Event]| {
        for event in events {
            step(&mut job, event.clone());
        }
        job.receipt
    };
    let none = Settlement::not_run(10, "never asked");
    let some = Settlement::stopped(10, 3, "stopped");
    let lost = Settlement::unknown(10, "silence");

    assert_eq!(
        receipt(job(), std::slice::from_ref(&cancel)),
        Some(Receipt::NotStarted)
    );
    assert_eq!(
        receipt(executing(), std::slice::from_ref(&cancel)),
        None,
        "the driver is asked"
    );
    assert_eq!(
        receipt(
            executing(),
            &[cancel.clone(), settled(Evidence::NeverAsked, none)]
        ),
        Some(Receipt::NotStarted)
    );
    assert_eq!(
        receipt(
            executing(),
            &[cancel.clone(), settled(Evidence::Driver, some.clone())]
        ),
        Some(Receipt::StoppedOnDevice { shots_used: 3 })
    );
    assert_eq!(
        receipt(
            executing(),
            &[cancel.clone(), settled(Evidence::None, lost.clone())]
        ),
        Some(Receipt::StopUnconfirmed)
    );
    let again = [
        Event::Retried {
            not_before: at(9),
            cause: String::new(),
            settlement: Some(lost),
            of_store: false,
        },
        Event::Assigned {
            device: "sim:local".parse().unwrap(),
            left_waiting: 0,
            passed_over: Vec::new(),
        },
        Event::Intended {
            token: FencingToken::new(Epoch(1), 9),
            on_unknown: OnUnknown::Rerun,
        },
        cancel.clone(),
        settled(Evidence::Driver, some.clone()),
    ];
    assert_eq!(
        receipt(executing(), &again),
        Some(Receipt::StopUnconfirmed),
        "what became of the first execution nobody knows"
    );
    assert_eq!(
        receipt(
            executing(),
            &[cancel, Event::ReceiptGiven, settled(Evidence::Driver, some)]
        ),
        Some(Receipt::StopUnconfirmed),
        "what a client was told is not taken back"
    );
}

#[test]
fn an_open_execution_is_settled_before_the_end_is_reported() {
    let mut job = executing();
    step(
        &mut job,
        Event::DeadlinePassed {
            waited_for: String::new(),
        },
    );
    assert_eq!(
        (job.duty(), job.holds().is_some()),
        (Some(Duty::Settle), true)
    );
    let settlement = Settlement::unknown(10, "silence");
    step(
        &mut job,
        Event::Settled {
            settlement,
            evidence: Evidence::None,
        },
    );
    assert_eq!((job.duty(), job.holds()), (Some(Duty::Report), None));
    step(&mut job, Event::Reported { written: true });
    assert_eq!(job.duty(), None);
}

#[test]
fn stays_are_as_long_as_the_events_are_apart() {
    let mut job = job();
    let mut history = vec![job.recorded(every_event().remove(0))];
    let mut then = |event: Event, seconds: i64| {
        job.apply(&event, at(seconds)).unwrap();
        history.push(job.recorded(event));
    };
    then(Event::Admitted, 2);
    // A try that did not work prolongs the stay and makes no second one.
    then(
        Event::Retried {
            not_before: at(5),
            cause: "away".into(),
            settlement: None,
            of_store: false,
        },
        4,
    );
    then(
        Event::Validated {
            by: "compiler".into(),
        },
        9,
    );
    // The wall clock jumped back: the stay is short, but not negative.
    then(
        Event::CancelRequested {
            reason: String::new(),
        },
        7,
    );
    then(Event::Reported { written: true }, 30);
    let told: Vec<_> = stays(&history)
        .iter()
        .map(|stay| (stay.state, stay.lasted.as_secs()))
        .collect();
    assert_eq!(
        told,
        [
            (State::Pending, 2),
            (State::Validating, 7),
            (State::Compiling, 0)
        ]
    );
}

/// A job that has just recorded its intent.
fn executing() -> Job {
    let mut job = job();
    for event in every_event() {
        if matches!(event, Event::PhaseReached { .. }) {
            break;
        }
        if !matches!(event, Event::Submitted { .. }) {
            step(&mut job, event);
        }
    }
    assert_eq!(job.state, State::Executing);
    job
}
