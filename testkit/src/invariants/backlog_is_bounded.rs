//! Too much to do is refused and never piles up (D17): jobs that have not ended are never more
//! than the operator allows, in all and for a tenant, and no more programs are compiled at once.

use std::collections::{BTreeMap, BTreeSet};

use qrtx::ids::JobId;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{Asked, History, Stored};

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
    Vec::from_iter(crowd(history))
}

/// More programs at a compiler than there are places.
fn crowd(history: &History) -> Option<Breach> {
    // A job that has run, and has lost its circuit before its results were stored, needs no place.
    let compiles = |call: &&Asked| {
        let commits = history.committed.iter();
        let mut before =
            commits.filter(|commit| Some(commit.job) == call.job && commit.at <= call.at);
        call.what == "CompileCircuit"
            && before
                .next_back()
                .is_some_and(|last| last.state == State::Compiling)
    };
    let compiled: Vec<_> = history.asked.iter().filter(compiles).collect();
    compiled.iter().find_map(|one| {
        let beside = compiled.iter().filter(|other| {
            let over = other.ended.is_some_and(|ended| ended <= one.at);
            other.life == one.life && other.at <= one.at && !over
        });
        let (count, places) = (beside.count(), history.limits.compile_slots);
        let at = one.at.as_secs_f64();
        (count > places as usize).then(|| {
            let how = format!("{count} programs were compiled at {at:.3} s, with {places} places");
            Breach::at(one.at, how)
        })
    })
}

fn tenant_of(stored: &Stored) -> &str {
    &stored.job.spec.owner.tenant
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good};

    #[test]
    fn more_programs_at_a_compiler_than_there_are_places_are_refused() {
        let mut history = good();
        history.limits.compile_slots = 2;
        history.asked = vec![asked("CompileCircuit", 3, 5); 2];
        history.asked.push(asked("CompileCircuit", 3, 3));
        history.asked.push(asked("CompileCircuit", 4, 5));
        assert_eq!(
            check(&history),
            [""; 0],
            "one was over, one was for results"
        );
        history.asked.push(asked("CompileCircuit", 3, 4));
        assert_eq!(check(&history).len(), 1);
    }

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
