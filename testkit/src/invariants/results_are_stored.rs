//! Results that a client was told are those that are stored, to the last count: nobody sees what
//! a crash can still take back.

use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News};

/// Says which results are not those that are stored.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for told in &history.told {
        let News::Results {
            state: State::Completed,
            counts,
            device,
        } = &told.news
        else {
            continue;
        };
        let stored = history.stored.get(&told.job);
        let Some(stored) = stored.filter(|stored| stored.job.outcome.is_some()) else {
            broken.push(Breach::at(
                told.at,
                format!(
                    "{} got results of {}, which has none",
                    told.client, told.job
                ),
            ));
            continue;
        };
        let ran_on = stored.job.ledger.last().map(|entry| entry.device.as_str());
        if device
            .as_ref()
            .is_some_and(|device| ran_on != Some(device.as_str()))
        {
            let (client, job) = (&told.client, told.job);
            let how = format!("{client} was told that {device:?} ran {job}, and not {ran_on:?}");
            broken.push(Breach::at(told.at, how));
        }
        if let Some(stored) = stored.counts() {
            let told_counts = counts
                .iter()
                .map(|(key, count)| (key, u64::try_from(*count).ok()));
            if !told_counts.eq(stored.iter().map(|(key, count)| (key, Some(*count)))) {
                broken.push(Breach::at(
                    told.at,
                    format!(
                        "{} got other counts of {} than are stored",
                        told.client, told.job
                    ),
                ));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn results_that_nobody_stored_are_refused() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().job.outcome = None;
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn other_counts_than_the_stored_are_refused() {
        let mut history = good();
        for told in &mut history.told {
            if let News::Results { counts, .. } = &mut told.news {
                *counts.get_mut("00").unwrap() += 1;
            }
        }
        assert_eq!(check(&history).len(), 1);
    }
}
