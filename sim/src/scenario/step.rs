//! One decision of a run's log: a fault, and the moment for it.
//!
//! A log is a list of these and nothing else decides on faults. A moment is a site and an ordinal
//! ("the second commit of Intended by job 3, before its acknowledgement"), so that any part of a
//! log is a log as well: what is left keeps its meaning when something is taken away.

use serde::{Deserialize, Serialize};

use super::fault::Act;
use super::form::{is_one, one};
use super::span::Span;

/// One fault, and the moment for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum When {
    /// So long after the start.
    At(Span),
    /// So long after the step before this one.
    After(Span),
    /// The job store is at this point.
    Point(Point),
    /// The job store's disk is about to be synced for a commit.
    Sync(SyncPoint),
    /// A kernel takes the writer's place in the job store.
    Epoch(EpochPoint),
    /// A device is at this point of a job's run.
    Device(DevicePoint),
    /// A message of a call is about to travel.
    Call(CallPoint),
    /// An artifact is written or read.
    Object(ObjectPoint),
}

/// A point in the life of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The job, by its place in the scenario, from 0.
    pub job: usize,
    /// The event that is recorded.
    pub event: String,
    /// Which moment of the commit.
    pub moment: Moment,
    /// Which one of several events of that name, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
}

/// A moment of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Nothing is written.
    Before,
    /// It is written, and the kernel does not know.
    AfterWriteBeforeAck,
    /// It is written, and the kernel knows.
    After,
}

impl Moment {
    /// All three, in their order.
    pub const ALL: [Self; 3] = [Self::Before, Self::AfterWriteBeforeAck, Self::After];
}

/// A sync of the disk within a commit: what was written before it is not on stable storage yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncPoint {
    /// A job in that commit, by its place in the scenario, from 0.
    pub job: usize,
    /// The event of it that is recorded.
    pub event: String,
    /// Which sync of the commit, from 1.
    pub sync: u32,
    /// Which one of several events of that name, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
}

/// A point in the start of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochPoint {
    /// Which moment of the commit by which it takes the writer's place.
    pub moment: Moment,
    /// Which start of a kernel, from 1.
    pub nth: u32,
}

/// A point of a run on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicePoint {
    /// The job, by its place in the scenario, from 0.
    pub job: usize,
    /// What the device did.
    pub fact: DeviceFact,
    /// Which run of that job, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
}

/// What a device did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceFact {
    /// The run has begun.
    Started,
    /// The run is over; its answer has not left yet.
    Executed,
}

/// A message of a call. What is not said may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallPoint {
    /// The call, as the contract names it: `ExecuteCircuit`.
    pub method: String,
    /// Who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// For which job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<usize>,
    /// Which message of the call.
    #[serde(default)]
    pub leg: Leg,
    /// Which of the calls that fit, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
}

/// A message of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// The request is about to leave its caller.
    #[default]
    Request,
    /// The answer is about to leave the server, whose work is done.
    Answer,
}

/// An access to an artifact. What is not said may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPoint {
    /// Whose artifact.
    pub job: usize,
    /// Its file name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What is done with it.
    pub op: ObjectOp,
    /// Which of the accesses that fit, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
}

/// What is done with an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectOp {
    /// It is written.
    Put,
    /// It is read.
    Get,
}

impl When {
    /// Where the decision is made, without its ordinal.
    pub fn site(&self) -> String {
        let any = |what: Option<String>| what.unwrap_or_else(|| "any".to_owned());
        match self {
            Self::At(_) => "the clock".to_owned(),
            Self::After(_) => "the step before".to_owned(),
            Self::Point(point) => {
                let moment = moment(point.moment);
                format!("job {}: {moment} the commit of {}", point.job, point.event)
            }
            Self::Sync(point) => format!(
                "job {}: sync {} of the commit of {}",
                point.job, point.sync, point.event
            ),
            Self::Epoch(point) => format!("{} an epoch is claimed", moment(point.moment)),
            Self::Device(point) => format!("job {}: its run has {:?}", point.job, point.fact),
            Self::Call(call) => {
                let job = any(call.job.map(|job| format!("job {job}")));
                let from = any(call.from.clone());
                format!("{:?} of {} by {from} for {job}", call.leg, call.method)
            }
            Self::Object(object) => {
                let file = any(object.file.clone());
                format!("job {}: {:?} of artifact {file}", object.job, object.op)
            }
        }
    }

    /// Which time at that site, from 1; 0 where it is a time and no count.
    pub fn ordinal(&self) -> u32 {
        match self {
            Self::At(_) | Self::After(_) => 0,
            Self::Point(Point { nth, .. })
            | Self::Sync(SyncPoint { nth, .. })
            | Self::Epoch(EpochPoint { nth, .. })
            | Self::Device(DevicePoint { nth, .. })
            | Self::Call(CallPoint { nth, .. })
            | Self::Object(ObjectPoint { nth, .. }) => *nth,
        }
    }

    /// The job that must be in the scenario for this moment to come.
    pub fn job(&self) -> Option<usize> {
        match self {
            Self::Point(Point { job, .. })
            | Self::Sync(SyncPoint { job, .. })
            | Self::Device(DevicePoint { job, .. })
            | Self::Object(ObjectPoint { job, .. }) => Some(*job),
            Self::Call(call) => call.job,
            Self::At(_) | Self::After(_) | Self::Epoch(_) => None,
        }
    }
}

fn moment(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::AfterWriteBeforeAck => "between write and acknowledgement of",
        Moment::After => "after",
    }
}
