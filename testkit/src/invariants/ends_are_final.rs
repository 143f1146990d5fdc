//! Nothing changes an end (Eigen-OS qrtx.md §4.4): not in the store, and not towards clients.

use qrtx::job::state::State;

use crate::history::{History, News};

/// Says which ends were followed by another state.
pub fn check(history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let states = stored.events.iter().map(|recorded| recorded.state);
        broken.extend(after_the_end(states).map(|what| format!("stored of {id}: {what}")));
    }
    for ((client, job), told) in history.told_apart() {
        let states = told.into_iter().filter_map(|news| match news {
            News::Event { state, .. } | News::Results { state, .. } => Some(*state),
            News::Accepted { .. } | News::Public(_) | News::Receipt(_) => None,
        });
        let told = after_the_end(states);
        broken.extend(told.map(|what| format!("{client} was told of {job}: {what}")));
    }
    broken
}

fn after_the_end(mut states: impl Iterator<Item = State>) -> Option<String> {
    let end = states.by_ref().find(|state| state.is_terminal())?;
    let other = states.find(|state| *state != end)?;
    Some(format!("{} after {}", other.name(), end.name()))
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
