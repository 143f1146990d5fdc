//! The names that a scenario may use for what others have named: a word that nobody says never has its
//! moment, and a step without a moment proves nothing.

use super::When;

/// The events of a job (`Event::name`).
const EVENTS: [&str; 18] = [
    "Admitted",
    "Assigned",
    "CancelRequested",
    "CircuitLost",
    "Compiled",
    "DeadlinePassed",
    "Doubted",
    "Executed",
    "Failed",
    "Intended",
    "PhaseReached",
    "ReceiptGiven",
    "Reported",
    "Retried",
    "Settled",
    "Stored",
    "Submitted",
    "Validated",
];

/// The calls that are made here.
const METHODS: [&str; 19] = [
    "CancelExecution",
    "CancelJob",
    "CompileCircuit",
    "CompileJob",
    "DrainDevice",
    "EnqueueJob",
    "ExecuteCircuit",
    "GetDeviceStatus",
    "GetExecution",
    "GetJobResults",
    "GetJobStatus",
    "ListDevices",
    "OptimizeCircuit",
    "ReleaseReservation",
    "ReserveDevice",
    "StreamJobUpdates",
    "ValidateCircuit",
    "WatchExecution",
    "WatchJob",
];

/// Calls of clients about their jobs.
pub const CLIENTS_CALLS: [&str; 5] = [
    "EnqueueJob",
    "WatchJob",
    "StreamJobUpdates",
    "CancelJob",
    "GetJobResults",
];

/// Whether a call is a stream that goes on for as long as there is something to tell.
pub fn is_watch(method: &str) -> bool {
    matches!(method, "WatchJob" | "StreamJobUpdates")
}

/// Whether a moment is one that there is.
pub(super) fn check(when: &When) -> Result<(), String> {
    match when {
        When::Point(point) => known("event", &EVENTS, &point.event),
        When::Sync(point) => known("event", &EVENTS, &point.event),
        // Any method, if none is said.
        When::Call(call) if call.method.is_empty() => Ok(()),
        When::Call(call) => known("call", &METHODS, &call.method),
        _ => Ok(()),
    }
}

/// Whether one of these names is meant.
pub(super) fn known(what: &str, names: &[&str], name: &str) -> Result<(), String> {
    match names.contains(&name) {
        true => Ok(()),
        false => Err(format!(
            "no {what} is called {name:?}; there are: {}",
            names.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn what_random_runs_say_is_known() {
        for event in random::EVENTS {
            assert_eq!(known("event", &EVENTS, event), Ok(()));
        }
    }

    #[test]
    fn what_nobody_says_is_refused_with_what_there_is() {
        let refused = known("event", &EVENTS, "Complied").unwrap_err();
        assert!(refused.contains("\"Complied\"") && refused.contains("Compiled"));
    }
}
