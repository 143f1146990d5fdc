//! What the doubles write down of every call that reaches them.

use std::collections::BTreeMap;
use std::fmt;

use qrtx::time::{Monotonic, Timestamp};
use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// The calls that a neighbour answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as in the contracts")]
pub enum Method {
    CompileCircuit,
    CompileJob,
    OptimizeCircuit,
    ValidateCircuit,
    ListDevices,
    GetDeviceStatus,
    ExecuteCircuit,
    CalibrateDevice,
    GetExecution,
    CancelExecution,
    WatchExecution,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One call as it arrived, before anything was checked or went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub method: Method,
    /// The job it names, or the job of the execution it names; empty when it names none.
    pub job: String,
    /// The headers that are text, keys in lower case; of a repeated one the last.
    pub headers: BTreeMap<String, String>,
    /// The request's `options`; empty where the request has none.
    pub options: BTreeMap<String, String>,
    /// When, on the double's clock.
    pub at: Monotonic,
    /// The same on its wall clock.
    pub at_wall: Timestamp,
}

impl Call {
    /// A header's value; `None` if it was not sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The headers that are text.
pub(super) fn headers(map: &MetadataMap) -> BTreeMap<String, String> {
    map.iter()
        .filter_map(|entry| match entry {
            KeyAndValueRef::Ascii(key, value) => {
                Some((key.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            }
            KeyAndValueRef::Binary(..) => None,
        })
        .collect()
}

/// The job of an execution id: what is before its `#`.
pub(super) fn job_of(execution: &str) -> &str {
    execution.split('#').next().unwrap_or(execution)
}
