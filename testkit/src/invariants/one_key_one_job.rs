//! One idempotency key stands for one job (D21), also among jobs of which no client ever heard.

use std::collections::BTreeMap;

use super::Breach;
use crate::history::History;

/// Says which keys made two jobs.
pub fn check(history: &History) -> Vec<Breach> {
    let mut holders = BTreeMap::new();
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let owner = &stored.job.spec.owner;
        let Some(key) = &stored.job.spec.idempotency_key else {
            continue;
        };
        let scope = (&owner.tenant, &owner.project, key);
        let first = *holders.entry(scope).or_insert(*id);
        if first != *id {
            broken.push(Breach::from(format!(
                "{first} and {id} were both made for key {key:?}"
            )));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn a_second_job_for_a_key_is_refused() {
        let mut history = good();
        let again = history.stored[&job()].clone();
        history
            .stored
            .insert(qrtx::ids::JobId::new(9, [9; 10]), again);
        assert_eq!(check(&history).len(), 1);
    }
}
