//! One example of everything that a job can record.

use std::collections::BTreeMap;

use crate::ids::{Epoch, FencingToken, JobId, Sha256Sum};
use crate::job::Job;
use crate::job::event::{
    ArtifactRef, CircuitFormat, CircuitRef, Counts, Event, Evidence, OnUnknown, Outcome, Recorded,
};
use crate::job::failure::{Category, Failure};
use crate::job::ledger::Settlement;
use crate::job::spec::{JobSpec, Owner, ProgramFormat};
use crate::job::state::Phase;
use crate::job::trace::TraceContext;
use crate::time::Timestamp;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

/// A job of ten shots that was just submitted.
pub(crate) fn job() -> Job {
    Job::submitted(JobId::new(1, [7; 10]), spec(), at(0))
}

/// Records one more event a second later, and gives it in its place.
pub(super) fn step(job: &mut Job, event: Event) -> Recorded {
    let at = Timestamp(job.updated_at.0 + 1_000_000);
    job.apply(&event, at).unwrap();
    job.recorded(event)
}

pub(super) fn spec() -> JobSpec {
    JobSpec {
        name: "bell".into(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(b"program"),
        program_bytes: 7,
        target: "sim-1".parse().unwrap(),
        reservation: None,
        priority: 50,
        shots: 10,
        seed: Some(7),
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::from([("team".into(), "blue".into())]),
        expires_at: at(3600),
        owner: Owner {
            tenant: "t".into(),
            project: "p".into(),
            subject: String::new(),
        },
        idempotency_key: Some("once".into()),
        request_id: "req_1".into(),
        trace: TraceContext::new(1),
    }
}

pub(super) fn circuit() -> CircuitRef {
    CircuitRef {
        format: CircuitFormat::AqoJson,
        sha256: Sha256Sum::of(b"circuit"),
        bytes: 7,
        key_widths: [2].into(),
        needs: None,
    }
}

pub(super) fn outcome(shots: u32) -> Outcome {
    Outcome {
        circuit_sha256: circuit().sha256,
        counts: Counts::Inline(BTreeMap::from([("00".into(), u64::from(shots))])),
        execution_seconds: 0.25,
        metadata: BTreeMap::new(),
    }
}

/// Every variant once, in the order of a job's life: the first six lead to Executing.
pub(super) fn every_event() -> Vec<Event> {
    let chain = std::iter::successors(example_after(None), |last| example_after(Some(last)));
    chain.collect()
}

/// A chain through all variants, so that a new one does not compile before it has its place.
fn example_after(last: Option<&Event>) -> Option<Event> {
    let Some(last) = last else {
        return Some(Event::Submitted {
            spec: spec().into(),
        });
    };
    Some(match last {
        Event::Submitted { .. } => Event::Admitted,
        Event::Admitted => Event::Validated {
            by: "compiler".into(),
        },
        Event::Validated { .. } => Event::Compiled { circuit: circuit() },
        Event::Compiled { .. } => Event::Assigned {
            device: "sim-1".parse().unwrap(),
            left_waiting: 2,
            passed_over: Vec::new(),
        },
        Event::Assigned { .. } => Event::Intended {
            token: FencingToken::new(Epoch(1), 1),
            on_unknown: OnUnknown::Fail,
        },
        Event::Intended { .. } => Event::PhaseReached {
            phase: Phase::QuantumRunning,
        },
        Event::PhaseReached { .. } => Event::Doubted {
            cause: "the answer was lost".into(),
            over: false,
        },
        Event::Doubted { .. } => Event::Executed {
            outcome: Box::new(outcome(10)),
        },
        Event::Executed { .. } => Event::Stored {
            artifacts: vec![ArtifactRef::of("results.json", b"{}")],
            manifest: ArtifactRef::of("meta.json", b"{}"),
        },
        Event::Stored { .. } => Event::CircuitLost {
            cause: "compiled.aqo.json is missing".into(),
            not_before: Some(at(4)),
        },
        Event::CircuitLost { .. } => Event::Retried {
            not_before: at(5),
            cause: "the device is away".into(),
            settlement: Some(Settlement::not_run(10, "the request never left the kernel")),
            of_store: false,
        },
        Event::Retried { .. } => Event::Failed {
            failure: Failure::new(Category::ExecuteError, "the device is on fire"),
            settlement: Some(Settlement::stopped(10, 3, "the device is on fire")),
        },
        Event::Failed { .. } => Event::CancelRequested {
            reason: "changed my mind".into(),
        },
        Event::CancelRequested { .. } => Event::DeadlinePassed {
            waited_for: "the device is OFFLINE".into(),
        },
        Event::DeadlinePassed { .. } => Event::ReceiptGiven,
        Event::ReceiptGiven => Event::Settled {
            settlement: Settlement::unknown(10, "the device never said"),
            evidence: Evidence::None,
        },
        Event::Settled { .. } => Event::Reported { written: true },
        Event::Reported { .. } => return None,
    })
}
