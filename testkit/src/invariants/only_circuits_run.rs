//! What is no circuit never reaches a device, whoever made it; and what runs is what the job's
//! own program says.

use qrtx::ids::Sha256Sum;
use serde_json::Value;

use super::Breach;
use crate::history::History;

/// Says what should never have been sent.
pub fn check(history: &History) -> Vec<Breach> {
    let unreadable = history.unreadable.iter();
    let mut broken: Vec<_> = unreadable
        .map(|job| format!("a device was asked to run what is no circuit, for {job}").into())
        .collect();
    for run in &history.runs {
        let circuit: Result<Value, _> = serde_json::from_slice(&run.circuit);
        let measures = circuit.is_ok_and(|circuit| {
            let operations = circuit["operations"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            operations
                .iter()
                .any(|operation| operation["op"] == "MEASURE")
        });
        let made_of = history.made.get(&Sha256Sum::of(&run.circuit));
        let wanted = run
            .job
            .parse()
            .ok()
            .and_then(|job| history.stored.get(&job));
        let wanted = wanted.map(|stored| stored.job.spec.program_sha256);
        if made_of.is_some() && made_of != wanted.as_ref() {
            broken.push(Breach::at(
                run.started.0,
                format!("{} ran the circuit of another program", run.job),
            ));
        }
        if !measures {
            broken.push(Breach::at(
                run.started.0,
                format!("{} ran a circuit that measures nothing", run.job),
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn garbage_before_a_device_is_refused() {
        let mut history = good();
        history.unreadable.push("job".to_owned());
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn the_circuit_of_another_program_is_refused() {
        let mut history = good();
        let circuit = Sha256Sum::of(&history.runs[0].circuit);
        history
            .made
            .insert(circuit, Sha256Sum::of(b"another program"));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_run_of_nothing_is_refused() {
        let mut history = good();
        history.runs[0].circuit = b"{}".to_vec();
        assert_eq!(check(&history).len(), 1);
    }
}
