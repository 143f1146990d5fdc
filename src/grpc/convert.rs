//! Between our own wire and the domain: wire to domain is parsing, domain to wire never fails.

use std::time::{Duration, UNIX_EPOCH};

use prost_types::Timestamp as WireTimestamp;

use crate::devices::{Obstacle, Status};
use crate::grpc::proto::kernel as wire;
use crate::ids::JobId;
use crate::job::event::{ArtifactRef, Recorded};
use crate::job::failure::JobError;
use crate::job::head::Head;
use crate::job::history::Stay;
use crate::job::ledger::Entry;
use crate::job::request::JobRequest;
use crate::job::state::{Phase, State};
use crate::job::{Job, Receipt};
use crate::kernel::{Cancelled, Held, Outlook, Results, Told};
use crate::planted::{Bug, planted};
use crate::schedule::reservation::ReserveRequest;
use crate::stages::documents::bitstring_order;
use crate::time::Timestamp;

pub(super) fn timestamp(at: Timestamp) -> WireTimestamp {
    WireTimestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos: i32::try_from(at.0.rem_euclid(1_000_000) * 1000).expect("below a second"),
    }
}

/// A moment told by a neighbour; `None` when it is none.
pub(super) fn moment(at: WireTimestamp) -> Option<Timestamp> {
    let at = std::time::SystemTime::try_from(at).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp)
}

/// A span of time as the client meant it, or what is wrong with it.
pub(super) fn span(span: prost_types::Duration) -> Result<Duration, String> {
    Duration::try_from(span).map_err(|_| "is negative; it must be above 0".to_owned())
}

pub(super) fn duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(span).unwrap_or_default()
}

pub(super) fn request(sent: wire::EnqueueJobRequest) -> JobRequest {
    JobRequest {
        name: sent.name,
        program: sent.program,
        program_format: sent.program_format,
        target: sent.target,
        reservation: sent.reservation_id,
        priority: sent.priority,
        shots: sent.shots,
        seed: sent.seed,
        compiler_options: sent.compiler_options,
        metadata: sent.metadata,
        timeout: sent.timeout.map(span),
        idempotency_key: sent.idempotency_key,
        tenant: sent.tenant_id,
        project: sent.project_id,
        subject: sent.subject,
        request_id: sent.request_id,
        traceparent: sent.traceparent,
    }
}

pub(super) fn task_state(state: State) -> wire::TaskState {
    match state {
        State::Pending => wire::TaskState::Pending,
        State::Validating => wire::TaskState::Validating,
        State::Compiling => wire::TaskState::Compiling,
        State::Queued => wire::TaskState::Queued,
        State::Allocating => wire::TaskState::Allocating,
        State::Executing => wire::TaskState::Executing,
        State::Completing => wire::TaskState::Completing,
        State::Completed => wire::TaskState::Completed,
        State::Failed => wire::TaskState::Failed,
        State::Cancelled => wire::TaskState::Cancelled,
        State::Timeout => wire::TaskState::Timeout,
    }
}

/// The state a client names in a filter; `None` for one that is not known.
pub(super) fn state(sent: i32) -> Option<State> {
    State::ALL
        .into_iter()
        .find(|state| task_state(*state) as i32 == sent)
}

fn phase(phase: Option<Phase>) -> wire::ExecutionPhase {
    match phase {
        None => wire::ExecutionPhase::Unspecified,
        Some(Phase::QuantumInitializing) => wire::ExecutionPhase::QuantumInitializing,
        Some(Phase::QuantumRunning) => wire::ExecutionPhase::QuantumRunning,
        Some(Phase::ClassicalRunning) => wire::ExecutionPhase::ClassicalRunning,
        Some(Phase::Measuring) => wire::ExecutionPhase::Measuring,
        Some(Phase::PostProcessing) => wire::ExecutionPhase::PostProcessing,
    }
}

fn receipt(receipt: Receipt) -> (wire::CancelReceipt, Option<i64>, &'static str) {
    match receipt {
        Receipt::NotStarted => (
            wire::CancelReceipt::NotStarted,
            None,
            "cancelled; no device was asked to run the job",
        ),
        Receipt::StoppedOnDevice { shots_used } => (
            wire::CancelReceipt::StoppedOnDevice,
            Some(i64::from(shots_used)),
            "cancelled; the driver confirmed that the execution is over",
        ),
        Receipt::StopUnconfirmed => (
            wire::CancelReceipt::StopUnconfirmed,
            None,
            "cancelled, but the device may go on; its slot is kept until that is over",
        ),
    }
}

pub(super) fn cancelled(answer: Cancelled) -> wire::CancelJobResponse {
    let (receipt, shots_used, message) = match answer.told {
        Told::Receipt(given) => receipt(given),
        Told::TooLate => (
            wire::CancelReceipt::TooLate,
            None,
            "too late; nothing was changed",
        ),
    };
    wire::CancelJobResponse {
        receipt: receipt as i32,
        state: task_state(answer.state) as i32,
        shots_used,
        message: format!("{message} (the job is {})", answer.state.name()),
    }
}

/// Where an artifact lies below the artifact root.
pub(super) fn path(job: JobId, file: &str) -> String {
    format!("{job}/{file}")
}

pub(super) fn error(job: JobId, error: JobError) -> wire::JobError {
    wire::JobError {
        error_code: error.code.into_owned(),
        error_summary: error.summary,
        error_details_ref: path(job, "error.json"),
    }
}

pub(super) fn job_status(job: Head, message: String) -> wire::JobStatus {
    let device = job.device.as_ref();
    wire::JobStatus {
        job_id: job.id.to_string(),
        name: job.name,
        state: task_state(job.state) as i32,
        phase: phase(job.phase) as i32,
        attempt: job.attempt,
        tries: match planted(Bug::StatusForgetsTries) {
            true => 0,
            false => job.tries,
        },
        target: job.want.target.to_string(),
        device_id: device.map(ToString::to_string).unwrap_or_default(),
        priority: i32::from(job.priority),
        shots: i64::from(job.shots),
        tenant_id: job.tenant,
        project_id: job.project,
        message,
        created_at: Some(timestamp(job.created_at)),
        updated_at: Some(timestamp(job.updated_at)),
        expires_at: Some(timestamp(job.expires_at)),
        not_before: job.not_before.map(timestamp),
        last_event_seq: job.seq,
        error: job.error.map(|told| error(job.id, told)),
        cancel_receipt: job
            .receipt
            .map_or(wire::CancelReceipt::Unspecified, |given| receipt(given).0)
            as i32,
        trace_id: format!("{:032x}", job.trace_id),
    }
}

fn artifact(job: &Job, artifact: &ArtifactRef) -> wire::Artifact {
    wire::Artifact {
        path: path(job.id, &artifact.file),
        sha256: artifact.sha256.to_string(),
        bytes: artifact.bytes,
    }
}

fn stage(stay: &Stay) -> wire::Stage {
    wire::Stage {
        name: stay.state.name().to_owned(),
        started_at: Some(timestamp(stay.started_at)),
        seconds: stay.lasted.as_secs_f64(),
    }
}

pub(super) fn stages(stays: &[Stay]) -> Vec<wire::Stage> {
    stays.iter().map(stage).collect()
}

/// Counts as the wire has them; a count above what shots can be does not occur.
pub(super) fn counts(results: &Results) -> std::collections::BTreeMap<String, i64> {
    let signed =
        |(bits, count): (&String, &u64)| (bits.clone(), i64::try_from(*count).unwrap_or(i64::MAX));
    results.counts.iter().map(signed).collect()
}

pub(super) fn results(results: &Results) -> wire::GetJobResultsResponse {
    let job = &results.job;
    let outcome = job.outcome.as_deref();
    wire::GetJobResultsResponse {
        job_id: job.id.to_string(),
        state: task_state(job.state) as i32,
        counts: counts(results),
        bitstring_order: outcome.map(bitstring_order).unwrap_or_default().to_owned(),
        shots: i64::from(job.spec.shots),
        device_id: job
            .ledger
            .last()
            .map(|entry| entry.device.to_string())
            .unwrap_or_default(),
        execution_seconds: outcome.map_or(0.0, |outcome| outcome.execution_seconds),
        metadata: outcome
            .map(|outcome| outcome.metadata.clone())
            .unwrap_or_default(),
        error: job.error().map(|told| error(job.id, told)),
        completed_at: Some(timestamp(job.state_since)),
        stages: stages(&results.stays),
        artifacts: job
            .artifacts
            .iter()
            .map(|kept| artifact(job, kept))
            .collect(),
        manifest: job.manifest.as_ref().map(|kept| artifact(job, kept)),
    }
}

pub(super) fn event(recorded: &Recorded) -> wire::JobEvent {
    wire::JobEvent {
        seq: recorded.seq,
        at: Some(timestamp(recorded.at)),
        kind: recorded.event.name().to_owned(),
        state: task_state(recorded.state) as i32,
        attempt: recorded.attempt,
        phase: phase(recorded.phase) as i32,
        message: recorded.event.sentence(),
        detail_json: serde_json::to_string(&recorded.event).expect("events have a JSON form"),
    }
}

pub(super) fn ledger(job: &Job, entry: &Entry) -> wire::AttemptLedger {
    let settlement = &entry.settlement;
    wire::AttemptLedger {
        attempt: entry.attempt,
        execution_id: format!("{}#{}", job.id, entry.attempt),
        device_id: entry.device.to_string(),
        requested: i64::from(entry.requested),
        delivered: i64::from(settlement.delivered),
        wasted: match planted(Bug::LedgerForgetsWaste) {
            true => 0,
            false => i64::from(settlement.wasted),
        },
        wasted_cause: settlement.wasted_cause.clone(),
        not_run: i64::from(settlement.not_run),
        not_run_proof: settlement.not_run_proof.clone(),
        unknown: i64::from(settlement.unknown),
        unknown_cause: settlement.unknown_cause.clone(),
        fencing_token: entry.token.0,
    }
}

pub(super) fn reserve(sent: wire::ReserveDeviceRequest) -> ReserveRequest {
    ReserveRequest {
        device: sent.device_id,
        ttl: sent.ttl.map(span),
        purpose: sent.purpose,
        idempotency_key: sent.idempotency_key,
        tenant: sent.tenant_id,
        project: sent.project_id,
        subject: sent.subject,
    }
}

pub(super) fn reservation(held: &Held) -> wire::Reservation {
    let Held { reservation, job } = held;
    let over = reservation.over;
    wire::Reservation {
        reservation_id: reservation.id.to_string(),
        device_id: reservation.device.to_string(),
        tenant_id: reservation.owner.tenant.clone(),
        purpose: reservation.purpose.clone(),
        created_at: Some(timestamp(reservation.made_at)),
        expires_at: Some(timestamp(reservation.expires_at)),
        ended_at: over.map(|over| timestamp(over.at)),
        ended_because: over
            .map(|over| over.why.name())
            .unwrap_or_default()
            .to_owned(),
        job_id: job.map(|job| job.to_string()).unwrap_or_default(),
    }
}

pub(super) fn device(outlook: &Outlook) -> wire::Device {
    let info = &outlook.shown.info;
    let state = match outlook.shown.status() {
        Status::Online => wire::DeviceState::Online,
        Status::Offline => wire::DeviceState::Offline,
        Status::Calibrating => wire::DeviceState::Calibrating,
        Status::Maintenance => wire::DeviceState::Maintenance,
        Status::Error => wire::DeviceState::Error,
        Status::Unreachable => wire::DeviceState::Unreachable,
        Status::Draining => wire::DeviceState::Draining,
    };
    let obstacles = &outlook.shown.obstacles;
    let sentences = obstacles.iter().map(|it| it.sentence(info.id.as_str()));
    let held_until = obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::HeldBack(held) => Some(timestamp(held.until)),
        _ => None,
    });
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    wire::Device {
        device_id: info.id.to_string(),
        name: info.name.clone(),
        backend_type: info.backend_type.clone(),
        state: state as i32,
        queue_depth: number(outlook.load.waiting),
        slots: outlook.load.slots,
        running: number(outlook.load.running),
        reserved: number(outlook.load.reserved),
        reservations: outlook.reservations.iter().map(reservation).collect(),
        estimated_wait: outlook.wait.map(|wait| duration(wait.p50)),
        estimated_wait_p90: outlook.wait.map(|wait| duration(wait.p90)),
        hardware_queue_depth: info.queue_depth,
        hardware_wait_seconds: info.wait_seconds,
        capabilities: info.capabilities.clone(),
        draining: outlook.shown.draining,
        reason: sentences.collect::<Vec<_>>().join("; "),
        heard_at: Some(timestamp(outlook.shown.heard_at)),
        held_until,
    }
}
