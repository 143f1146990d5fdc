//! The execution contract (D8), rule by rule: each is tried on a driver, and what was seen decides.
//! Nothing here knows whether the driver is behind an endpoint or in this process.
//!
//! What only an execution under way could show is not seen, because none that every device runs is
//! known to take its time: that GetExecution says RUNNING of it, and that CancelExecution does not
//! say of it that it never started.

mod restart;
mod tombstones;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, join_all, select};
use serde::{Deserialize, Serialize};

use crate::grpc::refusals;
use crate::ids::{DeviceId, Epoch, ExecutionId, FencingToken, JobId};
use crate::job::spec::JobSpec;
use crate::job::state::Phase;
use crate::ports::compiler::{CallContext, CallError, Circuit};
use crate::ports::devices::{Fate, Inspection, Run, RunError, RunResult};
use crate::ports::{Clock, Devices};
use crate::time::Timestamp;

/// Shots of an execution that is to run.
const SHOTS: u32 = 10;
/// Copies of one request that are sent at once: the more, the less likely is it that a fast run
/// is over before the last one is there.
const COPIES: u32 = 4;
/// How long one call may take.
const CALL: Duration = Duration::from_secs(60);
/// How long phases may go on after the answer.
const PHASES: Duration = Duration::from_secs(5);

/// Whether a rule is kept, and by what that was seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    /// `None` for what a driver may leave out, and for what could not be tried.
    pub(super) kept: Option<bool>,
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
    /// It was never sent, and its token is older than that of the buried one.
    fenced: ExecutionId,
    /// It was never sent, and its token is older than that of the one that ran.
    stale: ExecutionId,
    /// When all this was asked for.
    at: Timestamp,
}

/// A driver, and what is run on it.
pub(super) struct Subject<'a, D, C> {
    pub(super) devices: &'a D,
    pub(super) clock: &'a C,
    pub(super) device: DeviceId,
    pub(super) circuit: Circuit,
    pub(super) spec: &'a JobSpec,
    /// The wall time of this side.
    pub(super) now: Timestamp,
    /// Jobs nobody has heard of: executed, buried, sent in copies, and one that is
    /// asked after at first and executed at last.
    pub(super) jobs: [JobId; 4],
}

fn kept(rule: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        rule,
        kept: Some(true),
        seen: seen.into(),
    }
}

fn broken(rule: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        kept: Some(false),
        ..kept(rule, seen)
    }
}

fn open(rule: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        kept: None,
        ..kept(rule, seen)
    }
}

/// A first attempt is of an earlier epoch than the others and has the greater low half, so that a
/// driver which compares only that half takes it for the newest.
fn token(attempt: u32) -> FencingToken {
    match attempt {
        1 => FencingToken::new(Epoch(1), u32::MAX),
        later => FencingToken::new(Epoch(2), later),
    }
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

/// The same where a refusal was due: what only looks like one is the likeliest mistake.
fn not_refused(answer: &Result<RunResult, RunError>) -> String {
    let seen = ran(answer);
    match answer {
        Err(RunError::Doubt { .. }) => format!(
            "{seen}; only a status {} with a google.rpc.ErrorInfo in its details says that nothing \
             ran",
            refusals()
        ),
        _ => seen,
    }
}

fn shots(counts: &BTreeMap<String, i64>) -> i64 {
    counts.values().sum()
}

impl<D: Devices, C: Clock> Subject<'_, D, C> {
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
    /// does not run what it should.
    pub(super) async fn first(&self) -> (Vec<Finding>, Option<Before>) {
        let first = self.execution(0, 1);
        // A driver that takes all jobs for one is to be found by the last rule: no token that
        // comes before that is greater than the newest of the first job.
        let buried = self.execution(1, 4);
        let (counts, phases) = self.watched(first).await;
        let counts = match counts {
            Ok(counts) => counts,
            Err(why) => return (vec![broken("runs a circuit", why)], None),
        };
        let mut found = vec![
            kept("runs a circuit", format!("{SHOTS} shots were answered")),
            tells_phases(&phases),
            self.tells(first, &counts).await,
            self.says_since_when(first).await,
            self.does_not_know(self.execution(3, 1)).await,
            // After this nobody can tell what the first one brought, if it is not kept.
            self.runs_once("runs an execution once", first, &counts)
                .await,
        ];
        let runs_once = found.last().is_some_and(|once| once.kept == Some(true));
        found.extend([
            self.runs_copies_once(self.execution(2, 1), runs_once).await,
            self.leaves_what_is_over(first).await,
        ]);
        found.extend(self.tombstones(buried, self.execution(1, 1)).await);
        let rule = "runs a newer attempt of a job anew";
        let of_first = |attempt| ExecutionId { attempt, ..first };
        let (newer, older, stale) = (of_first(4), of_first(2), of_first(3));
        let counts = match self.measure(newer, SHOTS * 2).await {
            Ok(counts) => counts,
            Err(why) => {
                let [was, is] = [first, newer].map(|id| token(id.attempt).0);
                let tokens = format!("its token is {is}, that of the attempt before {was}");
                found.push(broken(rule, format!("{why}; {tokens}")));
                return (found, None);
            }
        };
        let anew = format!("{} shots, as was asked of this attempt", SHOTS * 2);
        found.push(kept(rule, anew));
        let rule = "refuses an older fencing token";
        found.push(self.refuses(older, rule).await);
        found.push(self.runs_another_job(self.execution(3, 1)).await);
        let before = Before {
            device: self.device.clone(),
            ran: newer,
            counts,
            buried,
            fenced: self.execution(1, 3),
            stale,
            at: self.now,
        };
        (found, Some(before))
    }

    /// An execution that is to run, and its counts.
    async fn measure(&self, id: ExecutionId, wanted: u32) -> Result<BTreeMap<String, i64>, String> {
        match self.execute(id, wanted).await {
            Ok(result) if shots(&result.counts) == i64::from(wanted) => Ok(result.counts),
            other => Err(format!("{wanted} shots were wanted: {}", ran(&other))),
        }
    }

    /// Tokens order the executions of one job, and say nothing about those of another.
    async fn runs_another_job(&self, id: ExecutionId) -> Finding {
        let rule = "runs another job with a smaller token";
        match self.measure(id, SHOTS).await {
            Ok(_) => kept(rule, format!("{SHOTS} shots were answered")),
            Err(why) => broken(rule, why),
        }
    }

    /// An execution that is to run, and the phases that are told of it.
    async fn watched(
        &self,
        id: ExecutionId,
    ) -> (Result<BTreeMap<String, i64>, String>, Vec<Phase>) {
        let mut told = Vec::new();
        let mut phases = self.devices.phases(self.call(id.job), id);
        let watch = pin!(async {
            while let Some(phase) = phases.next().await {
                told.push(phase);
            }
        });
        let counts = match select(pin!(self.measure(id, SHOTS)), watch).await {
            Either::Left((counts, watch)) => {
                // A stream that never ends must not hold up the rest.
                let _ = self.clock.timeout(PHASES, watch).await;
                counts
            }
            Either::Right(((), counts)) => counts.await,
        };
        (counts, told)
    }

    /// The same name with another number of shots: one that runs it again gives itself away.
    async fn runs_once(
        &self,
        rule: &'static str,
        id: ExecutionId,
        counts: &BTreeMap<String, i64>,
    ) -> Finding {
        match self.execute(id, SHOTS * 3).await {
            Ok(again) if again.counts == *counts => kept(rule, "the first answer came again"),
            other @ Err(RunError::Refused { .. }) => kept(rule, ran(&other)),
            other => {
                let seen = not_refused(&other);
                broken(rule, format!("the same id a second time: {seen}"))
            }
        }
    }

    /// Copies that arrive while the first is at work, each with another number of shots.
    async fn runs_copies_once(&self, id: ExecutionId, runs_once: bool) -> Finding {
        let rule = "runs simultaneous copies once";
        if !runs_once {
            // Shots may be worth money.
            return open(rule, "not tried: even one after the other may run twice");
        }
        let copies = (1..=COPIES).map(|copy| self.execute(id, SHOTS + copy));
        let (mut counts, mut refused) = (Vec::new(), 0);
        for answer in join_all(copies).await {
            match answer {
                Ok(result) => counts.push(result.counts),
                Err(RunError::Refused { .. }) => refused += 1,
                other => return broken(rule, not_refused(&other)),
            }
        }
        let Some(first) = counts.first() else {
            return broken(rule, format!("all {COPIES} copies were refused"));
        };
        if counts.iter().any(|other| other != first) {
            let each: Vec<_> = counts.iter().map(|one| shots(one).to_string()).collect();
            let each = each.join(", ");
            return broken(
                rule,
                format!("copies got answers of their own: {each} shots"),
            );
        }
        let seen = match (counts.len(), refused) {
            (_, 0) => format!("one answer for all {COPIES}"),
            (same, refused) => format!("one answer for {same}, a refusal for {refused}"),
        };
        kept(rule, seen)
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
        let told = self.inspect(id).await;
        match told.map(|told| self.is_from_before(told.remembers_since)) {
            Ok(Ok(())) => kept(rule, "from before this check began"),
            Ok(Err(why)) => broken(rule, why),
            Err(why) => broken(rule, why),
        }
    }

    /// Whether a driver says that it remembers what was asked for since this check began.
    fn is_from_before(&self, since: Option<Timestamp>) -> Result<(), &'static str> {
        match since {
            Some(since) if since <= self.now => Ok(()),
            Some(_) => Err(
                "from after this check began, though it remembers: its clock is ahead, or it lies",
            ),
            None => Err("remembers_since is missing"),
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

    async fn refuses(&self, id: ExecutionId, rule: &'static str) -> Finding {
        let answer = self.execute(id, SHOTS).await;
        match answer {
            Err(RunError::Refused { .. }) => kept(rule, ran(&answer)),
            _ => broken(rule, not_refused(&answer)),
        }
    }
}

/// Phases are told by whoever has some to tell (D16).
fn tells_phases(told: &[Phase]) -> Finding {
    let rule = "tells phases (optional)";
    if told.is_empty() {
        return open(
            rule,
            "none: it has no WatchExecution, or the run was too short",
        );
    }
    let names: Vec<_> = told.iter().map(|phase| phase.name()).collect();
    kept(rule, names.join(", "))
}

impl Before {
    pub(super) fn device(&self) -> &DeviceId {
        &self.device
    }
}
