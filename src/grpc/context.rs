//! What goes along with a call: W3C trace context and the `x-eigen-*` headers, out and in.

use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};

use crate::ids::{ExecutionId, FencingToken};
use crate::job::request::JobRequest;
use crate::job::trace::TraceContext;
use crate::ports::compiler::CallContext;

/// Names the execution towards the driver (D8).
pub const EXECUTION_ID: &str = "x-eigen-execution-id";
/// Orders the executions of one job (D8).
pub const FENCING_TOKEN: &str = "x-eigen-fencing-token";

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

fn put(headers: &mut MetadataMap, name: &'static str, value: &str) {
    if let Ok(value) = MetadataValue::try_from(value)
        && !value.is_empty()
    {
        headers.insert(MetadataKey::from_static(name), value);
    }
}

/// Fills what a request's message left empty from its headers.
pub(super) fn receive(headers: &MetadataMap, request: &mut JobRequest) {
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
            .unwrap_or_default()
    };
    if TraceContext::parse(&request.traceparent).is_none() {
        text(&["traceparent"]).clone_into(&mut request.traceparent);
    }
    for (field, names) in [
        (
            &mut request.request_id,
            &["x-eigen-request-id", "x-request-id"][..],
        ),
        (
            &mut request.tenant,
            &["x-eigen-tenant-id", "x-eigen-tenant"],
        ),
        (&mut request.project, &["x-eigen-project-id"]),
        (&mut request.subject, &["x-eigen-user-id", "x-eigen-sub"]),
        (&mut request.idempotency_key, &["x-eigen-idempotency-key"]),
    ] {
        if field.is_empty() {
            text(names).clone_into(field);
        }
    }
}
