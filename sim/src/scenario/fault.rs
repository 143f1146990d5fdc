//! The vocabulary of faults. A fault that lasts says for how long, so that it needs no other
//! decision to end it; hand-written scenarios may leave that out and heal by a step.

use serde::{Deserialize, Serialize};

use super::span::Span;

/// Something done to the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A process dies at once, and is started again after a while.
    Kill(Kill),
    /// A process stands still for a while and goes on as if nothing had happened.
    Pause(Pause),
    /// The kernel stands still, another is started in its place, and then it wakes up.
    Replace(Lasting),
    /// Nothing arrives in this direction any more, and nobody is told so.
    Cut(Direction),
    /// The same in both directions.
    Partition(Direction),
    /// Every cut is mended, and what was under way arrives.
    Heal,
    /// The message never arrives, and the connection breaks.
    Lose,
    /// The message never arrives, and nobody is told so.
    Swallow,
    /// The request arrives twice; the second answer goes nowhere.
    Duplicate,
    /// The message waits until a later one has overtaken it, but at most a second.
    Reorder,
    /// The message takes this much longer.
    Delay(Span),
    /// The neighbour that is called misbehaves in this one call.
    Whim(WhimPlan),
    /// The job store does not work, in this way.
    StoreFails(StoreTrouble),
    /// The job store works again.
    StoreHeals,
    /// The artifact store does not work, in this way.
    ArtifactsFail(ArtifactsTrouble),
    /// The artifact store works again.
    ArtifactsHeal,
    /// This one artifact suffers, and nobody is told so.
    Object(ObjectFault),
    /// A node's wall clock jumps by so many seconds.
    ClockJumps(Jump),
    /// A node's wall clock stands still for a while.
    ClockFreezes(Pause),
    /// A device says that it takes no work.
    Device(DeviceTrouble),
    /// A device goes away and comes back again and again.
    Flap(Flapping),
    /// The operator lets a device take no new jobs for a while. Its end is when it is asked to take
    /// them again.
    Drain(Draining),
    /// A job's client cancels it. Not a fault.
    Cancel(JobRef),
}

/// Which process, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// `kernel`, `compiler` or `driver-manager`.
    pub node: String,
    /// How long it stays away.
    pub down: Span,
    /// The whole machine goes down: artifacts that were not synced are lost or torn, and so is what
    /// was not synced of the disk with the jobs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub power: bool,
}

/// What stands still, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The node.
    pub node: String,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// How long something lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lasting {
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// From one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// Who sends.
    pub from: String,
    /// Who would receive.
    pub to: String,
    /// How long; until `heal` if it is not said.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
}

/// The calls that a neighbour can answer badly.
const CALLS: [&str; 10] = [
    "CancelExecution",
    "CompileCircuit",
    "CompileJob",
    "ExecuteCircuit",
    "GetDeviceStatus",
    "GetExecution",
    "ListDevices",
    "OptimizeCircuit",
    "ValidateCircuit",
    "WatchExecution",
];

/// How a neighbour misbehaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhimPlan {
    /// It does nothing and never answers.
    Hang,
    /// It answers so much later.
    Late(Span),
    /// It answers bytes that are no message.
    Garbage,
    /// It answers for another job.
    AnotherJob,
    /// Its counts do not sum to the shots.
    WrongSum,
    /// One of its counts is negative.
    NegativeCounts,
    /// Its keys are one bit too long.
    WrongWidth,
    /// Its circuit is empty.
    EmptyCircuit,
    /// It runs the circuit and says that it failed.
    SaysFailed,
    /// The same, but anybody on the way may have said so.
    SomebodySaysFailed,
    /// It runs the circuit and its answer breaks off.
    BreaksOff,
    /// It runs the circuit, and somebody on the way says that there is too much to do.
    SomebodySaysBusy,
    /// It is too busy: try again in half a second.
    Busy,
    /// It is too busy: try again in an hour. Nobody waits for that long.
    BusyForLong,
    /// It does nothing, and it or somebody on the way says that it is not available.
    Unavailable,
    /// It does nothing, and it or somebody on the way breaks the call off.
    Aborts,
}

impl WhimPlan {
    /// Whether a neighbour can misbehave like that when it is called so.
    pub fn fits(&self, method: &str) -> bool {
        match self {
            Self::Hang
            | Self::Late(_)
            | Self::Garbage
            | Self::Busy
            | Self::BusyForLong
            | Self::Unavailable
            | Self::Aborts => CALLS.contains(&method),
            Self::EmptyCircuit | Self::AnotherJob => {
                ["CompileCircuit", "CompileJob"].contains(&method)
            }
            Self::WrongSum
            | Self::NegativeCounts
            | Self::WrongWidth
            | Self::SaysFailed
            | Self::SomebodySaysFailed
            | Self::SomebodySaysBusy
            | Self::BreaksOff => method == "ExecuteCircuit",
        }
    }
}

/// How the job store fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreTrouble {
    /// In which way.
    pub how: StoreFault,
    /// How long; until `store-heals` if it is not said.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
}

/// How a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreFault {
    /// Nothing is written, nothing can be read.
    Away,
    /// Everything takes a hundred times as long.
    Slow,
    /// Nothing more is taken, everything can be read.
    Full,
    /// Everything is written, and reported as failed.
    WritesAndSaysNo,
    /// Only on a disk: what a sync was to save is not saved, though it can be read, and the sync is
    /// reported as failed.
    SyncsFail,
}

/// How the artifact store fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactsTrouble {
    /// In which way.
    pub how: StoreFault,
    /// How long; until `artifacts-heal` if it is not said.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
}

/// What an artifact suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectFault {
    /// Half of it is written, or left.
    Torn,
    /// One bit of it is another.
    Rot,
    /// It is not written, or gone.
    Lost,
}

/// A jump of a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// Whose clock.
    pub node: String,
    /// Seconds forward, or backward when negative.
    pub seconds: i64,
}

/// What is the matter with a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceTrouble {
    /// Which.
    pub id: String,
    /// What it says.
    pub says: DeviceSays,
    /// How long; for good if it is not said.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
}

/// What a device says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceSays {
    /// It is away.
    Offline,
    /// It is being calibrated.
    Calibrating,
    /// It is not in the list any more.
    Gone,
}

/// A device that goes away and comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flapping {
    /// Which.
    pub id: String,
    /// What it says when it is away.
    pub says: DeviceSays,
    /// How long it is away each time.
    pub away: Span,
    /// How long it is there in between.
    pub back: Span,
    /// How long that goes on.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// A device that an operator takes out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draining {
    /// Which.
    pub id: String,
    /// For how long.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// A job by its place in the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRef {
    /// From 0.
    pub job: usize,
}

impl Act {
    /// How long it lasts, where it ends by itself.
    pub fn lasts(&self) -> Option<Span> {
        match self {
            Self::Pause(Pause { lasts, .. })
            | Self::ClockFreezes(Pause { lasts, .. })
            | Self::Replace(Lasting { lasts })
            | Self::Flap(Flapping { lasts, .. })
            | Self::Drain(Draining { lasts, .. }) => Some(*lasts),
            Self::Kill(kill) => Some(kill.down),
            Self::Cut(Direction { lasts, .. }) | Self::Partition(Direction { lasts, .. }) => *lasts,
            Self::StoreFails(StoreTrouble { lasts, .. })
            | Self::ArtifactsFail(ArtifactsTrouble { lasts, .. })
            | Self::Device(DeviceTrouble { lasts, .. }) => *lasts,
            _ => None,
        }
    }

    /// The same for so long, where it ends by itself.
    #[must_use]
    pub fn lasting(mut self, span: Span) -> Self {
        match &mut self {
            Self::Pause(Pause { lasts, .. })
            | Self::ClockFreezes(Pause { lasts, .. })
            | Self::Replace(Lasting { lasts })
            | Self::Flap(Flapping { lasts, .. })
            | Self::Drain(Draining { lasts, .. }) => *lasts = span,
            Self::Kill(kill) => kill.down = span,
            Self::Cut(Direction { lasts, .. })
            | Self::Partition(Direction { lasts, .. })
            | Self::StoreFails(StoreTrouble { lasts, .. })
            | Self::ArtifactsFail(ArtifactsTrouble { lasts, .. })
            | Self::Device(DeviceTrouble { lasts, .. }) => *lasts = Some(span),
            _ => {}
        }
        self
    }

    /// Whether it is a fault at all.
    pub fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::Cancel(_) | Self::Heal | Self::StoreHeals | Self::ArtifactsHeal
        )
    }

    /// Whether it is done to the one message or object of its moment.
    pub fn needs_call(&self) -> bool {
        matches!(
            self,
            Self::Lose
                | Self::Swallow
                | Self::Duplicate
                | Self::Reorder
                | Self::Delay(_)
                | Self::Whim(_)
        )
    }
}
