//! What the kernel told, as every command shows it: the JSON forms with their stable names, in
//! which a field is always there and `null` when there is nothing to say.

use std::collections::BTreeMap;
use std::path::Path;

use prost_types::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::grpc::proto::kernel as wire;
use crate::job::state::{Phase, State};

/// The state of that name on the wire; `None` for one of a newer kernel.
pub(super) fn state(told: wire::TaskState) -> Option<State> {
    let name = told.as_str_name().strip_prefix("TASK_STATE_")?;
    State::ALL
        .into_iter()
        .find(|state| state.name().eq_ignore_ascii_case(name))
}

/// A state on the wire.
pub(super) fn wire_state(state: State) -> wire::TaskState {
    let name = format!("TASK_STATE_{}", state.name().to_ascii_uppercase());
    wire::TaskState::from_str_name(&name).expect("the wire has every state")
}

pub(super) fn state_name(told: wire::TaskState) -> &'static str {
    state(told).map_or("Unknown", State::name)
}

fn phase_name(told: wire::ExecutionPhase) -> Option<&'static str> {
    let name = told.as_str_name().strip_prefix("EXECUTION_PHASE_")?;
    let name = name.replace('_', "");
    Phase::ALL
        .into_iter()
        .map(Phase::name)
        .find(|phase| phase.eq_ignore_ascii_case(&name))
}

/// The word of D15 for a receipt; `None` while there is none.
pub(super) fn receipt_name(told: wire::CancelReceipt) -> Option<&'static str> {
    let name = told.as_str_name().strip_prefix("CANCEL_RECEIPT_");
    name.filter(|name| *name != "UNSPECIFIED")
}

pub(super) fn device_state_name(told: wire::DeviceState) -> &'static str {
    let name = told.as_str_name();
    name.strip_prefix("DEVICE_STATE_").unwrap_or(name)
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn seconds(span: prost_types::Duration) -> f64 {
    span.seconds as f64 + f64::from(span.nanos) / 1e9
}

/// Where objects lie that a kernel names below its artifact root: as a path or URL of that root
/// if this process knows it, else as the kernel names them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root<'a>(pub(super) Option<&'a str>);

impl Root<'_> {
    fn locate(self, path: &str) -> String {
        match self.0 {
            Some(root) if root.contains("://") => {
                format!("{}/{path}", root.trim_end_matches('/'))
            }
            Some(root) => Path::new(root).join(path).display().to_string(),
            None => path.to_owned(),
        }
    }
}

/// Why a job did not complete, in the form of every error.
#[derive(Debug, Serialize)]
pub(super) struct Error {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: ErrorDetails,
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorDetails {
    pub(super) file: String,
}

impl Error {
    pub(super) fn new(error: wire::JobError, root: Root<'_>) -> Self {
        Self {
            code: error.error_code,
            message: error.error_summary,
            details: ErrorDetails {
                file: root.locate(&error.error_details_ref),
            },
        }
    }
}

/// For a person: where an object lies of a kernel whose artifact root is not known here.
pub(super) fn below_the_root(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!("{path}, below the kernel's artifact root"),
    }
}

/// A job as it stands.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    job_id: String,
    name: String,
    state: &'static str,
    phase: Option<&'static str>,
    message: String,
    error: Option<Error>,
    cancel_receipt: Option<&'static str>,
    attempt: u32,
    tries: u32,
    target: String,
    device_id: Option<String>,
    priority: i32,
    shots: i64,
    tenant_id: String,
    project_id: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    expires_at: Option<String>,
    not_before: Option<String>,
    last_event_seq: u64,
    trace_id: String,
}

impl From<wire::JobStatus> for Job {
    fn from(job: wire::JobStatus) -> Self {
        Self {
            state: state_name(job.state()),
            phase: phase_name(job.phase()),
            cancel_receipt: receipt_name(job.cancel_receipt()),
            job_id: job.job_id,
            name: job.name,
            message: job.message,
            error: job.error.map(|error| Error::new(error, Root(None))),
            attempt: job.attempt,
            tries: job.tries,
            target: job.target,
            device_id: some(job.device_id),
            priority: job.priority,
            shots: job.shots,
            tenant_id: job.tenant_id,
            project_id: job.project_id,
            created_at: text(job.created_at),
            updated_at: text(job.updated_at),
            expires_at: text(job.expires_at),
            not_before: text(job.not_before),
            last_event_seq: job.last_event_seq,
            trace_id: job.trace_id,
        }
    }
}

/// A fact about a job.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    job_id: String,
    seq: u64,
    at: Option<String>,
    kind: String,
    state: &'static str,
    attempt: u32,
    phase: Option<&'static str>,
    message: String,
    detail: Value,
}

impl Event {
    pub(super) fn new(job_id: &str, event: wire::JobEvent) -> Self {
        Self {
            job_id: job_id.to_owned(),
            seq: event.seq,
            at: text(event.at),
            state: state_name(event.state()),
            phase: phase_name(event.phase()),
            kind: event.kind,
            attempt: event.attempt,
            message: event.message,
            detail: serde_json::from_str(&event.detail_json).unwrap_or(Value::Null),
        }
    }
}

/// One stay of a job in one state.
#[derive(Debug, Serialize)]
pub(super) struct Stage {
    pub(super) name: String,
    started_at: Option<String>,
    pub(super) seconds: f64,
}

impl From<wire::Stage> for Stage {
    fn from(stage: wire::Stage) -> Self {
        Self {
            name: stage.name,
            started_at: text(stage.started_at),
            seconds: stage.seconds,
        }
    }
}

/// One stored object.
#[derive(Debug, Serialize)]
pub(super) struct Artifact {
    pub(super) path: String,
    sha256: String,
    pub(super) bytes: u64,
}

impl Artifact {
    pub(super) fn new(kept: wire::Artifact, root: Root<'_>) -> Self {
        Self {
            path: root.locate(&kept.path),
            sha256: kept.sha256,
            bytes: kept.bytes,
        }
    }
}

/// Where the shots of one execution went.
#[derive(Debug, Serialize)]
pub(super) struct Ledger {
    attempt: u32,
    execution_id: String,
    device_id: String,
    requested: i64,
    delivered: i64,
    wasted: i64,
    wasted_cause: Option<String>,
    not_run: i64,
    not_run_proof: Option<String>,
    unknown: i64,
    unknown_cause: Option<String>,
    fencing_token: u64,
}

impl From<wire::AttemptLedger> for Ledger {
    fn from(line: wire::AttemptLedger) -> Self {
        Self {
            attempt: line.attempt,
            execution_id: line.execution_id,
            device_id: line.device_id,
            requested: line.requested,
            delivered: line.delivered,
            wasted: line.wasted,
            wasted_cause: some(line.wasted_cause),
            not_run: line.not_run,
            not_run_proof: some(line.not_run_proof),
            unknown: line.unknown,
            unknown_cause: some(line.unknown_cause),
            fencing_token: line.fencing_token,
        }
    }
}

/// One thing that holds a job.
#[derive(Debug, Serialize)]
pub(super) struct WaitReason {
    cause: &'static str,
    message: String,
    until: Option<String>,
}

impl From<wire::WaitReason> for WaitReason {
    fn from(reason: wire::WaitReason) -> Self {
        let name = reason.cause().as_str_name();
        Self {
            cause: name.strip_prefix("WAIT_CAUSE_").unwrap_or(name),
            message: reason.message,
            until: text(reason.until),
        }
    }
}

/// The queue that a job stands in, and its place there.
#[derive(Debug, Serialize)]
pub(super) struct QueuePlace {
    waits_for: String,
    ahead: u32,
    ahead_is_exact: bool,
    named: Vec<JobAhead>,
}

/// A job that comes before it.
#[derive(Debug, Serialize)]
struct JobAhead {
    job_id: String,
    rule: String,
    message: String,
}

impl From<wire::QueuePlace> for QueuePlace {
    fn from(queue: wire::QueuePlace) -> Self {
        let named = queue.named.into_iter();
        let named = named.map(|ahead| JobAhead {
            job_id: ahead.job_id,
            rule: ahead.rule,
            message: ahead.message,
        });
        Self {
            waits_for: queue.waits_for,
            ahead: queue.ahead,
            ahead_is_exact: queue.ahead_is_exact,
            named: named.collect(),
        }
    }
}

/// A device as hardware and schedule show it.
#[derive(Debug, Serialize)]
pub(super) struct Device {
    device_id: String,
    name: String,
    backend_type: String,
    state: &'static str,
    queue_depth: u32,
    slots: u32,
    running: u32,
    reserved: u32,
    reservations: Vec<Reservation>,
    estimated_wait_seconds: Option<f64>,
    estimated_wait_p90_seconds: Option<f64>,
    hardware_queue_depth: u32,
    hardware_wait_seconds: u32,
    draining: bool,
    reason: Option<String>,
    heard_at: Option<String>,
    held_until: Option<String>,
    capabilities: BTreeMap<String, String>,
}

impl From<wire::Device> for Device {
    fn from(device: wire::Device) -> Self {
        Self {
            state: device_state_name(device.state()),
            device_id: device.device_id,
            name: device.name,
            backend_type: device.backend_type,
            queue_depth: device.queue_depth,
            slots: device.slots,
            running: device.running,
            reserved: device.reserved,
            reservations: device
                .reservations
                .into_iter()
                .map(Reservation::from)
                .collect(),
            estimated_wait_seconds: device.estimated_wait.map(seconds),
            estimated_wait_p90_seconds: device.estimated_wait_p90.map(seconds),
            hardware_queue_depth: device.hardware_queue_depth,
            hardware_wait_seconds: device.hardware_wait_seconds,
            draining: device.draining,
            reason: some(device.reason),
            heard_at: device.heard_at.map(|at| at.to_string()),
            held_until: device.held_until.map(|at| at.to_string()),
            capabilities: device.capabilities,
        }
    }
}

/// A slot that is reserved, or was.
#[derive(Debug, Serialize)]
pub(super) struct Reservation {
    reservation_id: String,
    device_id: String,
    tenant_id: String,
    purpose: String,
    created_at: Option<String>,
    expires_at: Option<String>,
    ended_at: Option<String>,
    ended_because: Option<String>,
    job_id: Option<String>,
}

impl From<wire::Reservation> for Reservation {
    fn from(told: wire::Reservation) -> Self {
        let moment = |at: Option<prost_types::Timestamp>| at.map(|at| at.to_string());
        Self {
            reservation_id: told.reservation_id,
            device_id: told.device_id,
            tenant_id: told.tenant_id,
            purpose: told.purpose,
            created_at: moment(told.created_at),
            expires_at: moment(told.expires_at),
            ended_at: moment(told.ended_at),
            ended_because: some(told.ended_because),
            job_id: some(told.job_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_phase_of_the_wire_has_its_name() {
        for known in State::ALL {
            assert_eq!(state(wire_state(known)), Some(known));
        }
        assert_eq!(state_name(wire::TaskState::Unspecified), "Unknown");
        let phases: Vec<_> = (1..=5)
            .filter_map(|n| phase_name(wire::ExecutionPhase::try_from(n).unwrap()))
            .collect();
        assert_eq!(phases, Phase::ALL.map(Phase::name));
        assert_eq!(phase_name(wire::ExecutionPhase::Unspecified), None);
        let unconfirmed = wire::CancelReceipt::StopUnconfirmed;
        assert_eq!(receipt_name(unconfirmed), Some("STOP_UNCONFIRMED"));
        assert_eq!(receipt_name(wire::CancelReceipt::Unspecified), None);
    }

    #[test]
    fn objects_are_located_under_a_root_that_is_known() {
        let locate = |root| Root(root).locate("job-1/meta.json");
        assert_eq!(locate(None), "job-1/meta.json");
        assert_eq!(locate(Some("out/")), "out/job-1/meta.json");
        assert_eq!(locate(Some("s3://b/p/")), "s3://b/p/job-1/meta.json");
    }
}
