use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::ids::{Epoch, FencingToken, JobId, Sha256Sum};
use crate::job::event::{CircuitFormat, CircuitRef, Counts, OnUnknown, Outcome};
use crate::job::ledger::Settlement;
use crate::job::spec::{JobSpec, Owner, ProgramFormat};
use crate::job::trace::TraceContext;

const HOUR: Duration = Duration::from_secs(3600);

fn spec() -> JobSpec {
    JobSpec {
        name: "bell".into(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(b"program"),
        program_bytes: 7,
        target: "sim-1".parse().unwrap(),
        reservation: None,
        priority: 50,
        shots: 10,
        seed: None,
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::new(),
        expires_at: Timestamp(0) + HOUR,
        owner: Owner {
            tenant: "t".into(),
            project: "p".into(),
            subject: String::new(),
        },
        idempotency_key: None,
        request_id: "req_1".into(),
        trace: TraceContext::new(1),
    }
}

/// A job that went the straight way to `state`, and there failed `tries` times.
fn job(state: State, tries: u32) -> Job {
    let mut job = Job::submitted(JobId::new(1, [0; 10]), spec(), Timestamp(0));
    for event in way_to(state) {
        job.apply(&event, Timestamp(0)).unwrap();
    }
    assert_eq!(job.state, state);
    job.tries = tries;
    job
}

fn way_to(state: State) -> Vec<Event> {
    let circuit = CircuitRef {
        format: CircuitFormat::AqoJson,
        sha256: Sha256Sum::of(b"c"),
        bytes: 1,
        key_widths: [2].into(),
        needs: None,
    };
    let outcome = Outcome {
        circuit_sha256: circuit.sha256,
        counts: Counts::Inline(BTreeMap::from([("0".into(), 10)])),
        execution_seconds: 0.5,
        metadata: BTreeMap::new(),
    };
    let whole = [
        Event::Admitted,
        Event::Validated {
            by: "compiler".into(),
        },
        Event::Compiled { circuit },
        Event::Assigned {
            device: "sim-1".parse().unwrap(),
            left_waiting: 0,
            passed_over: Vec::new(),
        },
        Event::Intended {
            token: FencingToken::new(Epoch(1), 1),
            on_unknown: OnUnknown::Rerun,
        },
        Event::Executed {
            outcome: Box::new(outcome),
        },
    ];
    match State::ALL.iter().position(|other| *other == state) {
        Some(steps @ 0..=6) => whole.into_iter().take(steps).collect(),
        _ => vec![Event::DeadlinePassed {
            waited_for: String::new(),
        }],
    }
}

fn later(category: Category, settlement: Option<Settlement>) -> Setback {
    Setback::Later(Box::new(Later {
        category,
        cause: "it is away".into(),
        retry_after: None,
        settlement,
    }))
}

fn told(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Pause(span) => format!("pause {span:?}"),
        Judgement::Record(Event::Retried {
            not_before,
            settlement,
            ..
        }) => {
            let shots = settlement.as_ref().map_or("", |_| ", shots settled");
            format!("try again in {:?}{shots}", not_before.since(Timestamp(0)))
        }
        Judgement::Record(Event::Failed {
            failure,
            settlement,
        }) => {
            let shots = settlement.as_ref().map_or("", |_| ", shots settled");
            format!("{}: {}{shots}", failure.category.code(), failure.summary)
        }
        Judgement::Record(Event::CircuitLost {
            not_before: Some(not_before),
            ..
        }) => format!("compile again in {:?}", not_before.since(Timestamp(0))),
        Judgement::Record(event) => event.sentence(),
    }
}

fn judged(job: &Job, setback: Setback, elapsed: Duration) -> String {
    let stay = Stay {
        now: Timestamp(0),
        elapsed,
        until_deadline: HOUR,
        jitter: u32::MAX,
    };
    told(&judge(job, setback, &Limits::default(), stay))
}

#[test]
fn a_setback_is_judged_by_where_the_job_is_how_often_and_how_long() {
    let seconds = Duration::from_secs;
    let mut table = String::new();
    for (state, category, tries, elapsed) in [
        (State::Validating, Category::CompileError, 0, seconds(0)),
        (State::Validating, Category::CompileError, 3, seconds(0)),
        (State::Validating, Category::CompileError, 4, seconds(0)),
        (State::Validating, Category::CompileError, 0, seconds(10)),
        (State::Compiling, Category::CompileError, 3, seconds(1000)),
        (State::Compiling, Category::CompileError, 4, seconds(0)),
        (State::Compiling, Category::PersistError, 40, seconds(0)),
        (State::Compiling, Category::PersistError, 0, seconds(3600)),
        (
            State::Allocating,
            Category::AllocationError,
            40,
            seconds(1000),
        ),
        (State::Allocating, Category::PersistError, 0, seconds(3600)),
        (State::Completing, Category::PersistError, 0, seconds(0)),
        (State::Completing, Category::PersistError, 40, seconds(3599)),
        (State::Completing, Category::PersistError, 0, seconds(3600)),
        (State::Timeout, Category::PersistError, 0, seconds(0)),
        (State::Timeout, Category::PersistError, 0, seconds(3)),
        (State::Timeout, Category::PersistError, 0, seconds(3600)),
    ] {
        let mut job = job(state, tries);
        if category == Category::PersistError {
            job.store_tries = tries;
        }
        let judgement = judged(&job, later(category, None), elapsed);
        let (state, category) = (state.name(), category.code());
        writeln!(
            table,
            "{state:<10} {category:<15} after {tries:>2} tries, {elapsed:>5?}: {judgement}"
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_third_execution_of_three_is_the_last_and_every_one_is_settled() {
    let proof = Some(Settlement::not_run(10, "refused"));
    let mut job = job(State::Executing, 0);
    let first = judged(
        &job,
        later(Category::ExecuteError, proof.clone()),
        Duration::ZERO,
    );
    assert_eq!(first, "try again in 100ms, shots settled");
    job.ledger[0].attempt = 3;
    let third = judged(&job, later(Category::ExecuteError, proof), Duration::ZERO);
    assert_eq!(
        third,
        "ExecuteError: it is away (given up after 3 tries), shots settled"
    );
}

#[test]
fn what_will_never_work_ends_a_job_and_only_gives_up_the_report_of_one_that_ended() {
    let never = || Setback::Never(Failure::new(Category::CompileError, "syntax"), None);
    assert_eq!(
        judged(&job(State::Compiling, 0), never(), HOUR),
        "CompileError: syntax"
    );
    let given_up = judged(&job(State::Timeout, 0), never(), Duration::ZERO);
    assert_eq!(given_up, "error.json could not be written");
}

#[test]
fn no_back_off_reaches_beyond_the_deadline() {
    let near = Duration::from_millis(30);
    let stay = Stay {
        now: Timestamp(0),
        elapsed: HOUR,
        until_deadline: near,
        jitter: 0,
    };
    let setback = later(Category::AllocationError, None);
    let judgement = judge(
        &job(State::Allocating, 9),
        setback,
        &Limits::default(),
        stay,
    );
    assert_eq!(told(&judgement), "try again in 30ms");
}

#[test]
fn a_wish_of_the_neighbour_is_heard() {
    let setback = Setback::Later(Box::new(Later {
        category: Category::CompileError,
        cause: "busy".into(),
        retry_after: Some(Duration::from_secs(5)),
        settlement: None,
    }));
    assert_eq!(
        judged(&job(State::Compiling, 0), setback, Duration::ZERO),
        "try again in 5s"
    );
}

#[test]
fn waiting_for_the_store_costs_no_try_of_the_compiler() {
    let mut job = job(State::Compiling, 9);
    job.store_tries = 9;
    let first = judged(&job, later(Category::CompileError, None), Duration::ZERO);
    job.store_tries = 5;
    let last = judged(&job, later(Category::CompileError, None), Duration::ZERO);
    assert_eq!(first, "try again in 100ms");
    assert!(last.contains("given up after 5 tries"), "{last}");
}

#[test]
fn a_circuit_that_is_lost_again_and_again_is_compiled_ever_later() {
    let mut job = job(State::Allocating, 0);
    let mut lost = |times| {
        job.circuits_lost = times;
        let setback = Setback::CircuitLost("it is missing".into());
        judged(&job, setback, Duration::ZERO)
    };
    assert_eq!(lost(0), "compile again in 100ms");
    assert_eq!(lost(1), "compile again in 200ms");
    assert_eq!(lost(99), "compile again in 32s");
}
