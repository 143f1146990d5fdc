//! Nothing changes an end (Eigen-OS qrtx.md §4.4): not in the store, and not towards clients.

use std::time::Duration;

use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News};

/// Says which ends were followed by another state.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let states = stored.events.iter().map(|recorded| (None, recorded.state));
        broken.extend(after_the_end(&format!("stored of {id}"), states));
    }
    for ((client, job, _), told) in history.told_apart() {
        let states = told.into_iter().filter_map(|told| match &told.news {
            News::Event { state, .. } | News::Results { state, .. } => {
                Some((Some(told.at), *state))
            }
            News::Accepted { .. }
            | News::Public(_)
            | News::Shown(_)
            | News::Details(_)
            | News::Update { .. }
            | News::Receipt { .. }
            | News::Explained { .. }
            | News::History(_)
            | News::Listed(_)
            | News::Sifted { .. }
            | News::Beside(_) => None,
        });
        broken.extend(after_the_end(
            &format!("{client} was told of {job}"),
            states,
        ));
    }
    broken
}

fn after_the_end(
    whose: &str,
    mut states: impl Iterator<Item = (Option<Duration>, State)>,
) -> Option<Breach> {
    let (_, end) = states.by_ref().find(|(_, state)| state.is_terminal())?;
    let (at, other) = states.find(|(_, state)| *state != end)?;
    let how = format!("{whose}: {} after {}", other.name(), end.name());
    Some(Breach { at, how })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job, tell};

    #[test]
    fn an_end_that_is_told_otherwise_is_refused() {
        let mut history = good();
        tell(
            &mut history,
            News::Results {
                device: Some("qpu".to_owned()),
                state: State::Failed,
                counts: Default::default(),
            },
        );
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_end_that_is_stored_otherwise_is_refused() {
        let mut history = good();
        let events = &mut history.stored.get_mut(&job()).unwrap().events;
        let mut more = events.last().unwrap().clone();
        more.state = State::Cancelled;
        events.push(more);
        assert_eq!(check(&history).len(), 1);
    }
}
