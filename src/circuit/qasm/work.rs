//! How much one program may make of work, and whether anybody still waits for what comes of it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::{Fault, Span};
use super::unitary::TooLong;
use crate::circuit::limits::OPERATIONS_MAX;

/// Steps of all kinds: reading operands, spelling out gates, going round loops. Enough for the
/// longest circuit there may be, and done within a second.
const WORK_MAX: u64 = 5_000_000;

/// What is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'s> {
    left: u64,
    /// Nobody waits any more.
    stop: &'s AtomicBool,
}

impl<'s> Work<'s> {
    pub(super) fn new(stop: &'s AtomicBool) -> Self {
        Self {
            left: WORK_MAX,
            stop,
        }
    }

    /// Takes so many steps from what is left. There are none for a program that nobody waits for.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), TooLong> {
        if self.stop.load(Ordering::Relaxed) {
            self.left = 0;
        }
        self.left = self.left.checked_sub(steps as u64).ok_or(TooLong::Steps)?;
        Ok(())
    }
}

/// The complaint about it.
pub(super) fn too_long(why: TooLong, span: Span) -> Fault {
    let message = match why {
        TooLong::Operations => {
            format!("up to here the circuit has more than {OPERATIONS_MAX} operations")
        }
        TooLong::Controlled(most) => format!(
            "under its controls this alone becomes more than {most} operations, about three times \
             as many with each control, and devices hardly take more in all: use fewer controls, or \
             compute what they come to into another qubit first (in an if, each measured bit that \
             it asks about is a control)"
        ),
        TooLong::Steps => format!(
            "up to here the program takes more than {WORK_MAX} steps to compile, for turns of \
             loops, gates made of gates, and operands, however few operations come of it: take \
             out what does nothing, or part the program"
        ),
    };
    Fault::new(span, message)
}
