//! Why a command does not do what it was asked: for a person, for a program, and as an exit code.

use std::error::Error as _;
use std::fmt::Display;
use std::io;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::cli::exit::Exit;
use crate::cli::terminal;
use crate::os::serve::ServeError;

/// What went wrong.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// How the command ends.
    #[serde(skip)]
    pub(super) exit: Exit,
    /// A word for programs: the kernel's own reason (`EIGEN_*`), or ours (`QRTX_*`).
    pub(super) code: String,
    /// What happened, where, and what to do.
    pub(super) message: String,
    /// What a program may want to know beside the words.
    details: Map<String, Value>,
    /// Nobody listens any more.
    #[serde(skip)]
    silent: bool,
}

/// The document that says so.
#[derive(Serialize)]
struct Told<'a> {
    error: &'a Problem,
}

/// What commands answer.
pub(super) type Outcome = Result<Exit, Problem>;

impl Problem {
    fn new(exit: Exit, code: &str, message: impl Display) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.to_string(),
            details: Map::new(),
            silent: false,
        }
    }

    /// The command line, or a file it names, is wrong.
    pub(super) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, "QRTX_USAGE", message)
    }

    /// This process cannot do its part.
    pub(super) fn failed(message: impl Display) -> Self {
        Self::new(Exit::Failed, "QRTX_FAILED", message)
    }

    /// A kernel cannot be started here.
    pub(super) fn not_served(why: &ServeError) -> Self {
        match why.is_misuse() {
            true => Self::usage(why),
            false => Self::failed(why),
        }
    }

    /// Whoever waited has left, and the job's end is not known.
    pub(super) fn interrupted(message: impl Display) -> Self {
        Self::new(Exit::Interrupted, "QRTX_INTERRUPTED", message)
    }

    /// No kernel answers there.
    pub(super) fn unreachable(endpoint: &str, why: impl Display) -> Self {
        let message = format!(
            "no kernel answers at {endpoint}: {why}; start one with `qrtx serve`, or say where \
             one is with --endpoint HOST:PORT or QRTX_ENDPOINT"
        );
        Self::new(Exit::Unreachable, "QRTX_UNREACHABLE", message).with("endpoint", endpoint)
    }

    /// A kernel that was there is there no longer.
    pub(super) fn lost(endpoint: &str, message: impl Display) -> Self {
        Self::new(Exit::Unreachable, "QRTX_CONNECTION_LOST", message).with("endpoint", endpoint)
    }

    /// stdout takes nothing more.
    pub(super) fn output(why: &io::Error) -> Self {
        let message = format!("stdout cannot be written: {why}");
        let silent = why.kind() == io::ErrorKind::BrokenPipe;
        // Whoever closed the pipe has left before the end: the job has not failed.
        let exit = if silent {
            Exit::Interrupted
        } else {
            Exit::Failed
        };
        Self {
            silent,
            ..Self::new(exit, "QRTX_OUTPUT", message)
        }
    }

    /// What a kernel, or something on the way to it, answered.
    pub(super) fn answered(endpoint: &str, status: &Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info() else {
            return Self::not_the_kernel(endpoint, status);
        };
        let exit = match status.code() {
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::Unimplemented => Exit::Usage,
            Code::Unavailable | Code::ResourceExhausted => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let mut problem = Self::new(exit, &info.reason, status.message());
        if info.reason == "EIGEN_JOB_NOT_FOUND" {
            problem = problem.hint(format!("`qrtx jobs` lists those that {endpoint} knows"));
        }
        if let Some(request) = details.bad_request() {
            let fields = request.field_violations.iter();
            let fields =
                fields.map(|wrong| json!({"field": wrong.field, "reason": wrong.description}));
            problem = problem.with("fields", fields.collect::<Vec<_>>());
        }
        if let Some(resource) = details.resource_info() {
            problem = problem.with(&resource.resource_type, resource.resource_name.as_str());
        }
        if let Some(limit) = info.metadata.get("limit") {
            problem = problem.with("limit", limit.as_str());
        }
        if let Some(wait) = details.retry_info().and_then(|retry| retry.retry_delay) {
            problem = problem.with("retry_after_seconds", wait.as_secs_f64());
        }
        problem
    }

    /// A status without the kernel's word was made by the way there, or by another server.
    fn not_the_kernel(endpoint: &str, status: &Status) -> Self {
        match status.code() {
            Code::Unimplemented | Code::NotFound => Self::new(
                Exit::Unreachable,
                "QRTX_UNREACHABLE",
                format!(
                    "what answers at {endpoint} is not a QRTX kernel; say where one is with \
                     --endpoint HOST:PORT or QRTX_ENDPOINT"
                ),
            )
            .with("endpoint", endpoint),
            Code::OutOfRange => Self::usage(format!(
                "the kernel does not take a message of this size: {}",
                status.message()
            )),
            _ => {
                let why = cause(status);
                let message = format!("the kernel at {endpoint} did not answer: {why}; try again");
                Self::lost(endpoint, message)
            }
        }
    }

    /// Whether what was asked for may have been done all the same.
    pub(super) fn is_doubtful(&self) -> bool {
        ["QRTX_CONNECTION_LOST", "QRTX_INTERRUPTED"].contains(&self.code.as_str())
    }

    /// Adds what programs may want to know.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what to do.
    pub(super) fn hint(mut self, what: impl Display) -> Self {
        self.message += &format!("; {what}");
        self
    }

    /// Tells it, once, and says how the command ends.
    pub(super) fn tell(&self, as_json: bool) -> Exit {
        if as_json && !self.silent {
            // If stdout is what went wrong, the words below are all there is.
            let _ = terminal::print_line(&Told { error: self });
        }
        if self.exit == Exit::Interrupted && !self.silent && terminal::is_watched() {
            // Behind the `^C` that the terminal shows.
            terminal::end_line();
        }
        if !self.silent {
            terminal::say_in(terminal::BAD, &self.message);
        }
        self.exit
    }
}

/// The innermost reason that a status knows: "transport error" helps nobody.
pub(super) fn cause(status: &Status) -> String {
    match status.source() {
        Some(source) => in_words(root(source)),
        None if status.message().is_empty() => format!("{:?}", status.code()),
        None => status.message().to_owned(),
    }
}

/// What the transport says when the other end is gone in the middle of a call.
fn in_words(why: String) -> String {
    match why.contains("broken pipe") {
        true => "the connection broke".to_owned(),
        false => why,
    }
}

/// The innermost reason of an error.
pub(super) fn root(mut error: &dyn std::error::Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
