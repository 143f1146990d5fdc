//! A kernel that starts can be reached within seconds, also when its neighbours are away and jobs
//! wait to be taken over: until then no client learns anything.

use std::time::Duration;

use super::Breach;
use crate::history::{History, Start};

/// What the few jobs of a run may take, beside what a store needs that is well.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Says which start took too long.
pub fn check(history: &History) -> Vec<Breach> {
    let next = history.starts.iter().skip(1).map(|start| start.at);
    let replaced = next.map(Some).chain([None]);
    let each = history.starts.iter().zip(replaced);
    let late = each.filter_map(|(start, replaced)| {
        let until = known_until(history, start, replaced);
        let took = until.saturating_sub(start.at);
        (took > READY_WITHIN && !is_excused(history, start.at, until)).then(|| {
            let (at, took) = (start.at.as_secs_f64(), took.as_secs_f64());
            let how = format!(
                "the kernel that was started at {at:.3} s could not be reached for {took:.3} s"
            );
            Breach::at(start.at, how)
        })
    });
    late.collect()
}

/// When it was ready, or when it is known best that it was not.
fn known_until(history: &History, start: &Start, replaced: Option<Duration>) -> Duration {
    let over = start.ended.or(replaced).unwrap_or(history.ended);
    start.ready.unwrap_or(over)
}

/// A kernel cannot start while it stands still, or its store is in trouble.
fn is_excused(history: &History, from: Duration, until: Duration) -> bool {
    let mut spans = history.pauses.iter().chain(&history.store_troubles);
    spans.any(|&(begins, ends)| begins <= until && from <= ends + READY_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_kernel_that_cannot_be_reached_for_long_is_refused() {
        assert_eq!(check(&ready_after(Some(2 * SECOND))).len(), 0);
        assert_eq!(check(&ready_after(Some(3 * SECOND))).len(), 1);
        assert_eq!(check(&ready_after(None)).len(), 1);
    }

    #[test]
    fn a_kernel_that_died_early_or_has_no_store_is_excused() {
        let mut history = ready_after(None);
        history.starts[0].ended = Some(2 * SECOND);
        assert_eq!(check(&history).len(), 0);
        let mut history = ready_after(None);
        history.store_troubles = vec![(2 * SECOND, 3 * SECOND)];
        assert_eq!(check(&history).len(), 0);
    }

    fn ready_after(span: Option<Duration>) -> History {
        let mut history = good();
        history.ended = 60 * SECOND;
        history.starts = vec![Start {
            at: SECOND,
            ready: span.map(|span| SECOND + span),
            ended: None,
        }];
        history
    }
}
