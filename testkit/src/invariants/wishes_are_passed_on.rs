//! Compiler and device are told what the client asked for, for whom, and how long they have: the compiler its options,
//! the device the seed and the circuit's parameters. What a client asked for is what is stored, as
//! `acked_is_durable` says.

use std::collections::BTreeMap;

use qrtx::job::Job;

use super::Breach;
use crate::history::{History, Passed};
use crate::neighbours::Method;

/// Says what was asked for otherwise.
pub fn check(history: &History) -> Vec<Breach> {
    let passed = history.passed.iter();
    let broken = passed.filter_map(|passed| {
        let Passed {
            at,
            job: id,
            method,
            tenant,
            options,
            bounded,
        } = passed;
        let job = &history.stored.get(id)?.job;
        let wanted = wanted(job, *method);
        let how = if *tenant != job.spec.owner.tenant {
            format!("{method} for {id} was asked in the name of {tenant:?}")
        } else if *options != wanted {
            format!("{method} for {id} was asked with {options:?} instead of {wanted:?}")
        } else if !bounded {
            format!("{method} for {id} does not say how long it is waited for")
        } else {
            return None;
        };
        Some(Breach::at(*at, how))
    });
    broken.collect()
}

fn wanted(job: &Job, method: Method) -> BTreeMap<String, String> {
    let spec = &job.spec;
    if method != Method::ExecuteCircuit {
        return spec.compiler_options.clone();
    }
    let mut options = spec.compiler_options.clone();
    options.retain(|name, _| name.starts_with("param."));
    options.extend(spec.seed.map(|seed| ("seed".to_owned(), seed.to_string())));
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    /// With a seed, a parameter and an option of the compiler, which reach whom they are for.
    fn particular() -> History {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        let mut spec = (*stored.job.spec).clone();
        spec.seed = Some(7);
        let given = [("param.theta", "3"), ("optimization_level", "2")];
        spec.compiler_options = map(given);
        stored.job.spec = spec.into();
        for (method, options) in [
            (Method::CompileCircuit, map(given)),
            (
                Method::ExecuteCircuit,
                map([("param.theta", "3"), ("seed", "7")]),
            ),
        ] {
            history.passed.push(Passed {
                at: std::time::Duration::from_secs(1),
                job: job(),
                method,
                tenant: "t".to_owned(),
                options,
                bounded: true,
            });
        }
        history
    }

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn a_wish_that_reaches_whom_it_is_for_is_well() {
        assert_eq!(check(&particular()).len(), 0);
    }

    #[test]
    fn a_seed_that_does_not_reach_the_device_is_missed() {
        let mut history = particular();
        history.passed[1].options.remove("seed");
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn options_that_do_not_reach_the_compiler_are_missed() {
        let mut history = particular();
        history.passed[0].options.clear();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_call_that_sets_no_deadline_is_refused() {
        let mut history = particular();
        history.passed[0].bounded = false;
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_call_in_another_name_is_refused() {
        let mut history = particular();
        history.passed[1].tenant = "somebody else".to_owned();
        assert_eq!(check(&history).len(), 1);
    }
}
