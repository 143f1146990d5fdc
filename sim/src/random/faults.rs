//! Draws decisions. Most are anchored to what happens and not to a time: a crash at a persisted
//! point finds in a few runs what a crash at some moment finds in thousands.

use std::time::Duration;

use super::{PAID, SIMULATOR, any_job};
use crate::chance::Chance;
use crate::scenario::{
    Act, ArtifactsTrouble, CLIENTS_CALLS, CallPoint, DeviceFact, DevicePoint, DeviceSays,
    DeviceTrouble, Direction, EpochPoint, Jump, Kill, Lasting, Leg, Moment, ObjectFault, ObjectOp,
    ObjectPoint, Pause, Point, Scenario, Span, Step, StoreFault, StorePlan, StoreTrouble, When,
    WhimPlan,
};

/// Events at whose commit something may happen; those of every job more often than the rest.
pub const EVENTS: [&str; 18] = [
    "Submitted",
    "Admitted",
    "Validated",
    "Compiled",
    "Compiled",
    "Assigned",
    "Intended",
    "Intended",
    "Intended",
    "PhaseReached",
    "Executed",
    "Executed",
    "Stored",
    "Retried",
    "Doubted",
    "CancelRequested",
    "Settled",
    "Reported",
];
/// Calls of the kernel; those that cost money more often than the rest.
const KERNELS_CALLS: [&str; 12] = [
    "ExecuteCircuit",
    "ExecuteCircuit",
    "ExecuteCircuit",
    "ExecuteCircuit",
    "CompileCircuit",
    "CompileCircuit",
    "ValidateCircuit",
    "GetDeviceStatus",
    "GetExecution",
    "CancelExecution",
    "WatchExecution",
    "ListDevices",
];
const FILES: [&str; 4] = [
    "compiled.aqo.json",
    "results.json",
    "meta.json",
    "input.job.json",
];

/// One fault, with what it needs to be one.
pub(super) fn draw(scenario: &Scenario, chance: &mut Chance) -> Vec<Step> {
    let mut draw = Draw { scenario, chance };
    // Weighed so that every kind fires in at least one of twenty runs.
    match draw.chance.within(0, 99) {
        0..17 => draw.dies(),
        17..24 => draw.stands_still(),
        24..42 => draw.network(),
        42..61 => draw.stores(),
        61..73 => draw.clocks_and_devices(),
        _ => draw.lies(),
    }
}

pub(super) struct Draw<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) chance: &'a mut Chance,
}

impl Draw<'_> {
    pub(super) fn job(&mut self) -> usize {
        any_job(self.scenario, self.chance)
    }

    pub(super) fn millis(&mut self, least: u64, most: u64) -> Span {
        Span(Duration::from_millis(self.chance.within(least, most)))
    }

    /// Mostly the first, sometimes a later one.
    fn nth(&mut self) -> u32 {
        if self.chance.percent(85) { 1 } else { 2 }
    }

    fn point(&mut self, moment: Moment) -> When {
        let event = (*self.chance.one_of(&EVENTS)).to_owned();
        When::Point(Point {
            job: self.job(),
            event,
            moment,
            nth: self.nth(),
        })
    }

    fn any_point(&mut self) -> When {
        let moment = *self.chance.one_of(&Moment::ALL);
        self.point(moment)
    }

    fn device(&mut self) -> When {
        let fact = *self
            .chance
            .one_of(&[DeviceFact::Started, DeviceFact::Executed]);
        When::Device(DevicePoint {
            job: self.job(),
            fact,
            nth: self.nth(),
        })
    }

    /// A moment for something that lasts.
    pub(super) fn moment(&mut self) -> When {
        match self.chance.within(0, 3) {
            0 => When::At(self.millis(0, 5_000)),
            1 => self.device(),
            _ => self.any_point(),
        }
    }

    fn call(&mut self, methods: &[&str], leg: Leg) -> CallPoint {
        let method = (*self.chance.one_of(methods)).to_owned();
        let about_a_job = method != "ListDevices" && self.chance.percent(60);
        CallPoint {
            job: about_a_job.then(|| self.job()),
            from: (method == "ListDevices").then(|| "kernel".to_owned()),
            method,
            leg,
            nth: match about_a_job {
                true => self.nth(),
                false => u32::try_from(self.chance.within(1, 4)).expect("a small number"),
            },
        }
    }

    fn any_call(&mut self) -> CallPoint {
        let leg = *self.chance.one_of(&[Leg::Request, Leg::Answer]);
        match self.chance.percent(70) {
            true => self.call(&KERNELS_CALLS, leg),
            false => self.call(&CLIENTS_CALLS, leg),
        }
    }

    fn kill(&mut self, node: &str) -> Act {
        Act::Kill(Kill {
            node: node.to_owned(),
            down: self.millis(20, 5_000),
            power: false,
        })
    }

    fn dies(&mut self) -> Vec<Step> {
        let (when, node) = match self.chance.within(0, 20) {
            0..3 => (self.point(Moment::Before), "kernel"),
            3..6 => (self.point(Moment::AfterWriteBeforeAck), "kernel"),
            6..9 => (self.point(Moment::After), "kernel"),
            9..12 => (When::Call(self.any_call()), "kernel"),
            12..16 => {
                let leg = *self.chance.one_of(&[Leg::Request, Leg::Answer]);
                let calls = ["CompileCircuit", "ValidateCircuit"];
                (When::Call(self.call(&calls, leg)), "compiler")
            }
            16 => (self.device(), "driver-manager"),
            17..19 => return self.dies_again(),
            _ => {
                let act = Act::Kill(Kill {
                    node: "kernel".to_owned(),
                    down: self.millis(100, 5_000),
                    power: true,
                });
                let event = *self
                    .chance
                    .one_of(&["Compiled", "Intended", "Executed", "Stored"]);
                let when = When::Point(Point {
                    job: self.job(),
                    event: event.to_owned(),
                    moment: *self.chance.one_of(&Moment::ALL),
                    nth: 1,
                });
                return vec![Step { when, act }];
            }
        };
        let act = self.kill(node);
        vec![Step { when, act }]
    }

    /// A kernel that dies, and dies again while it starts.
    fn dies_again(&mut self) -> Vec<Step> {
        let first = Step {
            when: self.any_point(),
            act: self.kill("kernel"),
        };
        let when = When::Epoch(EpochPoint {
            moment: *self.chance.one_of(&Moment::ALL),
            nth: 2,
        });
        let second = Step {
            when,
            act: self.kill("kernel"),
        };
        vec![first, second]
    }

    fn stands_still(&mut self) -> Vec<Step> {
        let when = self.moment();
        let lasts = match self.chance.percent(70) {
            true => self.millis(100, 15_000),
            false => self.millis(15_000, 70_000),
        };
        let neighbours = ["driver-manager", "driver-manager", "compiler", "client-0"];
        let replaceable = self.scenario.store == StorePlan::Memory;
        let act = match self.chance.within(0, 2) {
            0 if replaceable => Act::Replace(Lasting { lasts }),
            0 | 1 => Act::Pause(Pause {
                node: "kernel".to_owned(),
                lasts,
            }),
            _ => Act::Pause(Pause {
                node: (*self.chance.one_of(&neighbours)).to_owned(),
                lasts,
            }),
        };
        vec![Step { when, act }]
    }

    fn network(&mut self) -> Vec<Step> {
        let act = match self.chance.within(0, 8) {
            0 => Act::Partition(self.direction()),
            1 => Act::Cut(self.direction()),
            2 => Act::Duplicate,
            3 => Act::Reorder,
            4 => Act::Delay(self.millis(5, 20_000)),
            5 | 6 => Act::Lose,
            _ => Act::Swallow,
        };
        let when = match &act {
            Act::Partition(_) | Act::Cut(_) => self.moment(),
            Act::Duplicate => {
                let mut call = self.any_call();
                call.leg = Leg::Request;
                // A driver that knows no execution ids runs what it is sent, twice if need be:
                // that no kernel can prevent.
                if !self.scenario.askable && call.method == "ExecuteCircuit" {
                    call.method = "CompileCircuit".to_owned();
                }
                When::Call(call)
            }
            _ => When::Call(self.any_call()),
        };
        vec![Step { when, act }]
    }

    fn direction(&mut self) -> Direction {
        let others = ["driver-manager", "driver-manager", "compiler", "client-0"];
        let other = (*self.chance.one_of(&others)).to_owned();
        let (from, to) = match self.chance.percent(50) {
            true => ("kernel".to_owned(), other),
            false => (other, "kernel".to_owned()),
        };
        let lasts = match self.chance.percent(70) {
            true => self.millis(100, 10_000),
            false => self.millis(10_000, 90_000),
        };
        Direction {
            from,
            to,
            lasts: Some(lasts),
        }
    }

    fn stores(&mut self) -> Vec<Step> {
        let how = [
            StoreFault::Away,
            StoreFault::Slow,
            StoreFault::Full,
            StoreFault::WritesAndSaysNo,
        ];
        let (how, lasts) = (*self.chance.one_of(&how), Some(self.millis(50, 8_000)));
        match self.chance.within(0, 99) {
            0..36 => {
                let act = Act::StoreFails(StoreTrouble { how, lasts });
                let when = self.moment();
                vec![Step { when, act }]
            }
            36..71 => {
                let act = Act::ArtifactsFail(ArtifactsTrouble { how, lasts });
                let when = self.moment();
                vec![Step { when, act }]
            }
            _ => self.object(),
        }
    }

    fn object(&mut self) -> Vec<Step> {
        let faults = [ObjectFault::Torn, ObjectFault::Rot, ObjectFault::Lost];
        let when = When::Object(ObjectPoint {
            job: self.job(),
            file: Some((*self.chance.one_of(&FILES)).to_owned()),
            op: *self.chance.one_of(&[ObjectOp::Put, ObjectOp::Get]),
            nth: self.nth(),
        });
        let act = Act::Object(*self.chance.one_of(&faults));
        vec![Step { when, act }]
    }

    fn clocks_and_devices(&mut self) -> Vec<Step> {
        let when = self.moment();
        let act = match self.chance.within(0, 99) {
            0..23 => {
                let seconds = self.seconds();
                let node = "kernel".to_owned();
                Act::ClockJumps(Jump { node, seconds })
            }
            23..38 => return self.driver_remembers_wrongly(),
            38..56 => Act::ClockFreezes(Pause {
                node: (*self.chance.one_of(&["kernel", "driver-manager"])).to_owned(),
                lasts: self.millis(1_000, 30_000),
            }),
            _ => return self.device_away(when),
        };
        vec![Step { when, act }]
    }

    fn seconds(&mut self) -> i64 {
        let seconds = *self.chance.one_of(&[1, 60, 3_600, 86_400]);
        if self.chance.percent(50) {
            seconds
        } else {
            -seconds
        }
    }

    /// What a driver's clock says is asked for when it has forgotten, and is in doubt of what came
    /// after that: since when does it remember? One that is too far ahead proves nothing.
    fn driver_remembers_wrongly(&mut self) -> Vec<Step> {
        let seconds = *self.chance.one_of(&[60, 3_600, 86_400]);
        let node = "driver-manager".to_owned();
        let jump = Step {
            when: When::At(self.millis(0, 1_500)),
            act: Act::ClockJumps(Jump { node, seconds }),
        };
        let forgets = Step {
            when: When::After(self.millis(0, 200)),
            act: Act::Kill(Kill {
                node: "driver-manager".to_owned(),
                down: self.millis(20, 300),
                power: false,
            }),
        };
        let mut call = self.call(&["ExecuteCircuit"], Leg::Request);
        call.nth = self.nth();
        let doubt = Step {
            when: When::Call(call),
            act: Act::Lose,
        };
        vec![jump, forgets, doubt]
    }

    fn device_away(&mut self, when: When) -> Vec<Step> {
        let says = [
            DeviceSays::Offline,
            DeviceSays::Calibrating,
            DeviceSays::Gone,
        ];
        let says = *self.chance.one_of(&says);
        let lasts = Some(self.millis(200, 20_000));
        let step = |id: &str| Step {
            when: when.clone(),
            act: Act::Device(DeviceTrouble {
                id: id.to_owned(),
                says,
                lasts,
            }),
        };
        let mut steps = match self.chance.within(0, 3) {
            0 => vec![step(SIMULATOR)],
            1 => vec![step(PAID)],
            _ => vec![step(SIMULATOR), step(PAID)],
        };
        // What it said before it went may come late.
        if self.chance.percent(25) {
            let call = self.call(&["GetDeviceStatus"], Leg::Answer);
            let act = Act::Delay(self.millis(2_000, 6_000));
            steps[0].when = When::After(self.millis(0, 500));
            let when = When::Call(call);
            steps.insert(0, Step { when, act });
        }
        steps
    }

    /// A neighbour that does not keep its contract.
    fn lies(&mut self) -> Vec<Step> {
        let late = self.millis(100, 25_000);
        let execute = [
            WhimPlan::WrongSum,
            WhimPlan::WrongSum,
            WhimPlan::WrongSum,
            WhimPlan::NegativeCounts,
            WhimPlan::NegativeCounts,
            WhimPlan::NegativeCounts,
            WhimPlan::WrongWidth,
            WhimPlan::WrongWidth,
            WhimPlan::WrongWidth,
            WhimPlan::BreaksOff,
            WhimPlan::BreaksOff,
            WhimPlan::SaysFailed,
            WhimPlan::SomebodySaysFailed,
            WhimPlan::SomebodySaysBusy,
        ];
        let compile = [WhimPlan::EmptyCircuit, WhimPlan::AnotherJob];
        let any = [
            WhimPlan::Hang,
            WhimPlan::Late(late),
            WhimPlan::Late(late),
            WhimPlan::Late(late),
            WhimPlan::Garbage,
            WhimPlan::Garbage,
            WhimPlan::Garbage,
            WhimPlan::Busy,
            WhimPlan::Busy,
            WhimPlan::BusyForLong,
            WhimPlan::Unavailable,
            WhimPlan::Unavailable,
            WhimPlan::Aborts,
        ];
        let (whim, methods) = match self.chance.within(0, 99) {
            0..48 => (self.chance.one_of(&execute), &["ExecuteCircuit"][..]),
            48..70 => (self.chance.one_of(&compile), &["CompileCircuit"][..]),
            _ => (self.chance.one_of(&any), &KERNELS_CALLS[..]),
        };
        let whim = whim.clone();
        let when = When::Call(self.call(methods, Leg::Request));
        let act = Act::Whim(whim);
        vec![Step { when, act }]
    }
}
