//! The form of a scenario's file, but for its steps.

use std::collections::BTreeMap;

use qrtx::job::state::State;
use qrtx::limits::Limits;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::span::Span;
use super::step::Step;

/// What happens in a run, and what must come of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name, which is also the file's.
    pub id: String,
    /// What to call it by: its name, or the path of a file that is not one of ours.
    #[serde(skip)]
    pub called: String,
    /// What this is about, for somebody who has never seen the code.
    pub story: String,
    /// The issue that brings what this is about; it is listed, and cannot be run before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<u32>,
    /// The seed that it was found with; any other may be given.
    #[serde(
        default,
        deserialize_with = "with_or_without_quotes",
        skip_serializing_if = "Option::is_none"
    )]
    pub seed: Option<String>,
    /// Whether steps may miss their moment, because nobody wrote them for this very run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loose: bool,
    /// Whether the driver-manager serves ExecutionControl: it can be asked what became of an
    /// execution, and told to stop it.
    #[serde(default)]
    pub askable: bool,
    /// Whether runs go on though the driver-manager is told to stop them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unstoppable: bool,
    /// Whether the compiler serves ValidateCircuit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub validates: bool,
    /// Where the kernel keeps the jobs.
    #[serde(default, skip_serializing_if = "StorePlan::is_usual")]
    pub store: StorePlan,
    /// How long a run takes on a device.
    #[serde(default = "Span::one_second")]
    pub run_takes: Span,
    /// How long the compiler takes for a program.
    #[serde(default)]
    pub compile_takes: Span,
    /// How long an operator waits between two looks at the devices; without it nobody looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_every: Option<Span>,
    /// Within this after the last fault every job must have ended.
    #[serde(default = "Span::twenty_minutes")]
    pub bound: Span,
    /// The invariants that this is about, by name; all are checked, whatever stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<String>,
    /// The kernel's bounds that are not as usual.
    #[serde(default, skip_serializing_if = "Bounds::is_usual")]
    pub limits: Bounds,
    /// The devices.
    #[serde(rename = "device", default)]
    pub devices: Vec<DevicePlan>,
    /// What clients ask for; each entry may stand for several jobs.
    #[serde(rename = "job", default)]
    pub jobs: Vec<JobPlan>,
    /// Slots that clients reserve.
    #[serde(rename = "reservation", default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<ReservationPlan>,
    /// The faults: the run's decision log.
    #[serde(rename = "step", default)]
    pub steps: Vec<Step>,
    /// What must have come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// Where the kernel keeps the jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorePlan {
    /// In memory that no crash takes.
    #[default]
    Memory,
    /// In the engine of production, on a disk.
    Disk,
}

impl StorePlan {
    fn is_usual(&self) -> bool {
        *self == Self::Memory
    }
}

/// Bounds of the kernel, by the names that `qrtx.toml` has for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bounds(pub BTreeMap<String, Value>);

impl Bounds {
    /// Changes one of them.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn is_usual(&self) -> bool {
        self.0.is_empty()
    }

    /// All bounds, these among them.
    ///
    /// # Errors
    /// What the kernel says of a name that is none.
    pub fn applied(&self) -> Result<Limits, String> {
        let own = serde_json::to_value(&self.0).map_err(|why| why.to_string())?;
        let applied: Limits =
            serde_json::from_value(own).map_err(|why| format!("limits: {why}"))?;
        applied.check().map_err(|why| format!("limits: {why}"))?;
        Ok(applied)
    }
}

/// A device.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// What it tells of what it can do, if that is not what others tell: `ops`, `qubits`,
    /// `formats`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capabilities: BTreeMap<String, String>,
}

impl DevicePlan {
    /// A device that can do what others can.
    pub fn plain(id: &str, backend_type: &str, slots: u32) -> Self {
        Self {
            id: id.to_owned(),
            backend_type: backend_type.to_owned(),
            slots,
            capabilities: BTreeMap::new(),
        }
    }
}

/// Jobs that a client submits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPlan {
    /// Which client, from 0.
    #[serde(default)]
    pub client: u32,
    /// Whose jobs they are; of the usual tenant if nothing is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// When, after the start.
    #[serde(default)]
    pub at: Span,
    /// How many of them.
    #[serde(default = "one")]
    pub count: u32,
    /// The time between two of them.
    #[serde(default)]
    pub every: Span,
    /// Where they shall run: a device, a class, or what a device must have.
    pub device: String,
    /// Whether there is no such device, on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nowhere: bool,
    /// In which reserved slot, by its place in the scenario, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<usize>,
    /// The idempotency key, if it is not the job's own: two jobs may have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The job whose program it has, by its place, if it is not one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<usize>,
    /// What it has of its own for all that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub but: Option<Own>,
    /// How the program is written, which decides who compiles it.
    #[serde(default)]
    pub program: ProgramPlan,
    /// How often to run it.
    #[serde(default = "hundred")]
    pub shots: u32,
    /// The seed that its device is to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// What its compiler is to be told; its device, too, where they are named `param.…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// How urgent it is, from 0 to 100.
    #[serde(default = "fifty")]
    pub priority: i32,
    /// How long each of its runs takes on a device, if not as long as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Span>,
    /// How long it may take, of the client's own accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Whether it comes by way of system-api, and its client hears of it so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_api: bool,
    /// Whether its client goes away once it is accepted, and asks for nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unwatched: bool,
    /// Whether the compiler hangs whenever it is given this program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub poison: bool,
}

/// What a job that is like another may have of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Own {
    /// Its program.
    Program,
    /// Its name.
    Name,
}

impl JobPlan {
    /// The ordinal that stands in its name, or in its program, as `own` says: that of the job whose program
    /// it has, but for what it has of its own.
    pub fn ordinal_of(&self, own: Own, ordinal: usize) -> usize {
        let like = self.like.filter(|_| self.but != Some(own));
        like.unwrap_or(ordinal)
    }

    /// A job like any other, for `device`.
    pub fn plain(device: &str) -> Self {
        Self {
            client: 0,
            tenant: String::new(),
            at: Span::default(),
            count: one(),
            every: Span::default(),
            device: device.to_owned(),
            nowhere: false,
            reservation: None,
            key: None,
            like: None,
            but: None,
            program: ProgramPlan::default(),
            shots: hundred(),
            seed: None,
            options: BTreeMap::new(),
            priority: fifty(),
            takes: None,
            timeout: None,
            system_api: false,
            unwatched: false,
            poison: false,
        }
    }
}

/// A slot that a client reserves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationPlan {
    /// Which client, from 0.
    #[serde(default)]
    pub client: u32,
    /// For whom; the usual tenant if nothing is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// When, after the start.
    #[serde(default)]
    pub at: Span,
    /// Of which device.
    pub device: String,
    /// For how long.
    pub ttl: Span,
    /// So long after it was made the client gives it back; never, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_after: Option<Span>,
}

/// A program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramPlan {
    /// A circuit: the kernel lowers it by itself.
    #[default]
    Aqo,
    /// Source: eigen-compiler is needed.
    EigenLang,
}

/// What must have come of it. What is not said may be anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The ends that a job may have.
    #[serde(default)]
    pub ends: Vec<State>,
    /// The fewest and the most runs of a job on devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<[usize; 2]>,
    /// Turns of all jobs that may come to nothing, because the device had gone away by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns_lost: Option<usize>,
    /// Shots of all jobs that were fired for nothing, as the kernel's ledger says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasted_shots: Option<u64>,
    /// Shots of all jobs of which nobody can say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_shots: Option<u64>,
    /// Receipts that cancels may be answered with (`NOT_STARTED`, `STOPPED_ON_DEVICE`,
    /// `STOP_UNCONFIRMED`, `TOO_LATE`); any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<String>,
    /// How long clients may wait for what they ask, but for watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_within: Option<Span>,
    /// Rare states that must have been hit (T1 to T16).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<String>,
    /// What is different for one job, by its place in the scenario.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub job: BTreeMap<usize, ExpectJob>,
}

/// What must have come of one job; what is not said is as for all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectJob {
    /// The ends that it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Vec<State>>,
    /// The fewest and the most runs on devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<[usize; 2]>,
    /// Whether it is turned away for good, so that it never comes to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// A seed stands in quotes, because numbers of TOML end at half of all seeds; a small one need not.
fn with_or_without_quotes<'de, D: Deserializer<'de>>(seed: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seed {
        Number(u64),
        Text(String),
    }
    Ok(Some(match Seed::deserialize(seed)? {
        Seed::Number(number) => number.to_string(),
        Seed::Text(text) => text,
    }))
}

fn simulator() -> String {
    "simulator".to_owned()
}

pub(super) fn one() -> u32 {
    1
}

pub(super) fn is_one(number: &u32) -> bool {
    *number == 1
}

fn fifty() -> i32 {
    50
}

fn hundred() -> u32 {
    100
}
