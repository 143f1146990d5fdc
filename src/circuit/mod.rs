//! Quantum circuits: reading, fitting to a device, and simulating them.
//!
//! A job's program arrives as AQO JSON or as OpenQASM. [`parse`] and [`parse_qasm`] turn it into a
//! [`Circuit`], which is well-formed by construction; [`lower`] rewrites it into the operations that one device has; [`render`]
//! prints it again for that device; [`run`] executes it on a simulated state vector.
//!
//! Everything here is pure: no I/O, no clock, no async, and chance only from a seed. Scheduling,
//! transport and the choice of a device are deliberately elsewhere. Optimisation (merging or
//! cancelling neighbouring gates) is not done: a compiler has been here before.

use serde_json::{Map, Value};

mod aqo;
mod gate;
mod limits;
mod lower;
mod outline;
mod parameters;
mod qasm;
mod run;
mod sample;
mod statevector;
mod wellformed;

#[cfg(test)]
mod reference;

pub use aqo::{AqoError, parse, parse_program, render};
pub use gate::{Gate, Matrix2, op_name};
pub use limits::{
    AQO_BYTES_MAX, CLASSICAL_BITS_MAX, OPERATIONS_MAX, QUBITS_MAX, SIMULATED_QUBITS_MAX,
};
pub use lower::{LowerError, lower};
pub use outline::{Outline, OutlineError, outline};
pub use qasm::{QasmError, parse_qasm};
pub use run::{RunError, amplitudes, run};
pub use wellformed::CircuitError;

/// Version text of the circuits that are built here rather than read.
const AQO_VERSION: &str = "1.0.0";

/// The top-level keys that have a field of their own, and so can not be among the extras.
const RESERVED_KEYS: [&str; 4] = ["version", "qubits", "bits", "operations"];

/// One classical readout: `qubit` is measured in the Z basis and the outcome written to `bit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readout {
    /// The measured qubit, from 0.
    pub qubit: u32,
    /// The classical bit that receives the outcome, from 0. A later readout overwrites it.
    pub bit: u32,
}

/// One step of a circuit.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A gate on `qubits`, controls first and the target last.
    Unitary {
        /// Which gate.
        gate: Gate,
        /// As many distinct qubits as the gate takes.
        qubits: Vec<u32>,
    },
    /// Measures distinct qubits into distinct bits.
    Measure(Vec<Readout>),
    /// Puts distinct qubits back to zero, whatever they were.
    Reset(Vec<u32>),
}

impl Operation {
    /// The gate on these qubits, controls first. Nothing is checked before [`Circuit::new`].
    #[must_use]
    pub fn unitary(gate: Gate, qubits: &[u32]) -> Self {
        Self::Unitary {
            gate,
            qubits: qubits.to_vec(),
        }
    }

    /// Measures each `(qubit, bit)` pair. Nothing is checked before [`Circuit::new`].
    #[must_use]
    pub fn measure(pairs: &[(u32, u32)]) -> Self {
        Self::Measure(
            pairs
                .iter()
                .map(|&(qubit, bit)| Readout { qubit, bit })
                .collect(),
        )
    }

    /// The AQO name of this step, in upper case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unitary { gate, .. } => gate.name(),
            Self::Measure(_) => "MEASURE",
            Self::Reset(_) => "RESET",
        }
    }
}

/// A well-formed circuit: every index is in range and every operation has the right shape.
///
/// The fields are private so that this holds for every value there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Circuit {
    version: String,
    qubits: u32,
    bits: u32,
    operations: Vec<Operation>,
    extra: Map<String, Value>,
}

impl Circuit {
    /// A circuit over `qubits` qubits (1..=[`QUBITS_MAX`]), version "1.0.0", without extras.
    ///
    /// # Errors
    /// [`CircuitError`] names the first operation that is not well-formed.
    pub fn new(qubits: u32, operations: Vec<Operation>) -> Result<Self, CircuitError> {
        let bits = wellformed::bits_of(qubits, &operations)?;
        Ok(Self {
            version: AQO_VERSION.to_owned(),
            qubits,
            bits,
            operations,
            extra: Map::new(),
        })
    }

    /// The same circuit with the document's version text and other top-level keys.
    ///
    /// A blank version leaves the present one; extras named like a field of the circuit are left
    /// out, as they would contradict it.
    #[must_use]
    pub fn with_document(mut self, version: &str, mut extra: Map<String, Value>) -> Self {
        if !version.trim().is_empty() {
            version.clone_into(&mut self.version);
        }
        for key in RESERVED_KEYS {
            extra.remove(key);
        }
        self.extra = extra;
        self
    }

    /// The same circuit with `bits` classical bits, of which those that nothing is read into stay 0.
    ///
    /// # Errors
    /// [`CircuitError::Bits`] if that is fewer than it has, or more than [`CLASSICAL_BITS_MAX`].
    pub fn with_bits(mut self, bits: u32) -> Result<Self, CircuitError> {
        let written = self.bits;
        if !(written..=CLASSICAL_BITS_MAX).contains(&bits) {
            return Err(CircuitError::Bits { bits, written });
        }
        self.bits = bits;
        Ok(self)
    }

    /// The AQO version text; never blank.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Number of qubits, 1..=[`QUBITS_MAX`].
    #[must_use]
    pub fn qubits(&self) -> u32 {
        self.qubits
    }

    /// Number of classical bits, hence characters of a key: one more than the highest bit written,
    /// 0 if none is, or more if it was made [with more](Self::with_bits).
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The steps, in order of execution.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Top-level keys of the document that pass through untouched, such as `metadata`.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }
}
