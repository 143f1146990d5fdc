//! The truth about runs, and what the driver remembers of them.
//!
//! A run is a row, not a task: it is over when the clock says so, whoever still waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qrtx::grpc::proto::internal::ExecuteCircuitResponse;
use qrtx::time::{Monotonic, Timestamp};
use tonic::Code;

use super::super::call::job_of;
use super::super::whims::Evidence;

/// One execution that really ran, or runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its `x-eigen-execution-id`; `None` if there was no such header.
    pub execution: Option<String>,
    /// Its `x-eigen-fencing-token`; `None` if there was none or it was no number.
    pub token: Option<u64>,
    /// The reserved slot in which it runs, and that one's token, if it named both.
    pub reservation: Option<(String, u64)>,
    /// The job named in the request.
    pub job: String,
    /// Where.
    pub device: String,
    /// Shots asked for.
    pub shots: i32,
    /// Shots fired up to now.
    pub shots_fired: i64,
    /// When it started, on the double's clock.
    pub started: Monotonic,
    /// The same on its wall clock.
    pub started_wall: Timestamp,
    /// When the device was done with it; `None` while it runs.
    pub ended: Option<Monotonic>,
    /// How it ended, or will.
    pub end: End,
    /// How long the driver says that it took.
    pub took: Duration,
    /// What the driver says of it beside the counts.
    pub beside: BTreeMap<String, String>,
    /// What the device measured, whatever was answered; of a stopped run nothing.
    pub counts: BTreeMap<String, i64>,
    /// The circuit's bytes.
    pub circuit: Vec<u8>,
    /// The options it ran with.
    pub options: BTreeMap<String, String>,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With counts.
    Measured,
    /// With all shots fired and an error as the answer.
    SaidToHaveFailed,
    /// By CancelExecution.
    Stopped,
}

/// A row of the ledger.
pub(super) struct Row {
    pub(super) run: Run,
    /// When it ends if nobody stops it.
    pub(super) due: Monotonic,
    pub(super) verdict: Verdict,
}

/// What is answered at the end.
#[derive(Clone)]
pub(super) enum Verdict {
    Done(ExecuteCircuitResponse),
    Failed(Code, Evidence),
    Stopped,
}

impl Row {
    pub(super) fn ended(&self, now: Monotonic) -> Option<Monotonic> {
        self.run
            .ended
            .or_else(|| (now >= self.due).then_some(self.due))
    }

    /// Shots go off evenly over the time of the run.
    pub(super) fn fired(&self, now: Monotonic) -> i64 {
        let until = self.run.ended.unwrap_or(now).min(self.due);
        let (done, all) = (
            until.since(self.run.started),
            self.due.since(self.run.started),
        );
        if until >= self.due {
            return self.run.shots.into();
        }
        let fired = u128::from(self.run.shots.unsigned_abs()) * done.as_nanos() / all.as_nanos();
        i64::try_from(fired).expect("less than what was asked for")
    }

    /// Ends the run now. Does nothing if it is over.
    pub(super) fn stop(&mut self, now: Monotonic) {
        if self.ended(now).is_none() {
            self.run.ended = Some(now);
            self.run.end = End::Stopped;
            self.run.counts.clear();
            self.verdict = Verdict::Stopped;
        }
    }

    pub(super) fn seen_at(&self, now: Monotonic) -> Run {
        let (shots_fired, ended) = (self.fired(now), self.ended(now));
        Run {
            shots_fired,
            ended,
            ..self.run.clone()
        }
    }
}

/// All that ever ran.
#[derive(Default)]
pub(super) struct Ledger(Vec<Row>);

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a run, and gives its number.
    pub(super) fn start(&mut self, row: Row) -> usize {
        self.0.push(row);
        self.0.len() - 1
    }

    pub(super) fn row(&self, number: usize) -> &Row {
        &self.0[number]
    }

    pub(super) fn row_mut(&mut self, number: usize) -> &mut Row {
        &mut self.0[number]
    }

    pub(super) fn runs_from(&self, first: usize, now: Monotonic) -> Vec<Run> {
        let rows = self.0.iter().skip(first);
        rows.map(|row| row.seen_at(now)).collect()
    }

    /// The counts of the latest run that was not for `job`.
    pub(super) fn counts_of_another(&self, job: &str) -> Option<BTreeMap<String, i64>> {
        let another = self.0.iter().rev().find(|row| row.run.job != job);
        another.map(|row| row.run.counts.clone())
    }
}

/// A way of a driver not to keep the execution contract (D8), for whoever checks drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// An execution that arrives again is run again.
    RunsAgain,
    /// An execution that was cancelled before it arrived is run all the same.
    IgnoresTombstones,
    /// An execution with an older token than one that was executed is run.
    IgnoresTokens,
    /// An execution with an older token than a tombstone of its job is run.
    IgnoresTokensOfTombstones,
    /// Tokens of all jobs are compared with each other.
    ComparesTokensOfAllJobs,
    /// Of tokens the low half is compared and the epoch is not.
    ComparesLowHalves,
    /// Of tokens the epoch is compared and the low half is not.
    ComparesEpochs,
    /// It knows an execution only when its run is over, and runs the copies that come before.
    KnowsOnlyWhatIsOver,
    /// It takes every execution of a job for the first one.
    GoesByJob,
    /// After a restart it claims to remember what was before.
    ClaimsToRemember,
    /// After a restart it still tells of executions, and runs them again.
    RunsAgainAfterRestart,
    /// A restart loses the tokens seen, and nothing else.
    LosesTokens,
    /// GetExecution says NOT_FOUND of what is buried.
    HidesTombstones,
    /// CancelExecution does not say since when it remembers.
    CancelsWithoutSince,
    /// A repeated CancelExecution takes its own tombstone for an execution that was known.
    KnowsWhatItBuried,
    /// GetExecution tells of other counts than ExecuteCircuit answered.
    TellsOtherCounts,
    /// The same, and only after a restart.
    TellsOtherCountsAfterRestart,
    /// Its refusals have no ErrorInfo.
    RefusesBarely,
}

/// What the driver knows when it is asked.
pub(super) struct Memory {
    pub(super) deviation: Option<Deviation>,
    /// Execution ids to numbers in the ledger.
    pub(super) executions: BTreeMap<String, usize>,
    /// Those of them that it would run again.
    told_only: BTreeSet<String>,
    /// Whether GetExecution tells of other counts.
    pub(super) tells_other_counts: bool,
    pub(super) since: Timestamp,
    /// The newest token of each job, as seen by ExecuteCircuit.
    newest: BTreeMap<String, u64>,
    /// Durable.
    tombstones: BTreeSet<String>,
    /// Durable: the newest token of each job that a tombstone had.
    fences: BTreeMap<String, u64>,
}

impl Memory {
    pub(super) fn since(now: Timestamp) -> Self {
        Self {
            deviation: None,
            executions: BTreeMap::new(),
            told_only: BTreeSet::new(),
            tells_other_counts: false,
            since: now,
            newest: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            fences: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        match self.deviation {
            Some(Deviation::RunsAgainAfterRestart) => {
                self.told_only = self.executions.keys().cloned().collect();
                return;
            }
            Some(Deviation::LosesTokens) => return self.newest.clear(),
            Some(Deviation::TellsOtherCountsAfterRestart) => {
                self.tells_other_counts = true;
                return;
            }
            Some(Deviation::ClaimsToRemember) => {}
            _ => self.since = now,
        }
        self.executions.clear();
        self.newest.clear();
    }

    /// The number of an execution that is not to be run again.
    pub(super) fn recognised(&self, execution: &str) -> Option<usize> {
        match self.deviation {
            Some(Deviation::RunsAgain) => None,
            Some(Deviation::GoesByJob) => {
                let mut known = self.executions.iter();
                let of_job = known.find(|(known, _)| job_of(known) == job_of(execution));
                of_job.map(|(_, number)| *number)
            }
            _ => {
                let known = self.executions.get(execution).copied();
                known.filter(|_| !self.told_only.contains(execution))
            }
        }
    }

    /// Notes an execution that begins.
    pub(super) fn begins(&mut self, execution: String, number: usize) {
        if self.deviation != Some(Deviation::KnowsOnlyWhatIsOver) {
            self.executions.insert(execution, number);
        }
    }

    /// Notes an execution of which the end is told.
    pub(super) fn ends(&mut self, execution: &str, number: usize) {
        if self.deviation == Some(Deviation::KnowsOnlyWhatIsOver) {
            self.executions.insert(execution.to_owned(), number);
        }
    }

    /// Whether an execution must not be run because it was cancelled.
    pub(super) fn is_buried(&self, execution: &str) -> bool {
        self.has_tombstone(execution) && self.deviation != Some(Deviation::IgnoresTombstones)
    }

    pub(super) fn has_tombstone(&self, execution: &str) -> bool {
        self.tombstones.contains(execution)
    }

    /// Whether a newer execution or tombstone of the job was seen.
    pub(super) fn is_stale(&self, job: &str, token: u64) -> bool {
        let (job, token) = self.compared(job, token);
        let older = |than: Option<&u64>| than.is_some_and(|than| token < *than);
        let executed = older(self.newest.get(job));
        let buried = older(self.fences.get(job));
        executed && self.deviation != Some(Deviation::IgnoresTokens)
            || buried && self.deviation != Some(Deviation::IgnoresTokensOfTombstones)
    }

    pub(super) fn saw(&mut self, job: &str, token: u64) {
        let (job, token) = self.compared(job, token);
        raise(&mut self.newest, job, token);
    }

    /// What is compared of a token, and among which.
    fn compared<'a>(&self, job: &'a str, token: u64) -> (&'a str, u64) {
        match self.deviation {
            Some(Deviation::ComparesTokensOfAllJobs) => ("", token),
            Some(Deviation::ComparesLowHalves) => (job, token & u64::from(u32::MAX)),
            Some(Deviation::ComparesEpochs) => (job, token >> 32),
            _ => (job, token),
        }
    }

    /// An execution that was not taken stays out; one that runs goes on.
    pub(super) fn refuse(&mut self, execution: &str) {
        if !self.executions.contains_key(execution) {
            self.tombstones.insert(execution.to_owned());
        }
    }

    pub(super) fn bury(&mut self, execution: &str, token: u64) {
        self.tombstones.insert(execution.to_owned());
        let (job, token) = self.compared(job_of(execution), token);
        raise(&mut self.fences, job, token);
    }
}

fn raise(newest: &mut BTreeMap<String, u64>, job: &str, token: u64) {
    let known = newest.entry(job.to_owned()).or_default();
    *known = token.max(*known);
}

/// A run that took no time overlaps with nothing.
fn overlap(one: &Run, other: &Run) -> bool {
    let end = |run: &Run| run.ended.unwrap_or(Monotonic(Duration::MAX));
    one.device == other.device && one.started < end(other) && other.started < end(one)
}

pub(super) fn overlaps(runs: &[Run]) -> Vec<(Run, Run)> {
    let later = |at: usize| runs[at + 1..].iter();
    let pairs = runs
        .iter()
        .enumerate()
        .flat_map(|(at, one)| later(at).map(move |two| (one, two)));
    pairs
        .filter(|(one, two)| overlap(one, two))
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect()
}

pub(super) fn most_at_once(runs: &[Run], device: &str) -> usize {
    let mut turns: Vec<(Monotonic, i32)> = Vec::new();
    for run in runs.iter().filter(|run| run.device == device) {
        turns.push((run.started, 1));
        turns.extend(run.ended.map(|ended| (ended, -1)));
    }
    // Ends before starts: a slot may be taken in the moment in which it is given back.
    turns.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, turn) in turns {
        now += turn;
        most = most.max(now);
    }
    usize::try_from(most).expect("never negative for long")
}
