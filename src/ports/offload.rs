//! Work that would hold up the async threads goes elsewhere, and a panic in it stays there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

/// Runs work off the async threads: `spawn_blocking` in production, at once in the simulated
/// world, where time stands still meanwhile.
pub type Offload = fn(Box<dyn FnOnce() + Send>);

/// The work broke off; its panic is in the log.
#[derive(Debug)]
pub struct BrokeOff;

/// Set when whoever waits for the work does so no more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same for work that takes long: it is told by the flag when the caller has given up, so that
/// a thread is not held by what nobody waits for.
///
/// # Errors
/// [`BrokeOff`].
pub async fn run_while_awaited<T: Send + 'static>(
    offload: Offload,
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> Result<T, BrokeOff> {
    let given_up = GivenUp(Arc::default());
    let flag = given_up.0.clone();
    run(offload, move || work(&flag)).await
}

/// Runs `work` there, and waits for what it gives.
///
/// # Errors
/// [`BrokeOff`].
pub async fn run<T: Send + 'static>(
    offload: Offload,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BrokeOff> {
    let (tell, told) = oneshot::channel();
    offload(Box::new(move || {
        // Nobody listens when the caller gave up.
        let _ = tell.send(work());
    }));
    told.await.map_err(|_| BrokeOff)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what must end is a thread")]
    fn work_that_nobody_waits_for_is_told_and_its_thread_ends() {
        let (tell, told) = mpsc::channel();
        let on_a_thread: Offload = |work| drop(std::thread::spawn(work));
        let mut waiting = Box::pin(run_while_awaited(on_a_thread, move |given_up| {
            tell.send("begun").expect("the test waits");
            while !given_up.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            tell.send("over").expect("the test waits");
        }));
        let hear = || told.recv_timeout(Duration::from_secs(30));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(hear(), Ok("begun"));
        drop(waiting);
        assert_eq!(hear(), Ok("over"));
    }
}
