//! The table: which fact may follow in which state, and where it leads. The snapshot beside
//! this file is the reviewable form; it changes only when the life of a job does.

use crate::job::event::Event;
use crate::job::state::State;

/// An event that the table does not allow: a bug of ours, never of the outside world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job in {} cannot record {event}{}", state.name(), if detail.is_empty() { String::new() } else { format!(": {detail}") })]
pub struct Refused {
    /// Where the job is.
    pub state: State,
    /// What was to be recorded.
    pub event: &'static str,
    /// What else is wrong; may be empty.
    pub detail: String,
}

/// The state after `event`.
///
/// # Errors
/// [`Refused`] when the event has no place in `state`.
pub fn transition(state: State, event: &Event) -> Result<State, Refused> {
    use State::*;
    let next = match (state, event) {
        (Pending, Event::Admitted) => Validating,
        (Validating, Event::Validated { .. }) => Compiling,
        (Compiling, Event::Compiled { .. }) => Queued,
        (Queued, Event::Assigned { .. }) => Allocating,
        (Allocating, Event::Intended { .. }) => Executing,
        (Executing, Event::PhaseReached { .. } | Event::Doubted { .. }) => Executing,
        (Executing, Event::Executed { .. }) => Completing,
        (Completing, Event::Stored { .. }) => Completed,

        // Another try starts where it can start: the device has to be given anew.
        (Validating | Compiling | Completing, Event::Retried { .. }) => state,
        (Allocating | Executing, Event::Retried { .. }) => Queued,
        (Allocating, Event::CircuitLost { .. }) => Compiling,

        // With the counts in hand a cancel is too late (D15), so Completing has no such line.
        (
            Pending | Validating | Compiling | Queued | Allocating | Executing,
            Event::CancelRequested { .. },
        ) => Cancelled,
        (live, Event::DeadlinePassed { .. }) if !live.is_terminal() => Timeout,
        (live, Event::Failed { .. }) if !live.is_terminal() => Failed,

        // What is learnt after the end changes the record, never the end.
        (Cancelled, Event::ReceiptGiven) => state,
        (Failed | Cancelled | Timeout, Event::Settled { .. } | Event::Reported { .. }) => state,

        _ => {
            return Err(Refused {
                state,
                event: event.name(),
                detail: String::new(),
            });
        }
    };
    Ok(next)
}
