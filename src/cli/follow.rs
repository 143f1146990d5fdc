//! Following a job to its end, and what Ctrl-C means meanwhile.

use std::future::pending;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::client::Kernel;
use crate::cli::events::Events;
use crate::cli::problem::Problem;
use crate::cli::progress::Progress;
use crate::cli::view;

/// Ctrl-C, or the polite request of another process to end. From its making on they do not end
/// this process any more.
#[derive(Debug)]
pub(super) struct Interrupts {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Interrupts {
    pub(super) fn listen() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Returns on the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            biased;
            () = heard(&mut self.interrupt) => {}
            () = heard(&mut self.terminate) => {}
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}

/// What Ctrl-C does to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// Cancels it; a second one leaves at once.
    Cancel,
    /// Nothing: it belongs to a kernel that goes on.
    Leave,
}

/// Waits for the end of a job, with a live line if `shown` and somebody looks.
pub(super) async fn to_end(
    kernel: &Kernel,
    job_id: &str,
    patience: Duration,
    interrupts: &mut Interrupts,
    on_interrupt: OnInterrupt,
    shown: bool,
) -> Result<(), Problem> {
    let progress = Progress::start(kernel, job_id, shown);
    let mut events = Events::new(kernel, job_id, 0, patience);
    tokio::select! {
        biased;
        ended = drain(&mut events, &progress) => return ended,
        () = interrupts.next() => {}
    }
    if on_interrupt == OnInterrupt::Leave {
        return Err(left(job_id));
    }
    progress.say("cancelling; Ctrl-C again leaves at once");
    let cancelled = async {
        let answer = kernel.cancel(job_id, "interrupted").await?;
        let receipt = view::receipt_name(answer.receipt()).unwrap_or("UNKNOWN");
        progress.say(&format!("{receipt}: {}", answer.message));
        drain(&mut events, &progress).await
    };
    tokio::select! {
        biased;
        ended = cancelled => ended,
        () = interrupts.next() => {
            let message = format!("left before {job_id} had ended; its device may go on");
            Err(Problem::interrupted(message).with("job_id", job_id))
        }
    }
}

/// Whoever follows a job of a kernel that goes on may leave at any time.
pub(super) fn left(job_id: &str) -> Problem {
    Problem::interrupted(format!(
        "left, the job goes on; `qrtx watch {job_id}` follows it, `qrtx cancel {job_id}` ends it"
    ))
    .with("job_id", job_id)
}

async fn drain(events: &mut Events, progress: &Progress) -> Result<(), Problem> {
    while let Some(event) = events.next().await? {
        progress.tell(&event);
    }
    Ok(())
}
