//! The execution contract (D8), rule by rule: each is tried on a driver, and what was seen decides.
//! Nothing here knows whether the driver is behind an endpoint or in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, Epoch, ExecutionId, FencingToken, JobId};
use crate::job::spec::JobSpec;
use crate::ports::Devices;
use crate::ports::compiler::{CallContext, CallError, Circuit};
use crate::ports::devices::{Fate, Inspection, Run, RunError, RunResult};
use crate::time::Timestamp;

/// Shots of each execution that is to run.
const SHOTS: u32 = 10;
/// How long one call may take.
const CALL: Duration = Duration::from_secs(60);

/// Whether a rule is kept, and by what that was seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) kept: bool,
    pub(super) seen: String,
}

/// What must still hold when the driver has been restarted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Before {
    device: DeviceId,
    /// It ran, and this came of it.
    ran: ExecutionId,
    counts: BTreeMap<String, i64>,
    /// It is buried.
    buried: ExecutionId,
    /// When all this was asked for.
    at: Timestamp,
}

/// A driver, and what is run on it.
pub(super) struct Subject<'a, D> {
    pub(super) devices: &'a D,
    pub(super) device: DeviceId,
    pub(super) circuit: Circuit,
    pub(super) spec: &'a JobSpec,
    /// The wall time of this side.
    pub(super) now: Timestamp,
    /// Jobs nobody has heard of: executed, buried, fenced and never named.
    pub(super) jobs: [JobId; 4],
}

fn kept(rule: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        rule,
        kept: true,
        seen: seen.into(),
    }
}

fn broken(rule: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        kept: false,
        ..kept(rule, seen)
    }
}

fn token(attempt: u32) -> FencingToken {
    FencingToken::new(Epoch(1), attempt)
}

/// An answer to a question after an execution, if the driver can be asked at all.
type Asked = Result<Option<Inspection>, CallError>;

/// What is remembered, or why that is not known.
fn told(asked: Asked) -> Result<Inspection, String> {
    match asked {
        Ok(Some(inspection)) => Ok(inspection),
        Ok(None) => Err("ExecutionControl is not served (UNIMPLEMENTED)".to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Running => "it says RUNNING".to_owned(),
        Fate::Done(result) => format!("it says DONE, with {} shots", shots(&result.counts)),
        Fate::Failed { message, .. } => format!("it says FAILED: {message}"),
        Fate::NotFound => "it says NOT_FOUND".to_owned(),
        Fate::Cancelled {
            shots_used,
            never_started,
        } => format!("it says CANCELLED, shots used {shots_used}, never started {never_started}"),
    }
}

fn ran(answer: &Result<RunResult, RunError>) -> String {
    match answer {
        Ok(result) => format!("it ran, and answered {} shots", shots(&result.counts)),
        Err(RunError::Refused { message, .. }) => format!("it refused: {message}"),
        Err(RunError::NotSent(why)) => format!("the request did not leave: {why}"),
        Err(RunError::Doubt { cause, .. }) => format!("it left open whether it ran: {cause}"),
    }
}

fn shots(counts: &BTreeMap<String, i64>) -> i64 {
    counts.values().sum()
}

impl<D: Devices> Subject<'_, D> {
    fn call(&self, job: JobId) -> CallContext<'_> {
        CallContext {
            job,
            spec: self.spec,
            span: self.spec.trace.job_span(&job.to_string()),
            deadline: CALL,
        }
    }

    fn execution(&self, job: usize, attempt: u32) -> ExecutionId {
        ExecutionId {
            job: self.jobs[job],
            attempt,
        }
    }

    async fn execute(&self, id: ExecutionId, shots: u32) -> Result<RunResult, RunError> {
        let run = Run {
            id,
            token: token(id.attempt),
            device: self.device.clone(),
            reservation: None,
            format: self.circuit.format,
            circuit: self.circuit.data.clone(),
            shots,
            options: BTreeMap::new(),
        };
        Box::pin(self.devices.execute(self.call(id.job), run)).await
    }

    async fn inspect(&self, id: ExecutionId) -> Result<Inspection, String> {
        told(Box::pin(self.devices.inspect(self.call(id.job), id)).await)
    }

    async fn stop(&self, id: ExecutionId) -> Result<Inspection, String> {
        let (call, token) = (self.call(id.job), token(id.attempt));
        told(Box::pin(self.devices.stop(call, id, token)).await)
    }

    /// Tries everything that can be tried without a restart; the second is `None` if the driver
    /// does not run at all.
    pub(super) async fn first(&self) -> (Vec<Finding>, Option<Before>) {
        let (first, buried) = (self.execution(0, 1), self.execution(1, 1));
        let counts = match self.measure(first).await {
            Ok(counts) => counts,
            Err(why) => return (vec![broken("runs a circuit", why)], None),
        };
        let mut found = vec![
            kept("runs a circuit", format!("{SHOTS} shots were answered")),
            self.tells(first, &counts).await,
            self.says_since_when(first).await,
            self.does_not_know(self.execution(3, 1)).await,
            // After this nobody can tell what the first one brought, if it is not kept.
            self.runs_once(first, &counts).await,
            self.leaves_what_is_over(first).await,
            self.buries(buried).await,
            self.refuses(buried, "refuses what is buried").await,
        ];
        let rule = "refuses an older fencing token";
        let (newer, older) = (self.execution(2, 2), self.execution(2, 1));
        let counts = match self.measure(newer).await {
            Ok(counts) => counts,
            Err(why) => {
                found.push(broken(rule, format!("the newer one: {why}")));
                return (found, None);
            }
        };
        found.push(self.refuses(older, rule).await);
        let before = Before {
            device: self.device.clone(),
            ran: newer,
            counts,
            buried,
            at: self.now,
        };
        (found, Some(before))
    }

    /// An execution that is to run, and its counts.
    async fn measure(&self, id: ExecutionId) -> Result<BTreeMap<String, i64>, String> {
        match self.execute(id, SHOTS).await {
            Ok(result) if shots(&result.counts) == i64::from(SHOTS) => Ok(result.counts),
            other => Err(ran(&other)),
        }
    }

    /// The same name with another number of shots: one that runs it again gives itself away.
    async fn runs_once(&self, id: ExecutionId, counts: &BTreeMap<String, i64>) -> Finding {
        let rule = "runs an execution once";
        match self.execute(id, SHOTS * 2).await {
            Ok(again) if again.counts == *counts => kept(rule, "the first answer came again"),
            other @ Err(RunError::Refused { .. }) => kept(rule, ran(&other)),
            other => broken(rule, format!("the same id a second time: {}", ran(&other))),
        }
    }

    async fn tells(&self, id: ExecutionId, counts: &BTreeMap<String, i64>) -> Finding {
        let rule = "tells what became of an execution";
        match self.inspect(id).await {
            Ok(Inspection {
                fate: Fate::Done(result),
                ..
            }) if result.counts == *counts => kept(rule, "DONE, with the counts that it answered"),
            Ok(other) => broken(rule, fate(&other.fate)),
            Err(why) => broken(rule, why),
        }
    }

    async fn says_since_when(&self, id: ExecutionId) -> Finding {
        let rule = "says since when it remembers";
        match self.inspect(id).await.map(|told| told.remembers_since) {
            Ok(Some(since)) if since <= self.now => kept(rule, "from before this check began"),
            Ok(Some(_)) => broken(
                rule,
                "from after this check began, though it remembers: its clock is ahead, or it lies",
            ),
            Ok(None) => broken(rule, "remembers_since is missing"),
            Err(why) => broken(rule, why),
        }
    }

    async fn does_not_know(&self, id: ExecutionId) -> Finding {
        let rule = "says what it has never heard of";
        match self.inspect(id).await {
            Ok(Inspection {
                fate: Fate::NotFound,
                ..
            }) => kept(rule, "NOT_FOUND, as an outcome"),
            Ok(other) => broken(rule, fate(&other.fate)),
            Err(why) => broken(rule, why),
        }
    }

    async fn leaves_what_is_over(&self, id: ExecutionId) -> Finding {
        let rule = "a cancel after the end changes nothing";
        match self.stop(id).await {
            Ok(told) if matches!(told.fate, Fate::Done(_)) => kept(rule, fate(&told.fate)),
            Ok(other) => broken(rule, fate(&other.fate)),
            Err(why) => broken(rule, why),
        }
    }

    /// Twice: to repeat it must be safe.
    async fn buries(&self, id: ExecutionId) -> Finding {
        let rule = "buries what has not arrived";
        for _ in 0..2 {
            match self.stop(id).await {
                Ok(Inspection {
                    fate:
                        Fate::Cancelled {
                            shots_used: 0,
                            never_started: true,
                        },
                    ..
                }) => {}
                Ok(other) => return broken(rule, fate(&other.fate)),
                Err(why) => return broken(rule, why),
            }
        }
        kept(rule, "CANCELLED, never started, twice")
    }

    async fn refuses(&self, id: ExecutionId, rule: &'static str) -> Finding {
        let answer = self.execute(id, SHOTS).await;
        match answer {
            Err(RunError::Refused { .. }) => kept(rule, ran(&answer)),
            _ => broken(rule, ran(&answer)),
        }
    }

    /// What must hold after the restart.
    pub(super) async fn after_restart(&self, before: &Before) -> Vec<Finding> {
        vec![
            self.remembers(before).await,
            self.refuses(before.buried, "refuses what was buried before the restart")
                .await,
        ]
    }

    /// It may forget what it ran, but not pretend that it did not.
    async fn remembers(&self, before: &Before) -> Finding {
        let rule = "remembers, or says that it has forgotten";
        let told = match self.inspect(before.ran).await {
            Ok(told) => told,
            Err(why) => return broken(rule, why),
        };
        match (&told.fate, told.remembers_since) {
            (Fate::Done(result), _) if result.counts == before.counts => {
                kept(rule, "DONE, with the counts that it answered before")
            }
            (Fate::NotFound, Some(since)) if since > before.at => {
                kept(rule, "NOT_FOUND, and it remembers only what came later")
            }
            (Fate::NotFound, _) => broken(
                rule,
                "NOT_FOUND, but it claims to remember that time: shots would be bought twice",
            ),
            (other, _) => broken(rule, fate(other)),
        }
    }
}

impl Before {
    pub(super) fn device(&self) -> &DeviceId {
        &self.device
    }
}
