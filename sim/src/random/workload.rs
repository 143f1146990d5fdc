//! Runs of the shape of a real quantum cloud: tenants by Zipf's law who submit in bursts, executions
//! with a heavy tail, devices that are calibrated once a day (`testkit/src/workload`, which has the
//! sources). A day passes in minutes here.

use std::time::Duration;

use qrtx_testkit::workload::{Trace, Workload};

use super::{PAID, SIMULATOR, millis};
use crate::chance::Chance;
use crate::scenario::{
    Act, DevicePlan, DeviceSays, DeviceTrouble, JobPlan, Scenario, Span, Step, StorePlan, When,
};

/// What such a run is called where scenarios are named.
pub(super) const NAME: &str = "workload";

/// Of a hundred random runs, so many are crowded so.
const PERCENT: u64 = 4;
const DEVICES: [&str; 2] = [SIMULATOR, PAID];
const DAY: Duration = Duration::from_secs(86_400);

/// A day of such a cloud in ten minutes, in which nothing goes wrong but what goes wrong there.
pub(super) fn scenario(seed: u64) -> Scenario {
    let mut scenario = super::empty(NAME, seed);
    scenario.story = format!("A day in the life of a small quantum cloud, made from seed {seed}.");
    scenario.askable = true;
    scenario.devices = DEVICES
        .iter()
        .zip(["simulator", "superconducting"])
        .map(|(id, backend_type)| DevicePlan::plain(id, backend_type, 1))
        .collect();
    crowd(&mut scenario, seed, (120, 12), Duration::from_secs(600));
    scenario
}

/// Some random runs have such a crowd instead of a dozen jobs.
pub(super) fn instead(scenario: &mut Scenario, seed: u64, chance: &mut Chance) {
    if !chance.percent(PERCENT) {
        return;
    }
    scenario.jobs.clear();
    for device in &mut scenario.devices {
        device.slots = 1;
    }
    // On a disk such a run would take as long as ten others.
    scenario.store = StorePlan::Memory;
    crowd(scenario, seed, (30, 5), Duration::from_secs(100));
}

/// So many jobs of so many tenants, and their devices' calibrations, all within `span`.
fn crowd(scenario: &mut Scenario, seed: u64, (jobs, tenants): (usize, usize), span: Duration) {
    let workload = Workload {
        seed,
        jobs,
        tenants,
        devices: DEVICES.len(),
        days: 1,
        load: 0.9,
    };
    let Trace {
        arrivals,
        calibrations,
        ..
    } = workload.trace();
    // In whole milliseconds, as it would be written by hand.
    let short = |time: Duration| {
        let time = time.mul_f64(span.as_secs_f64() / DAY.as_secs_f64());
        Span(millis(u64::try_from(time.as_millis()).expect("a day")))
    };
    let jobs = arrivals.into_iter().map(|arrival| JobPlan {
        client: u32::try_from(arrival.tenant % 3).expect("it is less than three"),
        tenant: format!("tenant-{}", arrival.tenant + 1),
        at: short(arrival.at),
        priority: arrival.priority.into(),
        takes: Some(Span(short(arrival.takes).0.max(millis(1)))),
        ..JobPlan::plain(DEVICES[arrival.device])
    });
    scenario.jobs = jobs.collect();
    let calibrated = calibrations.into_iter().map(|window| Step {
        when: When::At(short(window.from)),
        act: Act::Device(DeviceTrouble {
            id: DEVICES[window.device].to_owned(),
            says: DeviceSays::Calibrating,
            lasts: Some(short(window.until - window.from)),
        }),
    });
    scenario.steps.extend(calibrated);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_day_is_crowded_and_can_be_run() {
        for seed in 1..20 {
            let made = scenario(seed);
            assert_eq!(made.check(), Ok(()));
            let tenants: BTreeSet<_> = made.jobs.iter().map(|job| &job.tenant).collect();
            assert_eq!(made.jobs.len(), 120);
            assert!(tenants.len() > 2, "{tenants:?}");
            assert!(made.jobs.iter().all(|job| job.at.0.as_secs() < 600));
        }
    }
}
