//! No tenant has more runs on devices at a time than the operator allows (issue 6; S16 of the
//! field's safety properties: quotas).

use std::collections::BTreeMap;

use super::Breach;
use super::one_device_one_run::{held, most_at_once};
use crate::history::History;

/// Says which tenant ran too much at once.
pub fn check(history: &History) -> Vec<Breach> {
    let limit = history.limits.tenant_running;
    let intents = history.intents();
    let mut runs: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for run in &history.runs {
        let job = run.job.parse().ok();
        let stored = job.and_then(|job| history.stored.get(&job));
        if let (Some(stored), Some(held)) = (stored, held(history, &intents, run)) {
            let tenant = &stored.job.spec.owner.tenant;
            runs.entry(tenant).or_default().push(held);
        }
    }
    let most = runs
        .into_iter()
        .map(|(tenant, runs)| (tenant, most_at_once(runs.into_iter())));
    most.filter(|(_, (most, _))| *most > limit)
        .map(|(tenant, (most, at))| {
            let how = format!("{tenant} had {most} runs at once, and may have {limit}");
            Breach::at(at, how)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_tenant_that_runs_more_than_it_may_is_refused() {
        let mut history = good();
        let again = history.runs[0].clone();
        history.runs.push(again);
        history.limits.tenant_running = 2;
        assert_eq!(check(&history).len(), 0);
        history.limits.tenant_running = 1;
        assert_eq!(check(&history).len(), 1);
    }
}
