//! Exact probabilities of what a circuit may measure, by following every branch.

use std::collections::BTreeMap;

use num_complex::Complex64;
use qrtx::circuit::{Circuit, Gate, Operation, Readout};

/// Below this a branch is rounding.
const NEVER: f64 = 1e-15;

/// The probability of each outcome, by its number: classical bit `i` is bit `i` of it.
///
/// For small circuits: a state for each combination of results is kept.
#[must_use]
pub fn outcomes(circuit: &Circuit) -> BTreeMap<u64, f64> {
    assert!(circuit.bits() <= 64, "an outcome is a number of 64 bits");
    let mut state = vec![Complex64::ZERO; 1 << circuit.qubits()];
    state[0] = Complex64::ONE;
    let mut branches = vec![Branch { bits: 0, state }];
    for operation in circuit.operations() {
        match operation {
            Operation::Unitary { gate, qubits } => {
                branches.iter_mut().for_each(|it| it.apply(*gate, qubits));
            }
            Operation::Measure(readouts) => {
                for Readout { qubit, bit } in readouts {
                    branches = parted(branches, *qubit, |branch, value| {
                        branch.bits = branch.bits & !(1 << bit) | u64::from(value) << bit;
                    });
                }
            }
            Operation::Reset(qubits) => {
                for qubit in qubits {
                    branches = parted(branches, *qubit, |branch, value| {
                        if value {
                            branch.apply(Gate::X, &[*qubit]);
                        }
                    });
                }
            }
        }
    }
    let mut probabilities = BTreeMap::new();
    for branch in branches {
        *probabilities.entry(branch.bits).or_insert(0.0) += branch.weight();
    }
    probabilities
}

/// What was measured so far, and the state then, as long as it is probable.
#[derive(Clone)]
struct Branch {
    bits: u64,
    state: Vec<Complex64>,
}

impl Branch {
    fn weight(&self) -> f64 {
        self.state.iter().map(Complex64::norm_sqr).sum()
    }

    fn apply(&mut self, gate: Gate, qubits: &[u32]) {
        let (last, controls) = qubits.split_last().expect("a gate acts on a qubit");
        let Some(matrix) = gate.matrix() else {
            let (one, other) = (1 << qubits[0], 1 << qubits[1]);
            for index in 0..self.state.len() {
                if index & one != 0 && index & other == 0 {
                    self.state.swap(index, index ^ one ^ other);
                }
            }
            return;
        };
        let mask = controls.iter().fold(0, |mask, control| mask | 1 << control);
        let target = 1_usize << last;
        for index in 0..self.state.len() {
            if index & target == 0 && index & mask == mask {
                let [zero, one] = [self.state[index], self.state[index | target]];
                self.state[index] = matrix[0][0] * zero + matrix[0][1] * one;
                self.state[index | target] = matrix[1][0] * zero + matrix[1][1] * one;
            }
        }
    }

    /// The part of it where the qubit has this value.
    fn part(&self, qubit: u32, value: bool) -> Self {
        let mut part = self.clone();
        for (index, amplitude) in part.state.iter_mut().enumerate() {
            if (index >> qubit & 1 == 1) != value {
                *amplitude = Complex64::ZERO;
            }
        }
        part
    }
}

fn parted(branches: Vec<Branch>, qubit: u32, then: impl Fn(&mut Branch, bool)) -> Vec<Branch> {
    let mut all = Vec::with_capacity(2 * branches.len());
    for branch in branches {
        for value in [false, true] {
            let mut part = branch.part(qubit, value);
            if part.weight() > NEVER {
                then(&mut part, value);
                all.push(part);
            }
        }
    }
    all
}
