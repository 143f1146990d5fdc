//! One log line per event of a job, with the fields that the neighbours' logs have:
//! `job_id`, `stage`, `device_id`, `trace_id`.

use crate::job::Job;
use crate::job::event::{Event, Recorded};

/// Logs an event of `job`, which is as the event left it.
pub fn event(job: &Job, recorded: &Recorded) {
    let device = job
        .device
        .as_ref()
        .or_else(|| job.ledger.last().map(|entry| &entry.device));
    // What a line takes to be made is only done where one is wanted.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                job_id = %job.id,
                stage = recorded.state.name(),
                device_id = device.map(ToString::to_string),
                trace_id = format!("{:032x}", job.spec.trace.trace_id),
                seq = recorded.seq,
                event = recorded.event.name(),
                attempt = recorded.attempt,
                "{}",
                recorded.event.sentence()
            )
        };
    }
    match recorded.event {
        Event::Reported { written: false } => line!(error),
        Event::Failed { .. } | Event::Retried { .. } => line!(warn),
        Event::Doubted { .. } | Event::CircuitLost { .. } => line!(warn),
        Event::DeadlinePassed { .. } => line!(warn),
        _ => line!(info),
    }
}
