//! Where the shots of each execution went (D14): requested = delivered + wasted + not run +
//! unknown, always.

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, FencingToken};
use crate::job::event::OnUnknown;
use crate::time::Timestamp;

/// One execution's line in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which execution, from 1.
    pub attempt: u32,
    /// The device that was asked.
    pub device: DeviceId,
    /// The token the driver got.
    pub token: FencingToken,
    /// When the intent was recorded.
    pub intended_at: Timestamp,
    /// What to do if the outcome stays unknown.
    pub on_unknown: OnUnknown,
    /// Shots asked for.
    pub requested: u32,
    /// What became of them, as far as is known.
    pub settlement: Settlement,
    /// True while the device may still be at it, which is also how long its slot is taken.
    pub open: bool,
}

/// What became of the shots of one execution. The four numbers sum to what was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Part of the job's result.
    pub delivered: u32,
    /// Fired, but no part of the result.
    pub wasted: u32,
    /// Why they were wasted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wasted_cause: String,
    /// Proved not to have been fired.
    pub not_run: u32,
    /// The proof.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_run_proof: String,
    /// Nobody can say.
    pub unknown: u32,
    /// Why nobody can.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unknown_cause: String,
}

impl Settlement {
    const NOTHING: Self = Self {
        delivered: 0,
        wasted: 0,
        wasted_cause: String::new(),
        not_run: 0,
        not_run_proof: String::new(),
        unknown: 0,
        unknown_cause: String::new(),
    };

    /// All shots are in the result.
    pub fn delivered(shots: u32) -> Self {
        Self {
            delivered: shots,
            ..Self::NOTHING
        }
    }

    /// No shot was fired, and this is how we know.
    pub fn not_run(shots: u32, proof: impl Into<String>) -> Self {
        Self {
            not_run: shots,
            not_run_proof: proof.into(),
            ..Self::NOTHING
        }
    }

    /// `used` of `shots` were fired for nothing, and the driver says that no more will be.
    /// A driver that claims more than was asked for is believed up to what was asked for.
    pub fn stopped(shots: u32, used: u64, cause: impl Into<String>) -> Self {
        let wasted = u32::try_from(used).unwrap_or(u32::MAX).min(shots);
        let not_run_proof = if wasted < shots {
            "the driver told the shots used".to_owned()
        } else {
            String::new()
        };
        let (wasted_cause, not_run) = (cause.into(), shots - wasted);
        Self {
            wasted,
            wasted_cause,
            not_run,
            not_run_proof,
            ..Self::NOTHING
        }
    }

    /// All shots were fired for nothing.
    pub fn wasted(shots: u32, cause: impl Into<String>) -> Self {
        Self {
            wasted: shots,
            wasted_cause: cause.into(),
            ..Self::NOTHING
        }
    }

    /// Nobody can say whether any shot was fired.
    pub fn unknown(shots: u32, cause: impl Into<String>) -> Self {
        Self {
            unknown: shots,
            unknown_cause: cause.into(),
            ..Self::NOTHING
        }
    }

    /// The sum of the four columns.
    pub fn total(&self) -> u64 {
        [self.delivered, self.wasted, self.not_run, self.unknown]
            .into_iter()
            .map(u64::from)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_settlement_sums_to_what_was_requested() {
        for settlement in [
            Settlement::delivered(10),
            Settlement::not_run(10, "refused"),
            Settlement::stopped(10, 3, "cancelled"),
            Settlement::stopped(10, 10, "cancelled"),
            Settlement::stopped(10, u64::MAX, "a driver that boasts"),
            Settlement::wasted(10, "cancelled"),
            Settlement::unknown(10, "lost answer"),
        ] {
            assert_eq!(settlement.total(), 10, "{settlement:?}");
        }
    }
}
