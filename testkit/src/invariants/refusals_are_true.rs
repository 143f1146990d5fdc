//! Nobody is turned away for a reason that is none (D21): the repetition of a request that is
//! stored succeeds also when there is too much to do, and a key is taken only within its tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;

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
            (Refusal::Overload, None) if !is_full(history, refused) => {
                format!("{client} was told that there is too much to do, and there is room")
            }
            (Refusal::Overload | Refusal::StoreFull, _) if !says_when(refused) => {
                let code = &refused.code;
                format!("{client} was turned away with {code}, and not told to come again later")
            }
            (Refusal::Overload | Refusal::StoreFull | Refusal::KeyConflict, _) => return None,
        };
        Some(Breach::at(refused.at, how))
    });
    each.collect()
}

/// Whether it is a refusal after which clients wait and come again (google.rpc.RetryInfo).
fn says_when(refused: &Refused) -> bool {
    refused.code == "ResourceExhausted" && refused.come_again
}

/// Whether a limit may have been reached while this was asked, counting also what was just being
/// submitted, and may be stored in the end.
fn is_full(history: &History, refused: &Refused) -> bool {
    let (from, until) = (refused.asked, refused.at);
    let submits = history.submits.iter();
    let submits = submits.filter(|(began, ended)| *began <= until && from <= *ended);
    let mut lives: BTreeMap<JobId, (Duration, Duration)> = BTreeMap::new();
    for commit in &history.committed {
        let life = lives
            .entry(commit.job)
            .or_insert((commit.at, Duration::MAX));
        // A kernel goes by what was confirmed.
        if commit.state.is_terminal() && commit.confirmed && life.1 == Duration::MAX {
            life.1 = commit.at;
        }
    }
    let active = lives
        .into_iter()
        .filter(|(_, (began, ended))| *began <= until && from <= *ended);
    let of_tenant = |job: &JobId| {
        let stored = history.stored.get(job);
        stored.is_some_and(|stored| stored.job.spec.owner.tenant == refused.tenant)
    };
    let active: Vec<_> = active.map(|(job, _)| job).collect();
    let own = active.iter().filter(|job| of_tenant(job)).count();
    // The one that was turned away is no reason to turn it away.
    let under_way = submits.count().saturating_sub(1);
    let limits = &history.limits;
    active.len() + under_way >= limits.jobs_waiting || own + under_way >= limits.tenant_waiting
}

/// When jobs of that tenant were stored under that key.
fn holders<'h>(history: &'h History, refused: &'h Refused) -> impl Iterator<Item = Duration> + 'h {
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
            code: "ResourceExhausted".to_owned(),
            come_again: true,
        }];
        history
    }

    #[test]
    fn a_repetition_is_not_turned_away() {
        assert_eq!(check(&refused("t", Refusal::Overload)).len(), 1);
    }

    #[test]
    fn who_is_turned_away_though_there_is_room_is_not_told_the_truth() {
        let mut history = refused("other", Refusal::Overload);
        assert_eq!(check(&history).len(), 1);
        history.limits.jobs_waiting = 2;
        history.submits = vec![(secs(90), Duration::MAX); 3];
        assert_eq!(
            check(&history),
            [""; 0],
            "two others may have come to be jobs"
        );
    }

    #[test]
    fn who_is_turned_away_is_told_to_come_again() {
        let mut history = refused("other", Refusal::StoreFull);
        assert_eq!(check(&history), [""; 0]);
        history.refused[0].come_again = false;
        assert_eq!(check(&history).len(), 1);
        let mut history = refused("other", Refusal::StoreFull);
        history.refused[0].code = "Unavailable".to_owned();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_key_is_taken_only_within_its_tenant() {
        assert_eq!(check(&refused("t", Refusal::KeyConflict)), [""; 0]);
        assert_eq!(check(&refused("other", Refusal::KeyConflict)).len(), 1);
    }
}
