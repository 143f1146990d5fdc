//! A neighbour in trouble is not made worse (D18): no call for one job is made more than a dozen
//! times within a second, or two dozen within ten, and none without a job more often than there are
//! jobs to ask for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;

/// Calls of one kind for one job within a span; a first try and its back-off, which doubles, stay
/// far below also where a kernel begins anew.
const MOST: [(usize, Duration); 2] = [(12, Duration::from_secs(1)), (24, Duration::from_secs(10))];

/// Says who was asked too often.
pub fn check(history: &History) -> Vec<Breach> {
    let mut asked: BTreeMap<_, Vec<Duration>> = BTreeMap::new();
    for call in &history.asked {
        let kind = (&call.whom, &call.what, call.job);
        asked.entry(kind).or_default().push(call.at);
    }
    let mut broken = Vec::new();
    for ((whom, what, job), times) in asked {
        for (most, span) in MOST {
            // Every job may ask for the devices once for itself.
            let most = most + job.map_or(history.stored.len() * 2, |_| 0);
            let within = |window: &&[Duration]| window[most] < window[0] + span;
            let Some(storm) = times.windows(most + 1).find(within) else {
                continue;
            };
            let job = job.map(|job| format!(" for {job}")).unwrap_or_default();
            let at = storm[0].as_secs_f64();
            broken.push(Breach::at(
                storm[0],
                format!("{whom} got {what}{job} more than {most} times in {span:?} at {at:.3} s"),
            ));
            break;
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Asked;
    use crate::invariants::sample::{asked, good};

    fn every(every_ms: u64) -> History {
        let mut history = good();
        let call = |nth| Asked {
            at: Duration::from_millis(nth * every_ms),
            ..asked("CompileCircuit", 0, 0)
        };
        history.asked = (0..30).map(call).collect();
        history
    }

    #[test]
    fn a_storm_is_refused() {
        assert_eq!(check(&every(10)).len(), 1);
        assert_eq!(check(&every(1_000)).len(), 0);
    }

    #[test]
    fn tries_that_never_become_fewer_are_refused() {
        assert_eq!(check(&every(100)).len(), 1);
    }
}
