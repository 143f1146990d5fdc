//! Too much to do is refused and never piles up (D17): jobs that have not ended are never more
//! than the operator allows, in all and for a tenant.

use std::collections::{BTreeMap, BTreeSet};

use qrtx::ids::JobId;

use super::Breach;
use crate::history::{History, Stored};

/// Says when there were too many.
pub fn check(history: &History) -> Vec<Breach> {
    let mut active: BTreeSet<JobId> = BTreeSet::new();
    let mut of_tenant: BTreeMap<&str, BTreeSet<JobId>> = BTreeMap::new();
    for commit in &history.committed {
        let tenant = history.stored.get(&commit.job).map(tenant_of);
        let of_tenant = of_tenant.entry(tenant.unwrap_or_default()).or_default();
        for active in [&mut active, &mut *of_tenant] {
            match commit.state.is_terminal() {
                true => active.remove(&commit.job),
                false => active.insert(commit.job),
            };
        }
        let at = commit.at.as_secs_f64();
        let too_many = |whose: &str, jobs: usize, most: usize| {
            (jobs > most).then(|| {
                format!("{jobs} jobs{whose} had not ended at {at:.3} s, and {most} are the limit")
            })
        };
        let limits = &history.limits;
        let all = too_many("", active.len(), limits.jobs_waiting);
        let tenants = too_many(" of a tenant", of_tenant.len(), limits.tenant_waiting);
        if let Some(broken) = all.or(tenants) {
            return vec![Breach::at(commit.at, broken)];
        }
    }
    Vec::new()
}

fn tenant_of(stored: &Stored) -> &str {
    &stored.job.spec.owner.tenant
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_backlog_above_the_limit_is_refused() {
        let mut history = good();
        history.limits.jobs_waiting = 1;
        assert_eq!(check(&history).len(), 0);
        history.limits.jobs_waiting = 0;
        assert_eq!(check(&history).len(), 1);
        history.limits.jobs_waiting = 1;
        history.limits.tenant_waiting = 0;
        assert_eq!(check(&history).len(), 1);
    }
}
