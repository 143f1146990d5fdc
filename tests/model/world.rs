//! The whole world at one moment, small enough to be compared with millions of others.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use qrtx::ids::{DeviceId, Epoch, FencingToken, JobId, Sha256Sum};
use qrtx::job::event::{CircuitFormat, CircuitRef, Counts, Event, OnUnknown, Outcome};
use qrtx::job::failure::{Category, Failure};
use qrtx::job::request::{Circumstances, JobRequest};
use qrtx::job::state::State;
use qrtx::job::{Job, Receipt};
use qrtx::time::Timestamp;

pub(crate) const JOBS: usize = 2;
pub(crate) const ATTEMPTS: usize = 2;
pub(crate) const SHOTS: u32 = 2;

/// What stays the same during one check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Whether the driver has ExecutionControl.
    pub(crate) askable: bool,
    pub(crate) on_unknown: OnUnknown,
    pub(crate) crashes: u8,
    /// What this kernel does wrong.
    pub(crate) mistake: Option<Mistake>,
}

/// What a kernel could do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    AskAgainAfterACrash,
    SlotFreedAtCancel,
    AbsenceIsProof,
    YoungMemoryIsProof,
    DoubtIsFailure,
    AskBeforeTheIntent,
    UnknownTakenForAStop,
    SlotNeverFreed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// What the store has.
    pub(crate) jobs: [Record; JOBS],
    /// What a crash takes away: the hand of each job's loop, and the schedule.
    pub(crate) hands: [Hand; JOBS],
    pub(crate) waiting: [bool; JOBS],
    pub(crate) held: [bool; JOBS],
    /// Network and driver, for each execution.
    pub(crate) runs: [[Run; ATTEMPTS]; JOBS],
    pub(crate) crashes: u8,
    /// How often the driver lost its memory.
    pub(crate) forgot: u8,
    /// How often a device was not ready.
    pub(crate) away: u8,
    /// How each job ended, when it did.
    pub(crate) ends: [Option<State>; JOBS],
    /// What must never happen, and did.
    pub(crate) asked_without_intent: bool,
    pub(crate) asked_after_the_end: bool,
    pub(crate) refused_by_the_table: bool,
}

/// What a job's loop has in hand, as in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hand {
    Empty,
    Ready,
    Out,
}

/// How a call can end for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Counts,
    NotSent,
    Busy,
    Refused,
    Doubt,
}

/// One execution, on its way and on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Run {
    /// The request is on its way.
    pub(crate) asked: bool,
    /// The answer is on its way.
    pub(crate) answer: Option<Answer>,
    /// How often it was begun: the device's own log.
    pub(crate) begun: u8,
    /// Shots fired: the device's own count.
    pub(crate) shots: u32,
    pub(crate) memory: Memory,
}

/// What the driver knows of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Memory {
    #[default]
    Nothing,
    Running,
    Done,
    Failed,
    Stopped,
    Tombstone,
}

/// A job as it is stored. Numbers and words that decide nothing are levelled, so that worlds
/// which differ in nothing else are one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record(pub(crate) Arc<Job>);

impl Eq for Record {}

impl Hash for Record {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let job = &self.0;
        let receipt = job.receipt.map(|receipt| match receipt {
            Receipt::NotStarted => u32::MAX,
            Receipt::StopUnconfirmed => u32::MAX - 1,
            Receipt::StoppedOnDevice { shots_used } => shots_used,
        });
        (job.state, job.reported, receipt, job.device.is_some()).hash(hasher);
        for entry in &job.ledger {
            let known = &entry.settlement;
            (known.delivered, known.wasted, known.not_run, known.unknown).hash(hasher);
            (entry.open, entry.intended_at.0).hash(hasher);
        }
    }
}

impl Record {
    /// The job after `event`, or nothing if the real table refuses it.
    pub(crate) fn after(&self, event: &Event, at: Timestamp) -> Option<Self> {
        let mut job = (*self.0).clone();
        job.apply(event, at).ok()?;
        Some(Self(Arc::new(level(job))))
    }
}

fn level(mut job: Job) -> Job {
    (job.seq, job.state_seq, job.tries) = (1, 1, 0);
    (job.state_since, job.updated_at) = (Timestamp(0), Timestamp(0));
    (job.not_before, job.setback, job.doubt) = (None, None, None);
    if let Some(entry) = job.ledger.last_mut() {
        let known = &mut entry.settlement;
        for words in [
            &mut known.wasted_cause,
            &mut known.not_run_proof,
            &mut known.unknown_cause,
        ] {
            words.clear();
        }
    }
    job
}

pub(crate) fn device() -> DeviceId {
    DEVICE.clone()
}

static DEVICE: LazyLock<DeviceId> = LazyLock::new(|| "device".parse().expect("it is plain"));
/// What is left of a job that is over: any end will do.
static OVER: LazyLock<[Record; JOBS]> = LazyLock::new(|| {
    [1, 2].map(|number| {
        let end = queued(number).after(
            &Event::DeadlinePassed {
                waited_for: String::new(),
            },
            Timestamp(0),
        );
        let over = end.and_then(|end| end.after(&Event::Reported { written: true }, Timestamp(0)));
        over.expect("a deadline can pass at any time")
    })
});
static OUTCOME: LazyLock<Outcome> = LazyLock::new(|| Outcome {
    circuit_sha256: Sha256Sum::of(b"circuit"),
    counts: Counts::Inline([("0".to_owned(), u64::from(SHOTS))].into()),
    execution_seconds: 0.5,
    metadata: [].into(),
});

pub(crate) fn executed() -> Event {
    Event::Executed {
        outcome: Box::new(OUTCOME.clone()),
    }
}

pub(crate) fn failed(settlement: Option<qrtx::job::ledger::Settlement>) -> Event {
    Event::Failed {
        failure: Failure::new(Category::ExecuteError, ""),
        settlement,
    }
}

pub(crate) fn token(attempt: u32) -> FencingToken {
    FencingToken::new(Epoch(1), attempt)
}

/// A compiled job that waits for its turn.
fn queued(number: u64) -> Record {
    let request = JobRequest {
        name: "model".into(),
        program: b"{}".to_vec(),
        program_format: "aqo_json".into(),
        target: device().to_string(),
        shots: Some(i64::from(SHOTS)),
        ..JobRequest::default()
    };
    let accepted = request.accept(Circumstances {
        now: Timestamp(0),
        chance: 1,
    });
    let spec = accepted.expect("the request is in order").spec;
    let mut job = Job::submitted(JobId::new(number, [0; 10]), spec, Timestamp(0));
    let sha256 = Sha256Sum::of(b"circuit");
    for event in [
        Event::Admitted,
        Event::Validated { by: String::new() },
        Event::Compiled {
            circuit: CircuitRef {
                format: CircuitFormat::AqoJson,
                sha256,
                bytes: 1,
                key_widths: [2].into(),
                needs: None,
            },
        },
    ] {
        job.apply(&event, Timestamp(0))
            .expect("this is the straight way");
    }
    job.submission = number;
    Record(Arc::new(level(job)))
}

impl World {
    pub(crate) fn start() -> Self {
        Self {
            jobs: [queued(1), queued(2)],
            hands: [Hand::Empty; JOBS],
            waiting: [false; JOBS],
            held: [false; JOBS],
            runs: [[Run::default(); ATTEMPTS]; JOBS],
            crashes: 0,
            forgot: 0,
            away: 0,
            ends: [None; JOBS],
            asked_without_intent: false,
            asked_after_the_end: false,
            refused_by_the_table: false,
        }
    }

    /// A job that is over and done with is looked at once, right after its end; then it is
    /// forgotten, as the kernel does, because nothing depends on it any more.
    pub(crate) fn forget_what_is_over(&mut self) {
        for job in 0..JOBS {
            if self.job(job).duty().is_none() {
                self.jobs[job] = OVER[job].clone();
                self.runs[job] = [Run::default(); ATTEMPTS];
                self.hands[job] = Hand::Empty;
                self.ends[job] = None;
            }
        }
    }

    pub(crate) fn job(&self, job: usize) -> &Job {
        &self.jobs[job].0
    }

    /// The latest execution of a job; there must have been one.
    pub(crate) fn run(&mut self, job: usize) -> &mut Run {
        let attempt = self.job(job).attempt() as usize;
        &mut self.runs[job][attempt - 1]
    }

    /// The time stands still but when the driver loses its memory: an intent is later than the
    /// memory that was there then, and earlier than any that comes.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(i64::from(self.forgot) * 10 + 1)
    }

    pub(crate) fn remembers_since(&self) -> Timestamp {
        Timestamp(i64::from(self.forgot) * 10)
    }
}
