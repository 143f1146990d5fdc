//! The faults of a scenario, and their moments.

use serde::Deserialize;

use super::form::one;
use super::span::Span;

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
