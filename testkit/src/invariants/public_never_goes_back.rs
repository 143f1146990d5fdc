//! system-api is shown states in one order, also when an attempt is retried (D10).

use qrtx::job::state::PublicState;

use super::Breach;
use crate::history::{History, News};

/// Where nothing follows.
const ENDS: [PublicState; 4] = [
    PublicState::Done,
    PublicState::Error,
    PublicState::Cancelled,
    PublicState::Timeout,
];

/// Says where a public state went back.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for ((client, job, _), told) in history.told_apart() {
        let stored = history.stored.get(&job).map(|stored| stored.job.state);
        // A stream may be behind of what is answered meanwhile.
        for way in [answered, streamed] {
            let mut furthest: Option<PublicState> = None;
            for (told, state) in told
                .iter()
                .filter_map(|told| Some((told, way(&told.news)?)))
            {
                if let Some(before) = furthest.filter(|before| state < *before) {
                    broken.push(Breach::at(
                        told.at,
                        format!("{client} saw {job} go from {before:?} to {state:?}"),
                    ));
                }
                furthest = furthest.max(Some(state));
                let over = ENDS.contains(&state);
                if let Some(stored) = stored.filter(|stored| over && stored.public() != state) {
                    let stored = stored.name();
                    broken.push(Breach::at(
                        told.at,
                        format!("{client} was shown {job} as {state:?}, and it ended {stored}"),
                    ));
                }
            }
        }
    }
    broken
}

fn answered(news: &News) -> Option<PublicState> {
    match news {
        News::Public(shown) => Some(*shown),
        _ => None,
    }
}

fn streamed(news: &News) -> Option<PublicState> {
    match news {
        News::Update { shown, .. } => Some(*shown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, tell};

    #[test]
    fn a_state_that_goes_back_is_refused() {
        let mut history = good();
        tell(&mut history, News::Public(PublicState::Running));
        assert_eq!(check(&history).len(), 1);
    }
}
