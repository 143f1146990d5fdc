//! Lowering judged by amplitudes, and by what it refuses.

use num_complex::Complex64;
use proptest::prelude::*;

use super::super::{Readout, reference, statevector::State};
use super::*;

const UPSTREAM: &[&str] = &["RX", "RY", "RZ", "CX", "MEASURE"];

/// Sets of gates from which every gate can be built, angles included.
const UNIVERSAL: &[&[&str]] = &[
    UPSTREAM,
    &["RX", "RZ", "CZ"],
    &["RY", "RZ", "CX"],
    &["RX", "RY", "CZ"],
    &["SX", "RZ", "CX"],
    &["H", "P", "CP"],
    &["H", "RX", "CNOT"],
    &["rx", "ry", "rz", "h", "x", "cp", "cx", "swap"],
];

fn ops(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn circuit(qubits: u32, gates: &[(Gate, Vec<u32>)]) -> Circuit {
    let operations = gates
        .iter()
        .map(|(gate, qubits)| Operation::unitary(*gate, qubits));
    Circuit::new(qubits, operations.collect()).unwrap()
}

/// The state after the circuit, starting from `before`.
fn after(circuit: &Circuit, before: &[Complex64]) -> Vec<Complex64> {
    let mut state = State::of(before.to_vec());
    for operation in circuit.operations() {
        let Operation::Unitary { gate, qubits } = operation else {
            panic!("{operation:?}")
        };
        state.apply(*gate, qubits);
    }
    state.into_amplitudes()
}

/// Panics unless the lowered circuit uses native gates only and does what the original does.
fn assert_same(original: &Circuit, names: &[&str]) {
    let device = Device::with(&ops(names));
    let lowered = lower(original.clone(), &ops(names)).unwrap();
    for operation in lowered.operations() {
        assert!(
            device.has(operation.name()),
            "{} is not in {names:?}",
            operation.name()
        );
    }
    let before = reference::uneven_state(original.qubits());
    let unlikeness = reference::unlikeness(&after(original, &before), &after(&lowered, &before));
    assert!(
        unlikeness < 1e-10,
        "{original:?} over {names:?} is {lowered:?}: {unlikeness}"
    );
}

#[test]
fn every_gate_survives_the_way_down_to_every_universal_set() {
    for names in UNIVERSAL {
        for gate in Gate::ALL {
            for theta in [1.0, -2.5, 0.0, 6.0] {
                for qubits in reference::choices(3, gate.arity()) {
                    assert_same(&circuit(3, &[(gate.with_theta(theta), qubits)]), names);
                }
            }
        }
    }
}

#[test]
fn every_rule_on_its_own_is_the_gate_it_replaces() {
    for gate in Gate::ALL {
        let gate = gate.with_theta(0.7);
        let qubits: Vec<u32> = (0..gate.arity() as u32).rev().collect();
        let original = circuit(3, &[(gate, qubits.clone())]);
        for (index, parts) in rules(gate).iter().enumerate() {
            let operations = parts.iter().map(|part| part.on(gate, &qubits)).collect();
            let replaced = Circuit::new(3, operations).unwrap();
            let before = reference::uneven_state(3);
            let unlikeness =
                reference::unlikeness(&after(&original, &before), &after(&replaced, &before));
            assert!(
                unlikeness < 1e-12,
                "rule {index} for {}: {unlikeness}",
                gate.name()
            );
        }
    }
}

#[test]
fn gates_without_an_angle_are_built_from_clifford_and_t() {
    for gate in Gate::ALL.into_iter().filter(|gate| gate.theta().is_none()) {
        let qubits: Vec<u32> = (0..gate.arity() as u32).collect();
        assert_same(&circuit(3, &[(gate, qubits)]), &["H", "T", "CX"]);
    }
}

#[test]
fn a_circuit_that_fits_comes_back_as_it_is() {
    let operations = vec![
        Operation::unitary(Gate::Rx(0.25), &[1]),
        Operation::unitary(Gate::Cx, &[1, 0]),
        Operation::Measure(vec![Readout { qubit: 1, bit: 5 }]),
    ];
    let mut extra = serde_json::Map::new();
    extra.insert("metadata".to_owned(), serde_json::json!({"source": "a"}));
    let circuit = Circuit::new(2, operations)
        .unwrap()
        .with_document("0.1", extra);
    assert_eq!(lower(circuit.clone(), &ops(UPSTREAM)), Ok(circuit));
}

#[test]
fn the_document_around_the_operations_passes_through() {
    let mut extra = serde_json::Map::new();
    extra.insert("annotations".to_owned(), serde_json::json!([1, 2]));
    let circuit = circuit(1, &[(Gate::H, vec![0])]).with_document("0.1", extra.clone());
    let circuit = circuit.with_bits(3).unwrap();
    let lowered = lower(circuit, &ops(UPSTREAM)).unwrap();
    assert_eq!((lowered.version(), lowered.extra()), ("0.1", &extra));
    assert_eq!(lowered.bits(), 3);
    let names: Vec<&str> = lowered.operations().iter().map(Operation::name).collect();
    assert_eq!(names, ["RZ", "RY"]);
}

#[test]
fn the_cheapest_way_is_taken() {
    let swap = circuit(2, &[(Gate::Swap, vec![0, 1])]);
    let count = |names: &[&str]| lower(swap.clone(), &ops(names)).unwrap().operations().len();
    assert_eq!(count(&["CX", "CZ", "H"]), 3);
    assert_eq!(count(&["CZ", "H"]), 9);
    let z = circuit(1, &[(Gate::Z, vec![0])]);
    assert_eq!(
        lower(z, &ops(&["RX", "RY", "S"]))
            .unwrap()
            .operations()
            .len(),
        2
    );
    let toffoli = circuit(3, &[(Gate::Ccx, vec![0, 1, 2])]);
    assert_eq!(
        lower(toffoli, &ops(&["H", "T", "TDG", "CX"]))
            .unwrap()
            .operations()
            .len(),
        15
    );
}

#[test]
fn what_is_out_of_reach_is_refused_by_name_and_place() {
    let with =
        |operation| Circuit::new(3, vec![Operation::unitary(Gate::Rx(1.0), &[0]), operation]);
    let bad = [
        (
            Operation::Reset(vec![0]),
            UPSTREAM,
            "operations[1] is RESET, which can not be built from the device's ops \
             (CX, MEASURE, RX, RY, RZ): choose another device",
        ),
        (
            Operation::measure(&[(0, 0)]),
            &["RX"],
            "operations[1] is MEASURE, which can not be built from the device's ops (RX): \
             choose another device",
        ),
        (
            Operation::unitary(Gate::Ccx, &[0, 1, 2]),
            &["RX", "RY", "RZ", "SWAP"],
            "operations[1] is CCX, which can not be built from the device's ops \
             (RX, RY, RZ, SWAP): choose another device",
        ),
    ];
    for (operation, names, message) in bad {
        let error = lower(with(operation).unwrap(), &ops(names)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let error = lower(circuit(1, &[(Gate::Rz(0.1), vec![0])]), &ops(&["H", "T"])).unwrap_err();
    assert!(
        error.to_string().starts_with("operations[0] is RZ, which"),
        "{error}"
    );
    assert!(lower(circuit(1, &[(Gate::X, vec![0])]), &BTreeSet::new()).is_err());
}

#[test]
fn a_circuit_that_would_grow_beyond_the_bound_is_refused() {
    let gates = vec![(Gate::Ccx, vec![0, 1, 2]); 80_000];
    let error = lower(circuit(3, &gates), &ops(UPSTREAM)).unwrap_err();
    assert_eq!(error, LowerError::TooLong { operations: 80_000 });
}

proptest! {
    #[test]
    fn a_random_circuit_is_the_same_on_every_device(
        (qubits, gates) in reference::gates(5, 10),
        device in 0..UNIVERSAL.len(),
    ) {
        assert_same(&circuit(qubits, &gates), UNIVERSAL[device]);
    }
}
