//! `if` on measured bits, for devices that cannot decide between gates.
//!
//! As long as nothing has changed the qubit that a bit was measured from, the qubit is in the
//! state that the bit tells. A gate that is to be done if the bit is one may then be controlled by
//! the qubit itself: every shot ends the same way.

use std::collections::{BTreeMap, BTreeSet};

use super::elaborate::{Elaborator, too_long};
use super::fault::{Fault, Span, quoted};
use super::modifier::conditioned;
use super::syntax::{Form, Operand, Statement, Term, Wanted};
use super::unitary::Unitary;
use crate::circuit::limits::OPERATIONS_MAX;
use crate::circuit::{Gate, Readout};

/// Which qubit tells what a bit is.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By bit: whether it was measured, and the qubit that is still as it was then.
    telling: Vec<Option<Option<u32>>>,
    /// By qubit: the bits that were measured from it since it was last changed.
    told: BTreeMap<u32, Vec<u32>>,
}

/// What a condition comes to.
enum Meaning {
    Never,
    /// Where these qubits are what is said; always, if there are none.
    Where(BTreeMap<u32, bool>),
}

impl Sources {
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

impl<'t> Elaborator<'t> {
    pub(super) fn conditional(
        &mut self,
        condition: &[Term<'t>],
        then: &[Statement<'t>],
        otherwise: &[Statement<'t>],
        span: Span,
    ) -> Result<(), Fault> {
        let meaning = self.meaning(condition)?;
        // Both branches are looked at, so that a mistake in either is told.
        let (then, otherwise) = (self.branch(then)?, self.branch(otherwise)?);
        let wanted = match meaning {
            Meaning::Never => {
                self.sources.forget_changed(&otherwise);
                return self.emit(otherwise, span);
            }
            Meaning::Where(wanted) => wanted,
        };
        // Without a measured bit the condition is known to hold.
        if otherwise.gates.is_empty() || wanted.is_empty() {
            return self.guarded(then, &wanted, span);
        }
        if wanted.len() != 1 {
            let message = "else is supported behind a condition on one bit: write a second if \
                           with the opposite condition";
            return Err(Fault::new(span, message));
        }
        self.guarded(then, &wanted, span)?;
        let opposite = wanted.iter().map(|(qubit, when)| (*qubit, !when));
        self.guarded(otherwise, &opposite.collect(), span)
    }

    fn guarded(
        &mut self,
        branch: Unitary,
        wanted: &BTreeMap<u32, bool>,
        span: Span,
    ) -> Result<(), Fault> {
        let used: BTreeSet<_> = branch.gates.iter().flat_map(|(_, qubits)| qubits).collect();
        if wanted.keys().any(|qubit| used.contains(qubit)) {
            let message = "a gate on the measured qubit itself cannot depend on what was measured \
                           here: to put it back to zero, write reset";
            return Err(Fault::new(span, message));
        }
        self.sources.forget_changed(&branch);
        let part = |value| {
            let these = wanted.iter().filter(move |(_, when)| **when == value);
            these.map(|(qubit, _)| *qubit).collect::<Vec<_>>()
        };
        let guarded = conditioned(branch, &part(true), true, OPERATIONS_MAX)
            .and_then(|inner| conditioned(inner, &part(false), false, OPERATIONS_MAX))
            .map_err(|_| too_long(span))?;
        self.spend(guarded.gates.len(), span)?;
        self.emit(guarded, span)
    }

    /// A branch as one unitary: nothing else can be undone where the condition does not hold.
    fn branch(&mut self, statements: &[Statement<'t>]) -> Result<Unitary, Fault> {
        let mut whole = Unitary::default();
        for statement in statements {
            match &statement.form {
                Form::Apply(application) => {
                    for unitary in self.applied(application, statement.span)? {
                        whole.then(unitary);
                    }
                    if whole.gates.len() > OPERATIONS_MAX {
                        return Err(too_long(statement.span));
                    }
                }
                Form::Barrier(_) => {}
                _ => {
                    let message = "only gates can stand in an if: no device here decides at run \
                                   time";
                    return Err(Fault::new(statement.span, message));
                }
            }
        }
        Ok(whole)
    }

    fn meaning(&mut self, condition: &[Term<'t>]) -> Result<Meaning, Fault> {
        let mut qubits = BTreeMap::new();
        let mut holds = true;
        for Term { bits, wanted } in condition {
            let register = self.bits_of(bits)?;
            let number = match wanted {
                Wanted::Bit(when) if register.elements.len() == 1 => i64::from(*when),
                Wanted::Bit(_) => {
                    let name = quoted(bits.name.text);
                    let message = format!("compare this register with a number: {name} == 1");
                    return Err(Fault::new(bits.span, message));
                }
                Wanted::Number(number) => self.evaluated(number)?.integer(number.span)?,
            };
            let width = register.elements.len();
            self.spend(width, bits.span)?;
            holds &= number >= 0 && (width >= 63 || number >> width == 0);
            for (place, bit) in register.elements.iter().enumerate() {
                let when = place < 63 && number >> place & 1 == 1;
                match self.source(*bit, bits)? {
                    // What was never measured is zero.
                    None => holds &= !when,
                    Some(qubit) => holds &= *qubits.entry(qubit).or_insert(when) == when,
                }
            }
        }
        Ok(if holds {
            Meaning::Where(qubits)
        } else {
            Meaning::Never
        })
    }

    fn source(&self, bit: u32, operand: &Operand<'_>) -> Result<Option<u32>, Fault> {
        match self.sources.telling.get(bit as usize) {
            None | Some(None) => Ok(None),
            Some(Some(Some(qubit))) => Ok(Some(*qubit)),
            Some(Some(None)) => {
                let message = "the qubit that this was measured from has been changed since, so \
                               nothing can tell the result apart any more: measure into another \
                               qubit first, or move the if before the change";
                Err(Fault::new(operand.span, message))
            }
        }
    }
}
