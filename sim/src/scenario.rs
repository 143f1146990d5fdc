//! Reads `fault-scenarios/*.toml`; the format is described in the README beside them. All that
//! goes wrong in a run is in here, so that a run can be repeated, read, and made smaller.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qrtx::job::state::State;
use serde::Deserialize;

/// What happens in a run, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name, which is also the file's.
    pub id: String,
    /// What this is about, for somebody who has never seen the code.
    pub story: String,
    /// Whether the driver-manager serves ExecutionControl: it can be asked what became of an
    /// execution, and told to stop it.
    #[serde(default)]
    pub askable: bool,
    /// How long a run takes on a device.
    #[serde(default = "Span::one_second")]
    pub run_takes: Span,
    /// Within this after the last fault every job must have ended.
    #[serde(default = "Span::ten_minutes")]
    pub bound: Span,
    /// The devices.
    #[serde(rename = "device")]
    pub devices: Vec<DevicePlan>,
    /// What clients ask for; each entry may stand for several jobs.
    #[serde(rename = "job")]
    pub jobs: Vec<JobPlan>,
    /// The faults.
    #[serde(rename = "step", default)]
    pub steps: Vec<Step>,
    /// What must have come of it.
    #[serde(default)]
    pub expect: Expect,
    /// The invariants to check, by name; all when empty.
    #[serde(default)]
    pub invariants: Vec<String>,
}

/// A device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicePlan {
    /// Its name.
    pub id: String,
    /// What it is; shots on anything but a `simulator` are worth money (D14).
    #[serde(default = "simulator")]
    pub backend_type: String,
    /// Runs it takes at a time.
    #[serde(default = "one")]
    pub slots: u32,
}

/// Jobs that a client submits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPlan {
    /// Which client, from 0.
    #[serde(default)]
    pub client: u32,
    /// When, after the start.
    #[serde(default)]
    pub at: Span,
    /// How many of them.
    #[serde(default = "one")]
    pub count: u32,
    /// The time between two of them.
    #[serde(default)]
    pub every: Span,
    /// Where they shall run.
    pub device: String,
    /// How the program is written, which decides who compiles it.
    #[serde(default)]
    pub program: ProgramPlan,
    /// How often to run it.
    #[serde(default = "hundred")]
    pub shots: u32,
    /// How long it may take, of the client's own accord.
    pub timeout: Option<Span>,
}

/// A program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramPlan {
    /// A circuit: the kernel lowers it by itself.
    #[default]
    Aqo,
    /// Source: eigen-compiler is needed.
    EigenLang,
}

/// One fault, and the moment for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The moment.
    pub when: When,
    /// The fault.
    #[serde(rename = "do")]
    pub act: Act,
}

/// A moment, by what happens and not by the clock where that is possible: it is then the same
/// moment in every seed, and still there when the code has become faster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum When {
    /// So long after the start.
    At(Span),
    /// So long after the step before this one.
    After(Span),
    /// The job store is at this point.
    Point(Point),
    /// A device is at this point of a job's run.
    Device(DevicePoint),
}

/// A point in the life of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The job, by its place in the scenario, from 0.
    pub job: usize,
    /// The event that is recorded.
    pub event: String,
    /// Which moment of the commit.
    pub moment: Moment,
    /// Which one of several events of that name, from 1.
    #[serde(default = "one")]
    pub nth: u32,
}

/// A moment of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Nothing is written.
    Before,
    /// It is written, and the kernel does not know.
    AfterWriteBeforeAck,
    /// It is written, and the kernel knows.
    After,
}

/// A point of a run on a device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicePoint {
    /// The job, by its place in the scenario, from 0.
    pub job: usize,
    /// What the device did.
    pub fact: DeviceFact,
    /// Which run of that job, from 1.
    #[serde(default = "one")]
    pub nth: u32,
}

/// What a device did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceFact {
    /// The run has begun.
    Started,
    /// The run is over; its answer has not left yet.
    Executed,
}

/// Something done to the world.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A process dies at once, and is started again after a while.
    Kill(Kill),
    /// Nothing arrives in this direction any more, and nobody is told so.
    Cut(Direction),
    /// The same in both directions.
    Partition(Direction),
    /// Every cut is mended, and what was under way arrives.
    Heal,
    /// The next answer in this direction is lost: its caller sees the connection break.
    LoseAnswer(Direction),
    /// The job store does not work, in this way.
    StoreFails(StoreFault),
    /// The job store works again.
    StoreHeals,
    /// A node's wall clock jumps by so many seconds.
    ClockJumps(Jump),
    /// A job's client cancels it.
    Cancel(JobRef),
}

/// Which process, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// `kernel`, `compiler` or `driver-manager`.
    pub node: String,
    /// How long it stays away.
    pub down: Span,
}

/// From one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// Who sends.
    pub from: String,
    /// Who would receive.
    pub to: String,
}

/// How a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreFault {
    /// Nothing is written, nothing can be read.
    Away,
    /// Everything is written, and reported as failed.
    WritesAndSaysNo,
}

/// A jump of a clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// Whose clock.
    pub node: String,
    /// Seconds forward, or backward when negative.
    pub seconds: i64,
}

/// A job by its place in the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRef {
    /// From 0.
    pub job: usize,
}

/// What must have come of it. What is not said may be anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The ends that a job may have.
    #[serde(default)]
    pub ends: Vec<State>,
    /// The fewest and the most runs of a job on devices.
    pub executions: Option<[usize; 2]>,
    /// Shots of all jobs that were fired for nothing, as the kernel's ledger says.
    pub wasted_shots: Option<u64>,
    /// Shots of all jobs of which nobody can say anything.
    pub unknown_shots: Option<u64>,
    /// What is different for one job, by its place in the scenario.
    #[serde(default)]
    pub job: BTreeMap<usize, ExpectJob>,
}

/// What must have come of one job; what is not said is as for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectJob {
    /// The ends that it may have.
    pub ends: Option<Vec<State>>,
    /// The fewest and the most runs on devices.
    pub executions: Option<[usize; 2]>,
}

/// A span of time: a number and `us`, `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl Span {
    fn one_second() -> Self {
        Self(Duration::from_secs(1))
    }

    fn ten_minutes() -> Self {
        Self(Duration::from_secs(600))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is no span of time such as \"150ms\" or \"2s\"");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let micros = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        Ok(Self(Duration::from_micros(
            number.checked_mul(micros).ok_or_else(bad)?,
        )))
    }
}

fn simulator() -> String {
    "simulator".to_owned()
}

fn one() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a name nor a path.
    #[error("there is no scenario {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no scenario.
    #[error("{path} is no scenario: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// One job of a scenario, out of a [`JobPlan`].
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its place among all jobs.
    pub ordinal: usize,
    /// When it is submitted.
    pub at: Duration,
    /// The rest.
    pub plan: JobPlan,
}

impl Scenario {
    /// The scenario of that name, or in that file.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(name: &str) -> Result<Self, LoadError> {
        let named = folder().join(format!("{name}.toml"));
        let path = if named.is_file() {
            named
        } else {
            PathBuf::from(name)
        };
        if !path.is_file() {
            let known: Vec<_> = all()?.into_iter().map(|scenario| scenario.id).collect();
            return Err(LoadError::Unknown {
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        Self::read(&path)
    }

    fn read(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let invalid = |reason| LoadError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let scenario: Self = toml::from_str(&text).map_err(|why| invalid(why.to_string()))?;
        if path
            .file_stem()
            .is_none_or(|stem| stem != scenario.id.as_str())
        {
            return Err(invalid(format!(
                "its id is {:?}, unlike its name",
                scenario.id
            )));
        }
        scenario.check().map_err(invalid)?;
        Ok(scenario)
    }

    /// Says what the form alone cannot say.
    fn check(&self) -> Result<(), String> {
        let jobs = self.planned().len();
        for job in &self.jobs {
            if !self.devices.iter().any(|device| device.id == job.device) {
                return Err(format!("no device is called {:?}", job.device));
            }
        }
        for step in &self.steps {
            let job = match (&step.when, &step.act) {
                (When::Point(Point { job, .. }) | When::Device(DevicePoint { job, .. }), _)
                | (_, Act::Cancel(JobRef { job })) => *job,
                _ => 0,
            };
            if job >= jobs {
                return Err(format!("a step names job {job}, there are {jobs}"));
            }
            if let Act::Kill(Kill { node, .. }) = &step.act
                && !["kernel", "compiler", "driver-manager"].contains(&node.as_str())
            {
                return Err(format!("no process is called {node:?}"));
            }
            if let Act::Cut(way) | Act::Partition(way) | Act::LoseAnswer(way) = &step.act {
                for node in [&way.from, &way.to] {
                    if !self.nodes().contains(node) {
                        return Err(format!("no node is called {node:?}"));
                    }
                }
            }
        }
        for name in &self.invariants {
            if !qrtx_testkit::invariants::ALL
                .iter()
                .any(|known| known.name == name)
            {
                return Err(format!("no invariant is called {name:?}"));
            }
        }
        Ok(())
    }

    /// Every node of the deployment by name.
    pub fn nodes(&self) -> Vec<String> {
        let servers = ["kernel", "compiler", "driver-manager"].map(str::to_owned);
        let clients = self.jobs.iter().map(|job| client_name(job.client));
        let mut nodes: Vec<_> = servers.into_iter().chain(clients).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    /// Every job, in the order in which the scenario names them.
    pub fn planned(&self) -> Vec<Planned> {
        let each = self.jobs.iter().flat_map(|plan| {
            (0..plan.count).map(move |n| (plan.at.0 + plan.every.0 * n, plan.clone()))
        });
        each.enumerate()
            .map(|(ordinal, (at, plan))| Planned { ordinal, at, plan })
            .collect()
    }

    /// The ends that a job may have; any when empty.
    pub fn ends_of(&self, job: usize) -> &[State] {
        let own = self
            .expect
            .job
            .get(&job)
            .and_then(|own| own.ends.as_deref());
        own.unwrap_or(&self.expect.ends)
    }

    /// The fewest and the most runs of a job.
    pub fn executions_of(&self, job: usize) -> Option<[usize; 2]> {
        let own = self.expect.job.get(&job).and_then(|own| own.executions);
        own.or(self.expect.executions)
    }
}

/// The name of a client's node.
pub fn client_name(client: u32) -> String {
    format!("client-{client}")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fault-scenarios")
}

/// Every scenario of this repository, by name.
///
/// # Errors
/// [`LoadError`].
pub fn all() -> Result<Vec<Scenario>, LoadError> {
    let folder = folder();
    let unreadable = |source| LoadError::Unreadable {
        path: folder.clone(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Scenario::read(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_is_read() {
        let ids: Vec<_> = all()
            .unwrap()
            .into_iter()
            .map(|scenario| scenario.id)
            .collect();
        assert_eq!(ids, ["calm", "kernel-killed", "partition-after-execute"]);
    }

    #[test]
    fn spans_have_a_unit() {
        let span = |text: &str| Span::try_from(text.to_owned());
        assert_eq!(span("150ms"), Ok(Span(Duration::from_millis(150))));
        assert_eq!(span("2h"), Ok(Span(Duration::from_secs(7200))));
        for text in ["", "5", "s", "-1s", "1.5s", "99999999999999999999h"] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        let scenario = |more: &str| {
            let text =
                format!("id='x'\nstory='y'\n{more}\n[[device]]\nid='d'\n[[job]]\ndevice='d'\n");
            toml::from_str::<Scenario>(&text).map_err(|why| why.to_string())
        };
        assert!(scenario("").is_ok());
        assert!(scenario("askabel = true").unwrap_err().contains("askabel"));
    }
}
