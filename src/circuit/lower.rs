//! Fitting a circuit to the operations that a device has.
//!
//! The rules say what each gate may be replaced by; the cheapest way down to the device's own
//! gates is found once per device and gate, as a flat recipe, before the circuit is looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::OPERATIONS_MAX;
use super::{Circuit, Gate, Operation, op_name};
use rules::{Part, rules};

mod rules;

/// Why a circuit can not be fitted to a device. Choose another device: trying again is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The device has nothing that this operation could be built from.
    #[error(
        "operations[{operation}] is {name}, which can not be built from the device's ops \
         ({ops}): choose another device"
    )]
    Inexpressible {
        /// Index of the operation in the circuit that was to be lowered.
        operation: usize,
        /// Name of the operation.
        name: &'static str,
        /// What the device has, sorted and separated by commas.
        ops: String,
    },
    /// The lowered circuit would be longer than a circuit may be.
    #[error(
        "the circuit has {operations} operations, but more than {OPERATIONS_MAX} once lowered: \
         split it or choose a device with more ops"
    )]
    TooLong {
        /// Length of the circuit that was to be lowered.
        operations: usize,
    },
}

/// Replaces each gate that is not among the device's `ops` by others that are.
///
/// The circuit stays the same up to a global phase; version and extras pass through untouched. The
/// names in `ops` are read in any case and with the aliases of [`Gate::named`]; unknown ones are of
/// no use and do no harm. A circuit that fits already comes back as it is. The choice among equal
/// ways depends on `ops` alone.
///
/// # Errors
/// [`LowerError::Inexpressible`] for a gate out of reach, and for MEASURE and RESET unless the
/// device has them: nothing replaces those. [`LowerError::TooLong`].
pub fn lower(circuit: Circuit, ops: &BTreeSet<String>) -> Result<Circuit, LowerError> {
    let device = Device::with(ops);
    let recipes = device.recipes();
    let mut lowered = Vec::with_capacity(circuit.operations().len());
    for (index, operation) in circuit.operations().iter().enumerate() {
        let name = operation.name();
        match operation {
            Operation::Unitary { gate, qubits } if !device.has(name) => {
                let recipe = recipes
                    .get(name)
                    .ok_or_else(|| device.without(index, name))?;
                lowered.extend(recipe.iter().map(|part| part.on(*gate, qubits)));
            }
            other if device.has(name) => lowered.push(other.clone()),
            _ => return Err(device.without(index, name)),
        }
        if lowered.len() > OPERATIONS_MAX {
            return Err(LowerError::TooLong {
                operations: circuit.operations().len(),
            });
        }
    }
    let fitted = Circuit::new(circuit.qubits(), lowered)
        .and_then(|fitted| fitted.with_bits(circuit.bits()))
        .expect(
            "the rules keep operands distinct and in range, angles finite and bits as they are",
        );
    Ok(fitted.with_document(circuit.version(), circuit.extra().clone()))
}

/// The operations of a device under their canonical names.
struct Device {
    ops: BTreeSet<String>,
}

/// How to reach a gate: what it costs, and which of its rules to follow if it is not native.
#[derive(Clone, Copy, PartialEq)]
struct Way {
    cost: u32,
    rule: Option<usize>,
}

impl Device {
    fn with(ops: &BTreeSet<String>) -> Self {
        Self {
            ops: ops.iter().map(|op| op_name(op)).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.ops.contains(name)
    }

    fn without(&self, operation: usize, name: &'static str) -> LowerError {
        let ops: Vec<&str> = self.ops.iter().map(String::as_str).collect();
        LowerError::Inexpressible {
            operation,
            name,
            ops: ops.join(", "),
        }
    }

    /// For each gate within reach, its cheapest replacement by native gates.
    fn recipes(&self) -> BTreeMap<&'static str, Vec<Part>> {
        let ways = self.ways();
        Gate::ALL
            .into_iter()
            .filter(|gate| ways.contains_key(gate.name()))
            .map(|gate| {
                let mut recipe = Vec::new();
                spell_out(Part::whole(gate), &ways, &mut recipe);
                (gate.name(), recipe)
            })
            .collect()
    }

    /// The cheapest way to each gate within reach.
    ///
    /// Improved until nothing changes. Since a rule costs more than its parts together, each part
    /// is then cheaper than the whole, and following the ways down must end.
    fn ways(&self) -> BTreeMap<&'static str, Way> {
        let native = Gate::ALL.into_iter().filter(|gate| self.has(gate.name()));
        let mut ways: BTreeMap<&'static str, Way> = native
            .map(|gate| {
                (
                    gate.name(),
                    Way {
                        cost: price(gate),
                        rule: None,
                    },
                )
            })
            .collect();
        loop {
            let before = ways.clone();
            for gate in Gate::ALL {
                for (index, parts) in rules(gate).iter().enumerate() {
                    let costs = parts
                        .iter()
                        .map(|part| Some(ways.get(part.gate.name())?.cost));
                    let Some(cost) = costs.sum::<Option<u32>>().map(|sum| sum + 1) else {
                        continue;
                    };
                    if ways.get(gate.name()).is_none_or(|known| cost < known.cost) {
                        ways.insert(
                            gate.name(),
                            Way {
                                cost,
                                rule: Some(index),
                            },
                        );
                    }
                }
            }
            if ways == before {
                return ways;
            }
        }
    }
}

/// On hardware a gate on two qubits errs some ten times as often as a gate on one.
const fn price(gate: Gate) -> u32 {
    match gate.arity() {
        1 => 10,
        2 => 100,
        _ => 1_000,
    }
}

fn spell_out(part: Part, ways: &BTreeMap<&'static str, Way>, recipe: &mut Vec<Part>) {
    let Some(rule) = ways.get(part.gate.name()).and_then(|way| way.rule) else {
        return recipe.push(part);
    };
    for inner in rules(part.gate)[rule] {
        spell_out(inner.within(&part), ways, recipe);
    }
}

#[cfg(test)]
#[path = "lower_tests.rs"]
mod tests;
