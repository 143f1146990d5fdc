//! How the two services dress their errors, as captured from them.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

#[expect(
    clippy::disallowed_types,
    reason = "tonic-types asks for one, and nobody sees its order"
)]
type Metadata = std::collections::HashMap<String, String>;

const DRIVER_DOMAIN: &str = "eigen.driver_manager";
const COMPILER_DOMAIN: &str = "eigen.compiler";
pub(super) const COMPILER_REASON: &str = "EIGEN_COMPILER_VALIDATION_FAILED";

/// What an uncaught exception of a Python service looks like.
pub(super) fn exception(text: &str) -> Status {
    Status::unknown(format!("Exception calling application: {text}"))
}

/// A status with nothing but a RetryInfo.
pub(super) fn later(code: Code, message: &str, retry: Duration) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(retry)))
}

/// A refusal of eigen-compiler.
pub(super) fn compiler(
    code: Code,
    message: &str,
    retry: Option<Duration>,
    stage: &str,
    violations: Vec<FieldViolation>,
) -> Status {
    let metadata: Metadata = [
        ("stage", stage),
        ("rule", "double"),
        ("pass_name", stage),
        ("diagnostics_json", "[]"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let mut details = ErrorDetails::with_error_info(COMPILER_REASON, COMPILER_DOMAIN, metadata);
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    Status::with_error_details(code, message, details)
}

/// A refusal of driver-manager, with the reason and the RetryInfo it gives for `code`.
pub(super) fn driver(code: Code, message: &str, job: &str) -> Status {
    driver_in(code, message, job, retry_of(code))
}

/// A refusal of driver-manager with a RetryInfo of the caller's choice.
pub(super) fn driver_in(code: Code, message: &str, job: &str, retry: Option<Duration>) -> Status {
    let details = driver_details(reason_of(code), code, job, retry);
    Status::with_error_details(code, message, details)
}

/// A refusal of driver-manager for fields that are wrong, all in one.
pub(super) fn driver_fields(violations: Vec<FieldViolation>, job: &str) -> Status {
    let mut details = driver_details("EIGEN_INVALID_ARGUMENT", Code::InvalidArgument, job, None);
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, "validation failed", details)
}

fn driver_details(reason: &str, code: Code, job: &str, retry: Option<Duration>) -> ErrorDetails {
    let retryable = if retry_of(code).is_some() {
        "true"
    } else {
        "false"
    };
    let precondition = if code == Code::FailedPrecondition {
        reason
    } else {
        ""
    };
    let metadata: Metadata = [
        ("taxonomy", reason),
        ("remediation", ""),
        ("correlation_id", ""),
        ("job_id", job),
        ("provider", "simulator"),
        ("retryable", retryable),
        ("precondition", precondition),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let mut details = ErrorDetails::with_error_info(reason, DRIVER_DOMAIN, metadata);
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    if !job.is_empty() {
        details.set_resource_info("job", job, "", "");
    }
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(reason, job, "");
    }
    details
}

fn retry_of(code: Code) -> Option<Duration> {
    let seconds = match code {
        Code::Unavailable => 1,
        Code::DeadlineExceeded => 2,
        Code::ResourceExhausted => 5,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

fn reason_of(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "EIGEN_BACKEND_INVALID_ARGUMENT",
        Code::Unauthenticated => "EIGEN_BACKEND_AUTH",
        Code::PermissionDenied => "EIGEN_BACKEND_AUTHZ",
        Code::Unavailable => "EIGEN_BACKEND_UNAVAILABLE",
        Code::ResourceExhausted => "EIGEN_BACKEND_QUOTA",
        Code::DeadlineExceeded => "EIGEN_BACKEND_TIMEOUT",
        Code::FailedPrecondition => "EIGEN_BACKEND_PRECONDITION",
        Code::Unimplemented => "EIGEN_BACKEND_PROVIDER",
        _ => "EIGEN_BACKEND_INTERNAL",
    }
}
