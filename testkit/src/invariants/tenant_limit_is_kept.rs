//! No tenant has more runs on devices at a time, or more slots reserved, than the operator allows
//! (issue 6; S16 of the field's safety properties: quotas).

use std::collections::BTreeMap;

use qrtx::time::Monotonic;

use super::Breach;
use super::one_device_one_run::{held, most_at_once};
use crate::history::History;

/// Says which tenant had too much at once.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = running(history);
    broken.extend(reserving(history));
    broken
}

fn reserving(history: &History) -> impl Iterator<Item = Breach> {
    let limit = history.limits.tenant_reservations;
    // A kernel that starts anew has only the wall clock to tell when a reservation ends.
    let promises = history.promises.iter().filter(|_| !history.wall_moved);
    let mut spans: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for promise in promises {
        let (from, until) = promise.certain;
        let span = (Monotonic(from), Some(Monotonic(until)));
        // Some ended before anybody knew of them.
        let spans = spans.entry(&promise.tenant).or_default();
        spans.extend((from < until).then_some(span));
    }
    spans.into_iter().filter_map(move |(tenant, spans)| {
        let (most, at) = most_at_once(spans.into_iter());
        let how = || format!("{tenant} had {most} slots reserved, and may have {limit}");
        (most > limit).then(|| Breach::at(at, how()))
    })
}

fn running(history: &History) -> Vec<Breach> {
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
    use crate::history::Promise;
    use crate::invariants::sample::{good, secs};

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

    #[test]
    fn a_tenant_that_reserves_more_than_it_may_is_refused() {
        let promised = |from, until| Promise {
            id: "rsv".to_owned(),
            token: 1,
            device: "qpu".to_owned(),
            tenant: "t".to_owned(),
            certain: (secs(from), secs(until)),
            over: secs(9),
        };
        let mut history = good();
        history.limits.tenant_reservations = 1;
        history.promises = vec![promised(1, 3), promised(3, 5), promised(4, 4)];
        assert_eq!(check(&history), [""; 0]);
        history.promises.push(promised(2, 4));
        assert_eq!(check(&history).len(), 1);
        history.wall_moved = true;
        assert_eq!(check(&history), [""; 0]);
    }
}
