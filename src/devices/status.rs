//! What is to be said of a device: one status, and everything that keeps work from it, each with a
//! reason for a person. A pure rule over what hardware, operator and its own past say together; the
//! schedule, `qrtx devices` and `qrtx explain` all go by it.

use std::fmt;

use crate::devices::steadiness::Held;
use crate::ports::devices::Hardware;

/// What is known of a device.
#[derive(Debug, Clone)]
pub struct Known {
    /// Why nobody can be asked about any device, if so.
    pub out_of_reach: Option<Obstacle>,
    /// Whether the driver-manager listed it the last time.
    pub listed: bool,
    /// What it said of itself last.
    pub hardware: Hardware,
    /// Whether it went away too often lately, and has not stayed for long enough yet.
    pub held: Option<Held>,
    /// Whether an operator lets it take no new jobs.
    pub draining: bool,
}

/// A device in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It takes jobs: the only one of which that is so.
    Online,
    /// Away, gone from the list, or back from there too often and not for long enough.
    Offline,
    /// Busy with itself.
    Calibrating,
    /// Busy with its keepers.
    Maintenance,
    /// Broken, or whole again too often and not for long enough.
    Error,
    /// It cannot be asked.
    Unreachable,
    /// It would take jobs, and an operator does not let it.
    Draining,
}

/// Why no job gets its turn on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The driver-manager was never reached; why, if it was tried.
    NeverReached(Option<String>),
    /// The driver-manager cannot be asked, for this reason.
    Unreachable(String),
    /// The driver-manager does not list the device any more.
    Gone,
    /// What the device says of itself.
    Hardware(Hardware),
    /// It went away too often, and is given nothing until it has stayed for a while.
    HeldBack(Held),
    /// An operator lets it take no new jobs.
    Draining,
}

impl Known {
    /// What is against work on it, the weightiest first; a device takes jobs if nothing is.
    pub fn obstacles(self) -> Vec<Obstacle> {
        let hardware = match self.hardware {
            _ if !self.listed => Some(Obstacle::Gone),
            Hardware::Online => None,
            hardware => Some(Obstacle::Hardware(hardware)),
        };
        let held = self.held.map(Obstacle::HeldBack);
        let draining = self.draining.then_some(Obstacle::Draining);
        let all = [self.out_of_reach, hardware, held, draining];
        all.into_iter().flatten().collect()
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Online,
        Self::Offline,
        Self::Calibrating,
        Self::Maintenance,
        Self::Error,
        Self::Unreachable,
        Self::Draining,
    ];

    /// The status of a device against which this is: what weighs most decides.
    pub fn of(obstacles: &[Obstacle]) -> Self {
        match obstacles.first() {
            None => Self::Online,
            Some(Obstacle::NeverReached(_) | Obstacle::Unreachable(_)) => Self::Unreachable,
            Some(Obstacle::Gone) => Self::Offline,
            Some(Obstacle::Hardware(hardware)) => (*hardware).into(),
            Some(Obstacle::HeldBack(held)) => held.lost_as.into(),
            Some(Obstacle::Draining) => Self::Draining,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
            Self::Calibrating => "CALIBRATING",
            Self::Maintenance => "MAINTENANCE",
            Self::Error => "ERROR",
            Self::Unreachable => "UNREACHABLE",
            Self::Draining => "DRAINING",
        }
    }
}

impl From<Hardware> for Status {
    fn from(hardware: Hardware) -> Self {
        match hardware {
            Hardware::Online => Self::Online,
            Hardware::Offline => Self::Offline,
            Hardware::Calibrating => Self::Calibrating,
            Hardware::Maintenance => Self::Maintenance,
            Hardware::Error => Self::Error,
        }
    }
}

impl Obstacle {
    /// The obstacle on the way to `device` in one sentence for a person.
    pub fn sentence(&self, device: &str) -> String {
        match self {
            Self::NeverReached(None) => "the devices have not been asked yet".to_owned(),
            Self::NeverReached(Some(problem)) | Self::Unreachable(problem) => {
                format!("the devices cannot be asked: {problem}")
            }
            Self::Gone => format!("{device} is gone: the driver-manager does not list it any more"),
            Self::Hardware(hardware) => format!("{device} is {}", hardware.name()),
            Self::HeldBack(held) => format!("{device} {held}"),
            Self::Draining => {
                format!("{device} is DRAINING until an operator says `qrtx undrain {device}`")
            }
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patience = self.patience;
        let (within, hold) = (patience.within.as_secs_f64(), patience.hold.as_secs_f64());
        let times = match patience.losses {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            many => format!("{many} times"),
        };
        write!(
            f,
            "was lost {times} within {within} s: it gets no work until it has stayed for {hold} s"
        )
    }
}

#[cfg(test)]
mod tests;
