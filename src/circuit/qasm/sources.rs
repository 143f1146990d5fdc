//! Which qubit tells what was measured.
//!
//! As long as nothing has changed the qubit that a bit was measured from, the qubit is in the
//! state that the bit tells.

use std::collections::{BTreeMap, BTreeSet};

use super::unitary::Unitary;
use crate::circuit::{Gate, Readout};

/// Which qubit tells what a bit is.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By bit: whether it was measured, and the qubit that is still as it was then.
    telling: Vec<Option<Option<u32>>>,
    /// By qubit: the bits that were measured from it since it was last changed.
    told: BTreeMap<u32, Vec<u32>>,
}
/// What is known of a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing was measured into it, so it is zero.
    Zero,
    /// This qubit is as it was when the bit was measured from it.
    Qubit(u32),
    /// The qubit that it was measured from has been changed since.
    Gone,
}

impl Sources {
    pub(super) fn of(&self, bit: u32) -> Source {
        match self.telling.get(bit as usize) {
            None | Some(None) => Source::Zero,
            Some(Some(Some(qubit))) => Source::Qubit(*qubit),
            Some(Some(None)) => Source::Gone,
        }
    }

    pub(super) fn measured(&mut self, readouts: &[Readout]) {
        for Readout { qubit, bit } in readouts {
            let place = *bit as usize;
            if self.telling.len() <= place {
                self.telling.resize(place + 1, None);
            }
            let before = self.telling[place].replace(Some(*qubit));
            if before != Some(Some(*qubit)) {
                self.told.entry(*qubit).or_default().push(*bit);
            }
        }
    }

    /// These qubits are not any more as they were measured.
    pub(super) fn forget(&mut self, qubits: &[u32]) {
        for qubit in qubits {
            for bit in self.told.remove(qubit).unwrap_or_default() {
                // Another qubit may have been measured into it meanwhile.
                let source = &mut self.telling[bit as usize];
                if *source == Some(Some(*qubit)) {
                    *source = Some(None);
                }
            }
        }
    }

    /// What a unitary does to qubits changes them, but for controls and for turns about z.
    pub(super) fn forget_changed(&mut self, unitary: &Unitary) {
        if self.told.is_empty() {
            return;
        }
        let changed: Vec<_> = changed(unitary).into_iter().collect();
        self.forget(&changed);
    }
}

fn changed(unitary: &Unitary) -> BTreeSet<u32> {
    let mut changed = BTreeSet::new();
    for (gate, qubits) in &unitary.gates {
        match gate {
            Gate::Rz(_) | Gate::P(_) | Gate::Z | Gate::S | Gate::Sdg | Gate::T | Gate::Tdg => {}
            Gate::Cz | Gate::Cp(_) | Gate::Ccz => {}
            Gate::Swap => changed.extend(qubits),
            _ => changed.extend(qubits.last()),
        }
    }
    changed
}
