//! Work that would hold up the async threads goes elsewhere, and a panic in it stays there.

use tokio::sync::oneshot;

/// Runs work off the async threads: `spawn_blocking` in production, at once in the simulated
/// world, where time stands still meanwhile.
pub type Offload = fn(Box<dyn FnOnce() + Send>);

/// The work broke off; its panic is in the log.
#[derive(Debug)]
pub struct BrokeOff;

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
