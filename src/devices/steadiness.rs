//! How steady a device is: one that went away too often lately gets no work until it has stayed for
//! a while. Pure, over what was heard of it and when.
//!
//! A loss is the step from anything else to [`Hardware::Offline`] or [`Hardware::Error`]; who is gone
//! from the list is offline. Calibrations and maintenance are none: a device says them of itself and
//! means them. Nor is it one that nobody could be asked, or that the first word of a device is that it
//! is away.
//!
//! Whoever comes back from a loss that was the last of [`Patience::losses`] within
//! [`Patience::within`] is held back for [`Patience::hold`], which begins anew with each such return
//! and does not grow: a device that is steady again has work again by then.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::ports::devices::Hardware;
use crate::time::{Moment, Monotonic, Timestamp};

/// How much is put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// So many losses are too many; 0 if none ever are.
    pub losses: usize,
    /// Within this.
    pub within: Duration,
    /// So long a device has to stay then.
    pub hold: Duration,
}

impl Patience {
    /// As the operator wants it.
    pub fn of(limits: &Limits) -> Self {
        Self {
            losses: limits.device_losses,
            within: Duration::from_millis(limits.device_losses_ms),
            hold: Duration::from_millis(limits.device_hold_ms),
        }
    }
}

/// Why and until when a device is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What it said when it was lost: until it may work again it counts as that.
    pub lost_as: Hardware,
    /// What was too much, and for how long it has to stay.
    pub patience: Patience,
    /// When it may work again, if it stays.
    pub until: Timestamp,
    /// The same on the clock that does not jump.
    pub ends: Monotonic,
}

/// What is remembered of a device's coming and going: a bounded number of losses.
#[derive(Debug, Clone, Default)]
pub struct Steadiness {
    /// When it was lost, the latest last; no more than are too many.
    losses: VecDeque<Monotonic>,
    /// Losses since start.
    lost_times: u64,
    last: Option<Hardware>,
    /// What it said when it was lost the last time.
    lost_as: Option<Hardware>,
    held: Option<Held>,
}

impl Steadiness {
    /// The device was heard of.
    pub fn hear(&mut self, hardware: Hardware, at: Moment, patience: Patience) {
        let (lost, now) = (is_lost(hardware), at.monotonic);
        let was_lost = self.last.replace(hardware).map(is_lost);
        if lost {
            self.lost_as = Some(hardware);
            self.held = None;
        }
        match was_lost {
            Some(false) if lost => {
                self.lost_times += 1;
                self.losses.push_back(now);
                while self.losses.len() > patience.losses {
                    self.losses.pop_front();
                }
            }
            Some(true) if !lost => self.held = self.hold(at, patience),
            _ => {}
        }
        self.look(now);
    }

    /// Time has passed: whoever has stayed for long enough is held back no longer.
    pub fn look(&mut self, now: Monotonic) {
        let is_over = |held: &Held| held.ends <= now && !planted(Bug::HeldForEver);
        if self.held.as_ref().is_some_and(is_over) {
            self.held = None;
        }
    }

    /// Whether it is held back, as it was when it was looked at last.
    pub fn held(&self) -> Option<Held> {
        self.held
    }

    /// How often it was lost since start.
    pub fn lost_times(&self) -> u64 {
        self.lost_times
    }

    fn hold(&self, at: Moment, patience: Patience) -> Option<Held> {
        let oldest = *self.losses.front()?;
        let too_many = self.losses.len() >= patience.losses
            && (at.monotonic.since(oldest) <= patience.within || planted(Bug::LossesNeverAge))
            && !planted(Bug::HoldForgotten);
        too_many.then_some(Held {
            lost_as: self.lost_as.unwrap_or(Hardware::Offline),
            patience,
            until: at.wall + patience.hold,
            ends: at.monotonic + patience.hold,
        })
    }
}

/// Whether a device that says this is lost to whoever waits for it.
pub(super) fn is_lost(hardware: Hardware) -> bool {
    matches!(hardware, Hardware::Offline | Hardware::Error)
}

#[cfg(test)]
mod tests;
