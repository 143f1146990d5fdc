//! Clients that happen upon one idempotency key.

use std::time::Duration;

use super::{PAID, SIMULATOR, any_job};
use crate::chance::Chance;
use crate::scenario::{JobPlan, Own, Scenario, Span};

/// A bound of a client's own for a job that had none.
const A_LONG_TIME: Duration = Duration::from_secs(120);

/// In some runs two clients happen upon one key: of one tenant, it is a mistake of theirs; of two,
/// it is none.
pub(super) fn shared(scenario: &mut Scenario, chance: &mut Chance) {
    if !chance.percent(20) {
        return;
    }
    let (one, other) = (any_job(scenario, chance), any_job(scenario, chance));
    for job in [one, other] {
        scenario.jobs[job].key = Some("a key that two have".to_owned());
    }
    // They may want the same, but for one thing.
    if one != other && chance.percent(60) {
        let mut second = JobPlan {
            client: scenario.jobs[other].client,
            at: scenario.jobs[other].at,
            like: Some(one),
            ..scenario.jobs[one].clone()
        };
        match chance.within(0, 7) {
            0 => second.shots += 1,
            1 => second.seed = Some(second.seed.unwrap_or_default() + 1),
            2 => second.priority = (second.priority + 1) % 101,
            3 => {
                let level = ("optimization_level".to_owned(), "9".to_owned());
                second.options.extend([level]);
            }
            4 => second.but = Some(Own::Program),
            5 => second.but = Some(Own::Name),
            6 => {
                second.timeout = Some(Span(
                    second.timeout.map_or(A_LONG_TIME, |Span(own)| own * 2),
                ))
            }
            _ => {
                let other = [SIMULATOR, PAID][usize::from(second.device == SIMULATOR)];
                other.clone_into(&mut second.device);
                second.nowhere = false;
            }
        }
        scenario.jobs[other] = second;
    }
}
