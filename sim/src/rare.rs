//! States that a run reaches only when things go wrong at the right moment (T1 to T16). A harness
//! that never reaches them proves nothing about them, so they are counted, and missed ones shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::job::event::{Event, Evidence};
use qrtx::job::state::State;
use qrtx_testkit::history::{Refusal, Stored};
use qrtx_testkit::neighbours::driver::End;

use crate::record::{CallRecord, Records};
use crate::verdict::Outcome;

/// Every rare state of today, and what it is.
pub const ALL: [(&str, &str); 18] = [
    ("T1", "a reply was lost after the device had executed"),
    (
        "T2-cancel-wins",
        "a cancel came within 1 ms of the answer, and won",
    ),
    (
        "T2-answer-wins",
        "a cancel came within 1 ms of the answer, and was too late",
    ),
    (
        "T3-deadline-wins",
        "a deadline passed within 5 ms of the answer, and won",
    ),
    (
        "T3-answer-wins",
        "a deadline was within 5 ms of the answer, and was too late",
    ),
    ("T4", "a kernel died at a persisted point"),
    ("T5", "two kernels overlapped"),
    ("T6", "a repeated submit was merged"),
    (
        "T7",
        "something of an older epoch or a buried execution was refused",
    ),
    ("T8", "a budget of retries was used up"),
    (
        "T9",
        "a submit was turned away, because there was too much to do",
    ),
    ("T10", "a kernel died while it was taking over"),
    (
        "T11",
        "a late answer for an ended job was booked and dropped",
    ),
    (
        "T12",
        "a program on which the compiler hangs was given up, and others ended well",
    ),
    (
        "T13",
        "a reservation was over while a job that named it was being allocated",
    ),
    (
        "T14",
        "the kernel's clock went backwards while a job held a slot",
    ),
    (
        "T15",
        "what the compiler answered was no circuit, and was refused",
    ),
    ("T16", "all devices were away at once"),
];

const CLOSE: Duration = Duration::from_millis(1);
/// An answer that comes within a few milliseconds before a deadline is not stored by then.
const CLOSE_TO_DEADLINE: Duration = Duration::from_millis(5);

/// The rare states that a run reached.
pub fn hit(outcome: &Outcome) -> BTreeSet<&'static str> {
    let records = &outcome.records;
    let mut hit = BTreeSet::new();
    let seen = Seen::of(outcome);
    for (job, stored) in &outcome.history.stored {
        of_job(outcome, *job, stored, &seen, &mut hit);
    }
    let fired = |kind: &str| records.fired.iter().any(|fired| fired.kind == kind);
    let states = [
        (
            "T4",
            ["kill-before-write", "kill-before-ack", "kill-after-ack"]
                .into_iter()
                .any(fired),
        ),
        ("T5", overlapped(records)),
        ("T6", records.merged > 0),
        (
            "T7",
            records.commits.iter().any(|commit| !commit.written) || refused(records),
        ),
        (
            "T9",
            records
                .refused
                .iter()
                .any(|refused| refused.why != Refusal::KeyConflict),
        ),
        ("T10", fired("kill-in-recovery")),
        ("T14", clock_back_while_held(outcome)),
        ("T16", all_away(outcome)),
    ];
    hit.extend(
        states
            .into_iter()
            .filter(|(_, hit)| *hit)
            .map(|(name, _)| name),
    );
    hit
}

/// What was to be seen, by job: there may be thousands.
#[derive(Default)]
struct Seen<'a> {
    calls: BTreeMap<usize, Vec<&'a CallRecord>>,
    measured: BTreeSet<&'a str>,
    accepted: BTreeMap<JobId, Duration>,
}

impl<'a> Seen<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let mut seen = Self::default();
        for call in &outcome.records.calls {
            if let Some(job) = call.job {
                seen.calls.entry(job).or_default().push(call);
            }
        }
        let runs = outcome.history.runs.iter();
        let measured = runs.filter(|run| run.end == End::Measured && run.ended.is_some());
        seen.measured = measured.map(|run| run.job.as_str()).collect();
        for commit in &outcome.records.commits {
            seen.accepted.entry(commit.job).or_insert(commit.at);
        }
        seen
    }
}

fn of_job(
    outcome: &Outcome,
    job: JobId,
    stored: &Stored,
    seen: &Seen<'_>,
    hit: &mut BTreeSet<&'static str>,
) {
    let ordinal = outcome.ordinals.get(&job);
    let own = ordinal.and_then(|ordinal| seen.calls.get(ordinal));
    let calls = || own.into_iter().flatten().copied();
    let ran = seen.measured.contains(job.to_string().as_str());
    let doubted = stored
        .events
        .iter()
        .any(|recorded| matches!(recorded.event, Event::Doubted { .. }));
    let broke = calls().any(|call| call.method == "ExecuteCircuit" && call.end != "Ok");
    if ran && (doubted || broke) {
        hit.insert("T1");
    }
    let answered = calls().filter(|call| call.method == "ExecuteCircuit" && call.end == "Ok");
    let answers: Vec<_> = answered.filter_map(|call| call.ended).collect();
    let within = |at: Duration, span| answers.iter().any(|answer| answer.abs_diff(at) <= span);
    let close = |at: Duration| within(at, CLOSE);
    let cancel = calls().filter(|call| call.method == "CancelJob");
    if cancel.filter_map(|call| call.arrived).any(close) {
        hit.insert(match stored.job.state {
            State::Cancelled => "T2-cancel-wins",
            _ => "T2-answer-wins",
        });
    }
    if let Some(deadline) = deadline_of(seen, job, stored)
        && within(deadline, CLOSE_TO_DEADLINE)
    {
        match stored.job.state {
            State::Timeout => hit.insert("T3-deadline-wins"),
            State::Completed => hit.insert("T3-answer-wins"),
            _ => false,
        };
    }
    let late = |event: &Event| matches!(event, Event::Settled { evidence: Evidence::Driver, settlement } if settlement.wasted > 0);
    if stored.events.iter().any(|recorded| late(&recorded.event)) {
        hit.insert("T11");
    }
    if let Some(failure) = &stored.job.failure {
        let given_up = failure.summary.contains("given up after");
        let poisoned = given_up
            && calls()
                .filter(|call| call.method == "CompileCircuit")
                .count()
                > 2;
        let others = outcome.history.stored.values();
        if given_up {
            hit.insert("T8");
        }
        if poisoned
            && others
                .into_iter()
                .any(|other| other.job.state == State::Completed)
        {
            hit.insert("T12");
        }
        let mut pairs = stored.events.windows(2);
        if stored.job.spec.reservation.is_some()
            && pairs.any(|pair| {
                let had_its_turn = ["Assigned", "Intended"].contains(&pair[0].event.name());
                had_its_turn && pair[1].event.name() == "Failed"
            })
            && failure.summary.contains("submit again without it")
        {
            hit.insert("T13");
        }
        if failure.summary.contains("cannot be run") {
            hit.insert("T15");
        }
    }
}

/// When the deadline of a job falls, by the run's own time; `None` for one that is far away.
fn deadline_of(seen: &Seen<'_>, job: JobId, stored: &Stored) -> Option<Duration> {
    let spec = &stored.job.spec;
    let within = spec.expires_at.since(stored.job.created_at);
    let first = *seen.accepted.get(&job)?;
    // The commit itself takes a millisecond, and the deadline counts from before it.
    let accepted = first.saturating_sub(Duration::from_millis(1));
    (within < Duration::from_secs(3_600)).then_some(accepted + within)
}

/// Two lives of the kernel at the same time, each with an epoch.
fn overlapped(records: &Records) -> bool {
    let of_kernel = || records.lives.iter().filter(|life| life.node == "kernel");
    of_kernel().any(|one| {
        of_kernel().any(|other| {
            other.number > one.number && one.ended.is_none_or(|ended| ended > other.began)
        })
    })
}

/// A driver refused an execution that it had buried, or an old token.
fn refused(records: &Records) -> bool {
    records
        .calls
        .iter()
        .any(|call| call.method == "ExecuteCircuit" && call.end == "FailedPrecondition")
}

fn clock_back_while_held(outcome: &Outcome) -> bool {
    let jumps = outcome.records.fired.iter();
    let back =
        jumps.filter(|fired| fired.kind == "clock-jump-kernel" && fired.text.contains("by -"));
    back.into_iter().any(|fired| {
        outcome.history.runs.iter().any(|run| {
            run.started.0 <= fired.at && run.ended.is_none_or(|ended| ended.0 >= fired.at)
        })
    })
}

fn all_away(outcome: &Outcome) -> bool {
    let devices = &outcome.history.slots;
    let away = |fired: &&crate::record::Fired| fired.kind.starts_with("device-");
    let fired: Vec<_> = outcome.records.fired.iter().filter(away).collect();
    fired.iter().any(|one| {
        let at_once = devices.keys().filter(|id| {
            fired.iter().any(|other| {
                let until = other.lasts.map_or(Duration::MAX, |lasts| other.at + lasts);
                other.text.starts_with(id.as_str()) && (other.at..until).contains(&one.at)
            })
        });
        at_once.count() == devices.len()
    })
}
