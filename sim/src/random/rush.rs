//! Runs in which tenants want one device at once, and nothing goes wrong until most of it is over:
//! whoever gets more than its share can be seen then. Other runs have too few jobs of two tenants
//! beside each other, or a fault among them, after which nobody can tell what a kernel knew.

use std::time::Duration;

use serde_json::json;

use super::faults::Draw;
use super::together::dies;
use super::{NAME, SIMULATOR, empty, millis};
use crate::chance::Chance;
use crate::scenario::{DevicePlan, JobPlan, Scenario, Span, When};

/// Of a hundred random runs, so many are of this kind.
const PERCENT: u64 = 3;
const TENANTS: u64 = 2;
const JOBS_OF_EACH: u64 = 12;
const RUN_TAKES: Duration = Duration::from_secs(1);

/// Such a run, if this seed is for one.
pub(super) fn instead(seed: u64) -> Option<Scenario> {
    let mut chance = Chance::new(seed, "rush");
    if !chance.percent(PERCENT) {
        return None;
    }
    let mut scenario = Scenario {
        askable: true,
        run_takes: Span(RUN_TAKES),
        devices: vec![DevicePlan::plain(SIMULATOR, "simulator", 1)],
        ..empty(NAME, seed)
    };
    if chance.percent(60) {
        let weights = json!({ "tenant-1": chance.within(2, 5) });
        scenario.limits.set("tenant_weights", weights);
    }
    for number in 0..TENANTS * JOBS_OF_EACH {
        scenario.jobs.push(JobPlan {
            client: u32::try_from(number % 3).expect("it is less than three"),
            tenant: format!("tenant-{}", number % TENANTS + 1),
            at: Span(millis(chance.within(0, 500))),
            priority: i32::try_from(chance.within(0, 100)).expect("a priority"),
            ..JobPlan::plain(SIMULATOR)
        });
    }
    let mut draw = Draw {
        scenario: &scenario,
        chance: &mut chance,
    };
    let late = When::At(draw.millis(16_000, 22_000));
    let death = dies(&mut draw, late);
    scenario.steps.push(death);
    Some(scenario)
}
