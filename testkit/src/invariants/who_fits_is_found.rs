//! A job fails for want of a device only if no device can run it: one whose word the kernel has
//! had, that is of the class, has what is required, and has the operations of its program.

use std::collections::BTreeSet;
use std::time::Duration;

use qrtx::job::failure::Category;
use qrtx::job::spec::ProgramFormat;
use qrtx::job::state::State;
use qrtx::limits::TELL_WITHIN;

use super::Breach;
use crate::fitness::{misfit, missing, program_ops};
use crate::history::{Committed, History, Stored, Word};

/// Says who was told so, and which device there was.
pub fn check(history: &History) -> Vec<Breach> {
    let each = history.stored.values().filter_map(|stored| {
        let failure = stored.job.failure.as_ref()?;
        let spec = &stored.job.spec;
        let for_want_of_one = match failure.category {
            // A reservation may be the reason.
            Category::AllocationError => spec.reservation.is_none(),
            // No other compiler than the kernel's own is asked.
            Category::CompileError => spec.format == ProgramFormat::AqoJson,
            _ => false,
        };
        let (end, ops) = for_want_of_one.then(|| judged(history, stored))??;
        let device = heard(history, end).find(|id| {
            let device = history.devices.get(*id);
            device.is_some_and(|device| {
                misfit(stored, id, device).is_none() && missing(&ops, device).is_none()
            })
        })?;
        let why = &failure.summary;
        let how = format!("{} failed, {why:?}, and {device} can run it", stored.job.id);
        Some(Breach::at(end.at, how))
    });
    each.collect()
}

/// How a job failed, and the operations that mattered; `None` if they cannot be told.
fn judged<'h>(history: &'h History, stored: &Stored) -> Option<(&'h Committed, BTreeSet<String>)> {
    let of_job = |commit: &&Committed| commit.job == stored.job.id;
    let mut commits = history.committed.iter().filter(of_job);
    let end = commits.find(|commit| commit.state == State::Failed)?;
    let events = stored.events.iter().rev();
    let last = events
        .map(|event| event.state)
        .find(|state| *state != State::Failed)?;
    let ops = match last {
        // It matters only who has what is required.
        State::Pending | State::Validating => BTreeSet::new(),
        State::Compiling | State::Queued => program_ops(stored)?,
        // What a device itself says is another matter.
        _ => return None,
    };
    Some((end, ops))
}

/// The devices that were in a list that this kernel had before.
fn heard<'h>(history: &'h History, end: &'h Committed) -> impl Iterator<Item = &'h str> {
    let started = history.starts.iter().filter(|start| start.at <= end.at);
    let life = started.count();
    let words = history.words.iter();
    let before = words.filter(move |word| word.life as usize == life && word.listed);
    // What is decided may have waited for the store, or for a kernel that stood still.
    let last = history.lived_since(end.at, TELL_WITHIN);
    let untroubled = move |word: &&Word| {
        let mut troubles = history.store_troubles.iter();
        let until = |to: Duration| to + Duration::from_millis(history.limits.backoff_ms_max);
        !troubles.any(|&(began, ended)| began <= end.at && word.at <= until(ended))
    };
    let before = before.filter(move |word| word.at < last);
    before.filter(untroubled).map(|word| word.device.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Device, Start, Word};
    use crate::invariants::sample::{failed, job};
    use qrtx::ports::devices::Hardware;

    #[test]
    fn a_job_that_a_device_can_run_does_not_fail_for_want_of_one() {
        assert_eq!(check(&refused("*", "RX,CX")).len(), 1);
        assert_eq!(check(&refused("qpu?ops=CX", "RX,CX")).len(), 1);
    }

    #[test]
    fn no_device_that_is_heard_of_and_fits_is_a_reason_to_fail() {
        assert_eq!(check(&refused("*", "RX,CZ")), [""; 0]);
        assert_eq!(check(&refused("sim:*", "RX,CX")), [""; 0]);
        assert_eq!(check(&refused("*?qubits=9", "RX,CX")), [""; 0]);
        let mut history = refused("*", "RX,CX");
        history.words[0].at = Duration::from_secs(999);
        assert_eq!(check(&history), [""; 0], "it came too late");
    }

    /// A job with an RX and a CX that found no device, beside one that has these operations.
    fn refused(target: &str, ops: &str) -> History {
        let mut history = failed(Category::AllocationError, State::Compiling, 10);
        let stored = history.stored.get_mut(&job()).unwrap();
        let program = br#"{"operations":[{"op":"RX"},{"op":"CX"}]}"#.to_vec();
        stored
            .artifacts
            .insert("program.aqo.json".to_owned(), program);
        let mut spec = (*stored.job.spec).clone();
        spec.target = target.parse().unwrap();
        stored.job.spec = spec.into();
        let device = Device {
            backend_type: "superconducting".to_owned(),
            capabilities: [("ops".to_owned(), ops.to_owned())].into(),
        };
        history.devices = [("qpu".to_owned(), device)].into();
        history.starts = vec![Start {
            at: Duration::ZERO,
            ready: None,
            ended: None,
        }];
        history.words = vec![Word {
            at: Duration::from_secs(1),
            life: 1,
            device: "qpu".to_owned(),
            hardware: Hardware::Online,
            listed: true,
        }];
        history
    }
}
