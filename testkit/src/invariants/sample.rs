//! A small history in which all is well, to be spoilt by the tests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use qrtx::ids::{Epoch, FencingToken, JobId, ReservationId, Sha256Sum};
use qrtx::job::Job;
use qrtx::job::event::{
    ArtifactRef, CircuitFormat, CircuitRef, Counts, Event, OnUnknown, Outcome, Recorded,
};
use qrtx::job::failure::{Category, Failure};
use qrtx::job::ledger::Settlement;
use qrtx::job::spec::{JobSpec, Owner, ProgramFormat};
use qrtx::job::state::{PublicState, State};
use qrtx::job::trace::TraceContext;
use qrtx::schedule::reservation::Reservation;
use qrtx::time::{Monotonic, Timestamp};

use crate::history::{Asked, Committed, Given, History, News, Stored, Told, Wish};
use crate::neighbours::Run;
use crate::neighbours::driver::End;

const CIRCUIT: &[u8] = br#"{"operations":[{"op":"MEASURE"}]}"#;

/// The one job of the sample.
pub(super) fn job() -> JobId {
    JobId::new(1, [7; 10])
}

fn spec() -> JobSpec {
    JobSpec {
        name: "job 0".to_owned(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(CIRCUIT),
        program_bytes: CIRCUIT.len() as u64,
        target: "qpu".parse().unwrap(),
        reservation: None,
        priority: 50,
        shots: 10,
        seed: None,
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::new(),
        expires_at: Timestamp(1_000_000_000),
        owner: Owner {
            tenant: "t".into(),
            project: "p".into(),
            subject: String::new(),
        },
        idempotency_key: Some("key 0".to_owned()),
        request_id: "r".to_owned(),
        trace: TraceContext {
            trace_id: 1,
            parent_span: 0,
            sampled: false,
        },
    }
}

fn counts<N: From<u8>>() -> BTreeMap<String, N> {
    [("00", 4), ("11", 6)]
        .map(|(key, shots)| (key.to_owned(), N::from(shots)))
        .into()
}

/// The results of that job.
fn results() -> Vec<u8> {
    let results = json!({
        "counts": counts::<u64>(), "device_id": "qpu", "shots": 10,
        "execution_id": format!("{}#1", job()), "circuit_sha256": Sha256Sum::of(CIRCUIT),
        "execution_time_sec": 1.0, "metadata": {},
    });
    serde_json::to_vec(&results).expect("it is JSON")
}

/// The manifest of that job.
fn meta() -> Vec<u8> {
    let (size_bytes, results) = (results().len(), Sha256Sum::of(&results()).to_string());
    let program = Sha256Sum::of(CIRCUIT).to_string();
    let listed = [json!({ "path": "results.json", "sha256": results, "size_bytes": size_bytes })];
    let hashes = json!({
        "results_sha256": results, "program_sha256": program, "circuit_sha256": program,
    });
    let meta = json!({
        "name": "job 0", "tenant_id": "t", "project_id": "p", "created_at_unix_us": 5,
        "executed_at_unix_us": 5, "artifacts": listed, "hashes": hashes,
    });
    serde_json::to_vec(&meta).expect("it is JSON")
}

/// A job that was accepted, ran once, and was completed; one client watched it.
pub(super) fn good() -> History {
    let (id, at) = (job(), Timestamp(5));
    let mut job = Job::submitted(id, spec(), at);
    let mut events = vec![job.recorded(Event::Submitted {
        spec: spec().into(),
    })];
    let circuit = CircuitRef {
        format: CircuitFormat::AqoJson,
        sha256: Sha256Sum::of(CIRCUIT),
        bytes: CIRCUIT.len() as u64,
        key_widths: [2].into(),
        needs: None,
    };
    let token = FencingToken::new(Epoch(1), 1);
    let outcome = Box::new(Outcome {
        circuit_sha256: Sha256Sum::of(CIRCUIT),
        counts: Counts::Inline(counts::<u64>()),
        execution_seconds: 1.0,
        metadata: BTreeMap::new(),
    });
    for event in [
        Event::Admitted,
        Event::Validated {
            by: "skipped".to_owned(),
        },
        Event::Compiled { circuit },
        Event::Assigned {
            device: "qpu".parse().unwrap(),
            left_waiting: 0,
            passed_over: Vec::new(),
        },
        Event::Intended {
            token,
            on_unknown: OnUnknown::Fail,
        },
        Event::Executed { outcome },
        Event::Stored {
            artifacts: vec![ArtifactRef::of("results.json", &results())],
            manifest: ArtifactRef::of("meta.json", &meta()),
        },
    ] {
        job.apply(&event, at).expect("the life of a job");
        events.push(job.recorded(event));
    }
    job.spec = spec().into();
    let files = [("results.json", results()), ("meta.json", meta())];
    let artifacts: BTreeMap<_, _> = files
        .map(|(name, content)| (name.to_owned(), content))
        .into();
    let at_completion = Some(artifacts.clone());

    let mut history = History::default();
    tell(
        &mut history,
        News::Accepted {
            key: "key 0".to_owned(),
            asked: Duration::ZERO,
            repeated: Some(false),
            wish: Wish {
                name: "job 0".to_owned(),
                tenant: "t".to_owned(),
                program: Sha256Sum::of(CIRCUIT),
                target: "qpu".to_owned(),
                shots: 10,
                seed: None,
                options: BTreeMap::new(),
                priority: 50,
                timeout: None,
            },
        },
    );
    for recorded in &events {
        let kind = recorded.event.name().to_owned();
        tell(
            &mut history,
            News::Event {
                seq: recorded.seq,
                kind,
                state: recorded.state,
            },
        );
        tell(&mut history, News::Public(recorded.state.public()));
    }
    tell(
        &mut history,
        News::Results {
            state: job.state,
            device: Some("qpu".to_owned()),
            counts: counts::<i64>(),
        },
    );
    tell(&mut history, News::Public(PublicState::Done));
    history.slots.insert("qpu".to_owned(), 1);
    history.committed = (1..)
        .map(Duration::from_secs)
        .zip(&events)
        .map(|(at, recorded)| Committed {
            at,
            confirmed: true,
            job: id,
            seq: recorded.seq,
            events: vec![recorded.event.name()],
            state: recorded.state,
        })
        .collect();
    let assigned = |commit: &&Committed| commit.events.contains(&"Assigned");
    let assigned = history.committed.iter().find(assigned);
    history.turns.extend(assigned.map(|commit| (id, commit.at)));
    history.runs.push(run(&job));
    history.stored.insert(
        id,
        Stored {
            job,
            events,
            artifacts,
            at_completion,
            before_manifest: Some(["results.json".to_owned()].into()),
        },
    );
    history
}

/// A slot that is reserved for the tenant of the one job.
pub(super) fn reservation(nth: u64, key: &str) -> Reservation {
    Reservation {
        id: ReservationId::new(Epoch(1), nth).expect("it is a small number"),
        device: "qpu".parse().expect("it is a device"),
        owner: spec().owner,
        purpose: String::new(),
        key: Some(key.to_owned()),
        made_at: Timestamp(5),
        expires_at: Timestamp(10),
        over: None,
    }
}

/// A call of the first kernel for the one job, well answered, from one second to another.
pub(super) fn asked(what: &str, at: u64, ended: u64) -> Asked {
    Asked {
        at: secs(at),
        whom: "a neighbour".to_owned(),
        what: what.to_owned(),
        job: Some(job()),
        life: 1,
        ended: Some(secs(ended)),
        end: "Ok".to_owned(),
    }
}

/// The one job was put off from one moment until another.
pub(super) fn retried(at: Duration, until: Duration) -> History {
    let mut history = good();
    put_off(&mut history, job(), at, until);
    history
}

fn put_off(history: &mut History, id: JobId, at: Duration, until: Duration) {
    let (seq, state) = (100, State::Compiling);
    let stored = history.stored.get_mut(&id).expect("the job is stored");
    let event = Event::Retried {
        not_before: Timestamp(0) + (until - at),
        cause: "a reason".to_owned(),
        settlement: None,
        of_store: false,
    };
    stored.events.push(Recorded {
        seq,
        at: Timestamp(0),
        state,
        attempt: 0,
        phase: None,
        event,
    });
    commit(history, id, (at, seq, "Retried", state));
}

pub(super) fn commit(
    history: &mut History,
    job: JobId,
    (at, seq, event, state): (Duration, u64, &'static str, State),
) {
    history.committed.push(Committed {
        at,
        confirmed: true,
        job,
        seq,
        events: vec![event],
        state,
    });
}

/// The one job came to a state, and so many seconds later failed there, without a run.
pub(super) fn failed(category: Category, state: State, lasted: u64) -> History {
    let mut history = good();
    history.committed.clear();
    commit(&mut history, job(), (secs(1), 7, "an event", state));
    commit(
        &mut history,
        job(),
        (secs(1 + lasted), 8, "Failed", State::Failed),
    );
    let stored = history.stored.get_mut(&job()).expect("the job is stored");
    stored.job.state = State::Failed;
    let failure = Failure::new(category, "a reason");
    stored.job.failure = Some(failure.clone());
    let settlement = None;
    stored.events.last_mut().expect("it has events").event = Event::Failed {
        failure,
        settlement,
    };
    let entry = &mut stored.job.ledger[0];
    entry.settlement = Settlement::not_run(entry.requested, "a proof");
    let last = stored.events.iter_mut().rev();
    for (recorded, state) in last.zip([State::Failed, state]) {
        recorded.state = state;
    }
    history
}

/// One job waits out a back-off for nearly a minute, and another waits all that time for a place to
/// compile in, while a third compiles.
pub(super) fn backlog() -> History {
    let sample = good();
    let mut history = History {
        ended: secs(100),
        ..History::default()
    };
    let ids = [1, 2, 3].map(|number| JobId::new(number, [9; 10]));
    for id in ids {
        history.stored.insert(id, sample.stored[&job()].clone());
        commit(&mut history, id, (secs(1), 1, "Submitted", State::Pending));
    }
    let [off, waits, compiles] = ids;
    for id in [off, compiles] {
        commit(
            &mut history,
            id,
            (secs(2), 2, "Admitted", State::Validating),
        );
        commit(
            &mut history,
            id,
            (secs(3), 3, "Validated", State::Compiling),
        );
    }
    put_off(&mut history, off, secs(4), secs(60));
    commit(
        &mut history,
        waits,
        (secs(60), 2, "Admitted", State::Validating),
    );
    history
}

fn run(job: &Job) -> Run {
    let second = |number| Monotonic(Duration::from_secs(number));
    Run {
        execution: Some(job.execution_id().to_string()),
        token: Some(1),
        reservation: None,
        job: job.id.to_string(),
        device: "qpu".to_owned(),
        shots: 10,
        shots_fired: 10,
        started: second(1),
        started_wall: Timestamp(5),
        ended: Some(second(2)),
        took: secs(1),
        beside: BTreeMap::new(),
        end: End::Measured,
        counts: counts::<i64>(),
        circuit: CIRCUIT.to_vec(),
        options: BTreeMap::new(),
    }
}

/// Tells the one client one thing more.
pub(super) fn tell(history: &mut History, news: News) {
    let client = "client-0".to_owned();
    history.told.push(Told {
        at: Duration::ZERO,
        client,
        request: 0,
        job: job(),
        news,
    });
}

pub(super) fn secs(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Jobs for the one slot of the one device, undisturbed. Of each: the tenant, and the seconds at
/// which it began to wait, had its turn, and gave its slot back.
pub(super) fn crowd(jobs: &[(&str, u64, u64, u64)]) -> History {
    let sample = good();
    let mut history = History {
        slots: sample.slots.clone(),
        calm_until: secs(1_000_000),
        ..History::default()
    };
    for (number, (tenant, since, picked, executed)) in (10..).zip(jobs) {
        let id = JobId::new(number, [9; 10]);
        let mut stored = sample.stored[&job()].clone();
        let mut spec = (*stored.job.spec).clone();
        (*tenant).clone_into(&mut spec.owner.tenant);
        stored.job.spec = spec.into();
        history.stored.insert(id, stored);
        for (seq, at, name) in [(4, since, "Compiled"), (7, executed, "Executed")] {
            history.committed.push(Committed {
                at: secs(*at),
                confirmed: true,
                job: id,
                seq,
                events: vec![name],
                state: State::Queued,
            });
        }
        history.turns.insert(id, secs(*picked));
        history.given.push(Given {
            at: secs(*picked),
            life: 1,
            job: id,
            device: "qpu".to_owned(),
        });
    }
    history
}
