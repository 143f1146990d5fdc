//! Everything that can be seen of a run from outside, in order: calls on the wire, commits, what
//! devices did, faults, what clients were told. Two runs are the same if their traces are.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::record::Records;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A gRPC edge: a request or an answer leaves or arrives.
    Wire,
    /// A commit of the job store.
    Store,
    /// A fact of a device.
    Device,
    /// Something the scenario did.
    Fault,
    /// Something a client was told.
    Client,
    /// A process starts or ends.
    Node,
}

impl Lane {
    /// The lane's name, as the timeline shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Store => "store",
            Self::Device => "device",
            Self::Fault => "FAULT",
            Self::Client => "client",
            Self::Node => "node",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, in simulated time since the start of the run.
    pub at: Duration,
    /// What it is about.
    pub lane: Lane,
    /// What happened; jobs are named by their place in the scenario.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.at.as_secs(), self.at.subsec_nanos());
        write!(
            f,
            "{seconds:>6}.{nanos:09}  {:<6}  {}",
            self.lane.name(),
            self.text
        )
    }
}

/// A trace that is being written. Clones write the same one.
#[derive(Clone)]
pub struct Trace {
    now: fn() -> Duration,
    lines: Arc<Mutex<Vec<Line>>>,
    records: Arc<Mutex<Records>>,
    closed: Arc<AtomicBool>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("lines", &self.lines().len())
            .finish()
    }
}

impl Trace {
    /// An empty trace; `now` is the simulated time since the start of the run.
    pub fn new(now: fn() -> Duration) -> Self {
        Self {
            now,
            lines: Arc::default(),
            records: Arc::default(),
            closed: Arc::default(),
        }
    }

    /// The run is over: what is dropped from now on is not to be seen, and has no time.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether the run is over.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Adds a line.
    pub fn note(&self, lane: Lane, text: impl Into<String>) {
        let line = Line {
            at: (self.now)(),
            lane,
            text: text.into(),
        };
        self.lines().push(line);
    }

    /// What is recorded beside the lines.
    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no holder panics")
    }

    /// The lines so far.
    pub fn taken(&self) -> Vec<Line> {
        self.lines().clone()
    }

    /// Simulated time since the start of the run.
    pub fn now(&self) -> Duration {
        (self.now)()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().expect("no holder panics")
    }
}

/// The SHA-256 of a whole trace in hex: all lines, with their times.
pub fn hash(lines: &[Line]) -> String {
    let mut sum = Sha256::new();
    for line in lines {
        sum.update(line.to_string());
        sum.update(b"\n");
    }
    sum.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(texts: &[&str]) -> Vec<Line> {
        let trace = Trace::new(|| Duration::from_micros(1_500_001));
        texts.iter().for_each(|text| trace.note(Lane::Store, *text));
        trace.taken()
    }

    #[test]
    fn a_line_reads_time_lane_text() {
        let line = written(&["job 0: Submitted"]).remove(0);
        assert_eq!(
            line.to_string(),
            "     1.500001000  store   job 0: Submitted"
        );
    }

    #[test]
    fn the_hash_depends_on_every_line_and_its_order() {
        let hashes = [&["a", "b"][..], &["b", "a"], &["ab"], &["a"]].map(|t| hash(&written(t)));
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
        assert_eq!(hash(&written(&["a", "b"])), hashes[0]);
    }
}
