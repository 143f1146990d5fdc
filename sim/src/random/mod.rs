//! Makes a run out of a seed: a deployment, a workload, and a log of decisions. The seed is used
//! up here; from then on the run is data like any hand-written scenario.

mod devices;
mod disk;
mod faults;
mod keys;
mod reservations;
mod rush;
mod together;
mod workload;

use std::time::Duration;

pub use faults::EVENTS;
use reservations::reservations;
use serde_json::json;

use crate::chance::Chance;
use crate::scenario::{
    Act, Bounds, CallPoint, DeviceFact, DevicePlan, DevicePoint, Expect, JobPlan, JobRef, Leg,
    Moment, Point, ProgramPlan, Scenario, Span, Step, StorePlan, When, WhimPlan,
};

/// What such a run is called where scenarios are named.
pub const NAME: &str = "random";

/// In so many of a hundred runs the jobs are on a disk. Such a run takes nearly twice as long.
const ON_DISK: u64 = 11;
/// Of a hundred jobs, so many come by way of system-api.
const SYSTEM_API: u64 = 15;
const SIMULATOR: &str = "sim:a";
const PAID: &str = "qpu:b";

/// The run that a seed stands for, by the name of its kind; `None` for any other name.
pub fn made(name: &str, seed: u64) -> Option<Scenario> {
    match name {
        NAME => Some(scenario(seed)),
        workload::NAME => Some(workload::scenario(seed)),
        _ => None,
    }
}

/// A run in which nobody wants anything.
fn empty(name: &str, seed: u64) -> Scenario {
    Scenario {
        id: name.to_owned(),
        called: name.to_owned(),
        story: format!("Made from seed {seed}: nobody has looked at it yet."),
        waits_for: None,
        seed: Some(seed.to_string()),
        loose: true,
        askable: false,
        unstoppable: false,
        validates: false,
        store: StorePlan::Memory,
        run_takes: Span(millis(1_000)),
        compile_takes: Span::default(),
        look_every: None,
        bound: Span(Duration::from_secs(600)),
        invariants: Vec::new(),
        limits: Bounds::default(),
        devices: Vec::new(),
        jobs: Vec::new(),
        reservations: Vec::new(),
        steps: Vec::new(),
        expect: Expect::default(),
    }
}

/// The random run that `seed` stands for.
pub fn scenario(seed: u64) -> Scenario {
    if let Some(rush) = rush::instead(seed) {
        return rush;
    }
    let mut chance = Chance::new(seed, "workload");
    let mut scenario = Scenario {
        askable: chance.percent(65),
        unstoppable: chance.percent(15),
        validates: chance.percent(40),
        store: match Chance::new(seed, "store").percent(ON_DISK) {
            true => StorePlan::Disk,
            false => StorePlan::Memory,
        },
        run_takes: Span(millis(*chance.one_of(&[20, 200, 1_000, 3_000]))),
        compile_takes: Span(millis(*chance.one_of(&[0, 50, 500]))),
        look_every: looks(&mut Chance::new(seed, "looks")),
        limits: bounds(&mut chance),
        devices: devices(&mut chance),
        ..empty(NAME, seed)
    };
    jobs(&mut scenario, &mut chance);
    // In a few runs a device takes longer than it may, or for longer than anybody waits.
    if chance.percent(6) {
        scenario.limits.set("execute_ms", 500);
        scenario.run_takes = Span(millis(*chance.one_of(&[1_000, 3_000, 60_000])));
    }
    tenants(&mut scenario, &mut Chance::new(seed, "tenants"));
    workload::instead(&mut scenario, seed, &mut Chance::new(seed, "crowd"));
    reservations(&mut scenario, &mut Chance::new(seed, "reservations"));
    classes(&mut scenario, &mut Chance::new(seed, "classes"));
    devices::differ(&mut scenario, &mut Chance::new(seed, "differ"));
    options(&mut scenario, &mut Chance::new(seed, "options"));
    ways(&mut scenario, &mut Chance::new(seed, "ways"));
    keys::shared(&mut scenario, &mut Chance::new(seed, "keys"));
    let mut chance = Chance::new(seed, "cancels");
    for _ in 0..chance.within(0, 3) {
        let step = cancel(&scenario, &mut chance);
        let deaf = deaf(&scenario, &step, &mut chance);
        scenario.steps.push(step);
        scenario.steps.extend(deaf);
    }
    let meet = together::draw(&mut scenario, &mut Chance::new(seed, "together"));
    let mut chance = Chance::new(seed, "faults");
    let (least, most) = if meet { (1, 5) } else { (6, 9) };
    for _ in 0..chance.within(least, most) {
        let steps = faults::draw(&scenario, &mut chance);
        scenario.steps.extend(steps);
    }
    if scenario.store == StorePlan::Disk {
        let steps = disk::draw(&scenario, &mut chance);
        scenario.steps.extend(steps);
    }
    if !meet {
        scenario
            .steps
            .extend(abort(&mut Chance::new(seed, "abort")));
        let nonsense = nonsense(&mut Chance::new(seed, "nonsense"));
        scenario.steps.extend(nonsense);
    }
    let drains = devices::drains(&scenario, &mut Chance::new(seed, "drains"));
    scenario.steps.extend(drains);
    devices::flaps(&mut scenario, &mut Chance::new(seed, "flaps"));
    without_known_limits(&mut scenario);
    scenario
}

/// A driver proves that it never ran something by how long it remembers, which is told by its own
/// clock and compared with ours. When that clock is behind ours and the driver has forgotten, the
/// proof is none: DESIGN.md names this limit, and a scenario waits for its end.
fn without_known_limits(scenario: &mut Scenario) {
    let forgets =
        |step: &Step| matches!(&step.act, Act::Kill(kill) if kill.node == "driver-manager");
    if scenario.steps.iter().any(forgets) {
        scenario
            .steps
            .retain(|step| !leaves_driver_behind(&step.act));
    }
}

fn leaves_driver_behind(act: &Act) -> bool {
    let driver = |node: &str| node == "driver-manager";
    match act {
        Act::ClockJumps(jump) => driver(&jump.node) == (jump.seconds < 0),
        Act::ClockFreezes(pause) => driver(&pause.node),
        _ => false,
    }
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Shorter than usual where a bound is minutes: what is to be seen is that there is one.
fn bounds(chance: &mut Chance) -> Bounds {
    let mut bounds = Bounds::default();
    for (name, value) in [
        ("compile_ms", 20_000),
        ("execute_ms", 60_000),
        ("persist_ms", 120_000),
        ("artifact_ms", 10_000),
        ("first_contact_ms", 30_000),
        ("backoff_ms_max", 8_000),
    ] {
        bounds.set(name, value);
    }
    if chance.percent(30) {
        bounds.set("jobs_waiting", chance.within(4, 8));
    }
    if chance.percent(35) {
        bounds.set("compile_slots", chance.within(1, 2));
        bounds.set("store_slots", 1);
    }
    if chance.percent(20) {
        bounds.set("compile_tries", chance.within(1, 2));
        bounds.set("execute_attempts", chance.within(1, 2));
    }
    if chance.percent(20) {
        let step = *chance.one_of(&[1, 20, 200]);
        bounds.set("age_step_ms", step);
    }
    // Counts have objects of their own.
    if chance.percent(20) {
        bounds.set("counts_bytes_inline_max", 0);
    }
    if chance.percent(40) {
        bounds.set("jobs_at_hand", chance.within(0, 2));
    }
    if chance.percent(15) {
        bounds.set("retain_jobs", chance.within(1, 4));
        bounds.set("retain_poll_ms", chance.within(500, 3_000));
    }
    bounds
}

/// In some runs an operator looks at the devices, more often than the kernel asks for them.
fn looks(chance: &mut Chance) -> Option<Span> {
    let every = Span(millis(chance.within(300, 900)));
    chance.percent(20).then_some(every)
}

fn devices(chance: &mut Chance) -> Vec<DevicePlan> {
    let mut device = |id: &str, backend_type: &str, most| {
        let slots = u32::try_from(chance.within(1, most)).expect("few slots");
        DevicePlan::plain(id, backend_type, slots)
    };
    vec![
        device(SIMULATOR, "simulator", 4),
        device(PAID, "superconducting", 2),
    ]
}

fn jobs(scenario: &mut Scenario, chance: &mut Chance) {
    let clients = chance.within(1, 3);
    // Half of the runs begin with everything at once.
    let spread = *chance.one_of(&[50, 4_000]);
    // In some all jobs are equally urgent.
    let urgent = [0, 50][usize::from(chance.percent(25))];
    for _ in 0..chance.within(12, 14) {
        let device = if chance.percent(60) { SIMULATOR } else { PAID };
        let program = match chance.percent(35) {
            true => ProgramPlan::EigenLang,
            false => ProgramPlan::Aqo,
        };
        let at = chance.within(0, spread);
        // Some deadlines fall about where a run ends, so that the two race.
        let about = millis(10) + scenario.compile_takes.0 + scenario.run_takes.0;
        let timeout = match chance.within(0, 99) {
            0..15 => Some(about + Duration::from_micros(chance.within(0, 25_000))),
            15..20 => Some(Duration::from_secs(chance.within(5, 60))),
            _ => None,
        };
        scenario.jobs.push(JobPlan {
            client: u32::try_from(chance.within(0, clients - 1)).expect("few clients"),
            at: Span(millis(at)),
            program,
            shots: u32::try_from(chance.within(1, 200)).expect("few shots"),
            priority: i32::try_from(chance.within(urgent, 100 - urgent)).expect("a priority"),
            timeout: timeout.map(Span),
            poison: program == ProgramPlan::EigenLang && chance.percent(5),
            ..JobPlan::plain(device)
        });
    }
}

/// Half of the runs have several tenants, and some of those a limit on what each may run.
fn tenants(scenario: &mut Scenario, chance: &mut Chance) {
    let tenants = [1, chance.within(2, 3)][usize::from(chance.percent(50))];
    if tenants == 1 {
        return;
    }
    for job in &mut scenario.jobs {
        job.tenant = format!("tenant-{}", chance.within(1, tenants));
    }
    if chance.percent(40) {
        let most = chance.within(1, 2);
        scenario.limits.set("tenant_running", most);
    }
    if chance.percent(20) {
        let most = chance.within(2, 4);
        scenario.limits.set("tenant_waiting", most);
    }
    if chance.percent(30) {
        let weights = json!({ "tenant-1": chance.within(2, 5) });
        scenario.limits.set("tenant_weights", weights);
    }
}

/// Some jobs come by way of system-api, whose contract has no reservations.
fn ways(scenario: &mut Scenario, chance: &mut Chance) {
    for job in &mut scenario.jobs {
        job.system_api = chance.percent(SYSTEM_API) && job.reservation.is_none();
    }
}

/// Some clients say what they want of compiler and device.
fn options(scenario: &mut Scenario, chance: &mut Chance) {
    for job in &mut scenario.jobs {
        if chance.percent(30) {
            job.seed = Some(i64::try_from(chance.within(0, 1 << 40)).expect("it is less"));
        }
        // A compiler of sources is told no parameter: its circuits have none.
        let parameter = ("param.theta", 9, job.program == ProgramPlan::Aqo);
        for (name, most, may_be) in [("optimization_level", 3, true), parameter] {
            if chance.percent(20) && may_be {
                let value = chance.within(0, most).to_string();
                job.options.insert(name.to_owned(), value);
            }
        }
    }
}

/// In some runs a client takes whichever device is free, if it has none reserved, and in a few one
/// wants a device that there is not.
fn classes(scenario: &mut Scenario, chance: &mut Chance) {
    if chance.percent(5) {
        let job = any_job(scenario, chance);
        if scenario.jobs[job].reservation.is_none() {
            scenario.jobs[job].device = "qpu:elsewhere".to_owned();
            scenario.jobs[job].nowhere = true;
        }
    }
    if !chance.percent(20) {
        return;
    }
    for job in &mut scenario.jobs {
        if job.reservation.is_none() && chance.percent(40) {
            let class = *chance.one_of(&["*", "sim:*", "backend:superconducting"]);
            job.device = class.to_owned();
        }
    }
}

/// A client changes its mind; preferably when that is awkward.
fn cancel(scenario: &Scenario, chance: &mut Chance) -> Step {
    let job = any_job(scenario, chance);
    let fact = *chance.one_of(&[DeviceFact::Started, DeviceFact::Executed]);
    let event = *chance.one_of(&["Submitted", "Compiled", "Assigned", "Intended", "Executed"]);
    let when = match chance.within(0, 3) {
        0 | 1 => When::Device(DevicePoint { job, fact, nth: 1 }),
        2 => When::Point(Point {
            job,
            event: event.to_owned(),
            moment: *chance.one_of(&Moment::ALL),
            nth: 1,
        }),
        _ => When::Call(CallPoint {
            method: "ExecuteCircuit".to_owned(),
            from: None,
            job: Some(job),
            leg: *chance.one_of(&[Leg::Request, Leg::Answer]),
            nth: 1,
        }),
    };
    let act = Act::Cancel(JobRef { job });
    Step { when, act }
}

/// Now and then the driver does not answer whoever wants an execution stopped.
fn deaf(scenario: &Scenario, cancel: &Step, chance: &mut Chance) -> Option<Step> {
    let Act::Cancel(JobRef { job }) = cancel.act else {
        return None;
    };
    (scenario.askable && chance.percent(15)).then(|| Step {
        when: When::Call(CallPoint {
            method: "CancelExecution".to_owned(),
            from: None,
            job: Some(job),
            leg: Leg::Request,
            nth: 1,
        }),
        act: Act::Whim(WhimPlan::Hang),
    })
}

/// Calls of which every run has several.
const METHODS: [&str; 3] = ["CompileCircuit", "CompileCircuit", "GetDeviceStatus"];

/// In some runs a neighbour, or somebody on the way to it, breaks a call off that can be made again.
fn abort(chance: &mut Chance) -> Option<Step> {
    let method = *chance.one_of(&METHODS);
    misbehaves(method, WhimPlan::Aborts, 25, chance)
}

/// In some an answer makes no sense, beside what else they lie about.
fn nonsense(chance: &mut Chance) -> Option<Step> {
    let (method, whim) = match chance.within(0, 1) {
        0 => ("ExecuteCircuit", WhimPlan::WrongWidth),
        _ => (*chance.one_of(&METHODS), WhimPlan::Garbage),
    };
    misbehaves(method, whim, 8, chance)
}

/// One of the first calls of `method` is answered so, in so many of a hundred runs.
fn misbehaves(method: &str, whim: WhimPlan, percent: u64, chance: &mut Chance) -> Option<Step> {
    let call = CallPoint {
        method: method.to_owned(),
        from: None,
        job: None,
        leg: Leg::Request,
        nth: u32::try_from(chance.within(1, 4)).expect("a small number"),
    };
    chance.percent(percent).then_some(Step {
        when: When::Call(call),
        act: Act::Whim(whim),
    })
}

fn any_job(scenario: &Scenario, chance: &mut Chance) -> usize {
    let last = scenario.jobs.len() as u64 - 1;
    usize::try_from(chance.within(0, last)).expect("few jobs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::kind;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_stands_for_one_run() {
        let [one, other, another] = [7, 7, 8].map(|seed| toml::to_string(&scenario(seed)).unwrap());
        assert_eq!(one, other);
        assert_ne!(one, another);
    }

    #[test]
    fn a_run_that_is_written_down_is_the_same_run() {
        for seed in 0..200 {
            let made = scenario(seed);
            let text = toml::to_string(&made).unwrap();
            let read: Scenario =
                toml::from_str(&text).unwrap_or_else(|why| panic!("{text}\n{why}"));
            assert_eq!((&read.steps, &read.limits), (&made.steps, &made.limits));
            assert_eq!(read.check(), Ok(()), "{text}");
        }
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let mut kinds = BTreeSet::new();
        for seed in 0..3_000 {
            let made = scenario(seed);
            kinds.extend(made.steps.iter().map(|step| kind(&step.when, &step.act)));
        }
        let drawn: Vec<_> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
        assert_eq!(drawn, crate::scenario::KINDS);
    }
}
