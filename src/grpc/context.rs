//! What goes along with a call: W3C trace context and the `x-eigen-*` headers, out and in.

use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};

use crate::ids::{ExecutionId, FencingToken, ReservationId};
use crate::job::request::JobRequest;
use crate::job::trace::TraceContext;
use crate::ports::compiler::CallContext;
use crate::schedule::reservation::ReserveRequest;

/// Names the execution towards the driver (D8).
pub const EXECUTION_ID: &str = "x-eigen-execution-id";
/// Orders the executions of one job (D8).
pub const FENCING_TOKEN: &str = "x-eigen-fencing-token";

/// Names the reserved slot in which the execution runs.
pub const RESERVATION_ID: &str = "x-eigen-reservation-id";
/// Orders the holders of reserved slots: of two the later one has the greater.
pub const RESERVATION_TOKEN: &str = "x-eigen-reservation-token";

/// Puts the context of `call` into the headers of a request to a neighbour. What cannot be a
/// header, such as a name beyond ASCII, is left out: the neighbours need none of it.
pub(super) fn send(headers: &mut MetadataMap, call: &CallContext<'_>) {
    let owner = &call.spec.owner;
    let trace_id = format!("{:032x}", call.span.trace_id);
    for (name, value) in [
        ("traceparent", call.span.to_string().as_str()),
        ("x-eigen-trace-id", trace_id.as_str()),
        ("x-eigen-request-id", call.spec.request_id.as_str()),
        ("x-request-id", call.spec.request_id.as_str()),
        ("x-correlation-id", call.job.to_string().as_str()),
        ("x-eigen-tenant-id", owner.tenant.as_str()),
        ("x-eigen-project-id", owner.project.as_str()),
        ("x-eigen-user-id", owner.subject.as_str()),
        ("x-eigen-service-id", "qrtx"),
    ] {
        put(headers, name, value);
    }
}

/// Names the execution in the headers of ExecuteCircuit.
pub(super) fn send_execution(headers: &mut MetadataMap, id: ExecutionId, token: FencingToken) {
    put(headers, EXECUTION_ID, &id.to_string());
    put(headers, FENCING_TOKEN, &token.0.to_string());
}

/// Names the reserved slot in the headers of ExecuteCircuit.
pub(super) fn send_reservation(headers: &mut MetadataMap, id: ReservationId) {
    put(headers, RESERVATION_ID, &id.to_string());
    put(headers, RESERVATION_TOKEN, &id.token().0.to_string());
}

fn put(headers: &mut MetadataMap, name: &'static str, value: &str) {
    if let Ok(value) = MetadataValue::try_from(value)
        && !value.is_empty()
    {
        headers.insert(MetadataKey::from_static(name), value);
    }
}

/// The same for a reservation.
pub(super) fn receive_reserve(headers: &MetadataMap, request: &mut ReserveRequest) {
    let ReserveRequest {
        idempotency_key,
        tenant,
        project,
        subject,
        ..
    } = request;
    receive_owner(headers, [idempotency_key, tenant, project, subject]);
}

/// Fills what a request's message left empty from its headers.
pub(super) fn receive(headers: &MetadataMap, request: &mut JobRequest) {
    if TraceContext::parse(&request.traceparent).is_none() {
        text(headers, &["traceparent"]).clone_into(&mut request.traceparent);
    }
    let names = ["x-eigen-request-id", "x-request-id"];
    fill(headers, &mut request.request_id, &names);
    let JobRequest {
        idempotency_key,
        tenant,
        project,
        subject,
        ..
    } = request;
    receive_owner(headers, [idempotency_key, tenant, project, subject]);
}

fn receive_owner(headers: &MetadataMap, [key, tenant, project, subject]: [&mut String; 4]) {
    for (field, names) in [
        (tenant, &["x-eigen-tenant-id", "x-eigen-tenant"][..]),
        (project, &["x-eigen-project-id"]),
        (subject, &["x-eigen-user-id", "x-eigen-sub"]),
        (key, &["x-eigen-idempotency-key"]),
    ] {
        fill(headers, field, names);
    }
}

fn fill(headers: &MetadataMap, field: &mut String, names: &[&str]) {
    if field.is_empty() {
        text(headers, names).clone_into(field);
    }
}

fn text<'a>(headers: &'a MetadataMap, names: &[&str]) -> &'a str {
    let mut values = names.iter().map(|name| headers.get(*name)?.to_str().ok());
    values.find_map(|value| value).unwrap_or_default()
}
