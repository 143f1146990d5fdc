//! Jobs for tests: a builder that states only what matters, and the lives that jobs lead.

use std::collections::BTreeMap;
use std::sync::Arc;

use qrtx::ids::{Epoch, FencingToken, JobId, Sha256Sum};
use qrtx::job::Job;
use qrtx::job::event::{
    ArtifactRef, CircuitFormat, CircuitRef, Counts, Event, OnUnknown, Outcome, Recorded,
};
use qrtx::job::key::Key;
use qrtx::job::shared_spec::SharedSpec;
use qrtx::job::spec::{JobSpec, Owner, ProgramFormat};
use qrtx::job::trace::TraceContext;
use qrtx::ports::store::{Append, Submission};
use qrtx::time::Timestamp;

/// The program of every job that does not say otherwise.
pub const PROGRAM: &[u8] = b"{\"qubits\": 2}";

/// A job to be: ten shots for `sim-1`, of the tenant `t`, without a key.
pub fn job() -> Draft {
    Draft(JobSpec {
        name: "bell".to_owned(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(PROGRAM),
        program_bytes: PROGRAM.len() as u64,
        target: "sim-1".parse().expect("it is short and plain"),
        reservation: None,
        priority: 50,
        shots: 10,
        seed: None,
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::new(),
        expires_at: Timestamp(3_600_000_000),
        owner: Owner {
            tenant: "t".to_owned(),
            project: "p".to_owned(),
            subject: String::new(),
        },
        idempotency_key: None,
        request_id: "req_1".to_owned(),
        trace: TraceContext::new(1),
    })
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct Draft(JobSpec);

impl Draft {
    /// 0 to 100.
    pub fn priority(mut self, priority: u8) -> Self {
        self.0.priority = priority;
        self
    }

    /// How many shots it asks for.
    pub fn shots(mut self, shots: u32) -> Self {
        self.0.shots = shots;
        self
    }

    /// The device it is for.
    ///
    /// # Panics
    /// When that is no device id.
    pub fn target(mut self, target: &str) -> Self {
        self.0.target = target.parse().expect("a test names a device");
        self
    }

    /// Whose it is.
    pub fn tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.0.owner.tenant);
        self
    }

    /// Its idempotency key.
    pub fn key(mut self, key: &str) -> Self {
        self.0.idempotency_key = Some(key.to_owned());
        self
    }

    /// When it ends as Timeout at the latest.
    pub fn expires_at(mut self, moment: Timestamp) -> Self {
        self.0.expires_at = moment;
        self
    }

    /// What it shall do.
    pub fn spec(self) -> JobSpec {
        self.0
    }

    /// The job as number `number` of its test, with its first event.
    pub fn submitted(self, number: u64) -> Life {
        self.submitted_at(number, Timestamp(0))
    }

    /// The same, accepted at a moment of its own.
    pub fn submitted_at(self, number: u64, at: Timestamp) -> Life {
        let spec = SharedSpec::from(self.0);
        let job = Job::submitted(JobId::new(number, [0; 10]), spec.clone(), at);
        let history = vec![job.recorded(Event::Submitted { spec })];
        Life {
            job,
            history,
            committed: 0,
        }
    }
}

/// A job and all that happened to it.
#[derive(Debug, Clone)]
pub struct Life {
    /// The job now.
    pub job: Job,
    /// Its whole history.
    pub history: Vec<Recorded>,
    committed: usize,
}

impl Life {
    /// One more event, a second after the last.
    ///
    /// # Panics
    /// When the table does not allow it.
    pub fn then(&mut self, event: Event) -> &mut Self {
        let at = Timestamp(self.job.updated_at.0 + 1_000_000);
        self.job
            .apply(&event, at)
            .expect("a test tells a life that can be");
        self.history.push(self.job.recorded(event));
        self
    }

    /// Every event since the last call, as one commit; the first brings the submission along.
    pub fn commit(&mut self) -> Append {
        let events = self.history[self.committed..].to_vec();
        let submission = (self.committed == 0).then(|| Submission {
            program: PROGRAM.to_vec(),
            key: self.key(),
            fingerprint: Sha256Sum::of(self.job.spec.name.as_bytes()),
        });
        self.committed = self.history.len();
        Append {
            job: Arc::new(self.job.clone()),
            events,
            submission,
        }
    }

    /// The job's key in its scope.
    pub fn key(&self) -> Option<Key> {
        self.job.spec.key()
    }
}

/// The straight way from the first event to Completed.
pub fn straight_way(shots: u32) -> Vec<Event> {
    let circuit = CircuitRef {
        format: CircuitFormat::AqoJson,
        sha256: Sha256Sum::of(b"circuit"),
        bytes: 7,
        key_widths: [1].into(),
        needs: None,
    };
    let outcome = Outcome {
        circuit_sha256: circuit.sha256,
        counts: Counts::Inline(BTreeMap::from([("00".to_owned(), u64::from(shots))])),
        // No power of two is in it, so a form that loses a bit is found out.
        execution_seconds: 0.1,
        metadata: BTreeMap::from([("backend".to_owned(), "test".to_owned())]),
    };
    vec![
        Event::Admitted,
        Event::Validated {
            by: "compiler".to_owned(),
        },
        Event::Compiled { circuit },
        Event::Assigned {
            device: "sim-1".parse().expect("it is short and plain"),
            left_waiting: 0,
            passed_over: Vec::new(),
        },
        Event::Intended {
            token: FencingToken::new(Epoch(1), 1),
            on_unknown: OnUnknown::Fail,
        },
        Event::Executed {
            outcome: Box::new(outcome),
        },
        Event::Stored {
            artifacts: vec![ArtifactRef::of("results.json", b"{}")],
            manifest: ArtifactRef::of("meta.json", b"{}"),
        },
    ]
}
