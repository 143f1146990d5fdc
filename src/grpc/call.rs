//! One call to a neighbour: its deadline, and what a failure means (D18). Messages name the
//! endpoint and what to do, because they end up before a person.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::grpc::{Channel, context};
use crate::planted::{Bug, planted};
use crate::ports::Clock;
use crate::ports::compiler::{CallContext, CallError};
use crate::ports::devices::RunError;

/// By these a driver says that it did not run an execution, if they carry its ErrorInfo
/// (execution_control.proto). ABORTED is none of them: it tells of work that was broken off, and
/// shots may be gone by then.
const REFUSING: [Code; 5] = [
    Code::InvalidArgument,
    Code::Unimplemented,
    Code::FailedPrecondition,
    Code::PermissionDenied,
    Code::ResourceExhausted,
];

/// Their names, for people who write a driver.
#[cfg(not(madsim))]
pub(crate) fn refusals() -> String {
    REFUSING.map(code_name).join(" or ")
}

/// A neighbour, and how to reach it.
#[derive(Debug, Clone)]
pub struct Neighbour<C> {
    /// The one connection that all calls share.
    pub channel: Channel,
    /// Who it is, for people.
    pub name: &'static str,
    /// Where it is, for people.
    pub endpoint: String,
    /// The setting that names the endpoint, for people.
    pub setting: &'static str,
    /// Bounds every call.
    pub clock: C,
}

/// A call without an answer.
#[derive(Debug)]
pub(super) enum Missed {
    /// Our own deadline passed.
    Deadline(Duration),
    /// The neighbour, or the way to it, said this.
    Said(Status),
}

impl<C: Clock> Neighbour<C> {
    /// A request with the context and the deadline of `call` in its headers.
    pub(super) fn request<T>(&self, call: &CallContext<'_>, message: T) -> Request<T> {
        let mut request = Request::new(message);
        context::send(request.metadata_mut(), call);
        if !planted(Bug::DeadlineNotSent) {
            request.set_timeout(call.deadline);
        }
        request
    }

    /// Waits for an answer, at most `deadline`.
    pub(super) fn wait<T: Send>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<Response<T>, Status>> + Send,
    ) -> impl Future<Output = Result<T, Missed>> + Send {
        let asked = self.clock.monotonic();
        let bound = match planted(Bug::CallsWaitForEver) {
            true => Duration::MAX / 4,
            false => deadline,
        };
        let answered = self.clock.timeout(bound, answer);
        async move {
            match answered.await {
                Some(Ok(answer)) => Ok(answer.into_inner()),
                // tonic tells its own deadline as CANCELLED; it may be a moment before ours.
                Some(Err(said))
                    if said.code() == Code::Cancelled
                        && self.clock.monotonic().since(asked) >= deadline.mul_f64(0.9) =>
                {
                    Err(Missed::Deadline(deadline))
                }
                Some(Err(said)) => Err(Missed::Said(said)),
                None => Err(Missed::Deadline(deadline)),
            }
        }
    }

    /// What a missed answer means for a call that may be repeated.
    pub(super) fn failed(&self, missed: Missed) -> CallError {
        let message = self.describe(&missed);
        match missed {
            Missed::Deadline(_) => CallError::unavailable(message),
            // A status with a source was made on this side: the way broke, and tonic calls most
            // of that UNKNOWN. The neighbour has said nothing.
            Missed::Said(said) if said.source().is_some() => CallError::unavailable(message),
            Missed::Said(said) => match said.code() {
                Code::Unavailable
                | Code::ResourceExhausted
                | Code::Aborted
                | Code::DeadlineExceeded => CallError::Unavailable {
                    message,
                    retry_after: retry_after(&said),
                },
                _ => CallError::Rejected(message),
            },
        }
    }

    /// What a missed answer to ExecuteCircuit tells of the shots.
    pub(super) fn run_failed(&self, missed: Missed) -> RunError {
        let message = self.describe(&missed);
        let Missed::Said(said) = missed else {
            return RunError::Doubt {
                cause: message,
                over: false,
            };
        };
        if never_left(&said) {
            return RunError::NotSent(message);
        }
        let refusing = REFUSING.contains(&said.code());
        // Without the driver's own word, the status may come from anything on the way.
        let own_word = said.get_details_error_info().is_some();
        if !refusing || !own_word {
            return RunError::Doubt {
                cause: message,
                over: own_word,
            };
        }
        // What is wrong only now may be right at the next try: the device is asked before that.
        let for_now = match said.code() {
            Code::ResourceExhausted => true,
            Code::FailedPrecondition => !planted(Bug::NotReadyIsFinal),
            _ => false,
        };
        let retry = for_now.then(|| retry_after(&said).unwrap_or_default());
        RunError::Refused { message, retry }
    }

    fn describe(&self, missed: &Missed) -> String {
        let (name, endpoint, setting) = (self.name, &self.endpoint, self.setting);
        match missed {
            Missed::Deadline(deadline) => format!(
                "{name} at {endpoint} did not answer within {} s; look at its log and load",
                deadline.as_secs_f64()
            ),
            Missed::Said(said) if never_left(said) => format!(
                "{name} at {endpoint} cannot be reached ({}); check that it runs there, and that \
                 {setting} is right",
                root_cause(said)
            ),
            Missed::Said(said) if said.source().is_some() => format!(
                "the connection to {name} at {endpoint} broke before there was an answer ({}); look \
                 whether it still runs",
                root_cause(said)
            ),
            Missed::Said(said) => {
                let reason = said.get_details_error_info().map(|info| info.reason);
                let reason = reason
                    .map(|reason| format!(" {reason}"))
                    .unwrap_or_default();
                let fields: String = said
                    .get_details_bad_request()
                    .into_iter()
                    .flat_map(|bad| bad.field_violations)
                    .map(|wrong| format!("; {} {}", wrong.field, wrong.description))
                    .collect();
                let code = code_name(said.code());
                format!(
                    "{name} at {endpoint} answered {code}{reason}: {}{fields}",
                    said.message()
                )
            }
        }
    }
}

/// Whether the request provably never left: the connection itself failed.
fn never_left(said: &Status) -> bool {
    let mut cause = said.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn root_cause(said: &Status) -> String {
    let mut cause = said.source();
    let mut last = said.message().to_owned();
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    last
}

fn retry_after(said: &Status) -> Option<Duration> {
    said.get_details_retry_info()
        .and_then(|info| info.retry_delay)
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
