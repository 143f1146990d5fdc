//! A back-off begins with half of `backoff_ms_base` at least and doubles up to `backoff_ms_max`; only the
//! job's deadline makes it shorter (D18). How much longer a neighbour has wanted it, what is stored does not
//! tell, but nobody waits beyond the most.

use std::time::Duration;

use qrtx::job::Job;
use qrtx::job::event::{Event, Recorded};
use qrtx::job::state::State;
use qrtx::limits::Limits;

use super::Breach;
use crate::history::History;

/// Stored times are whole, and between a decision and its record some time may pass.
const ROUND: Duration = Duration::from_millis(20);

/// Says which back-off is too short or too long.
pub fn check(history: &History) -> Vec<Breach> {
    // What was decided by one wall time may be recorded by another.
    if history.wall_moved {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        for (nth, recorded) in stored.events.iter().enumerate() {
            let Event::Retried { not_before, .. } = &recorded.event else {
                continue;
            };
            let Ok(before) = Job::fold(*id, &stored.events[..nth]) else {
                continue;
            };
            let most = Duration::from_millis(history.limits.backoff_ms_max);
            let least = least(&history.limits, tries(&before, recorded));
            let pause = not_before.since(recorded.at);
            let next = stored.events.get(nth + 1).map(|next| &next.event);
            let is_cut = *not_before + ROUND >= before.spec.expires_at
                || matches!(next, Some(Event::DeadlinePassed { .. }));
            // A clock that went back is held until it comes to where the job was.
            let is_held = nth > 0 && stored.events[nth - 1].at == recorded.at;
            if pause > most + ROUND || pause + ROUND < least && !is_cut && !is_held {
                broken.push(Breach::from(format!(
                    "{id} was put off by {pause:?} with event {}: that is not from {least:?} to {most:?}",
                    recorded.seq
                )));
            }
        }
    }
    broken
}

/// The tries that have not worked, this one included. A wait for the store is no try of a neighbour, and
/// executions count for themselves.
fn tries(before: &Job, retried: &Recorded) -> u32 {
    match &retried.event {
        Event::Retried { of_store: true, .. } => before.store_tries + 1,
        _ if before.state == State::Executing => before.attempt(),
        _ => before.tries - before.store_tries + 1,
    }
}

/// Half of what so many tries make of the base: the other half is left to chance.
fn least(limits: &Limits, tries: u32) -> Duration {
    let doubled = limits
        .backoff_ms_base
        .saturating_mul(1 << tries.saturating_sub(1).min(31));
    Duration::from_millis(doubled.min(limits.backoff_ms_max)) / 2
}

#[cfg(test)]
mod tests {
    use qrtx::time::Timestamp;

    use super::*;
    use crate::invariants::sample::{retried, secs};

    #[test]
    fn a_back_off_that_is_shorter_than_half_the_base_or_beyond_the_most_is_refused() {
        let mut history = retried(secs(1), secs(8));
        let stored = history.stored.values_mut().next().unwrap();
        let last = stored.events.len() - 1;
        (stored.events[last].at, stored.events[last - 1].at) = (Timestamp(0), Timestamp(-1));
        let with = |history: &mut History, base, max| {
            history.limits.backoff_ms_base = base;
            history.limits.backoff_ms_max = max;
        };
        with(&mut history, 10_000, 32_000);
        assert_eq!(check(&history), [""; 0]);
        with(&mut history, 20_000, 32_000);
        assert_eq!(check(&history).len(), 1, "it is too short");
        with(&mut history, 20_000, 7_000);
        assert_eq!(check(&history), [""; 0]);
        with(&mut history, 20_000, 6_000);
        assert_eq!(check(&history).len(), 1, "it is beyond the most");
    }
}
