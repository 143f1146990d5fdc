//! A watcher gets every event once and in order, also when its stream breaks and is resumed; and
//! what is stored has no gaps either, and can be read: none of the faults takes what was synced.

use std::time::Duration;

use super::Breach;
use crate::history::{History, News};

/// Says where events are missing, twice, or in the wrong order.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for ((client, job, _), told) in history.told_apart() {
        let seqs = told.into_iter().filter_map(|told| match &told.news {
            News::Event { seq, .. } | News::Update { seq, .. } => Some((Some(told.at), *seq)),
            News::Accepted { .. }
            | News::Public(_)
            | News::Shown(_)
            | News::Details(_)
            | News::Results { .. }
            | News::Receipt { .. }
            | News::Explained { .. }
            | News::History(_)
            | News::Listed(_)
            | News::Sifted { .. }
            | News::Beside(_) => None,
        });
        broken.extend(gap(&format!("{client} watched {job}"), seqs));
    }
    for (job, stored) in &history.stored {
        let seqs = stored.events.iter().map(|recorded| (None, recorded.seq));
        broken.extend(gap(&format!("stored of {job}"), seqs));
    }
    broken.extend(
        history
            .damaged
            .iter()
            .map(|what| Breach::from(what.clone())),
    );
    broken
}

fn gap(place: &str, seqs: impl Iterator<Item = (Option<Duration>, u64)>) -> Option<Breach> {
    let (expected, (at, found)) = (1..)
        .zip(seqs)
        .find(|(expected, (_, found))| expected != found)?;
    let how = format!("{place}: event {found} comes where {expected} should be");
    Some(Breach { at, how })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    fn told_without(seq: u64) -> History {
        let mut history = good();
        history
            .told
            .retain(|told| !matches!(told.news, News::Event { seq: it, .. } if it == seq));
        history
    }

    #[test]
    fn who_has_asked_for_one_job_twice_hears_of_it_twice() {
        let mut history = good();
        let mut again = history.told.clone();
        for told in &mut again {
            told.request = 1;
        }
        history.told.extend(again.iter().cloned());
        assert_eq!(check(&history), [""; 0]);
        history.told.extend(again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_event_that_was_never_told_is_missed() {
        assert_eq!(check(&told_without(3)).len(), 1);
        assert_eq!(check(&told_without(1)).len(), 1);
    }

    #[test]
    fn an_event_that_was_told_twice_is_refused() {
        let mut history = good();
        let at = history
            .told
            .iter()
            .position(|told| matches!(told.news, News::Event { .. }));
        let again = history.told[at.unwrap()].clone();
        history.told.push(again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_gap_in_the_store_is_refused() {
        let mut history = good();
        history
            .stored
            .values_mut()
            .for_each(|stored| drop(stored.events.remove(2)));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_refused() {
        let mut history = good();
        history.damaged.push("event 3 is missing".to_owned());
        assert_eq!(check(&history).len(), 1);
    }
}
