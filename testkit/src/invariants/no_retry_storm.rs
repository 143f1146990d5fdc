//! A neighbour in trouble is not made worse (D18): no call for one job is made more than a dozen
//! times within a second, and none without a job more often than there are jobs to ask for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::History;

/// Calls of one kind for one job within a second; a first try and its back-off stay far below.
const MOST: usize = 12;

/// Says who was asked too often.
pub fn check(history: &History) -> Vec<String> {
    let mut asked: BTreeMap<_, Vec<Duration>> = BTreeMap::new();
    for call in &history.asked {
        let kind = (&call.whom, &call.what, call.job);
        asked.entry(kind).or_default().push(call.at);
    }
    let mut broken = Vec::new();
    for ((whom, what, job), times) in asked {
        // Every job may ask for the devices once for itself.
        let most = MOST + job.map_or(history.stored.len(), |_| 0);
        let within = |window: &&[Duration]| window[most] < window[0] + Duration::from_secs(1);
        if let Some(storm) = times.windows(most + 1).find(within) {
            let job = job.map(|job| format!(" for {job}")).unwrap_or_default();
            let at = storm[0].as_secs_f64();
            broken.push(format!(
                "{whom} got {what}{job} more than {most} times a second at {at} s"
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Asked;
    use crate::invariants::sample::{good, job};

    fn asked(every_ms: u64) -> History {
        let mut history = good();
        history.asked = (0..30)
            .map(|nth| Asked {
                at: Duration::from_millis(nth * every_ms),
                whom: "compiler".to_owned(),
                what: "CompileCircuit".to_owned(),
                job: Some(job()),
            })
            .collect();
        history
    }

    #[test]
    fn a_storm_is_refused() {
        assert_eq!(check(&asked(10)).len(), 1);
        assert_eq!(check(&asked(100)).len(), 0);
    }
}
