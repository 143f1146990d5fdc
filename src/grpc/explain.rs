//! Why a job waits, on our own wire.

use crate::grpc::convert;
use crate::grpc::proto::kernel as wire;
use crate::kernel::{Cause, Explanation, Queue, Reason};
use crate::schedule::policy::Ahead;

pub(super) fn explanation(explained: Explanation, situation: String) -> wire::ExplainJobResponse {
    let Explanation {
        job,
        wait,
        decisions,
    } = explained;
    let start = wait.start.as_ref();
    let wait_for_turn = start.and_then(|start| start.wait);
    wire::ExplainJobResponse {
        job: Some(convert::job_status(job, situation)),
        reasons: wait.reasons.iter().map(reason).collect(),
        queue: wait.queue.as_ref().map(queue),
        estimated_wait: wait_for_turn.map(|wait| convert::duration(wait.p50)),
        estimated_wait_p90: wait_for_turn.map(|wait| convert::duration(wait.p90)),
        estimate_basis: start.map(|start| start.basis.clone()).unwrap_or_default(),
        decisions: decisions.iter().map(convert::event).collect(),
    }
}

fn reason(reason: &Reason) -> wire::WaitReason {
    let cause = match reason.cause {
        Cause::BackOff => wire::WaitCause::BackOff,
        Cause::FirstContact => wire::WaitCause::FirstContact,
        Cause::DriverManager => wire::WaitCause::DriverManager,
        Cause::DeviceState => wire::WaitCause::DeviceState,
        Cause::DeviceGone => wire::WaitCause::DeviceGone,
        Cause::HeldBack => wire::WaitCause::HeldBack,
        Cause::Draining => wire::WaitCause::Draining,
        Cause::TenantLimit => wire::WaitCause::TenantLimit,
        Cause::DeviceSlot => wire::WaitCause::DeviceSlot,
        Cause::Reserved => wire::WaitCause::Reserved,
        Cause::CompileSlot => wire::WaitCause::CompileSlot,
        Cause::StoreSlot => wire::WaitCause::StoreSlot,
    };
    wire::WaitReason {
        cause: cause as i32,
        message: reason.sentence.clone(),
        until: reason.until.map(convert::timestamp),
    }
}

fn queue(queue: &Queue) -> wire::QueuePlace {
    wire::QueuePlace {
        waits_for: queue.place.clone(),
        ahead: u32::try_from(queue.line.ahead).unwrap_or(u32::MAX),
        ahead_is_exact: queue.line.is_exact(),
        named: queue.line.named.iter().map(ahead).collect(),
    }
}

fn ahead(ahead: &Ahead) -> wire::JobAhead {
    wire::JobAhead {
        job_id: ahead.job.to_string(),
        rule: ahead.rule.name().to_owned(),
        message: ahead.rule.sentence_of_the_first().to_owned(),
    }
}
