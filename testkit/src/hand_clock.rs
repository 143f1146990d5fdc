//! A clock that stands still until a test moves it, so that no test has to sleep.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qrtx::ports::Clock;
use qrtx::time::{Monotonic, Timestamp};
use tokio::sync::Notify;

/// Wall time and monotonic time, both moved by hand. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct HandClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hands: Mutex<(Timestamp, Monotonic)>,
    moved: Notify,
}

impl HandClock {
    /// A clock whose wall time is `now` and whose monotonic time is 0.
    pub fn at(now: Timestamp) -> Self {
        let hands = Mutex::new((now, Monotonic(Duration::ZERO)));
        Self(Arc::new(Inner {
            hands,
            moved: Notify::new(),
        }))
    }

    /// Moves both clocks on, and wakes whoever waited for a moment up to the new one.
    pub fn advance(&self, span: Duration) {
        {
            let mut hands = self.0.hands.lock().expect("no holder panics");
            *hands = (hands.0 + span, hands.1 + span);
        }
        self.0.moved.notify_waiters();
    }

    /// Sets the wall clock, forwards or backwards. Nobody wakes: sleeps are monotonic.
    pub fn set_wall(&self, now: Timestamp) {
        self.0.hands.lock().expect("no holder panics").0 = now;
    }
}

impl Default for HandClock {
    /// Some day in 2026.
    fn default() -> Self {
        Self::at(Timestamp(1_780_000_000_000_000))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.0.hands.lock().expect("no holder panics").0
    }

    fn monotonic(&self) -> Monotonic {
        self.0.hands.lock().expect("no holder panics").1
    }

    async fn sleep_until(&self, when: Monotonic) {
        loop {
            // Before the look at the hands: a move between the two must not be missed.
            let moved = self.0.moved.notified();
            if self.monotonic() >= when {
                return;
            }
            moved.await;
        }
    }
}
