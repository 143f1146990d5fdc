//! Time, as the kernel may know it.

use std::future::Future;
use std::time::Duration;

use crate::time::{Moment, Monotonic, Timestamp};

/// The clocks of one machine.
pub trait Clock: Send + Sync + 'static {
    /// Wall time. May jump either way: for stamps and stored deadlines only.
    fn now(&self) -> Timestamp;

    /// A clock that only goes forward: for bounds, back-offs and durations.
    fn monotonic(&self) -> Monotonic;

    /// Now, on both clocks.
    fn moment(&self) -> Moment {
        Moment {
            monotonic: self.monotonic(),
            wall: self.now(),
        }
    }

    /// Returns when the monotonic clock has reached `when`; at once if it has.
    fn sleep_until(&self, when: Monotonic) -> impl Future<Output = ()> + Send;

    /// Returns after `span`.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_until(self.monotonic() + span)
    }

    /// `work`, or `None` if it takes longer than `span`. The work is dropped then.
    fn timeout<F>(&self, span: Duration, work: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        // On the heap: a future that waits for another has room for it twice, and a call to a
        // neighbour lies several deep. What moves with each job would be tens of kilobytes.
        let mut work = Box::pin(work);
        async move {
            tokio::select! {
                biased;
                done = &mut work => Some(done),
                () = self.sleep(span) => None,
            }
        }
    }
}
