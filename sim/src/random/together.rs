//! Faults that are a danger only where they meet, and are therefore drawn together: a kernel that
//! dies while a job waits out its back-off, a device that goes on when its bound has passed. Drawn
//! one by one they would meet in one of a thousand runs.

use std::time::Duration;

use super::faults::Draw;
use super::millis;
use crate::chance::Chance;
use crate::scenario::{
    Act, ArtifactsTrouble, CallPoint, DeviceFact, DevicePoint, DeviceSays, DeviceTrouble, JobRef,
    Kill, Leg, Moment, Point, Scenario, Span, Step, StoreFault, When, WhimPlan,
};

/// Of a hundred runs, so many have such a meeting, and little else that goes wrong.
const PERCENT: u64 = 30;

/// Arranges a meeting in some runs, and says whether there is one.
pub(super) fn draw(scenario: &mut Scenario, chance: &mut Chance) -> bool {
    if !chance.percent(PERCENT) {
        return false;
    }
    if !scenario.reservations.is_empty() && chance.percent(70) {
        let dies = dies_beside_reservations(scenario, chance);
        scenario.steps.push(dies);
        return true;
    }
    let arrange = chance.one_of(&[
        dies_in_a_back_off,
        dies_before_a_deadline,
        dies_before_an_intent,
        dies_with_large_counts,
        goes_on_at_its_bound,
        goes_on_at_its_bound,
        has_its_deadline_at_its_bound,
        has_its_deadline_at_its_bound,
        does_not_hear_a_cancel,
        is_heard_of_too_late,
        outlasts_its_patience,
        outlasts_its_patience,
    ]);
    let steps = arrange(scenario, chance);
    scenario.steps.extend(steps);
    true
}

pub(super) fn dies(draw: &mut Draw<'_>, when: When) -> Step {
    let act = Act::Kill(Kill {
        node: "kernel".to_owned(),
        down: draw.millis(20, 150),
        power: false,
    });
    Step { when, act }
}

fn point(job: usize, event: &str, moment: Moment) -> When {
    When::Point(Point {
        job,
        event: event.to_owned(),
        moment,
        nth: 1,
    })
}

fn call(job: usize, method: &str, leg: Leg) -> When {
    When::Call(CallPoint {
        method: method.to_owned(),
        from: None,
        job: Some(job),
        leg,
        nth: 1,
    })
}

/// A neighbour is busy, and the kernel that knows for how long dies.
fn dies_in_a_back_off(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    let mut draw = Draw { scenario, chance };
    let job = draw.job();
    let method = *draw.chance.one_of(&["CompileCircuit", "ExecuteCircuit"]);
    let busy = Step {
        when: call(job, method, Leg::Request),
        act: Act::Whim(WhimPlan::Busy),
    };
    let dies = dies(&mut draw, point(job, "Retried", Moment::After));
    vec![busy, dies]
}

/// Runs take longer than many jobs have time, and the kernel that has set its clock for them dies.
fn dies_before_a_deadline(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    scenario.run_takes = Span(Duration::from_secs(20));
    for job in &mut scenario.jobs {
        let timeout = Span(millis(chance.within(12_000, 19_000)));
        job.timeout = chance.percent(50).then_some(timeout);
    }
    let mut draw = Draw { scenario, chance };
    let when = When::At(draw.millis(200, 5_000));
    vec![dies(&mut draw, when)]
}

/// A kernel dies just before it is stored that a device will be asked.
fn dies_before_an_intent(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    let mut draw = Draw { scenario, chance };
    let when = point(draw.job(), "Intended", Moment::Before);
    vec![dies(&mut draw, when)]
}

/// Counts have objects of their own, and the power fails just after one is named.
fn dies_with_large_counts(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    scenario.limits.set("counts_bytes_inline_max", 0);
    let mut draw = Draw { scenario, chance };
    let moment = *draw
        .chance
        .one_of(&[Moment::AfterWriteBeforeAck, Moment::After]);
    let job = draw.job();
    let mut dies = dies(&mut draw, point(job, "Executed", moment));
    if let Act::Kill(kill) = &mut dies.act {
        kill.power = true;
    }
    vec![dies]
}

/// A kernel dies that has promised slots.
fn dies_beside_reservations(scenario: &Scenario, chance: &mut Chance) -> Step {
    let first = scenario.reservations.iter().map(|slot| slot.at.0).min();
    let first = first.unwrap_or_default();
    let mut draw = Draw { scenario, chance };
    let when = When::At(Span(first + draw.millis(50, 3_000).0));
    dies(&mut draw, when)
}

/// Runs take far longer than an execution may, and the driver does as it is told.
fn goes_on_at_its_bound(scenario: &mut Scenario, _: &mut Chance) -> Vec<Step> {
    has_bound(scenario, 60);
    Vec::new()
}

fn has_bound(scenario: &mut Scenario, run_takes_s: u64) -> Duration {
    let bound = millis(500);
    scenario.limits.set("execute_ms", 500);
    scenario.run_takes = Span(Duration::from_secs(run_takes_s));
    (scenario.askable, scenario.unstoppable) = (true, false);
    bound
}

/// The time of a job and that of its execution are over at about the same moment.
fn has_its_deadline_at_its_bound(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    let bound = has_bound(scenario, 3);
    for job in &mut scenario.jobs {
        let about = Duration::from_micros(chance.within(0, 30_000));
        let timeout = scenario.compile_takes.0 + bound + about;
        job.timeout = chance.percent(60).then_some(Span(timeout));
    }
    Vec::new()
}

/// A client cancels what runs, and the driver does not answer whoever wants it stopped.
fn does_not_hear_a_cancel(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    scenario.askable = true;
    scenario.run_takes = Span(Duration::from_secs(chance.within(3, 20)));
    let job = Draw { scenario, chance }.job();
    let fact = DeviceFact::Started;
    let cancel = Step {
        when: When::Device(DevicePoint { job, fact, nth: 1 }),
        act: Act::Cancel(JobRef { job }),
    };
    let deaf = Step {
        when: call(job, "CancelExecution", Leg::Request),
        act: Act::Whim(WhimPlan::Hang),
    };
    vec![cancel, deaf]
}

/// A device says that it is well, goes away, and what it said comes when its absence is known.
fn is_heard_of_too_late(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    scenario.look_every = Some(Span(millis(chance.within(300, 700))));
    let mut draw = Draw { scenario, chance };
    let job = draw.job();
    let late = Step {
        when: call(job, "GetDeviceStatus", Leg::Answer),
        act: Act::Delay(draw.millis(2_500, 4_900)),
    };
    let away = *draw
        .chance
        .one_of(&[DeviceSays::Offline, DeviceSays::Calibrating]);
    let when = When::After(draw.millis(0, 300));
    let each = draw.scenario.devices.iter().map(|device| Step {
        when: when.clone(),
        act: Act::Device(DeviceTrouble {
            id: device.id.clone(),
            says: away,
            lasts: Some(Span(Duration::from_secs(10))),
        }),
    });
    std::iter::once(late).chain(each).collect()
}

/// A job has its counts, and nobody takes them for longer than that is tried, or than it has time.
fn outlasts_its_patience(scenario: &mut Scenario, chance: &mut Chance) -> Vec<Step> {
    let by_deadline = chance.percent(50);
    let persist_ms = if by_deadline { 60_000 } else { 3_000 };
    scenario.limits.set("persist_ms", persist_ms);
    scenario.limits.set("artifact_ms", 1_000);
    scenario.limits.set("backoff_ms_max", 1_000);
    for job in &mut scenario.jobs {
        let timeout = Span(millis(chance.within(6_000, 15_000)));
        job.timeout = by_deadline.then_some(timeout);
    }
    let mut draw = Draw { scenario, chance };
    let when = point(draw.job(), "Executed", Moment::After);
    let (how, lasts) = (StoreFault::Away, Some(Span(Duration::from_secs(25))));
    let act = Act::ArtifactsFail(ArtifactsTrouble { how, lasts });
    vec![Step { when, act }]
}
