//! A job fails when its tries or its time are spent, and not before (D18, D19): what passes by
//! itself is no reason.

use std::time::Duration;

use qrtx::job::event::Event;
use qrtx::job::failure::Category;
use qrtx::job::spec::ProgramFormat;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{Asked, Committed, History, Stored};

/// How a call ends that may be tried again.
const PASSES: [&str; 10] = [
    "FailedPrecondition",
    "breaks",
    "given up",
    "cannot be sent",
    "Unavailable",
    "ResourceExhausted",
    "DeadlineExceeded",
    "Aborted",
    "Cancelled",
    "",
];

/// Says which job failed too early.
pub fn check(history: &History) -> Vec<Breach> {
    let each = history.stored.values().filter_map(|stored| {
        let failure = stored.job.failure.as_ref()?;
        let how = match failure.category {
            Category::PersistError => before_time(history, stored),
            Category::CompileError => before_tries(history, stored),
            Category::ExecuteError => before_attempts(history, stored),
            Category::ValidationError => unjudged(history, stored),
            Category::AllocationError => before_its_device_came(history, stored),
        }?;
        let id = stored.job.id;
        let end = history
            .committed
            .iter()
            .find(|commit| commit.job == id && commit.state == State::Failed);
        let at = end.map(|commit| commit.at);
        let how = format!("{id} failed early: {how}");
        Some(Breach { at, how })
    });
    let unreported = history.stored.values().filter_map(|stored| {
        let (at, lasted) = unreported(history, stored)?;
        let id = stored.job.id;
        let how = format!("{id} has no error.json, and that was tried for {lasted:?}");
        Some(Breach::at(at, how))
    });
    each.chain(unreported).collect()
}

/// When it was given up to write down why a job ended, and after how long, if that was too soon.
fn unreported(history: &History, stored: &Stored) -> Option<(Duration, Duration)> {
    let given_up = Event::Reported { written: false };
    stored.events.iter().find(|event| event.event == given_up)?;
    let commits = history.committed.iter();
    let mut commits = commits.filter(|commit| commit.job == stored.job.id);
    let ended = commits.find(|commit| commit.state.is_terminal())?.at;
    let at = commits
        .find(|commit| commit.events.contains(&"Reported"))?
        .at;
    let (lasted, bound) = time_to_store(history, ended, at)?;
    (lasted < bound).then_some((at, lasted))
}

/// How long it was tried to store something, and how long at least it is to be; `None` if that cannot
/// be told.
fn time_to_store(history: &History, began: Duration, at: Duration) -> Option<(Duration, Duration)> {
    // A kernel that is started anew has nothing but the wall clock to go by.
    if history.wall_moved {
        return None;
    }
    let bound = Duration::from_millis(history.limits.persist_ms);
    let back_offs = Duration::from_millis(history.limits.backoff_ms_max) * 2;
    // The time runs from when the state was to be stored: that may have been long before, if the kernel
    // stood still then, or the job store took nothing.
    let mut held_up = history.pauses.iter().chain(&history.store_troubles);
    let held_up = held_up.any(|&(from, until)| from <= began && began <= until + back_offs);
    (!held_up).then(|| (at.saturating_sub(began), bound.saturating_sub(back_offs)))
}

/// The store and QFS are waited for.
fn before_time(history: &History, stored: &Stored) -> Option<String> {
    let commits = history.committed.iter();
    let commits: Vec<_> = commits
        .filter(|commit| commit.job == stored.job.id)
        .collect();
    let end = commits
        .iter()
        .position(|commit| commit.state == State::Failed)?;
    let last = end.checked_sub(1).map(|before| commits[before].state)?;
    let began = commits[..end]
        .iter()
        .rev()
        .take_while(|commit| commit.state == last);
    let began = began.last()?.at;
    let (lasted, bound) = time_to_store(history, began, commits[end].at)?;
    (lasted < bound).then(|| {
        format!("what was to be stored was tried for {lasted:?}, and {bound:?} are the least")
    })
}

/// A compiler that has not answered at all is asked several times. Circuits are compiled by the kernel
/// itself, and `who_fits_is_found` says when it should have.
fn before_tries(history: &History, stored: &Stored) -> Option<String> {
    if stored.job.spec.format == ProgramFormat::AqoJson {
        return None;
    }
    let events = &stored.events;
    let last = events
        .iter()
        .rev()
        .find(|event| event.state != State::Failed)?;
    let calls = calls(history, stored, "CompileCircuit");
    let answered = calls
        .iter()
        .any(|call| !PASSES.contains(&call.end.as_str()));
    let most = history.limits.compile_tries as usize;
    let early = last.state == State::Compiling && !answered && calls.len() < most;
    early.then(|| format!("the compiler was asked {} times of {most}", calls.len()))
}

/// Nor is a device that has refused for now, or was never reached.
fn before_attempts(history: &History, stored: &Stored) -> Option<String> {
    let last = stored.job.ledger.last()?;
    let most = history.limits.execute_attempts as usize;
    let attempts = stored.job.ledger.len();
    let calls_for = |what| calls(history, stored, what);
    // What a driver says of an execution may be a reason, and is not seen here.
    let asked = !calls_for("GetExecution").is_empty() || !calls_for("CancelExecution").is_empty();
    let executed = calls_for("ExecuteCircuit");
    let passes = executed
        .last()
        .is_some_and(|call| PASSES.contains(&call.end.as_str()));
    let early = last.settlement.not_run == last.requested && attempts < most && passes && !asked;
    early.then(|| format!("it was tried {attempts} times of {most}, and did not run"))
}

/// The programs here are all as they should be: only a compiler may think otherwise.
fn unjudged(history: &History, stored: &Stored) -> Option<String> {
    let asked =
        ["ValidateCircuit", "CompileCircuit"].map(|what| calls(history, stored, what).len());
    (asked == [0, 0]).then(|| "no compiler was asked whether its program is valid".to_owned())
}

/// Who was compiled for a device that there is waits for it also if it is away when a kernel starts.
fn before_its_device_came(history: &History, stored: &Stored) -> Option<String> {
    let spec = &stored.job.spec;
    let id = spec.target.as_str();
    let last = stored.events.iter().rev().map(|event| event.state);
    let was_queued = last.into_iter().find(|state| *state != State::Failed) == Some(State::Queued);
    if !was_queued || spec.reservation.is_some() || !history.devices.contains_key(id) {
        return None;
    }
    let of_job = |commit: &&Committed| commit.job == stored.job.id && commit.state == State::Failed;
    let end = history.committed.iter().find(of_job)?.at;
    let lives = history.starts.iter().filter(|start| start.at <= end);
    let began = lives.max_by_key(|start| start.at)?.at;
    let bound = Duration::from_millis(history.limits.first_contact_ms);
    (end - began < bound).then(|| format!("{id} was waited for {:?} of {bound:?}", end - began))
}

fn calls<'h>(history: &'h History, stored: &Stored, what: &str) -> Vec<&'h Asked> {
    let calls = history.asked.iter();
    calls
        .filter(|call| call.job == Some(stored.job.id) && call.what == what)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Device, Start};
    use crate::invariants::sample::{asked, failed, job};

    #[test]
    fn who_stores_must_wait_for_the_store() {
        let mut history = failed(Category::PersistError, State::Completing, 10);
        assert_eq!(check(&history).len(), 1);
        history.store_troubles = vec![(Duration::ZERO, Duration::from_millis(1))];
        assert_eq!(check(&history), [""; 0], "nobody knows since when it is");
        let history = failed(Category::PersistError, State::Completing, 4_000);
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_device_that_is_away_when_a_kernel_starts_is_waited_for() {
        let mut history = failed(Category::AllocationError, State::Queued, 10);
        history.starts = vec![Start {
            at: Duration::ZERO,
            ready: None,
            ended: None,
        }];
        assert_eq!(check(&history), [""; 0], "there is no such device");
        let device = Device::default();
        history.devices.insert("qpu".to_owned(), device);
        assert_eq!(check(&history).len(), 1);
        history.limits.first_contact_ms = 5_000;
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_compiler_that_is_away_is_asked_more_than_once() {
        let mut history = failed(Category::CompileError, State::Compiling, 10);
        let stored = history.stored.get_mut(&job()).unwrap();
        let mut spec = (*stored.job.spec).clone();
        spec.format = ProgramFormat::EigenLangSource;
        stored.job.spec = spec.into();
        let mut call = asked("CompileCircuit", 1, 2);
        call.end = "Unavailable".to_owned();
        history.asked = vec![call.clone()];
        assert_eq!(check(&history).len(), 1);
        history.asked = vec![call.clone(); 5];
        assert_eq!(check(&history), [""; 0], "all tries are spent");
        history.asked = vec![Asked {
            end: "InvalidArgument".to_owned(),
            ..call
        }];
        assert_eq!(check(&history), [""; 0], "it has said no");
    }

    #[test]
    fn a_program_that_nobody_looked_at_is_not_invalid() {
        let mut history = failed(Category::ValidationError, State::Validating, 1);
        assert_eq!(check(&history).len(), 1);
        history.asked = vec![asked("ValidateCircuit", 1, 2)];
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn why_a_job_ended_is_tried_to_be_written_down_for_as_long_as_results_are() {
        let mut history = failed(Category::CompileError, State::Pending, 10);
        let stored = history.stored.get_mut(&job()).unwrap();
        let reported = Event::Reported { written: false };
        let recorded = stored.job.recorded(reported);
        stored.events.push(recorded);
        let mut last = history.committed.last().unwrap().clone();
        (last.at, last.events) = (last.at + Duration::from_secs(1), vec!["Reported"]);
        history.committed.push(last);
        let before = check(&history).len();
        history.limits.persist_ms = 0;
        assert_eq!(before, check(&history).len() + 1);
    }

    #[test]
    fn a_device_that_is_busy_is_asked_more_than_once() {
        let mut history = failed(Category::ExecuteError, State::Executing, 10);
        let mut call = asked("ExecuteCircuit", 1, 2);
        call.end = "ResourceExhausted".to_owned();
        history.asked = vec![call];
        assert_eq!(check(&history).len(), 1);
        history.limits.execute_attempts = 1;
        assert_eq!(check(&history), [""; 0]);
    }
}
