//! What a driver's memory proves about an execution whose answer was lost (D8, D14). NOT_FOUND
//! alone proves nothing: the request may still be on its way, or the memory may be younger.

use crate::job::ledger::{Entry, Settlement};
use crate::planted::{Bug, planted};
use crate::ports::devices::{Fate, Inspection, RunResult};

/// What follows from asking after an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The device is at it: ask again later.
    Wait,
    /// Here is the lost answer.
    Answer(RunResult),
    /// It ended without a result, and this is what it cost.
    Ended(Settlement, String),
    /// Nothing ran, and nothing will: it may be tried again.
    NotRun(Settlement),
    /// Leave a tombstone first.
    Tombstone,
    /// Nobody can say.
    Unknown(String),
}

/// Reads the answer of GetExecution.
pub fn inspected(entry: &Entry, seen: Inspection) -> Finding {
    match seen.fate {
        Fate::NotFound if planted(Bug::NotFoundIsProof) => Finding::NotRun(Settlement::not_run(
            entry.requested,
            "the driver knows nothing of it",
        )),
        // Of a buried execution only the answer to a tombstone tells whether it ever started.
        Fate::NotFound | Fate::Cancelled { .. } => Finding::Tombstone,
        _ => stopped(entry, seen),
    }
}

/// Reads the answer of CancelExecution; also that of GetExecution where the two say the same.
pub fn stopped(entry: &Entry, seen: Inspection) -> Finding {
    match seen.fate {
        Fate::Running => Finding::Wait,
        Fate::Done(result) => Finding::Answer(result),
        Fate::Failed {
            shots_used,
            message,
        } => {
            let cause = format!("the execution failed: {message}");
            Finding::Ended(
                Settlement::stopped(entry.requested, shots_used, &cause),
                message,
            )
        }
        Fate::Cancelled {
            never_started: true,
            ..
        }
        | Fate::NotFound => match seen.remembers_since {
            Some(since) if since < entry.intended_at || planted(Bug::YoungMemoryIsProof) => {
                let proof =
                    "a tombstone is in place, and the driver remembers since before the intent";
                Finding::NotRun(Settlement::not_run(entry.requested, proof))
            }
            Some(_) => {
                let why = "the driver has forgotten what it was asked at that time";
                Finding::Unknown(why.to_owned())
            }
            None => Finding::Unknown("the driver does not say since when it remembers".to_owned()),
        },
        Fate::Cancelled {
            shots_used,
            never_started: false,
        } => {
            let cause = "the execution was stopped";
            Finding::Ended(
                Settlement::stopped(entry.requested, shots_used, cause),
                cause.to_owned(),
            )
        }
    }
}

#[cfg(test)]
mod tests;
