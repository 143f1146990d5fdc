//! Circuits that tests run, as AQO.

use serde_json::{Value, json};

pub(crate) fn aqo(qubits: u32, operations: Vec<Value>) -> Vec<u8> {
    json!({ "version": "1.0.0", "qubits": qubits, "operations": operations })
        .to_string()
        .into()
}

/// Two qubits that always agree.
pub(crate) fn bell() -> Vec<u8> {
    aqo(
        2,
        vec![
            json!({ "op": "H", "q": [0] }),
            json!({ "op": "CX", "q": [0, 1] }),
        ],
    )
}

/// Takes about a second to simulate, in one piece.
pub(crate) fn heavy(qubits: u32) -> Vec<u8> {
    let layers = (0..40).flat_map(|_| (0..qubits).map(|q| json!({ "op": "H", "q": [q] })));
    aqo(qubits, layers.collect())
}

/// Takes ten seconds for a thousand shots, or longer: every shot is simulated anew, because a
/// measurement is in the middle.
pub(crate) fn endless() -> Vec<u8> {
    let mut operations = vec![
        json!({ "op": "H", "q": [0] }),
        json!({ "op": "MEASURE", "q": [0], "c": [0] }),
    ];
    operations.extend((0..200).map(|n| json!({ "op": "H", "q": [n % 16] })));
    operations.push(json!({ "op": "MEASURE", "q": [0], "c": [1] }));
    aqo(16, operations)
}
