//! What a job's events say together: how long it stayed where.

use std::time::Duration;

use crate::job::event::Recorded;
use crate::job::state::State;
use crate::time::Timestamp;

/// One stay of a job in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// Where.
    pub state: State,
    /// Since when.
    pub started_at: Timestamp,
    /// How long; up to the last event for the state the job is in.
    pub lasted: Duration,
}

/// The stays of a job in order. The end itself is none: it lasts for ever.
pub fn stays(history: &[Recorded]) -> Vec<Stay> {
    let mut stays: Vec<Stay> = Vec::new();
    for recorded in history {
        if let Some(stay) = stays.last_mut() {
            if stay.state.is_terminal() {
                break;
            }
            stay.lasted = recorded.at.since(stay.started_at);
        }
        if stays.last().is_none_or(|stay| stay.state != recorded.state) {
            let (state, started_at) = (recorded.state, recorded.at);
            stays.push(Stay {
                state,
                started_at,
                lasted: Duration::ZERO,
            });
        }
    }
    stays.retain(|stay| !stay.state.is_terminal());
    stays
}
