//! A job runs on the device that its client named, or on one of the class that it named that has
//! what it requires; and who names a class is not given a device that cannot run its circuit.

use qrtx::job::target::Target;

use super::Breach;
use crate::fitness::{circuit_ops, misfit, missing};
use crate::history::{History, Stored};

/// Says which run took place elsewhere, and who was given a device for nothing.
pub fn check(history: &History) -> Vec<Breach> {
    let elsewhere = history.runs.iter().filter_map(|run| {
        let stored = history.stored.get(&run.job.parse().ok()?)?;
        let misfit = misfit(stored, &run.device, history.devices.get(&run.device)?)?;
        let how = format!("{} ran on {}, and {misfit}", run.job, run.device);
        Some(Breach::at(run.started.0, how))
    });
    let given = history
        .stored
        .values()
        .flat_map(|stored| unable(history, stored));
    elsewhere.chain(given).collect()
}

/// The devices that were asked to run what they cannot, though others could have been chosen.
fn unable<'h>(history: &'h History, stored: &'h Stored) -> impl Iterator<Item = Breach> + 'h {
    let of_class = matches!(stored.job.spec.target, Target::Class(_));
    let ops = of_class.then(|| circuit_ops(stored)).flatten();
    stored.job.ledger.iter().filter_map(move |entry| {
        let device = entry.device.as_str();
        let missing = missing(ops.as_ref()?, history.devices.get(device)?)?;
        let how = format!(
            "{} was given {device}, which lacks {missing}",
            stored.job.id
        );
        Some(Breach::from(how))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Device;
    use crate::invariants::sample::{good, job};

    #[test]
    fn a_run_on_a_device_that_was_not_named_is_refused() {
        assert_eq!(check(&for_target("qpu")).len(), 0);
        assert_eq!(check(&for_target("backend:superconducting")).len(), 0);
        assert_eq!(check(&for_target("sim:*")).len(), 1);
        assert_eq!(check(&for_target("backend:simulator")).len(), 1);
    }

    #[test]
    fn a_run_on_a_device_without_what_is_required_is_refused() {
        assert_eq!(check(&for_target("*?qubits=5&ops=MEASURE")).len(), 0);
        assert_eq!(check(&for_target("*?qubits=6")).len(), 1);
        assert_eq!(check(&for_target("*?ops=CX,MEASURE")).len(), 1);
        assert_eq!(check(&for_target("*?formats=AQO_JSON")).len(), 1);
    }

    #[test]
    fn a_job_of_a_class_is_not_given_a_device_that_lacks_its_operations() {
        let mut history = for_target("*");
        history.devices.get_mut("qpu").unwrap().capabilities.clear();
        let circuit = br#"{"operations":[{"op":"MEASURE"}]}"#.to_vec();
        let stored = history.stored.get_mut(&job()).unwrap();
        stored
            .artifacts
            .insert("compiled.aqo.json".to_owned(), circuit);
        assert_eq!(check(&history).len(), 1);
        assert_eq!(check(&for_target("qpu")), [""; 0]);
    }

    fn for_target(target: &str) -> History {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        let mut spec = (*stored.job.spec).clone();
        spec.target = target.parse().unwrap();
        stored.job.spec = spec.into();
        let capabilities = [("qubits", "5"), ("ops", "MEASURE")];
        let device = Device {
            backend_type: "superconducting".to_owned(),
            capabilities: capabilities
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        history.devices = [("qpu".to_owned(), device)].into();
        history
    }
}
