//! What turns programs into circuits, and how it says no.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use crate::ids::JobId;
use crate::job::event::CircuitFormat;
use crate::job::spec::{JobSpec, ProgramFormat};
use crate::job::trace::SpanRef;

/// The job a call is made for, and what goes along with it.
#[derive(Debug, Clone, Copy)]
pub struct CallContext<'a> {
    /// The job.
    pub job: JobId,
    /// What it shall do.
    pub spec: &'a JobSpec,
    /// The span of the stage that calls.
    pub span: SpanRef,
    /// How long the call may take; the callee drops it then.
    pub deadline: Duration,
}

/// A program, its format, and what the device it is for can do.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// How it is written; a reference is resolved before.
    pub format: ProgramFormat,
    /// The text.
    pub source: &'a [u8],
    /// What the target device says of itself; `None` when that is not known.
    pub device: Option<&'a Capabilities>,
}

/// What a device can do, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Operations by their AQO names; `None` when it does not say.
    pub ops: Option<BTreeSet<String>>,
    /// Qubits; `None` when it does not say.
    pub qubits: Option<u32>,
    /// Languages of circuits, as `AQO_JSON`; `None` when it does not say.
    pub formats: Option<BTreeSet<String>>,
}

impl Capabilities {
    /// Reads `ops`, `qubits` and `formats` out of a device's capability map; what is not there or
    /// makes no sense is not known.
    pub fn parse(map: &BTreeMap<String, String>) -> Self {
        let names = |key| {
            map.get(key).map(|names| {
                names
                    .split(',')
                    .map(|name| name.trim().to_uppercase())
                    .filter(|name| !name.is_empty())
                    .collect()
            })
        };
        let qubits = map.get("qubits").or_else(|| map.get("max_qubits"));
        Self {
            ops: names("ops"),
            qubits: qubits.and_then(|qubits| qubits.trim().parse().ok()),
            formats: names("formats"),
        }
    }

    /// What the device lacks for a circuit of so many qubits in this language, whenever it is
    /// asked; `None` if it may take it. What is not known is not missing.
    pub fn lacks(&self, format: CircuitFormat, qubits: Option<u32>) -> Option<String> {
        if let (Some(needed), Some(most)) = (qubits, self.qubits)
            && needed > most
        {
            return Some(format!(
                "the circuit has {needed} qubits, and the device has {most}: use fewer, or \
                 another device"
            ));
        }
        // Drivers differ on how much of the name they tell.
        let (name, stem) = match format {
            CircuitFormat::AqoJson => ("AQO_JSON", "AQO"),
            CircuitFormat::Qasm3Text => ("QASM3_TEXT", "QASM3"),
        };
        let formats = self.formats.as_ref()?;
        if formats.is_empty() || formats.iter().any(|told| told.starts_with(stem)) {
            return None;
        }
        let formats: Vec<_> = formats.iter().map(String::as_str).collect();
        Some(format!(
            "the circuit is {name}, and the device takes {}: use another device",
            formats.join(", ")
        ))
    }
}

/// What a check of a program said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The compiler will take it.
    Valid,
    /// The compiler has no separate check (D23).
    NotChecked,
}

/// A circuit as the driver gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// Its language.
    pub format: CircuitFormat,
    /// Its text.
    pub data: Vec<u8>,
}

/// Why a neighbour gave no answer that is of use. The messages name the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It may work later: try again.
    #[error("{message}")]
    Unavailable {
        /// What happened, where, and what to do.
        message: String,
        /// When the neighbour wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// It will not work: do not try again.
    #[error("{0}")]
    Rejected(String),
}

impl CallError {
    /// It may work later, and nobody said when.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            retry_after: None,
        }
    }
}

/// The compiler. Every method may be called again for the same job, and dropped at any time.
pub trait Compiler: Send + Sync + 'static {
    /// Checks a program without compiling it.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when the program is wrong.
    fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> impl Future<Output = Result<Validity, CallError>> + Send;

    /// Turns a program into a circuit.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when it cannot be one.
    fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> impl Future<Output = Result<Circuit, CallError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_lacks_is_named_and_what_it_does_not_tell_is_not_missing() {
        let device = |map: &[(&str, &str)]| {
            let map = map
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            Capabilities::parse(&map.collect())
        };
        let (aqo, qasm) = (CircuitFormat::AqoJson, CircuitFormat::Qasm3Text);
        let told = device(&[("qubits", " 24 "), ("formats", "aqo_json, QIR")]);
        assert_eq!(told.lacks(aqo, Some(24)), None);
        assert_eq!(told.lacks(aqo, None), None);
        let short = device(&[("formats", "qasm3")]);
        assert_eq!(short.lacks(qasm, None), None);
        let many = told.lacks(aqo, Some(25)).unwrap();
        assert!(many.starts_with("the circuit has 25 qubits, and the device has 24"));
        let other = told.lacks(qasm, Some(2)).unwrap();
        assert!(other.contains("QASM3_TEXT, and the device takes AQO_JSON, QIR"));
        for silent in [&[][..], &[("qubits", "many"), ("formats", "")]] {
            assert_eq!(device(silent).lacks(qasm, Some(1_000)), None);
        }
    }
}
