//! What makes a list of operations a circuit: counts, ranges, shapes.

use super::limits::{CLASSICAL_BITS_MAX, OPERATIONS_MAX, QUBITS_MAX};
use super::{Gate, Operation, Readout};

/// Why a list of operations is not a circuit. Do not try again: the circuit must be corrected.
///
/// Places are written as in an AQO document: `operations[3].q[1]` counts from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CircuitError {
    /// No qubits, or too many.
    #[error("qubits is {qubits}, but must be from 1 to {QUBITS_MAX}")]
    Qubits {
        /// The number asked for.
        qubits: u32,
    },
    /// More operations than are accepted.
    #[error("operations has more than {OPERATIONS_MAX} entries: split the circuit")]
    TooLong,
    /// A qubit that the circuit does not have.
    #[error(
        "operations[{operation}].q[{place}] is {qubit}, but the circuit has {qubits} qubits \
         (0..={})", .qubits - 1
    )]
    NoSuchQubit {
        /// Index of the operation.
        operation: usize,
        /// Index of the operand.
        place: usize,
        /// The qubit named there.
        qubit: u32,
        /// Number of qubits of the circuit.
        qubits: u32,
    },
    /// A gate with too few or too many operands, or a measurement or reset of nothing.
    #[error("operations[{operation}].q has {given} entries, but {name} takes {takes}")]
    Arity {
        /// Index of the operation.
        operation: usize,
        /// Name of the operation.
        name: &'static str,
        /// Number of operands given.
        given: usize,
        /// Number of operands wanted.
        takes: &'static str,
    },
    /// The same qubit or bit twice in one operation.
    #[error("operations[{operation}].{list}[{place}] is {index} again: each may occur only once")]
    Repeated {
        /// Index of the operation.
        operation: usize,
        /// `q` for qubits, `c` for classical bits.
        list: char,
        /// Index in that list.
        place: usize,
        /// The repeated entry.
        index: u32,
    },
    /// A classical bit beyond the bound.
    #[error(
        "operations[{operation}].c[{place}] is {bit}, but must be from 0 to {}",
        CLASSICAL_BITS_MAX - 1
    )]
    NoSuchBit {
        /// Index of the operation.
        operation: usize,
        /// Index in `c`.
        place: usize,
        /// The bit named there.
        bit: u32,
    },
    /// Fewer classical bits than are written, or too many.
    #[error("bits is {bits}, but must be from {written} to {CLASSICAL_BITS_MAX}")]
    Bits {
        /// The number asked for.
        bits: u32,
        /// One more than the highest bit that is written.
        written: u32,
    },
    /// An angle that is infinite or not a number.
    #[error("operations[{operation}].params.theta is {theta}, but must be finite")]
    Angle {
        /// Index of the operation.
        operation: usize,
        /// The angle, in radians.
        theta: f64,
    },
}

/// Checks the whole circuit and gives its number of classical bits.
pub(super) fn bits_of(qubits: u32, operations: &[Operation]) -> Result<u32, CircuitError> {
    if !(1..=QUBITS_MAX).contains(&qubits) {
        return Err(CircuitError::Qubits { qubits });
    }
    if operations.len() > OPERATIONS_MAX {
        return Err(CircuitError::TooLong);
    }
    let mut bits = 0;
    for (index, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Unitary {
                gate,
                qubits: operands,
            } => {
                check_gate(index, *gate, operands)?;
                check_qubits(index, qubits, operands)?;
            }
            Operation::Reset(operands) => {
                check_some(index, operation.name(), operands.len())?;
                check_qubits(index, qubits, operands)?;
            }
            Operation::Measure(readouts) => {
                check_some(index, operation.name(), readouts.len())?;
                bits = bits.max(check_readouts(index, qubits, readouts)?);
            }
        }
    }
    Ok(bits)
}

fn check_gate(operation: usize, gate: Gate, operands: &[u32]) -> Result<(), CircuitError> {
    if operands.len() != gate.arity() {
        let takes = ["0", "1", "2", "3"][gate.arity()];
        let (name, given) = (gate.name(), operands.len());
        return Err(CircuitError::Arity {
            operation,
            name,
            given,
            takes,
        });
    }
    match gate.theta() {
        Some(theta) if !theta.is_finite() => Err(CircuitError::Angle { operation, theta }),
        _ => Ok(()),
    }
}

fn check_some(operation: usize, name: &'static str, given: usize) -> Result<(), CircuitError> {
    if given == 0 {
        return Err(CircuitError::Arity {
            operation,
            name,
            given,
            takes: "at least 1",
        });
    }
    Ok(())
}

fn check_qubits(operation: usize, qubits: u32, operands: &[u32]) -> Result<(), CircuitError> {
    for (place, &qubit) in operands.iter().enumerate() {
        if qubit >= qubits {
            return Err(CircuitError::NoSuchQubit {
                operation,
                place,
                qubit,
                qubits,
            });
        }
    }
    check_distinct(operation, 'q', operands)
}

/// Gives one more than the highest bit of the readouts.
fn check_readouts(
    operation: usize,
    qubits: u32,
    readouts: &[Readout],
) -> Result<u32, CircuitError> {
    let measured: Vec<u32> = readouts.iter().map(|readout| readout.qubit).collect();
    check_qubits(operation, qubits, &measured)?;
    let written: Vec<u32> = readouts.iter().map(|readout| readout.bit).collect();
    for (place, &bit) in written.iter().enumerate() {
        if bit >= CLASSICAL_BITS_MAX {
            return Err(CircuitError::NoSuchBit {
                operation,
                place,
                bit,
            });
        }
    }
    check_distinct(operation, 'c', &written)?;
    Ok(written.iter().max().map_or(0, |highest| highest + 1))
}

fn check_distinct(operation: usize, list: char, entries: &[u32]) -> Result<(), CircuitError> {
    // A gate has at most three operands, for which a set would be dearer than the comparison.
    if entries.len() <= 3 {
        for (place, &index) in entries.iter().enumerate() {
            if entries[..place].contains(&index) {
                return Err(CircuitError::Repeated {
                    operation,
                    list,
                    place,
                    index,
                });
            }
        }
        return Ok(());
    }
    let mut seen = std::collections::BTreeSet::new();
    for (place, &index) in entries.iter().enumerate() {
        if !seen.insert(index) {
            return Err(CircuitError::Repeated {
                operation,
                list,
                place,
                index,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Circuit;
    use super::*;

    #[test]
    fn the_width_is_one_more_than_the_highest_bit() {
        let circuit = Circuit::new(2, vec![Operation::measure(&[(0, 7), (1, 2)])]).unwrap();
        assert_eq!(circuit.bits(), 8);
        assert_eq!(Circuit::new(2, vec![]).unwrap().bits(), 0);
    }

    #[test]
    fn every_way_to_be_malformed_is_told_with_its_place() {
        let bad = [
            (
                Operation::unitary(Gate::Cx, &[0, 2]),
                "operations[1].q[1] is 2, but the circuit has 2 qubits (0..=1)",
            ),
            (
                Operation::unitary(Gate::Cx, &[0]),
                "operations[1].q has 1 entries, but CX takes 2",
            ),
            (
                Operation::unitary(Gate::Cx, &[1, 1]),
                "operations[1].q[1] is 1 again: each may occur only once",
            ),
            (
                Operation::unitary(Gate::Rx(f64::NAN), &[1]),
                "operations[1].params.theta is NaN, but must be finite",
            ),
            (
                Operation::measure(&[]),
                "operations[1].q has 0 entries, but MEASURE takes at least 1",
            ),
            (
                Operation::measure(&[(0, 4096)]),
                "operations[1].c[0] is 4096, but must be from 0 to 4095",
            ),
            (
                Operation::measure(&[(0, 3), (1, 3)]),
                "operations[1].c[1] is 3 again: each may occur only once",
            ),
            (
                Operation::Reset(vec![5]),
                "operations[1].q[0] is 5, but the circuit has 2 qubits (0..=1)",
            ),
        ];
        for (operation, message) in bad {
            let operations = vec![Operation::unitary(Gate::H, &[0]), operation];
            assert_eq!(
                Circuit::new(2, operations).unwrap_err().to_string(),
                message
            );
        }
    }

    #[test]
    fn a_circuit_has_from_1_to_1024_qubits() {
        for qubits in [0, 1025, u32::MAX] {
            assert_eq!(
                Circuit::new(qubits, vec![]),
                Err(CircuitError::Qubits { qubits })
            );
        }
        assert!(Circuit::new(1024, vec![]).is_ok());
    }

    #[test]
    fn a_measurement_of_very_many_qubits_finds_its_repetition() {
        let mut pairs: Vec<(u32, u32)> = (0..1000).map(|index| (index, index)).collect();
        pairs[999].1 = 5;
        let error = Circuit::new(1024, vec![Operation::measure(&pairs)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "operations[0].c[999] is 5 again: each may occur only once"
        );
    }
}
