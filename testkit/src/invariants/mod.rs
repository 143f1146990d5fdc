//! What must be true of every run, whatever goes wrong in it. One property per file, each a
//! function of a [`History`], each with a history that it must refuse.
//!
//! | invariant | says | source |
//! |---|---|---|
//! | ends_are_final | nothing changes an end | Eigen-OS qrtx.md §4.4, RFC 0007 |
//! | one_device_one_run | no execution runs twice, no slot is given twice | D8, D14, D15 |
//! | acked_is_durable | what a client was told is in the store | D11, D21 |
//! | public_never_goes_back | system-api sees states in one order | D10 |
//! | events_are_gapless | a watcher misses nothing and hears nothing twice | proto WatchJob |
//! | result_before_done | Completed means that the results are there | D13 |
//! | every_job_ends | no job is stuck once the faults are over | D19 |
//! | ledger_closes | the ledger and the devices agree on every shot | D14 |

pub mod acked_is_durable;
pub mod ends_are_final;
pub mod events_are_gapless;
pub mod every_job_ends;
pub mod ledger_closes;
pub mod one_device_one_run;
pub mod public_never_goes_back;
pub mod result_before_done;
#[cfg(test)]
mod sample;

use crate::history::History;

/// Whether something bad happened, or something good did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It must never be broken.
    Safety,
    /// It must hold once the faults are over and time has passed.
    Liveness,
}

/// A property of every run.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// Its name, as scenarios use it.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Says what breaks it; empty when nothing does.
    pub check: fn(&History) -> Vec<String>,
}

/// All of them.
pub const ALL: [Invariant; 8] = [
    safety("ends_are_final", ends_are_final::check),
    safety("one_device_one_run", one_device_one_run::check),
    safety("acked_is_durable", acked_is_durable::check),
    safety("public_never_goes_back", public_never_goes_back::check),
    safety("events_are_gapless", events_are_gapless::check),
    safety("result_before_done", result_before_done::check),
    safety("ledger_closes", ledger_closes::check),
    Invariant {
        name: "every_job_ends",
        kind: Kind::Liveness,
        check: every_job_ends::check,
    },
];

const fn safety(name: &'static str, check: fn(&History) -> Vec<String>) -> Invariant {
    Invariant {
        name,
        kind: Kind::Safety,
        check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_history_breaks_nothing() {
        for invariant in ALL {
            assert_eq!(
                (invariant.check)(&sample::good()),
                [""; 0],
                "{}",
                invariant.name
            );
        }
    }

    #[test]
    fn an_empty_history_breaks_nothing() {
        for invariant in ALL {
            assert_eq!(
                (invariant.check)(&History::default()),
                [""; 0],
                "{}",
                invariant.name
            );
        }
    }
}
