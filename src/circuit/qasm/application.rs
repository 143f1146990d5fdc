//! The use of a gate: its angles worked out, its registers taken qubit by qubit.

use super::definition::{Callee, Trouble, angle_of, check_shape, twice};
use super::elaborate::Elaborator;
use super::fault::{Fault, Span, quoted};
use super::modifier::{Budget, changes, controls_of, cost_of_changes, modified};
use super::syntax::Application;
use super::unitary::Unitary;
use super::work::too_long;
use crate::circuit::limits::OPERATIONS_MAX;

/// So many qubits are compared with one another in the time of a step.
const COMPARISONS_PER_STEP: usize = 64;

impl<'t> Elaborator<'t> {
    /// The unitaries of an application, one for each of the qubits that it is spread over.
    pub(super) fn applied(
        &mut self,
        application: &Application<'t>,
        span: Span,
    ) -> Result<Vec<Unitary>, Fault> {
        let name = application.name;
        let callee = Callee::named(name, &self.names, self.language)?;
        self.spend(cost_of_changes(&application.modifiers), span)?;
        let changes = changes(&application.modifiers, self.language, &self.names, span)?;
        check_shape(&callee, &changes, application)?;
        let mut angles = Vec::with_capacity(application.arguments.len());
        for argument in &application.arguments {
            angles.push(angle_of(self.angle(argument)?, argument.span)?);
        }
        let mut unitaries = Vec::new();
        for qubits in self.spread(application)? {
            let mut budget = Budget {
                gates: OPERATIONS_MAX - self.operations.len(),
                work: self.work,
            };
            let (controls, own) = qubits.split_at(controls_of(&changes));
            let unitary = callee
                .spelled_out(&angles, own, &mut budget)
                .and_then(|plain| Ok(modified(plain, &changes, controls, &mut budget)?))
                .map_err(|trouble| match trouble {
                    Trouble::TooLong(why) => too_long(why, span),
                    Trouble::Within(why) => {
                        let message = format!("within {}: {why}", quoted(name.text));
                        Fault::new(span, message)
                    }
                })?;
            self.work = budget.work;
            unitaries.push(unitary);
        }
        Ok(unitaries)
    }

    /// Registers stand for each of their qubits in turn, single qubits for themselves every time.
    fn spread(&mut self, application: &Application<'t>) -> Result<Vec<Vec<u32>>, Fault> {
        let mut registers = Vec::with_capacity(application.operands.len());
        let mut length = None;
        for operand in &application.operands {
            let register = self.qubits_of(operand)?;
            if !register.single {
                match length {
                    None => length = Some(register.elements.len()),
                    Some(length) if length == register.elements.len() => {}
                    Some(length) => {
                        let message = format!(
                            "this has {} qubits and a register before it has {length}: registers \
                             are taken qubit by qubit and must be of one length",
                            register.elements.len()
                        );
                        return Err(Fault::new(operand.span, message));
                    }
                }
            }
            registers.push(register);
        }
        let mut all = Vec::with_capacity(length.unwrap_or(1));
        // Each qubit is compared with those before it.
        let compared = registers.len() * registers.len() / COMPARISONS_PER_STEP;
        for turn in 0..length.unwrap_or(1) {
            if let Some(first) = application.operands.first() {
                self.spend(compared, first.span)?;
            }
            let mut qubits = Vec::with_capacity(registers.len());
            for (register, operand) in registers.iter().zip(&application.operands) {
                let qubit = register.elements[if register.single { 0 } else { turn }];
                if qubits.contains(&qubit) {
                    return Err(twice(operand));
                }
                qubits.push(qubit);
            }
            all.push(qubits);
        }
        Ok(all)
    }
}
