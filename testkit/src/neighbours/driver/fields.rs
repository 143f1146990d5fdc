//! The fields of ExecuteCircuitRequest, as driver-manager reads them.

use std::collections::BTreeMap;

use qrtx::grpc::proto::internal::{CircuitFormat, ExecuteCircuitRequest};
use tonic::{Code, Status};
use tonic_types::FieldViolation;

use super::super::refusal;

/// The circuit's bytes; empty when there are none.
pub(super) fn data_of(request: &ExecuteCircuitRequest) -> &[u8] {
    request
        .payload
        .as_ref()
        .map_or(&[], |payload| &payload.data)
}

/// All that is wrong with the fields, in one refusal.
pub(super) fn check_fields(request: &ExecuteCircuitRequest) -> Result<(), Status> {
    let mut wrong = Vec::new();
    let mut unless = |good: bool, field: &str, description: &str| {
        if !good {
            wrong.push(FieldViolation::new(field, description));
        }
    };
    let payload = request.payload.as_ref();
    unless(
        !request.device_id.is_empty(),
        "device_id",
        "field is required",
    );
    unless(
        payload.is_some_and(|sent| !sent.data.is_empty()),
        "payload.data",
        "field is required",
    );
    unless(request.shots > 0, "shots", "must be greater than 0");
    if !wrong.is_empty() {
        return Err(refusal::driver_fields(wrong, &request.job_id));
    }
    if payload.is_some_and(|sent| sent.format() != CircuitFormat::AqoJson) {
        let message = "only AQO_JSON payloads are supported";
        return Err(refusal::driver(
            Code::Unimplemented,
            message,
            &request.job_id,
        ));
    }
    Ok(())
}

pub(super) fn seed_of(options: &BTreeMap<String, String>) -> Result<i64, Status> {
    let text = options.get("seed").map_or("0", String::as_str);
    let bad = |_| refusal::exception(&format!("invalid literal for int() with base 10: '{text}'"));
    text.trim().parse().map_err(bad)
}

/// The fault injection that driver-manager itself has.
pub(super) fn fail_if_asked_to(request: &ExecuteCircuitRequest) -> Result<(), Status> {
    let code = match request.options.get("simulate_error").map(String::as_str) {
        Some("UNAVAILABLE") => Code::Unavailable,
        Some("RESOURCE_EXHAUSTED") => Code::ResourceExhausted,
        _ => return Ok(()),
    };
    Err(refusal::driver(code, "simulated error", &request.job_id))
}
