//! What a fault is called: its kind, by which farms count it, and a sentence for the timeline.

use super::fault::{
    Act, ArtifactsTrouble, DeviceSays, DeviceTrouble, Direction, Draining, Flapping, JobRef, Jump,
    Kill, Lasting, ObjectFault, Pause, StoreFault, StoreTrouble, WhimPlan,
};
use super::span::Span;
use super::step::{Leg, Moment, When};

/// Every kind of fault.
pub const KINDS: [&str; 53] = [
    "another-job",
    "answer-breaks-off",
    "answer-lost",
    "answer-swallowed",
    "busy",
    "clock-freeze",
    "clock-jump-driver",
    "clock-jump-kernel",
    "cut-one-way",
    "delay",
    "device-calibrating",
    "device-gone",
    "device-offline",
    "drain",
    "duplicate",
    "empty-circuit",
    "flapping",
    "garbage",
    "kill-after-ack",
    "kill-before-ack",
    "kill-before-write",
    "kill-compiler",
    "kill-driver-manager",
    "kill-in-commit",
    "kill-in-recovery",
    "kill-kernel",
    "negative-counts",
    "neighbour-hangs",
    "neighbour-late",
    "neighbour-unavailable",
    "partition",
    "pause-kernel",
    "pause-neighbour",
    "power-failure",
    "qfs-applies-and-fails",
    "qfs-away",
    "qfs-bit-rot",
    "qfs-full",
    "qfs-lost-write",
    "qfs-slow",
    "qfs-torn",
    "ran-and-says-failed",
    "reorder",
    "request-lost",
    "request-swallowed",
    "store-applies-and-fails",
    "store-away",
    "store-full",
    "store-slow",
    "store-syncs-fail",
    "wrong-sum",
    "wrong-width",
    "zombie-kernel",
];

/// The kind of fault that a decision is, as the farm counts them. An empty name is no fault.
pub fn kind(when: &When, act: &Act) -> &'static str {
    let store = |how: StoreFault, names: [&'static str; 5]| names[how as usize];
    match act {
        Act::Kill(Kill { node, .. }) if node == "kernel" && matches!(when, When::Sync(_)) => {
            "kill-in-commit"
        }
        Act::Kill(Kill { power: true, .. }) => "power-failure",
        Act::Kill(Kill { node, .. }) => match (node.as_str(), when) {
            ("compiler", _) => "kill-compiler",
            ("driver-manager", _) => "kill-driver-manager",
            (_, When::Epoch(_)) => "kill-in-recovery",
            (_, When::Point(point)) => match point.moment {
                Moment::Before => "kill-before-write",
                Moment::AfterWriteBeforeAck => "kill-before-ack",
                Moment::After => "kill-after-ack",
            },
            _ => "kill-kernel",
        },
        Act::Pause(Pause { node, .. }) if node == "kernel" => "pause-kernel",
        Act::Pause(_) => "pause-neighbour",
        Act::Replace(_) => "zombie-kernel",
        Act::Cut(_) => "cut-one-way",
        Act::Partition(_) => "partition",
        Act::Lose | Act::Swallow => match (act, when) {
            (Act::Lose, When::Call(call)) if call.leg == Leg::Answer => "answer-lost",
            (Act::Lose, _) => "request-lost",
            (_, When::Call(call)) if call.leg == Leg::Answer => "answer-swallowed",
            _ => "request-swallowed",
        },
        Act::Duplicate => "duplicate",
        Act::Reorder => "reorder",
        Act::Delay(_) => "delay",
        Act::Whim(whim) => match whim {
            WhimPlan::Hang => "neighbour-hangs",
            WhimPlan::Late(_) => "neighbour-late",
            WhimPlan::Garbage => "garbage",
            WhimPlan::AnotherJob => "another-job",
            WhimPlan::WrongSum => "wrong-sum",
            WhimPlan::NegativeCounts => "negative-counts",
            WhimPlan::WrongWidth => "wrong-width",
            WhimPlan::EmptyCircuit => "empty-circuit",
            WhimPlan::SaysFailed | WhimPlan::SomebodySaysFailed | WhimPlan::SomebodySaysBusy => {
                "ran-and-says-failed"
            }
            WhimPlan::BreaksOff => "answer-breaks-off",
            WhimPlan::Busy | WhimPlan::BusyForLong => "busy",
            WhimPlan::Unavailable | WhimPlan::Aborts => "neighbour-unavailable",
        },
        Act::StoreFails(trouble) => store(
            trouble.how,
            [
                "store-away",
                "store-slow",
                "store-full",
                "store-applies-and-fails",
                "store-syncs-fail",
            ],
        ),
        Act::ArtifactsFail(trouble) => store(
            trouble.how,
            [
                "qfs-away",
                "qfs-slow",
                "qfs-full",
                "qfs-applies-and-fails",
                "",
            ],
        ),
        Act::Object(ObjectFault::Torn) => "qfs-torn",
        Act::Object(ObjectFault::Rot) => "qfs-bit-rot",
        Act::Object(ObjectFault::Lost) => "qfs-lost-write",
        Act::ClockJumps(Jump { node, .. }) if node == "kernel" => "clock-jump-kernel",
        Act::ClockJumps(_) => "clock-jump-driver",
        Act::ClockFreezes(_) => "clock-freeze",
        Act::Device(DeviceTrouble { says, .. }) => match says {
            DeviceSays::Offline => "device-offline",
            DeviceSays::Calibrating => "device-calibrating",
            DeviceSays::Gone => "device-gone",
        },
        Act::Flap(_) => "flapping",
        Act::Drain(_) => "drain",
        Act::Cancel(_) | Act::Heal | Act::StoreHeals | Act::ArtifactsHeal => "",
    }
}

/// A fault in words.
pub fn describe(act: &Act) -> String {
    let span = |lasts: &Option<Span>| lasts.map(|span| format!(", for {:?}", span.0));
    let span = |lasts: &Option<Span>| span(lasts).unwrap_or_default();
    match act {
        Act::Kill(Kill { node, down, power }) => {
            let how = if *power { "loses power" } else { "is killed" };
            format!("{node} {how}, for {:?}", down.0)
        }
        Act::Pause(Pause { node, lasts }) => format!("{node} stands still, for {:?}", lasts.0),
        Act::Replace(Lasting { lasts }) => {
            format!(
                "the kernel stands still for {:?}, and another takes its place",
                lasts.0
            )
        }
        Act::Cut(Direction { from, to, lasts }) => {
            format!("nothing from {from} reaches {to} any more{}", span(lasts))
        }
        Act::Partition(Direction { from, to, lasts }) => {
            format!("{from} and {to} cannot reach each other{}", span(lasts))
        }
        Act::Heal => "everything reaches everybody again".to_owned(),
        Act::Lose => "this message is lost, and the connection breaks".to_owned(),
        Act::Swallow => "this message is lost, and nobody is told".to_owned(),
        Act::Duplicate => "this request arrives twice".to_owned(),
        Act::Reorder => "this message is overtaken by the next".to_owned(),
        Act::Delay(span) => format!("this message takes {:?} longer", span.0),
        Act::Whim(whim) => format!("the neighbour misbehaves: {whim:?}"),
        Act::StoreFails(StoreTrouble { how, lasts }) => {
            format!("the job store fails: {how:?}{}", span(lasts))
        }
        Act::StoreHeals => "the job store works again".to_owned(),
        Act::ArtifactsFail(ArtifactsTrouble { how, lasts }) => {
            format!("the artifact store fails: {how:?}{}", span(lasts))
        }
        Act::ArtifactsHeal => "the artifact store works again".to_owned(),
        Act::Object(how) => format!("this artifact suffers: {how:?}"),
        Act::ClockJumps(Jump { node, seconds }) => {
            format!("the clock of {node} jumps by {seconds} s")
        }
        Act::ClockFreezes(Pause { node, lasts }) => {
            format!("the clock of {node} stands still, for {:?}", lasts.0)
        }
        Act::Device(DeviceTrouble { id, says, lasts }) => {
            format!("{id} is {says:?}{}", span(lasts))
        }
        Act::Flap(flapping) => {
            let Flapping {
                id,
                says,
                away,
                back,
                lasts,
            } = flapping;
            format!(
                "{id} is {says:?} for {:?} again and again, and there for {:?}, for {:?}",
                away.0, back.0, lasts.0
            )
        }
        Act::Drain(Draining { id, lasts }) => format!("{id} is to drain, for {:?}", lasts.0),
        Act::Cancel(JobRef { job }) => format!("the client of job {job} wants to cancel it"),
    }
}
