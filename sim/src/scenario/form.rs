//! The form of a scenario's file, but for its steps.

use std::collections::BTreeMap;

use qrtx::job::state::State;
use serde::Deserialize;

use super::span::Span;
use super::step::Step;

/// What happens in a run, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name, which is also the file's.
    pub id: String,
    /// What to call it by: its name, or the path of a file that is not one of ours.
    #[serde(skip)]
    pub called: String,
    /// What this is about, for somebody who has never seen the code.
    pub story: String,
    /// Whether the driver-manager serves ExecutionControl: it can be asked what became of an
    /// execution, and told to stop it.
    #[serde(default)]
    pub askable: bool,
    /// How long a run takes on a device.
    #[serde(default = "Span::one_second")]
    pub run_takes: Span,
    /// How long the compiler takes for a program.
    #[serde(default)]
    pub compile_takes: Span,
    /// Within this after the last fault every job must have ended.
    #[serde(default = "Span::twenty_minutes")]
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

fn simulator() -> String {
    "simulator".to_owned()
}

pub(super) fn one() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}
