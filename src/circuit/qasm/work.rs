//! How much one program may make of work, and whether anybody still waits for what comes of it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::unitary::TooLong;

/// Steps of all kinds: reading operands, spelling out gates, going round loops. Enough for the
/// longest circuit there may be, and done within a second.
const WORK_MAX: u64 = 10_000_000;

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
        self.left = self.left.checked_sub(steps as u64).ok_or(TooLong)?;
        Ok(())
    }
}
