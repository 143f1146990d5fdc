//! A job runs on the device that its client named, or on one of the class that it named.

use super::Breach;
use crate::history::History;

/// Says which run took place elsewhere.
pub fn check(history: &History) -> Vec<Breach> {
    let elsewhere = history.runs.iter().filter_map(|run| {
        let stored = history.stored.get(&run.job.parse().ok()?)?;
        let target = &stored.job.spec.target;
        let device = run.device.parse().ok()?;
        let backend_type = history.backend_types.get(&run.device)?;
        (!target.names(&device, backend_type)).then(|| {
            let how = format!("{} ran on {device}, and was for {target}", run.job);
            Breach::at(run.started.0, how)
        })
    });
    elsewhere.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn a_run_on_a_device_that_was_not_named_is_refused() {
        assert_eq!(check(&for_target("qpu")).len(), 0);
        assert_eq!(check(&for_target("backend:superconducting")).len(), 0);
        assert_eq!(check(&for_target("sim:*")).len(), 1);
        assert_eq!(check(&for_target("backend:simulator")).len(), 1);
    }

    fn for_target(target: &str) -> History {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        let mut spec = (*stored.job.spec).clone();
        spec.target = target.parse().unwrap();
        stored.job.spec = spec.into();
        let backend_type = "superconducting".to_owned();
        history.backend_types = [("qpu".to_owned(), backend_type)].into();
        history
    }
}
