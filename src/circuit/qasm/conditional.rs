//! `if` on measured bits, for devices that cannot decide between gates.
//!
//! As long as nothing has changed the qubit that a bit was measured from, the qubit is in the
//! state that the bit tells. A gate that is to be done if the bit is one may then be controlled by
//! the qubit itself: every shot ends the same way.

use super::cases::{Case, agree};
use super::elaborate::Elaborator;
use super::fault::{Fault, Span};
use super::modifier::conditioned;
use super::question::Condition;
use super::syntax::{Form, Statement, Term};
use super::unitary::{TooLong, Unitary};
use super::work::too_long;
use crate::circuit::limits::OPERATIONS_MAX;
use crate::circuit::{Gate, Operation};

/// An `if` as it stands in a program.
#[derive(Clone, Copy)]
pub(super) struct If<'s, 't> {
    pub(super) condition: &'s [Term<'t>],
    pub(super) then: &'s [Statement<'t>],
    pub(super) otherwise: &'s [Statement<'t>],
    pub(super) span: Span,
}

impl<'s, 't> If<'s, 't> {
    fn branch(&self, holds: bool) -> &'s [Statement<'t>] {
        match holds {
            true => self.then,
            false => self.otherwise,
        }
    }
}

impl<'t> Elaborator<'t> {
    pub(super) fn conditional(&mut self, choice: If<'_, 't>) -> Result<(), Fault> {
        if let Condition::Known(holds) = self.asked(choice.condition)? {
            // Nothing is left to decide at run time, so all that a program has may stand there.
            return self.in_block(|inner| {
                let mut taken = choice.branch(holds).iter();
                taken.try_for_each(|statement| inner.statement(statement))
            });
        }
        self.asked_at.get_or_insert(choice.span);
        // Both branches are looked at, so that a mistake in either is told, taken or not.
        self.check_branch(choice.then)?;
        self.check_branch(choice.otherwise)?;
        match self.is_own_reset(choice)? {
            Some((qubit, when)) => self.own_reset(qubit, when, choice.span),
            None => self.decided(choice, &Case::new()),
        }
    }

    /// Whether all it does is to flip the one qubit that it asks about, and what it asks. Then the
    /// qubit is the same whatever was measured, as after a reset.
    fn is_own_reset(&mut self, choice: If<'_, 't>) -> Result<Option<(u32, bool)>, Fault> {
        let ([only], []) = (choice.then, choice.otherwise) else {
            return Ok(None);
        };
        let Form::Apply(application) = &only.form else {
            return Ok(None);
        };
        let Condition::Asks(questions) = self.asked(choice.condition)? else {
            return Ok(None);
        };
        let cases = self.cases(&questions)?.holding();
        let [case] = cases.as_slice() else {
            return Ok(None);
        };
        let (Some((qubit, when)), 1) = (case.first_key_value(), case.len()) else {
            return Ok(None);
        };
        let unitaries = self.applied(application, only.span)?;
        let [unitary] = unitaries.as_slice() else {
            return Ok(None);
        };
        let flips = unitary.gates.as_slice() == [(Gate::X, vec![*qubit])];
        Ok(flips.then_some((*qubit, *when)))
    }

    fn own_reset(&mut self, qubit: u32, when: bool, span: Span) -> Result<(), Fault> {
        self.sources.forget(&[qubit]);
        self.push(Operation::Reset(vec![qubit]), span)?;
        match when {
            true => Ok(()),
            // What was one stays so, what was zero becomes one.
            false => self.emit(Unitary::gate(Gate::X, &[qubit]), span),
        }
    }

    /// Does one branch or the other where the qubits are as `outer` says.
    fn decided(&mut self, choice: If<'_, 't>, outer: &Case) -> Result<(), Fault> {
        let questions = match self.asked(choice.condition)? {
            Condition::Known(holds) => return self.branch(choice.branch(holds), outer),
            Condition::Asks(questions) => questions,
        };
        let asked = self.cases(&questions)?;
        let width = asked.case.as_ref().map_or(0, Case::len);
        for (holds, branch) in [(true, choice.then), (false, choice.otherwise)] {
            if branch.is_empty() {
                continue;
            }
            // As many cases as there are qubits, each with as many of them.
            let parted = holds == asked.denied;
            self.spend(if parted { width * width } else { 2 * width }, choice.span)?;
            let cases = if holds {
                asked.holding()
            } else {
                asked.failing()
            };
            for case in cases {
                self.spend(1 + case.len(), choice.span)?;
                if agree(outer, &case) {
                    let mut both = outer.clone();
                    both.extend(case);
                    self.branch(branch, &both)?;
                }
            }
        }
        Ok(())
    }

    fn branch(&mut self, statements: &[Statement<'t>], wanted: &Case) -> Result<(), Fault> {
        let mut gates = Unitary::default();
        let mut last = None;
        for statement in statements {
            let span = statement.span;
            last = Some(span);
            match &statement.form {
                Form::Apply(application) => {
                    for unitary in self.applied(application, span)? {
                        refuse_measured(&unitary, wanted, span)?;
                        gates.then(unitary);
                    }
                    if gates.gates.len() > OPERATIONS_MAX {
                        return Err(too_long(TooLong::Operations, span));
                    }
                }
                Form::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.guarded(std::mem::take(&mut gates), wanted, span)?;
                    let inner = If {
                        condition,
                        then,
                        otherwise,
                        span,
                    };
                    self.decided(inner, wanted)?;
                }
                _ => {}
            }
        }
        match last {
            Some(span) => self.guarded(gates, wanted, span),
            None => Ok(()),
        }
    }

    fn guarded(&mut self, unitary: Unitary, wanted: &Case, span: Span) -> Result<(), Fault> {
        self.spend(wanted.len(), span)?;
        if unitary.gates.is_empty() {
            return Ok(());
        }
        self.sources.forget_changed(&unitary);
        let part = |value| {
            let these = wanted.iter().filter(move |(_, when)| **when == value);
            these.map(|(qubit, _)| *qubit).collect::<Vec<_>>()
        };
        let guarded = conditioned(unitary, &part(true), true, OPERATIONS_MAX)
            .and_then(|inner| conditioned(inner, &part(false), false, OPERATIONS_MAX))
            .map_err(|why| too_long(why, span))?;
        self.spend(guarded.gates.len(), span)?;
        self.emit(guarded, span)
    }

    /// What can be done or left: gates, and further choices. Nothing else can be undone where the
    /// condition does not hold.
    fn check_branch(&mut self, statements: &[Statement<'t>]) -> Result<(), Fault> {
        for statement in statements {
            self.spend(1, statement.span)?;
            match &statement.form {
                Form::Apply(application) => {
                    self.applied(application, statement.span)?;
                }
                Form::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    let branches: &[&[_]] = match self.asked(condition)? {
                        Condition::Known(true) => &[then],
                        Condition::Known(false) => &[otherwise],
                        Condition::Asks(_) => &[then, otherwise],
                    };
                    for branch in branches {
                        self.check_branch(branch)?;
                    }
                }
                Form::Barrier(operands) => {
                    for operand in operands {
                        self.qubits_of(operand)?;
                    }
                }
                other => return Err(Fault::new(statement.span, unfit_for_branch(other))),
            }
        }
        Ok(())
    }
}

/// Why it cannot stand in an `if` on what was measured.
fn unfit_for_branch(form: &Form<'_>) -> &'static str {
    match form {
        Form::For { .. } => {
            "a for does not stand in an if on what was measured: put the if into the loop"
        }
        Form::Constant { .. } | Form::Alias { .. } => {
            "nothing is declared in an if on what was measured: declare it before the if"
        }
        _ => "only gates can stand in an if: no device here decides at run time",
    }
}

fn refuse_measured(unitary: &Unitary, wanted: &Case, span: Span) -> Result<(), Fault> {
    let mut used = unitary.gates.iter().flat_map(|(_, qubits)| qubits);
    if !used.any(|qubit| wanted.contains_key(qubit)) {
        return Ok(());
    }
    let message = "a gate on the measured qubit itself cannot depend on what was measured here, \
                   but for if (c) x q; alone: to put it back to zero, write that or reset";
    Err(Fault::new(span, message))
}

#[cfg(test)]
#[path = "conditional_tests.rs"]
mod tests;
