//! The kernel's errors on the wire: a status with google.rpc details, and the reason in the
//! message too, because system-api drops the details (D20).

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::kernel::Error;
use crate::planted::{Bug, planted};

const DOMAIN: &str = "eigen.kernel";
const SOON: Duration = Duration::from_secs(1);

/// `error` as a gRPC status.
pub(super) fn status(error: &Error) -> Status {
    let mut details = ErrorDetails::new();
    let mut more = None;
    let (code, reason) = match error {
        Error::Invalid(violations) => {
            let violations = violations
                .iter()
                .map(|wrong| FieldViolation::new(wrong.field, wrong.reason.as_str()))
                .collect::<Vec<_>>();
            let format_only = violations
                .iter()
                .all(|wrong| wrong.field == "program_format");
            details.set_bad_request(violations);
            let reason = match format_only {
                true => "EIGEN_UNSUPPORTED_FORMAT",
                false => "EIGEN_INVALID_ARGUMENT",
            };
            (Code::InvalidArgument, reason)
        }
        Error::NotFound(job) => {
            details.set_resource_info("job", job.as_str(), "", "it was never accepted here");
            (Code::NotFound, "EIGEN_JOB_NOT_FOUND")
        }
        Error::UnknownDevice { device, .. } => {
            details.set_resource_info("device", device.as_str(), "", "it is not listed here");
            (Code::NotFound, "EIGEN_DEVICE_NOT_FOUND")
        }
        Error::KeyConflict(job) => {
            details.set_resource_info("job", job.to_string(), "", "it holds the idempotency key");
            (Code::FailedPrecondition, "EIGEN_IDEMPOTENCY_CONFLICT")
        }
        Error::ReservationKeyConflict(id) => {
            let holds = "it holds the idempotency key";
            details.set_resource_info("reservation", id.to_string(), "", holds);
            (Code::FailedPrecondition, "EIGEN_IDEMPOTENCY_CONFLICT")
        }
        Error::UnknownReservation(id) => {
            details.set_resource_info("reservation", id.as_str(), "", "it was never made here");
            (Code::NotFound, "EIGEN_RESERVATION_NOT_FOUND")
        }
        // Not NOT_FOUND: system-api would take that for a job.
        Error::NotReserved { id, .. } => {
            let what = "the job may not use it";
            details.set_resource_info("reservation", id.to_string(), "", what);
            (Code::FailedPrecondition, "EIGEN_RESERVATION_NOT_USABLE")
        }
        Error::DeviceNotReady(_) => (Code::FailedPrecondition, "EIGEN_DEVICE_NOT_READY"),
        Error::Overloaded {
            limit, retry_after, ..
        } => {
            if !planted(Bug::ComeAgainNotSaid) {
                details.set_retry_info(Some(*retry_after));
            }
            more = limit.map(|limit| ("limit".to_owned(), limit.to_owned()));
            (Code::ResourceExhausted, "EIGEN_OVERLOADED")
        }
        Error::NotEnded(_) => {
            details.set_retry_info(Some(SOON));
            (Code::FailedPrecondition, "EIGEN_RESULTS_NOT_READY")
        }
        Error::Unavailable(_) => {
            details.set_retry_info(Some(SOON));
            (Code::Unavailable, "EIGEN_UNAVAILABLE")
        }
        Error::Corrupt(_) => (Code::DataLoss, "EIGEN_RECORD_UNREADABLE"),
    };
    info(&mut details, reason, more);
    Status::with_error_details(code, error.to_string(), details)
}

/// A refusal that is no error of the kernel, with its reason.
pub(super) fn refuse(code: Code, reason: &str, message: &str) -> Status {
    let mut details = ErrorDetails::new();
    info(&mut details, reason, None);
    Status::with_error_details(code, message, details)
}

#[expect(
    clippy::disallowed_types,
    reason = "tonic-types asks for one, and ours has one entry at most"
)]
fn info(details: &mut ErrorDetails, reason: &str, more: Option<(String, String)>) {
    let more: std::collections::HashMap<_, _> = more.into_iter().collect();
    details.set_error_info(reason, DOMAIN, more);
}
