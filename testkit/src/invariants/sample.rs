//! A small history in which all is well, to be spoilt by the tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use qrtx::ids::{Epoch, FencingToken, JobId, Sha256Sum};
use qrtx::job::Job;
use qrtx::job::event::{ArtifactRef, CircuitFormat, CircuitRef, Counts, Event, OnUnknown, Outcome};
use qrtx::job::spec::{JobSpec, Owner, ProgramFormat};
use qrtx::job::state::PublicState;
use qrtx::job::trace::TraceContext;
use qrtx::time::{Monotonic, Timestamp};

use crate::history::{Committed, History, News, Stored, Told};
use crate::neighbours::Run;
use crate::neighbours::driver::End;

const CIRCUIT: &[u8] = br#"{"operations":[{"op":"MEASURE"}]}"#;
const RESULTS: &[u8] = b"results";
const META: &[u8] = b"meta";

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

/// A job that was accepted, ran once, and was completed; one client watched it.
pub(super) fn good() -> History {
    let (id, at) = (job(), Timestamp(5));
    let mut job = Job::submitted(id, spec(), at);
    let mut events = vec![job.recorded(Event::Submitted {
        spec: Arc::new(spec()),
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
            artifacts: vec![ArtifactRef::of("results.json", RESULTS)],
            manifest: ArtifactRef::of("meta.json", META),
        },
    ] {
        job.apply(&event, at).expect("the life of a job");
        events.push(job.recorded(event));
    }
    job.spec = Arc::new(spec());
    let files = [("results.json", RESULTS), ("meta.json", META)];
    let artifacts: BTreeMap<_, _> = files
        .map(|(name, content)| (name.to_owned(), content.to_vec()))
        .into();
    let at_completion = Some(artifacts.clone());

    let mut history = History::default();
    tell(
        &mut history,
        News::Accepted {
            key: "key 0".to_owned(),
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
        },
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
        stored.job.spec = Arc::new(spec);
        history.stored.insert(id, stored);
        for (seq, at, name) in [(4, since, "Compiled"), (7, executed, "Executed")] {
            history.committed.push(Committed {
                at: secs(*at),
                confirmed: true,
                job: id,
                seq,
                events: vec![name],
                state: qrtx::job::state::State::Queued,
            });
        }
        history.turns.insert(id, secs(*picked));
    }
    history
}
