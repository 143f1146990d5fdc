//! What is done at a moment, and what ends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use madsim::runtime::Handle;
use qrtx_testkit::invariants::back_offs_are_kept::BUSY_FOR;
use qrtx_testkit::neighbours::{Evidence, Loss, Method, Rule, Scope, Whim};
use tonic::Code;

use super::orders::Order;
use super::{Brought, CallSite, Mishap, Nemesis};
use crate::process::Process;
use crate::record::Fired;
use crate::scenario::{
    Act, DeviceTrouble, Draining, Flapping, Jump, Pause, Span, Step, StoreFault, When, WhimPlan,
    describe, kind,
};
use crate::trace::Lane;
use crate::world::client::marked;

impl Nemesis {
    pub(super) fn act(&self, number: usize, site: Option<CallSite<'_>>, brought: &mut Brought) {
        let Step { when, act } = &self.0.steps[number];
        self.0.trace.note(Lane::Fault, describe(act));
        let at = self.0.trace.now();
        self.0.trace.records().fired.push(Fired {
            step: number,
            at,
            kind: kind(when, act),
            text: describe(act),
            lasts: act.lasts().map(|span| span.0),
        });
        self.happened();
        self.state().fired[number] = true;
        match act {
            Act::Kill(kill) => {
                // From here on the process has no effect, whatever still runs of it.
                self.end(&kill.node);
                self.order(Order::Kill(kill.clone()));
            }
            Act::Pause(Pause { node, .. }) => self.stand_still(node, true),
            Act::Replace(_) => {
                self.stand_still("kernel", true);
                self.order(Order::Another(number));
            }
            Act::Cut(way) => self.0.network.cut(&way.from, &way.to),
            Act::Partition(way) => {
                self.0.network.cut(&way.from, &way.to);
                self.0.network.cut(&way.to, &way.from);
            }
            Act::Heal => self.0.network.heal(),
            Act::Lose => brought.mishaps.push(Mishap::Lost),
            Act::Swallow => brought.mishaps.push(Mishap::Swallowed),
            Act::Duplicate => brought.mishaps.push(Mishap::Doubled),
            Act::Reorder => brought.mishaps.push(Mishap::Overtaken),
            Act::Delay(Span(span)) => brought.mishaps.push(Mishap::Late(*span)),
            Act::Whim(plan) => self.spoil(plan, site.expect("checked: it is about a call")),
            Act::StoreFails(trouble) => self.state().store.push(trouble.how),
            Act::StoreHeals => self.state().store.clear(),
            Act::ArtifactsFail(trouble) => self.state().artifacts.push(trouble.how),
            Act::ArtifactsHeal => self.state().artifacts.clear(),
            Act::Object(how) => brought.object = Some(*how),
            Act::ClockJumps(Jump { node, seconds }) => {
                self.0.clocks[node].jump(seconds.saturating_mul(1_000_000));
            }
            Act::ClockFreezes(Pause { node, .. }) => self.0.clocks[node].freeze(),
            Act::Device(trouble) => self.doubles().device_says(&trouble.id, Some(trouble.says)),
            Act::Flap(_) => self.order(Order::Flap(number)),
            Act::Drain(Draining { id, .. }) => self.wish_draining(id, true),
            Act::Cancel(wish) => {
                let cancel = &self.0.cancels[wish.job];
                cancel.wished.store(true, Ordering::Relaxed);
                cancel.told.notify_waiters();
            }
        }
        let ends_here = !matches!(act, Act::Kill(_) | Act::Replace(_) | Act::Flap(_));
        if let Some(Span(span)) = act.lasts().filter(|_| ends_here) {
            self.order(Order::End(number, span));
        }
        if let Some(Step {
            when: When::After(span),
            ..
        }) = self.0.steps.get(number + 1)
        {
            self.order(Order::Later(number + 1, span.0));
        }
    }

    /// The end of what lasts for a while.
    pub(super) fn undo(&self, number: usize) {
        let act = &self.0.steps[number].act;
        let ended = format!("over: {}", describe(act));
        self.0.trace.note(Lane::Fault, ended);
        self.happened();
        let without = |faults: &mut Vec<StoreFault>, how: StoreFault| {
            if let Some(at) = faults.iter().position(|fault| *fault == how) {
                faults.remove(at);
            }
        };
        match act {
            Act::Pause(Pause { node, .. }) => self.stand_still(node, false),
            Act::Cut(way) => self.0.network.mend(&way.from, &way.to),
            Act::Partition(way) => {
                self.0.network.mend(&way.from, &way.to);
                self.0.network.mend(&way.to, &way.from);
            }
            Act::StoreFails(trouble) => without(&mut self.state().store, trouble.how),
            Act::ArtifactsFail(trouble) => without(&mut self.state().artifacts, trouble.how),
            Act::ClockFreezes(Pause { node, .. }) => self.0.clocks[node].thaw(),
            Act::Device(DeviceTrouble { id, .. }) | Act::Flap(Flapping { id, .. }) => {
                self.doubles().device_says(id, None);
            }
            Act::Drain(Draining { id, .. }) => self.wish_draining(id, false),
            _ => {}
        }
    }

    /// The process on that node is dead from now on.
    fn end(&self, node: &str) {
        let process = self.state().processes.get(node).cloned();
        process.iter().for_each(Process::end);
        self.0.network.close(node);
        let now = self.0.trace.now();
        let mut records = self.0.trace.records();
        if let Some(life) = records.lives.iter_mut().rfind(|life| life.node == node) {
            life.ended.get_or_insert(now);
        }
    }

    fn stand_still(&self, node: &str, still: bool) {
        let (process, id) = {
            let state = self.state();
            (
                state.processes.get(node).cloned(),
                state.nodes.get(node).copied(),
            )
        };
        process
            .iter()
            .for_each(|process| process.stand_still(still));
        self.0.network.stall(node, still);
        if let Some(id) = id {
            let handle = Handle::current();
            if still {
                handle.pause(id)
            } else {
                handle.resume(id)
            }
        }
    }

    /// Lets a neighbour misbehave in the call that is about to arrive.
    fn spoil(&self, plan: &WhimPlan, site: CallSite<'_>) {
        let method = METHODS
            .into_iter()
            .find(|method| method.to_string() == site.method);
        let Some(method) = method else { return };
        let whim = match plan {
            WhimPlan::Hang => Whim::Hang,
            WhimPlan::Late(Span(span)) => {
                Whim::Delay(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
            }
            WhimPlan::Garbage => Whim::Garbage,
            WhimPlan::AnotherJob => Whim::AnswerForAnotherJob,
            WhimPlan::WrongSum => Whim::WrongSum,
            WhimPlan::NegativeCounts => Whim::NegativeCounts,
            WhimPlan::WrongWidth => Whim::WrongWidth,
            WhimPlan::EmptyCircuit => Whim::EmptyCircuit,
            WhimPlan::SaysFailed => Whim::RunThenFail(Code::Internal, Evidence::ErrorInfo),
            WhimPlan::SomebodySaysFailed => Whim::RunThenFail(Code::Internal, Evidence::Nothing),
            WhimPlan::SomebodySaysBusy => {
                Whim::RunThenFail(Code::ResourceExhausted, Evidence::Nothing)
            }
            WhimPlan::BreaksOff => Whim::RunThenLoseReply(Loss::Reset),
            WhimPlan::Busy => busy_for(BUSY_FOR),
            WhimPlan::BusyForLong => busy_for(Duration::from_secs(3_600)),
            WhimPlan::Unavailable => says(Code::Unavailable, "not available"),
            WhimPlan::Aborts => says(Code::Aborted, "try again"),
        };
        let rule = Rule {
            scope: self.of_call(&site, method),
            times: Some(1),
            whim,
        };
        self.doubles().spoil(site.to, rule);
    }

    /// This one call, as far as the neighbour can tell it from others: if it never arrives, the next
    /// for the same job is answered so, and no other's.
    fn of_call(&self, site: &CallSite<'_>, method: Method) -> Scope {
        let ordinal = site.job.filter(|_| method != Method::GetDeviceStatus);
        let job = ordinal.and_then(|ordinal| match site.to {
            "compiler" => Some(marked(ordinal)),
            _ => {
                let state = self.state();
                let mut jobs = state.jobs.iter();
                let (id, _) = jobs.find(|(_, known)| **known == ordinal)?;
                Some(id.to_string())
            }
        });
        job.map_or(Scope::method(method), |job| Scope::job(&job).on(method))
    }

    pub(super) fn doubles(&self) -> &crate::world::neighbours::Doubles {
        self.0
            .doubles
            .get()
            .expect("a run has doubles before it begins")
    }

    pub(super) fn happened(&self) {
        let now = self.0.trace.now();
        self.state().last_fault = now;
    }

    pub(super) fn order(&self, order: Order) {
        self.state().under_way += 1;
        let taken = self.0.orders.send(order);
        taken.unwrap_or_else(|_| panic!("orders are taken while it runs"));
    }

    pub(super) fn done(&self) {
        self.state().under_way -= 1;
    }

    pub(super) fn pauses(&self, number: usize) -> Duration {
        let lasts = self.0.steps[number].act.lasts();
        lasts.map_or(Duration::ZERO, |span| span.0)
    }
}

/// The calls that a neighbour can answer badly.
const METHODS: [Method; 10] = [
    Method::CompileCircuit,
    Method::CompileJob,
    Method::OptimizeCircuit,
    Method::ValidateCircuit,
    Method::ListDevices,
    Method::GetDeviceStatus,
    Method::ExecuteCircuit,
    Method::GetExecution,
    Method::CancelExecution,
    Method::WatchExecution,
];

/// It has too much to do, and says when to try again.
fn busy_for(span: Duration) -> Whim {
    Whim::Refuse {
        code: Code::ResourceExhausted,
        message: "too much to do".to_owned(),
        retry_ms: u64::try_from(span.as_millis()).ok(),
        evidence: Evidence::ErrorInfo,
    }
}

/// It or somebody on the way says so, without a word on who it was.
fn says(code: Code, message: &str) -> Whim {
    Whim::Refuse {
        code,
        message: message.to_owned(),
        retry_ms: None,
        evidence: Evidence::Nothing,
    }
}
