//! What a cancel was told is so (D15): nothing ran, or it was over by then and cost so much, or the
//! job went its way, or the driver has not said so. And a repeated cancel is told the same.

use std::collections::BTreeMap;

use qrtx::job::event::{Event, Evidence};
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News, Stored, Told};

/// Says which receipts are not true.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut first = BTreeMap::new();
    for told in &history.told {
        let News::Receipt {
            receipt,
            shots_used,
        } = &told.news
        else {
            continue;
        };
        let before = *first.entry(told.job).or_insert(receipt);
        if before != receipt {
            broken.push(Breach::at(
                told.at,
                format!("a cancel of {} was told {before}, then {receipt}", told.job),
            ));
        }
        let receipt = receipt.trim_start_matches("CANCEL_RECEIPT_");
        let why = match receipt {
            "NOT_STARTED" => started(history, told),
            "ACCEPTED" => goes_on(history, told),
            "STOPPED_ON_DEVICE" => not_stopped(history, told, *shots_used),
            "TOO_LATE" => in_time(history, told),
            "STOP_UNCONFIRMED" => known(history, told),
            _ => Some("that is no receipt".to_owned()),
        };
        let why = why.or_else(|| ended_otherwise(history, told).filter(|_| receipt != "TOO_LATE"));
        broken.extend(why.map(|why| {
            let (job, at) = (told.job, told.at.as_secs_f64());
            let how = format!("a cancel of {job} was told {receipt} at {at:.3} s: {why}");
            Breach::at(told.at, how)
        }));
    }
    broken
}

/// Who is told that it was cancelled does not find another end.
fn ended_otherwise(history: &History, told: &Told) -> Option<String> {
    let state = history.stored.get(&told.job)?.job.state;
    let other = state.is_terminal() && state != State::Cancelled;
    other.then(|| format!("it ended {}", state.name()))
}

fn runs<'h>(history: &'h History, told: &Told) -> impl Iterator<Item = &'h crate::neighbours::Run> {
    let name = told.job.to_string();
    history.runs.iter().filter(move |run| run.job == name)
}

fn started(history: &History, told: &Told) -> Option<String> {
    let fired: i64 = runs(history, told).map(|run| run.shots_fired).sum();
    (fired > 0).then(|| format!("{fired} shots were fired"))
}

/// What system-api is told of a job that did not start, or was stopped.
fn goes_on(history: &History, told: &Told) -> Option<String> {
    let mut all = runs(history, told);
    all.any(|run| run.ended.is_none_or(|ended| ended.0 > told.at))
        .then(|| "it went on".to_owned())
}

fn not_stopped(history: &History, told: &Told, shots_used: Option<i64>) -> Option<String> {
    let on = goes_on(history, told);
    if on.is_some() {
        return on;
    }
    let last = runs(history, told).last();
    let fired = last.map_or(0, |run| run.shots_fired);
    let wrong = history.driver_was_well && shots_used != Some(fired);
    let named = shots_used.map_or_else(|| "none".to_owned(), |shots| shots.to_string());
    wrong.then(|| format!("{fired} shots were fired, and {named} were told"))
}

/// Too late is who cancels what has ended, or whose counts are stored.
fn in_time(history: &History, told: &Told) -> Option<String> {
    let state = history.stored.get(&told.job).map(|stored| stored.job.state);
    if state == Some(State::Cancelled) {
        return Some("and it was cancelled".to_owned());
    }
    let mut commits = history.committed.iter();
    let over = |state: State| state == State::Completing || state.is_terminal();
    let is_over =
        commits.any(|commit| commit.job == told.job && commit.at <= told.at && over(commit.state));
    // Nobody can say it where nobody wrote down when things were stored.
    (!is_over && !history.committed.is_empty())
        .then(|| "neither its end nor its counts were stored".to_owned())
}

/// What a driver has confirmed, or never heard of, is no doubt.
fn known(history: &History, told: &Told) -> Option<String> {
    let Stored { job, events, .. } = history.stored.get(&told.job)?;
    let mut events = events.iter().map(|recorded| &recorded.event);
    if !events
        .clone()
        .any(|event| matches!(event, Event::Intended { .. }))
    {
        return Some("no device was asked to run it".to_owned());
    }
    let lost = job.ledger.iter().any(|entry| entry.settlement.unknown > 0);
    let decided = events.find(|event| matches!(event, Event::ReceiptGiven | Event::Settled { .. }));
    let confirmed = matches!(
        decided,
        Some(Event::Settled {
            evidence: Evidence::Driver,
            ..
        })
    );
    (confirmed && !lost).then(|| "the driver had said what became of it".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qrtx::job::ledger::Settlement;

    use super::*;
    use crate::invariants::sample::{good, job, secs, tell};

    /// The job was cancelled after all.
    fn cancelled() -> History {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        stored.job.state = State::Cancelled;
        history
    }

    fn told(receipts: &[&str], at: Duration) -> Vec<Breach> {
        let mut history = good();
        for receipt in receipts {
            let news = News::Receipt {
                receipt: format!("CANCEL_RECEIPT_{receipt}"),
                shots_used: None,
            };
            tell(&mut history, news);
            history.told.last_mut().unwrap().at = at;
        }
        check(&history)
    }

    #[test]
    fn a_run_that_is_denied_is_refused() {
        let then = Duration::ZERO;
        assert_eq!(told(&["NOT_STARTED"], then).len(), 1);
        assert_eq!(
            told(&["STOPPED_ON_DEVICE"], then).len(),
            1,
            "it ended later"
        );
    }

    #[test]
    fn a_cancel_that_is_accepted_is_the_end() {
        let accepted = |mut history: History| {
            let news = News::Receipt {
                receipt: "ACCEPTED".to_owned(),
                shots_used: None,
            };
            tell(&mut history, news);
            history.told.last_mut().unwrap().at = secs(1_000);
            check(&history).len()
        };
        assert_eq!(accepted(cancelled()), 0);
        assert_eq!(accepted(good()), 1);
    }

    #[test]
    fn a_receipt_that_says_less_than_is_known_is_refused() {
        let mut history = cancelled();
        let unconfirmed = News::Receipt {
            receipt: "CANCEL_RECEIPT_STOP_UNCONFIRMED".to_owned(),
            shots_used: None,
        };
        tell(&mut history, unconfirmed);
        assert_eq!(check(&history), [""; 0]);
        let stored = history.stored.get_mut(&job()).unwrap();
        let settled = stored.job.recorded(Event::Settled {
            settlement: Settlement::wasted(10, "the execution was stopped"),
            evidence: Evidence::Driver,
        });
        stored.events.push(settled);
        assert_eq!(check(&history).len(), 1, "the driver has confirmed it");
        stored_until(&mut history, "Intended");
        assert_eq!(check(&history).len(), 1, "no device was asked");
    }

    #[test]
    fn too_late_is_not_said_of_what_waits() {
        let mut history = good();
        let late = News::Receipt {
            receipt: "CANCEL_RECEIPT_TOO_LATE".to_owned(),
            shots_used: None,
        };
        tell(&mut history, late);
        history.runs.clear();
        history.committed.pop();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn what_a_stop_has_cost_is_told() {
        let mut history = cancelled();
        history.driver_was_well = true;
        let stopped = |shots_used| News::Receipt {
            receipt: "CANCEL_RECEIPT_STOPPED_ON_DEVICE".to_owned(),
            shots_used,
        };
        let late = secs(1_000);
        tell(&mut history, stopped(Some(10)));
        history.told.last_mut().unwrap().at = late;
        assert_eq!(check(&history), [""; 0]);
        tell(&mut history, stopped(Some(0)));
        history.told.last_mut().unwrap().at = late;
        assert_eq!(check(&history).len(), 1);
    }

    fn stored_until(history: &mut History, name: &str) {
        let events = &mut history.stored.get_mut(&job()).unwrap().events;
        let end = events
            .iter()
            .position(|recorded| recorded.event.name() == name);
        events.truncate(end.unwrap());
    }

    #[test]
    fn a_receipt_that_changes_is_refused() {
        assert_eq!(told(&["TOO_LATE"], secs(1_000)), [""; 0]);
        let receipts = ["TOO_LATE", "STOP_UNCONFIRMED"];
        let broken = told(&receipts, secs(1_000));
        assert!(broken[0].how.contains("TOO_LATE, then"), "{broken:?}");
    }
}
