//! One idempotency key stands for one job (D21), also among jobs of which no client ever heard, and for
//! one reservation; and whoever repeats a request is told so.

use std::collections::{BTreeMap, BTreeSet};

use super::Breach;
use crate::history::{History, News};

/// Says which keys made two jobs or reservations, or made one twice.
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
    broken.extend(reserved_twice(history));
    broken.extend(made_twice(history));
    broken
}

fn reserved_twice(history: &History) -> impl Iterator<Item = Breach> {
    let mut holders = BTreeMap::new();
    let reservations = history.reservations.iter();
    reservations.filter_map(move |made| {
        let scope = (&made.owner.tenant, &made.owner.project, made.key.as_ref()?);
        let first = *holders.entry(scope).or_insert(made.id);
        let (second, key) = (made.id, scope.2);
        let how = || format!("{first} and {second} were both made for key {key:?}");
        (first != second).then(|| Breach::from(how()))
    })
}

/// Whoever was answered that its request has made a job, which was stored before, or for another.
fn made_twice(history: &History) -> impl Iterator<Item = Breach> {
    let first = history.committed.iter().filter(|commit| commit.seq == 1);
    let stored: BTreeMap<_, _> = first.map(|commit| (commit.job, commit.at)).collect();
    let mut made = BTreeSet::new();
    history.told.iter().filter_map(move |told| {
        let (asked, repeated) = match &told.news {
            News::Accepted {
                asked, repeated, ..
            } => (*asked, (*repeated)?),
            _ => return None,
        };
        let (client, job) = (&told.client, told.job);
        let was_there = stored.get(&job).is_some_and(|stored| *stored < asked);
        let is_first = repeated || (made.insert(job) && !was_there);
        let how = || format!("{client} was told that it made {job}, which was there before");
        (!is_first).then(|| Breach::at(told.at, how()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job, reservation, secs};

    #[test]
    fn a_second_job_for_a_key_is_refused() {
        let mut history = good();
        let again = history.stored[&job()].clone();
        history
            .stored
            .insert(qrtx::ids::JobId::new(9, [9; 10]), again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_second_reservation_for_a_key_is_refused() {
        let mut history = good();
        history.reservations = vec![reservation(1, "key"), reservation(2, "another key")];
        assert_eq!(check(&history), [""; 0]);
        history.reservations.push(reservation(3, "key"));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_repetition_that_is_not_told_to_be_one_is_refused() {
        let with = |told: Option<bool>| {
            let mut history = good();
            let mut again = history.told[0].clone();
            if let News::Accepted { repeated, .. } = &mut again.news {
                *repeated = told;
            }
            history.told.push(again);
            check(&history).len()
        };
        assert_eq!(with(Some(true)), 0);
        assert_eq!(with(None), 0);
        assert_eq!(with(Some(false)), 1);

        let mut history = good();
        if let News::Accepted { asked, .. } = &mut history.told[0].news {
            *asked = history.committed[0].at + secs(1);
        }
        assert_eq!(check(&history).len(), 1, "its own job was stored by then");
    }
}
