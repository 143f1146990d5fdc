//! A watcher gets every event once and in order, also when its stream breaks and is resumed; and
//! what is stored has no gaps either.

use crate::history::{History, News};

/// Says where events are missing, twice, or in the wrong order.
pub fn check(history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for ((client, job), told) in history.told_apart() {
        let seqs = told.into_iter().filter_map(|news| match news {
            News::Event { seq, .. } => Some(*seq),
            News::Accepted { .. } | News::Public(_) | News::Results { .. } | News::Receipt(_) => {
                None
            }
        });
        broken.extend(gap(seqs).map(|what| format!("{client} watched {job}: {what}")));
    }
    for (job, stored) in &history.stored {
        let seqs = stored.events.iter().map(|recorded| recorded.seq);
        broken.extend(gap(seqs).map(|what| format!("stored of {job}: {what}")));
    }
    broken
}

fn gap(seqs: impl Iterator<Item = u64>) -> Option<String> {
    let (expected, found) = (1..)
        .zip(seqs)
        .find(|(expected, found)| expected != found)?;
    Some(format!("event {found} comes where {expected} should be"))
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
}
