//! AQO JSON, the form in which circuits travel between compiler, kernel and devices.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::AQO_BYTES_MAX;
use super::parameters::{cut, listed, without_use};
use super::{Circuit, CircuitError, Gate, Operation};
use document::Document;
use draft::Basis;

mod document;
mod draft;
mod render;
mod theta;
mod unique;

pub use render::render;

/// Why a document is not a circuit. Do not try again: the document or its parameters must change.
///
/// Places count from 0, as in `operations[3].q[1]`; quoted text is cut after 40 characters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AqoError {
    /// More bytes than are read.
    #[error("the document has {bytes} bytes, but at most {AQO_BYTES_MAX} are read")]
    TooLarge {
        /// Length of the document.
        bytes: usize,
    },
    /// Not text.
    #[error("the document is not UTF-8 at byte {byte}")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        byte: usize,
    },
    /// Not JSON, or nested too deeply.
    #[error("the document is not JSON at line {line}, column {column}: {why}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 0.
        column: usize,
        /// What is wrong there, and what to do.
        why: String,
        /// What the reader stumbled over.
        #[source]
        source: serde_json::Error,
    },
    /// A value of the wrong kind or out of range, or none where there must be one.
    #[error("{at} is {is}, but must be {must}")]
    Field {
        /// Where.
        at: String,
        /// What is there.
        is: String,
        /// What should be there.
        must: &'static str,
    },
    /// Written in a version of AQO that nobody here knows: what its operations mean may have changed.
    #[error(
        "version is {version:?}, and AQO of versions 0 and 1 is read here: write it as 1.0.0, or \
         use a kernel that reads this version"
    )]
    Version {
        /// The version given, cut after 40 characters.
        version: String,
    },
    /// A key that nothing is made of: left out in silence, what it means would be lost.
    #[error("{at} is not a key that is known; {place} has {known}")]
    UnknownKey {
        /// Where.
        at: String,
        /// Of what it is a key.
        place: &'static str,
        /// The keys that there are.
        known: String,
    },
    /// A key that an object has twice.
    #[error("{key:?} is given twice{within}")]
    RepeatedKey {
        /// The key.
        key: String,
        /// In which part of the document, as ` in operations[3]`; empty for its own keys.
        within: String,
    },
    /// An operation that is not in the vocabulary.
    #[error("operations[{operation}].op is {name:?}, which is not known")]
    UnknownOperation {
        /// Index of the operation.
        operation: usize,
        /// The name given.
        name: String,
    },
    /// A symbolic angle without a value: give it as a parameter of the job.
    #[error(
        "operations[{operation}].params.theta is {symbol:?}, but no parameter has that name: run \
         with --param {symbol}=0.5 (metadata param.{symbol} on the wire)"
    )]
    Unbound {
        /// Index of the operation.
        operation: usize,
        /// The name that has no value; another than the document's if one refers to the next.
        symbol: String,
    },
    /// A value of the job that is neither a number nor the name of a parameter.
    #[error(
        "{symbol} was given the value {value:?} (--param {symbol}, metadata param.{symbol} on the \
         wire): give a number, as in 1.5708"
    )]
    NotANumber {
        /// The parameter.
        symbol: String,
        /// What it was given.
        value: String,
    },
    /// A value for a parameter that the document does not have.
    #[error("a value is given for the parameter {name:?}, which no angle has; {known}")]
    NoSuchParameter {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A parameter that is defined by itself, directly or through others.
    #[error("operations[{operation}].params.theta is {symbol:?}, which is defined by itself")]
    Circular {
        /// Index of the operation.
        operation: usize,
        /// The name that was met twice.
        symbol: String,
    },
    /// Read, but not well-formed as a circuit.
    #[error(transparent)]
    Circuit(#[from] CircuitError),
}

/// Reads one AQO document.
///
/// An angle may be a number, the text of one, or a name. A name is looked up in `parameters` as
/// `<name>`, `param.<name>`, `param:<name>`, `parameters.<name>` and `parameters:<name>`, then in
/// the document's own `parameters`; it may lead to a further name. A measurement without `c`
/// writes qubit i to bit i; one in the X or Y basis becomes the turn to Z and a measurement there.
/// The optional `bits` is how many classical bits there are, written or not: the length of a key.
/// A circuit that measures nothing gets a final measurement of all qubits, as from eigen-compiler.
/// The `version` must begin with 0 or 1. At top level `metadata`, `checksums`, `annotations` and
/// `topology`, as eigen-compiler writes them, pass through unread: its `checksums` are of the request
/// that it was asked with, which the document does not have. Every other key must be one that has
/// been named here. No object may have a key twice.
///
/// # Errors
/// [`AqoError`] names the first place that is wrong. No input makes it panic.
pub fn parse(bytes: &[u8], parameters: &BTreeMap<String, String>) -> Result<Circuit, AqoError> {
    read(bytes, parameters).map(|(circuit, _)| circuit)
}

/// The same for a document that a person wrote: every value in `parameters` that is given under one
/// of the prefixes must belong to a parameter that the document has.
///
/// # Errors
/// Also [`AqoError::NoSuchParameter`].
pub fn parse_program(
    bytes: &[u8],
    parameters: &BTreeMap<String, String>,
) -> Result<Circuit, AqoError> {
    let (circuit, names) = read(bytes, parameters)?;
    match without_use(parameters, &names) {
        None => Ok(circuit),
        Some(name) => Err(AqoError::NoSuchParameter {
            name: cut(name),
            known: listed(&names),
        }),
    }
}

/// The circuit, and the names of its parameters.
fn read(
    bytes: &[u8],
    parameters: &BTreeMap<String, String>,
) -> Result<(Circuit, BTreeSet<String>), AqoError> {
    if bytes.len() > AQO_BYTES_MAX {
        return Err(AqoError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| AqoError::NotUtf8 {
        byte: error.valid_up_to(),
    })?;
    // Some editors mark a text as UTF-8 at its very beginning.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Document {
        version,
        qubits,
        bits,
        mut drafts,
        extra,
    } = Document::read(text)?;
    let names = theta::bind(&mut drafts, &extra, parameters)?;
    let mut circuit = Circuit::new(qubits, drafts.operations)?;
    // Only now, so that the places in errors are those of the document.
    if !drafts.bases.is_empty() {
        circuit = Circuit::new(qubits, turned_to_z(circuit.operations, &drafts.bases))?;
    }
    if !circuit
        .operations
        .iter()
        .any(|operation| matches!(operation, Operation::Measure(_)))
    {
        let all: Vec<(u32, u32)> = (0..qubits).map(|index| (index, index)).collect();
        circuit.operations.push(Operation::measure(&all));
        circuit = Circuit::new(qubits, circuit.operations)?;
    }
    if let Some(bits) = bits {
        circuit = circuit.with_bits(bits)?;
    }
    Ok((circuit.with_document(&version, extra), names))
}

/// Puts the turns that take X and Y to Z before the measurements in those bases.
fn turned_to_z(operations: Vec<Operation>, bases: &BTreeMap<usize, Vec<Basis>>) -> Vec<Operation> {
    let mut turned = Vec::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        if let (Operation::Measure(readouts), Some(bases)) = (&operation, bases.get(&index)) {
            for (readout, basis) in readouts.iter().zip(bases) {
                let gates: &[Gate] = match basis {
                    Basis::X => &[Gate::H],
                    Basis::Y => &[Gate::Sdg, Gate::H],
                    Basis::Z => &[],
                };
                let qubit = [readout.qubit];
                turned.extend(gates.iter().map(|gate| Operation::unitary(*gate, &qubit)));
            }
        }
        turned.push(operation);
    }
    turned
}

#[cfg(test)]
#[path = "aqo_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "aqo_keys_tests.rs"]
mod keys_tests;
