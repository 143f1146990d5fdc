//! `if` on measured bits, for devices that cannot decide between gates.
//!
//! As long as nothing has changed the qubit that a bit was measured from, the qubit is in the
//! state that the bit tells. A gate that is to be done if the bit is one may then be controlled by
//! the qubit itself: every shot ends the same way.

use std::collections::{BTreeMap, BTreeSet};

use super::elaborate::Elaborator;
use super::fault::{Fault, Span, quoted};
use super::modifier::conditioned;
use super::question::{Condition, Question, Wanted, largest, undecided};
use super::syntax::{Form, Operand, Statement, Term};
use super::unitary::{TooLong, Unitary};
use super::work::too_long;
use crate::circuit::limits::OPERATIONS_MAX;
use crate::circuit::{Gate, Operation, Readout};

/// Which qubit tells what a bit is.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By bit: whether it was measured, and the qubit that is still as it was then.
    telling: Vec<Option<Option<u32>>>,
    /// By qubit: the bits that were measured from it since it was last changed.
    told: BTreeMap<u32, Vec<u32>>,
}

/// Values of qubits that must all be as said.
type Case = BTreeMap<u32, bool>;

/// What a condition comes to.
struct Meaning {
    /// What holds, or what does not: never, if there is none.
    case: Option<Case>,
    denied: bool,
}

impl Meaning {
    fn new(case: Option<Case>) -> Self {
        Self {
            case,
            denied: false,
        }
    }

    /// When the condition holds: in one of these cases, of which no two can be at once.
    fn cases(&self) -> Vec<Case> {
        match self.denied {
            false => self.case.iter().cloned().collect(),
            true => complement(self.case.as_ref()),
        }
    }

    /// When it does not.
    fn opposite(&self) -> Vec<Case> {
        match self.denied {
            false => complement(self.case.as_ref()),
            true => self.case.iter().cloned().collect(),
        }
    }
}

/// Steps that a term of a condition takes beside those for its bits.
const STEPS_PER_TERM: usize = 6;

/// The first qubit is otherwise; it is as said and the second otherwise; and so on.
fn complement(case: Option<&Case>) -> Vec<Case> {
    let Some(case) = case else {
        return vec![Case::new()];
    };
    let mut as_said = Case::new();
    let mut cases = Vec::with_capacity(case.len());
    for (qubit, when) in case {
        let mut other = as_said.clone();
        other.insert(*qubit, !when);
        cases.push(other);
        as_said.insert(*qubit, *when);
    }
    cases
}

/// Whether both can be at once.
fn agree(one: &Case, other: &Case) -> bool {
    let mut bits = other.iter();
    bits.all(|(qubit, when)| one.get(qubit).is_none_or(|known| known == when))
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
        let cases = self.meaning(&questions)?.cases();
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
        let meaning = self.meaning(&questions)?;
        let width = meaning.case.as_ref().map_or(0, Case::len);
        for (holds, branch) in [(true, choice.then), (false, choice.otherwise)] {
            if branch.is_empty() {
                continue;
            }
            // As many cases as there are qubits, each with as many of them.
            let parted = holds == meaning.denied;
            self.spend(if parted { width * width } else { 2 * width }, choice.span)?;
            let cases = if holds {
                meaning.cases()
            } else {
                meaning.opposite()
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

    fn meaning(&mut self, questions: &[Question<'_, 't>]) -> Result<Meaning, Fault> {
        let mut whole = Some(Case::new());
        for question in questions {
            let mut meaning = self.meaning_of(question)?;
            // That one bit is not what it is compared with says what it is.
            let only = meaning.case.as_mut().filter(|case| case.len() == 1);
            if let (true, Some(case)) = (meaning.denied, only) {
                case.values_mut().for_each(|when| *when = !*when);
                meaning.denied = false;
            }
            if questions.len() == 1 {
                return Ok(meaning);
            }
            let cases = meaning.cases();
            let Some(mut before) = whole.take().filter(|_| !cases.is_empty()) else {
                continue;
            };
            let (fits, another) = {
                let mut fitting = cases.into_iter().filter(|case| agree(&before, case));
                (fitting.next(), fitting.next())
            };
            let message = match (fits, another) {
                (None, _) => {
                    "this contradicts what stands before it, so both never hold: leave one of them \
                     out"
                }
                (Some(case), None) => {
                    before.extend(case);
                    whole = Some(before);
                    continue;
                }
                _ => {
                    "beside && this comparison would have too many cases: put another if into the \
                     block instead"
                }
            };
            return Err(Fault::new(question.bits.span, message));
        }
        Ok(Meaning::new(whole))
    }

    fn meaning_of(&mut self, question: &Question<'_, 't>) -> Result<Meaning, Fault> {
        let bits = question.bits;
        let register = self.bits_of(bits)?;
        let width = register.elements.len();
        self.spend(STEPS_PER_TERM + width, bits.span)?;
        let (number, denied) = match question.wanted {
            Wanted::Bit(when) if width == 1 => (i64::from(when), false),
            Wanted::Bit(_) => {
                let name = quoted(bits.name.text);
                let message = format!("compare this register with a number: {name} == 1");
                return Err(Fault::new(bits.span, message));
            }
            Wanted::Compared(relation, value, span) => relation
                .only(value, largest(width))
                .map_err(|unfit| undecided(unfit, bits, width, span))?,
        };
        let mut case = Some(number);
        let mut qubits = Case::new();
        for (place, bit) in register.elements.iter().enumerate() {
            let Some(number) = case else { break };
            let when = place < 63 && number >> place & 1 == 1;
            let holds = match self.source(*bit, bits)? {
                // What was never measured is zero.
                None => !when,
                Some(qubit) => *qubits.entry(qubit).or_insert(when) == when,
            };
            if !holds {
                case = None;
            }
        }
        Ok(Meaning {
            case: case.map(|_| qubits),
            denied,
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
