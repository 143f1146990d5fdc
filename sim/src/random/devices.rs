//! Devices that differ, that an operator takes out of use, and such as go away again and again, in a
//! random run.

use std::time::Duration;

use super::faults::Draw;
use super::{PAID, SIMULATOR};
use crate::chance::Chance;
use crate::scenario::{
    Act, DeviceSays, Draining, Flapping, ProgramPlan, Scenario, Span, Step, When,
};

/// Of a hundred runs, so many have an operator, and so many a kernel that soon loses its patience.
const PERCENT: u64 = 15;

/// Operations of which a circuit of either device's own can be built, and none of what both have.
const OTHER_OPS: &str = "RX,RZ,CZ,MEASURE";
/// Qubits of the two devices, where they tell.
const QUBITS: [(&str, &str); 2] = [(SIMULATOR, "16"), (PAID, "5")];
/// What clients require where devices differ: both have it, one has it, the other, none.
const REQUIREMENTS: [&str; 6] = [
    "qubits=5",
    "qubits=6",
    "ops=CZ",
    "ops=RZ&qubits=2",
    "formats=AQO",
    "qubits=17",
];

/// In some runs the devices have not the same operations, and clients say what they need.
pub(super) fn differ(scenario: &mut Scenario, chance: &mut Chance) {
    if !chance.percent(PERCENT) {
        return;
    }
    for device in &mut scenario.devices {
        let qubits = QUBITS.iter().find(|(id, _)| *id == device.id);
        let mut tell = |key: &str, value: &str| {
            device.capabilities.insert(key.to_owned(), value.to_owned());
        };
        tell("qubits", qubits.map_or("16", |(_, qubits)| qubits));
        if device.id == PAID {
            tell("ops", OTHER_OPS);
        }
    }
    for job in &mut scenario.jobs {
        if job.reservation.is_some() || job.nowhere {
            continue;
        }
        // The compiler of sources knows nothing of devices.
        if job.device == PAID {
            job.program = ProgramPlan::Aqo;
            job.poison = false;
        } else if chance.percent(60) {
            let family = *chance.one_of(&["*", SIMULATOR, PAID, "qpu:*", "backend:simulator"]);
            let requirement = *chance.one_of(&REQUIREMENTS);
            job.device = match chance.percent(50) {
                true => format!("{family}?{requirement}"),
                false => "*".to_owned(),
            };
        }
    }
}

/// One or two devices drain for a while, from when many jobs still wait.
pub(super) fn drains(scenario: &Scenario, chance: &mut Chance) -> Vec<Step> {
    if !chance.percent(PERCENT) {
        return Vec::new();
    }
    let mut draw = Draw { scenario, chance };
    let which = *draw
        .chance
        .one_of(&[&[SIMULATOR][..], &[PAID], &[SIMULATOR, PAID]]);
    let when = When::At(draw.millis(200, 3_000));
    let drain = |id: &&str| {
        let act = Act::Drain(Draining {
            id: (*id).to_owned(),
            lasts: draw.millis(1_000, 40_000),
        });
        let when = when.clone();
        Step { when, act }
    };
    which.iter().map(drain).collect()
}

/// A device flaps, and after one loss or two it is held back; the devices of other runs are seldom
/// lost as often as is usually too much.
pub(super) fn flaps(scenario: &mut Scenario, chance: &mut Chance) {
    if !chance.percent(PERCENT) {
        return;
    }
    for (name, value) in [
        ("device_losses", chance.within(1, 2)),
        ("device_hold_ms", *chance.one_of(&[5_000, 15_000, 30_000])),
        ("device_losses_ms", *chance.one_of(&[2_000, 5_000, 600_000])),
    ] {
        scenario.limits.set(name, value);
    }
    // Somebody sees whether it is held back for longer than it should be.
    scenario.look_every = Some(Span(Duration::from_millis(chance.within(300, 900))));
    let mut draw = Draw { scenario, chance };
    let act = Act::Flap(Flapping {
        id: (*draw.chance.one_of(&[SIMULATOR, PAID])).to_owned(),
        says: *draw.chance.one_of(&[DeviceSays::Offline, DeviceSays::Gone]),
        away: draw.millis(300, 4_000),
        back: draw.millis(300, 6_000),
        lasts: draw.millis(5_000, 30_000),
    });
    let when = When::At(draw.millis(0, 3_000));
    scenario.steps.push(Step { when, act });
}
