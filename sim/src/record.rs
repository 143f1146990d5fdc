//! What was to be seen of a run, as data: the same as the trace's lines, for those who count,
//! check and draw. Times are since the start of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::job::state::State;
use qrtx_testkit::history::{Cancel, Drained, Given, Look, Refused, Word};

/// Everything that was recorded.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Every call, by its number from 1.
    pub calls: Vec<CallRecord>,
    /// Every append that reached the job store.
    pub commits: Vec<CommitRecord>,
    /// Every artifact that was written.
    pub artifacts: Vec<ArtifactRecord>,
    /// Every sync of the disk with the job store on it, once for each job in its commit.
    pub syncs: Vec<SyncRecord>,
    /// When a kernel first tried to record that a job is given a device; the store may take it
    /// much later, or from the next kernel.
    pub turns: BTreeMap<JobId, Duration>,
    /// The same of every turn, later ones of a job as well: by job, life of the kernel, and number of
    /// the event.
    pub given: BTreeMap<(JobId, u32, u64), Given>,
    /// What kernels were told of devices, where that was news.
    pub words: Vec<Word>,
    /// What the operator saw who looked at the devices.
    pub looks: Vec<Look>,
    /// Devices that the operator took out of use.
    pub drained: Vec<Drained>,
    /// Decisions of the log that had their moment.
    pub fired: Vec<Fired>,
    /// Lives of processes.
    pub lives: Vec<Life>,
    /// Epochs claimed: when, and by which life of the kernel.
    pub epochs: Vec<(Duration, u32)>,
    /// Submits that go on: who, and which job of the scenario.
    pub submitting: BTreeSet<(String, usize)>,
    /// Submits that were turned away, in order.
    pub refused: Vec<Refused>,
    /// Every cancel that a client asked for.
    pub cancels: Vec<Cancel>,
    /// When a kernel was told that another has taken its place, by its life.
    pub fenced: Vec<(u32, Duration)>,
    /// Submits that were answered with the job of an earlier one.
    pub merged: usize,
}

/// One call on the wire.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Who calls.
    pub from: String,
    /// Which life of it, from 1.
    pub life: u32,
    /// Who is called.
    pub to: String,
    /// What.
    pub method: String,
    /// For which job, by its place in the scenario.
    pub job: Option<usize>,
    /// When the request left.
    pub sent: Duration,
    /// When it arrived.
    pub arrived: Option<Duration>,
    /// When the answer left.
    pub left: Option<Duration>,
    /// When the last of the answer was here, or the call broke.
    pub ended: Option<Duration>,
    /// How it ended: a gRPC code, or what broke it.
    pub end: String,
}

/// One append.
#[derive(Debug, Clone)]
pub struct CommitRecord {
    /// When.
    pub at: Duration,
    /// The job.
    pub job: JobId,
    /// Its place in the scenario.
    pub ordinal: Option<usize>,
    /// The events' names.
    pub events: Vec<&'static str>,
    /// The state after them.
    pub state: State,
    /// The number of the last event.
    pub seq: u64,
    /// Whether it was written.
    pub written: bool,
    /// Whether the store said that it was.
    pub confirmed: bool,
    /// Which life of the kernel asked for it.
    pub life: u32,
}

/// An artifact that was written.
#[derive(Debug, Clone)]
pub struct ArtifactRecord {
    /// When.
    pub at: Duration,
    /// Whose, by its place in the scenario.
    pub ordinal: Option<usize>,
    /// Its file name.
    pub file: String,
}

/// A sync of a commit.
#[derive(Debug, Clone)]
pub struct SyncRecord {
    /// When.
    pub at: Duration,
    /// A job in it, by its place in the scenario.
    pub job: usize,
    /// The names of its events.
    pub events: Vec<&'static str>,
    /// Which sync of the commit, from 1.
    pub sync: u32,
}

/// A decision that had its moment.
#[derive(Debug, Clone)]
pub struct Fired {
    /// Its place in the log.
    pub step: usize,
    /// When.
    pub at: Duration,
    /// Its kind; empty for what is no fault.
    pub kind: &'static str,
    /// It, in words.
    pub text: String,
    /// How long it lasts, if it lasts.
    pub lasts: Option<Duration>,
}

/// One life of a process.
#[derive(Debug, Clone)]
pub struct Life {
    /// Its node.
    pub node: String,
    /// Which life of that node, from 1.
    pub number: u32,
    /// When it began.
    pub began: Duration,
    /// When it could be reached.
    pub ready: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
}
