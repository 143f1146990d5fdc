//! The clocks of one node: simulated time, and a wall clock that may be off, jump, or stand
//! still.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use madsim::time::TimeHandle;
use qrtx::ports::Clock;
use qrtx::time::{Monotonic, Timestamp};

/// Some day in 2026: every run begins then.
const BEGIN: Timestamp = Timestamp(1_780_000_000_000_000);
/// As in production: times before the start are points on the clock, too.
pub const BEFORE_START: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// No wall clock of ours ever shows this.
const MOVING: i64 = i64::MIN;

/// By how much the wall clock of a node is off.
#[derive(Debug)]
pub struct Skew {
    micros: AtomicI64,
    /// What it shows while it stands still.
    stands_at: AtomicI64,
}

impl Default for Skew {
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(0),
            stands_at: AtomicI64::new(MOVING),
        }
    }
}

impl Skew {
    /// Moves the clock by so many microseconds.
    pub fn jump(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Lets it stand still.
    pub fn freeze(&self) {
        self.stands_at.store(self.shows(), Ordering::Relaxed);
    }

    /// Lets it go on from where it stood.
    pub fn thaw(&self) {
        let stood = self.stands_at.swap(MOVING, Ordering::Relaxed);
        if stood != MOVING {
            self.jump(stood - self.shows());
        }
    }

    fn shows(&self) -> i64 {
        match self.stands_at.load(Ordering::Relaxed) {
            MOVING => (BEGIN + elapsed())
                .0
                .saturating_add(self.micros.load(Ordering::Relaxed)),
            stands => stands,
        }
    }
}

/// The clocks of one node.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Arc<Skew>);

impl SimulatedClock {
    /// Clocks of a node whose wall clock is off by that much, now and later.
    pub fn new(skew: Arc<Skew>) -> Self {
        Self(skew)
    }
}

/// Simulated time since the start of the run.
///
/// Never returns once the run was given up: whatever goes round in it looks at the time sooner or later.
/// Its thread stands still from then on, for to take down what is in the middle of something may end the
/// process.
pub fn elapsed() -> Duration {
    while GIVEN_UP.with_borrow(|given_up| given_up.load(Ordering::Relaxed)) {
        std::thread::park();
    }
    TimeHandle::current().elapsed()
}

/// What to set to end the run on this thread.
pub(super) fn given_up() -> Arc<AtomicBool> {
    GIVEN_UP.with_borrow(Arc::clone)
}

thread_local! {
    static GIVEN_UP: RefCell<Arc<AtomicBool>> = RefCell::default();
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.shows())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(BEFORE_START + elapsed())
    }

    async fn sleep_until(&self, when: Monotonic) {
        let left = when.since(self.monotonic());
        if !left.is_zero() {
            madsim::time::sleep(left).await;
        }
    }
}
