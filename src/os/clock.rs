//! The clocks of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::ports::Clock;
use crate::time::{Monotonic, Timestamp};

/// The system's wall clock, and its monotonic clock since this value was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

/// Times before this process began are points on its clock, too: a job taken over has been in
/// its state for a while.
const BEFORE_START: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(BEFORE_START + self.start.elapsed())
    }

    async fn sleep_until(&self, when: Monotonic) {
        tokio::time::sleep(when.since(self.monotonic())).await;
    }
}
