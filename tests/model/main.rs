//! Every order in which a kernel, its network, a driver and its clients can act on two jobs and
//! one slot, with crashes, lost calls and a driver that forgets: all of it is tried.
//!
//! The rules are those of the kernel: [`qrtx::job::Job`], [`qrtx::schedule::Scheduler`] and
//! [`qrtx::reconcile`] decide. What is modelled is the order of things around them.

mod actions;
mod driver;
mod kernel;
mod properties;
mod world;

use std::time::Duration;

use qrtx::job::event::OnUnknown;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::world::{Mistake, Setting};

const ASKABLE: Setting = Setting {
    askable: true,
    on_unknown: OnUnknown::Fail,
    crashes: 2,
    mistake: None,
};
const SILENT: Setting = Setting {
    askable: false,
    ..ASKABLE
};
const SILENT_SIMULATOR: Setting = Setting {
    on_unknown: OnUnknown::Rerun,
    ..SILENT
};

/// Tries everything, and says how much that was.
fn explore(setting: Setting) -> String {
    let checker = setting.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let (worlds, steps) = (checker.unique_state_count(), checker.max_depth());
    format!("{worlds} worlds, at most {steps} steps from the start")
}

#[test]
fn all_is_well_with_a_driver_that_can_be_asked() {
    eprintln!("a driver that can be asked: {}", explore(ASKABLE));
}

#[test]
fn all_is_well_with_a_driver_that_cannot_be_asked() {
    eprintln!("a driver that cannot be asked: {}", explore(SILENT));
}

#[test]
fn all_is_well_with_a_simulator_that_may_run_twice() {
    eprintln!(
        "a simulator that cannot be asked: {}",
        explore(SILENT_SIMULATOR)
    );
}

/// A check that cannot fail shows nothing: each mistake is made on purpose, and must be found.
#[test]
fn every_mistake_that_is_planted_is_found() {
    for (mistake, caught_by) in [
        (Mistake::AskAgainAfterACrash, properties::ONE_RUN),
        (Mistake::SlotFreedAtCancel, properties::SLOT_KEPT),
        (Mistake::AbsenceIsProof, properties::BRACKET),
        (Mistake::YoungMemoryIsProof, properties::BRACKET),
        (Mistake::DoubtIsFailure, properties::BRACKET),
        (Mistake::AskBeforeTheIntent, properties::INTENT_FIRST),
        (Mistake::UnknownTakenForAStop, properties::TRUE_RECEIPT),
        (Mistake::SlotNeverFreed, properties::NO_JOB_STUCK),
    ] {
        let setting = Setting {
            mistake: Some(mistake),
            ..ASKABLE
        };
        let only = HasDiscoveries::AllOf([caught_by].into());
        let checker = setting.checker().finish_when(only).threads(2);
        let checker = checker.timeout(Duration::from_secs(60)).spawn_bfs().join();
        let found = checker.discovery(caught_by);
        assert!(found.is_some(), "{mistake:?} was not found");
        let steps: Vec<_> = found
            .into_iter()
            .flat_map(|path| path.into_actions())
            .collect();
        eprintln!("{mistake:?} breaks {caught_by:?}:\n    {steps:?}");
    }
}
