//! Printing a circuit as AQO JSON, the same bytes for the same circuit.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::circuit::{Circuit, Operation};

/// The circuit as AQO JSON in one line without spaces, all angles as numbers.
///
/// The keys are `version`, `qubits`, `bits` if the highest bit is never written, `operations`, then
/// the extras by name. Reading it again gives
/// an equal circuit, unless it measures nothing, as [`parse`](super::parse) then adds a
/// measurement, or is so long that its text exceeds what `parse` reads.
#[must_use]
pub fn render(circuit: &Circuit) -> Vec<u8> {
    serde_json::to_vec(&Document(circuit)).expect("all keys are strings and memory is no error")
}

struct Document<'c>(&'c Circuit);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(circuit) = self;
        let operations: Vec<Printed<'_>> = circuit.operations().iter().map(Printed).collect();
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("version", circuit.version())?;
        map.serialize_entry("qubits", &circuit.qubits())?;
        if circuit.bits() != written(circuit) {
            map.serialize_entry("bits", &circuit.bits())?;
        }
        map.serialize_entry("operations", &operations)?;
        // Sorted here too, as a feature of serde_json that any crate may enable keeps the order
        // of insertion instead.
        let extra: BTreeMap<&String, &Value> = circuit.extra().iter().collect();
        for (key, value) in extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// One more than the highest bit that is written.
fn written(circuit: &Circuit) -> u32 {
    let readouts = circuit.operations().iter().flat_map(|step| match step {
        Operation::Measure(readouts) => readouts.as_slice(),
        Operation::Unitary { .. } | Operation::Reset(_) => &[],
    });
    readouts.map(|readout| readout.bit + 1).max().unwrap_or(0)
}

struct Printed<'c>(&'c Operation);

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(operation) = self;
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("op", operation.name())?;
        match operation {
            Operation::Unitary { gate, qubits } => {
                map.serialize_entry("q", qubits)?;
                if let Some(theta) = gate.theta() {
                    map.serialize_entry("params", &BTreeMap::from([("theta", theta)]))?;
                }
            }
            Operation::Reset(qubits) => map.serialize_entry("q", qubits)?,
            Operation::Measure(readouts) => {
                let qubits: Vec<u32> = readouts.iter().map(|readout| readout.qubit).collect();
                let bits: Vec<u32> = readouts.iter().map(|readout| readout.bit).collect();
                map.serialize_entry("q", &qubits)?;
                map.serialize_entry("c", &bits)?;
            }
        }
        map.end()
    }
}
