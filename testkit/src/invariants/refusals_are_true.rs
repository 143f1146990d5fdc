//! Nobody is turned away for a reason that is none (D21): the repetition of a request that is
//! stored succeeds also when there is too much to do, and a key is taken only within its tenant.

use super::Breach;
use crate::history::{History, Refusal, Refused};

/// Says who should not have been turned away.
pub fn check(history: &History) -> Vec<Breach> {
    let each = history.refused.iter().filter_map(|refused| {
        let held = holders(history, refused);
        let first = held.min();
        let (client, key) = (&refused.client, &refused.key);
        let how = match (refused.why, first) {
            // Stored before this was asked.
            (Refusal::Overload, Some(stored)) if stored < refused.asked => {
                format!("{client} repeated a stored request, {key:?}, and was turned away")
            }
            (Refusal::KeyConflict, None) => {
                format!("{client} was told that {key:?} is taken, and it is not")
            }
            (Refusal::Overload | Refusal::KeyConflict, _) => return None,
        };
        Some(Breach::at(refused.at, how))
    });
    each.collect()
}

/// When jobs of that tenant were stored under that key.
fn holders<'h>(
    history: &'h History,
    refused: &'h Refused,
) -> impl Iterator<Item = std::time::Duration> + 'h {
    let commits = history.committed.iter().filter(|commit| {
        let spec = history
            .stored
            .get(&commit.job)
            .map(|stored| &stored.job.spec);
        spec.is_some_and(|spec| {
            let key = spec.idempotency_key.as_ref();
            spec.owner.tenant == refused.tenant && key == Some(&refused.key)
        })
    });
    commits.map(|commit| commit.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, secs};

    fn refused(tenant: &str, why: Refusal) -> History {
        let mut history = good();
        history.refused = vec![Refused {
            asked: secs(100),
            at: secs(101),
            client: "client-1".to_owned(),
            tenant: tenant.to_owned(),
            key: "key 0".to_owned(),
            why,
        }];
        history
    }

    #[test]
    fn a_repetition_is_not_turned_away() {
        assert_eq!(check(&refused("t", Refusal::Overload)).len(), 1);
        assert_eq!(check(&refused("other", Refusal::Overload)), [""; 0]);
    }

    #[test]
    fn a_key_is_taken_only_within_its_tenant() {
        assert_eq!(check(&refused("t", Refusal::KeyConflict)), [""; 0]);
        assert_eq!(check(&refused("other", Refusal::KeyConflict)).len(), 1);
    }
}
