//! What is left of a job whose record is damaged is a job that the table allows.

use super::examples::{at, every_event, job, spec, step};
use super::*;
use crate::job::event::Recorded;
use crate::job::salvage::remains;

/// A life up to the counts.
fn history() -> Vec<Recorded> {
    let mut job = job();
    let spec = job.spec.clone();
    let mut history = vec![job.recorded(Event::Submitted { spec })];
    let way = [
        "Admitted",
        "Validated",
        "Compiled",
        "Assigned",
        "Intended",
        "Executed",
    ];
    for name in way {
        let event = every_event().into_iter().find(|event| event.name() == name);
        history.push(step(&mut job, event.unwrap()));
    }
    history
}

#[test]
fn a_history_that_is_whole_stays_as_it_is() {
    let history = history();
    let id = job().id;
    let remains = remains(id, history.clone(), None, || unreachable!(), at(99));
    assert_eq!(remains.job, Job::fold(id, &history).unwrap());
    assert_eq!((remains.events, remains.lost), (history, None));
}

#[test]
fn wherever_a_history_breaks_the_job_has_failed_and_nothing_before_is_lost() {
    let history = history();
    let id = job().id;
    for kept in 1..history.len() {
        let broken = format!("event {} is damaged", kept + 1);
        let rest = history[..kept].to_vec();
        let left = remains(id, rest, Some(broken.clone()), || unreachable!(), at(99));
        assert_eq!(left.events[..kept], history[..kept]);
        assert_eq!(
            Job::fold(id, &left.events).as_ref(),
            Ok(&left.job),
            "{kept}"
        );
        assert_eq!(
            (left.job.state, left.lost),
            (State::Failed, Some(broken.clone()))
        );
        let JobError { code, summary } = left.job.error().unwrap();
        assert_eq!(code, "PersistError");
        assert!(summary.contains(&broken), "{summary}");
    }
}

#[test]
fn an_execution_that_was_open_is_asked_after_and_not_run_again() {
    let intended = history()[..6].to_vec();
    let broken = Some("event 7 is damaged".to_owned());
    let left = remains(job().id, intended, broken, || unreachable!(), at(99));
    assert_eq!(left.job.duty(), Some(Duty::Settle));
}

#[test]
fn an_event_that_the_table_does_not_allow_there_is_damage_too() {
    let mut history = history();
    history.remove(2);
    let left = remains(job().id, history.clone(), None, || unreachable!(), at(99));
    assert_eq!(left.events[..2], history[..2]);
    assert_eq!(left.job.state, State::Failed);
    assert!(left.lost.unwrap().contains("Compiled"));
}

#[test]
fn a_job_of_which_nothing_is_left_is_a_job_that_has_failed() {
    let broken = Some("event 1 is damaged".to_owned());
    let left = remains(job().id, Vec::new(), broken, || (at(3), spec()), at(99));
    assert_eq!(Job::fold(job().id, &left.events), Ok(left.job.clone()));
    assert_eq!(left.job.state, State::Failed);
    assert_eq!(left.job.created_at, at(3));
}
