//! From statements to the operations of a circuit.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, json};

use super::conditional::If;
use super::definition::{Callee, Definition, twice};
use super::fault::{Fault, Span, quoted};
use super::indices;
use super::input::{Inputs, mistake_in_the_rest};
use super::library::{self, Library};
use super::names::{Meaning, Names, Register};
use super::parse::Parser;
use super::sources::Sources;
use super::syntax::{Expression, Form, Language, Name, Operand, Scalar, Statement, Type};
use super::unitary::{TooLong, Unitary};
use super::value::{BYTES_PER_STEP, Division, Value, cost_of, cost_of_type, evaluate, scalar};
use super::work::{Work, too_long};
use crate::circuit::limits::{CLASSICAL_BITS_MAX, OPERATIONS_MAX, QUBITS_MAX};
use crate::circuit::{Circuit, Operation, Readout};

/// Steps that a turn of a loop takes beside its body: a block of names is made and dropped again.
pub(super) const STEPS_PER_TURN: usize = 3;

/// The circuit as far as it was read.
pub(super) struct Elaborator<'t> {
    pub(super) language: Language,
    pub(super) names: Names<'t>,
    pub(super) inputs: Inputs<'t>,
    qubits: u32,
    bits: u32,
    pub(super) operations: Vec<Operation>,
    pub(super) sources: Sources,
    /// The first `if` on bits.
    pub(super) asked_at: Option<Span>,
    included: Vec<Library>,
    pub(super) work: Work<'t>,
}

/// Reads a whole program.
pub(super) fn circuit<'t>(
    text: &'t str,
    arguments: &'t BTreeMap<String, String>,
    stop: &'t AtomicBool,
) -> Result<Circuit, Fault> {
    let mut parser = Parser::begin(text)?;
    let mut elaborator = Elaborator {
        language: parser.language(),
        names: Names::new(),
        inputs: Inputs::of(arguments),
        qubits: 0,
        bits: 0,
        operations: Vec::new(),
        sources: Sources::default(),
        asked_at: None,
        included: Vec::new(),
        work: Work::new(stop),
    };
    library::provide_builtins(&mut elaborator.names, parser.language());
    while let Some(statement) = parser.next()? {
        elaborator.statement(&statement).map_err(|fault| {
            // Before somebody looks for a value they should know that the text cannot be had.
            match elaborator.inputs.lack {
                true => mistake_in_the_rest(&mut parser).unwrap_or(fault),
                false => fault,
            }
        })?;
    }
    let end = Span {
        from: text.trim_end().len(),
        to: text.len(),
    };
    elaborator.finish(end)
}

/// What whoever declared bits and forgot to measure should hear with the counts.
const MEASURED_AS_A_WHOLE: &str = "every qubit, the first on the right: the program declares bits and \
                                   measures nothing into them";

impl<'t> Elaborator<'t> {
    /// A program that measures nothing is measured as a whole, as AQO is.
    fn finish(mut self, end: Span) -> Result<Circuit, Fault> {
        if self.qubits == 0 {
            let message = match self.language {
                Language::Two => "the program has no qubits: declare some, as in qreg q[2];",
                Language::Three => "the program has no qubits: declare some, as in qubit[2] q;",
            };
            return Err(Fault::new(end, message));
        }
        self.check_given()?;
        let measured = |operation: &Operation| matches!(operation, Operation::Measure(_));
        let as_a_whole = !self.operations.iter().any(measured);
        if let (true, Some(span)) = (as_a_whole, self.asked_at) {
            let message = "this asks what was measured, and the program measures nothing: measure \
                           into these bits first, as in c = measure q;";
            return Err(Fault::new(span, message));
        }
        if as_a_whole {
            let all: Vec<_> = (0..self.qubits).map(|index| (index, index)).collect();
            self.push(Operation::measure(&all), end)?;
        }
        let checked = "what a circuit must be was checked where it could be shown";
        let circuit = Circuit::new(self.qubits, self.operations).expect(checked);
        // Measured as a whole it may write more bits than are declared.
        let bits = self.bits.max(circuit.bits());
        let circuit = circuit.with_bits(bits).expect(checked);
        if !as_a_whole || self.bits == 0 {
            return Ok(circuit);
        }
        // It goes along with the circuit, and comes back with its counts.
        let note = json!({ "measured": MEASURED_AS_A_WHOLE });
        Ok(circuit.with_document("", Map::from_iter([("metadata".to_owned(), note)])))
    }

    pub(super) fn statement(&mut self, statement: &Statement<'t>) -> Result<(), Fault> {
        let span = statement.span;
        self.spend(1, span)?;
        match &statement.form {
            Form::Include(_)
            | Form::Qubits { .. }
            | Form::Input { .. }
            | Form::Gate(_)
            | Form::Opaque { .. }
                if !self.names.is_global() =>
            {
                let message = "this belongs outside of all blocks";
                Err(Fault::new(span, message))
            }
            Form::Include(file) => self.include(file, span),
            Form::Qubits { name, size } => self.declare_qubits(*name, size.as_ref()),
            Form::Bits {
                name,
                size,
                measured,
            } => {
                let register = self.declare_bits(*name, size.as_ref())?;
                match measured {
                    None => Ok(()),
                    Some(from) => self.measure(from, &register, span),
                }
            }
            Form::Constant { name, kind, value } => {
                let kind = self.scalar(kind, name.span)?;
                let number = match kind {
                    Scalar::Integer(_) => self.whole(value)?,
                    Scalar::Real | Scalar::Angle => self.angle(value)?,
                };
                let number = number.of(kind, value.span)?;
                self.names.define(*name, Meaning::Value(number))
            }
            Form::Input { name, kind } => self.input(*name, kind),
            Form::Alias { name, parts } => self.alias(*name, parts),
            Form::Gate(form) => {
                let language = self.language;
                let defined = Definition::of(form, &mut self.names, language, &mut self.work)?;
                let callee = Callee::Defined(Rc::new(defined));
                self.names.define(form.name, Meaning::Gate(callee))
            }
            Form::Opaque { name } => self.names.define(*name, Meaning::Opaque),
            Form::Apply(application) => {
                for unitary in self.applied(application, span)? {
                    self.sources.forget_changed(&unitary);
                    self.emit(unitary, span)?;
                }
                Ok(())
            }
            // Nothing is moved across a barrier, because nothing is moved at all.
            Form::Barrier(operands) => operands
                .iter()
                .try_for_each(|it| self.qubits_of(it).map(drop)),
            Form::Reset(operand) => {
                let qubits = self.distinct_qubits(operand)?;
                self.sources.forget(&qubits.elements);
                self.push(Operation::Reset(qubits.elements.to_vec()), span)
            }
            Form::Measure { from, into } => {
                let bits = self.bits_of(into)?;
                self.measure(from, &bits, span)
            }
            Form::For {
                variable,
                kind,
                over,
                body,
            } => {
                self.spend(indices::cost_of_loop(kind, over), span)?;
                let values = indices::of_loop(kind, over, self.language, &self.names)?;
                for value in values {
                    let value = Meaning::Value(value);
                    self.in_block(|inner| {
                        inner.names.define(*variable, value)?;
                        body.iter()
                            .try_for_each(|statement| inner.statement(statement))
                    })?;
                    self.spend(STEPS_PER_TURN, span)?;
                }
                Ok(())
            }
            Form::If {
                condition,
                then,
                otherwise,
            } => self.conditional(If {
                condition,
                then,
                otherwise,
                span,
            }),
        }
    }

    pub(super) fn in_block(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.names.open();
        let done = inner(self);
        self.names.close();
        done
    }

    fn include(&mut self, file: &str, span: Span) -> Result<(), Fault> {
        let Some(library) = Library::of(file) else {
            let message = format!(
                "{:?} cannot be included: a program is one text, and \"qelib1.inc\" and \
                 \"stdgates.inc\" are all that is known here",
                quoted(file)
            );
            return Err(Fault::new(span, message));
        };
        // A second time changes nothing, and a text may say it a hundred thousand times.
        if !self.included.contains(&library) {
            self.included.push(library);
            library.provide(&mut self.names);
        }
        Ok(())
    }

    fn declare_qubits(
        &mut self,
        name: Name<'t>,
        size: Option<&Expression<'t>>,
    ) -> Result<(), Fault> {
        let size = self.size(size, name.span)?;
        let register = declared(&mut self.qubits, size, QUBITS_MAX).ok_or_else(|| {
            let message = format!("the program has more than {QUBITS_MAX} qubits");
            Fault::new(name.span, message)
        })?;
        self.names.define(name, Meaning::Qubits(register))
    }

    fn declare_bits(
        &mut self,
        name: Name<'t>,
        size: Option<&Expression<'t>>,
    ) -> Result<Register, Fault> {
        if !self.names.is_global() {
            let message = "bits are declared outside of all blocks";
            return Err(Fault::new(name.span, message));
        }
        let size = self.size(size, name.span)?;
        let register = declared(&mut self.bits, size, CLASSICAL_BITS_MAX).ok_or_else(|| {
            let message = format!("the program has more than {CLASSICAL_BITS_MAX} classical bits");
            Fault::new(name.span, message)
        })?;
        self.names.define(name, Meaning::Bits(register.clone()))?;
        Ok(register)
    }

    /// The size of a register; `None` for a single one.
    fn size(&mut self, size: Option<&Expression<'t>>, name: Span) -> Result<Option<u32>, Fault> {
        let Some(size) = size else {
            return Ok(None);
        };
        match u32::try_from(self.whole(size)?.integer(size.span)?) {
            Ok(0) => Err(Fault::new(size.span, "a register has at least one element")),
            Ok(size) => Ok(Some(size)),
            Err(_) => {
                let message = "this is no size for a register";
                Err(Fault::new(size.span.until(name), message))
            }
        }
    }

    fn alias(&mut self, name: Name<'t>, parts: &[Operand<'t>]) -> Result<(), Fault> {
        let mut elements = Vec::new();
        let mut taken = vec![false; self.qubits as usize];
        for part in parts {
            let qubits = self.distinct_qubits(part)?;
            for qubit in qubits.elements.iter() {
                if std::mem::replace(&mut taken[*qubit as usize], true) {
                    return Err(twice(part));
                }
            }
            elements.extend_from_slice(&qubits.elements);
        }
        let register = Register {
            elements: elements.into(),
            single: false,
        };
        self.names.define(name, Meaning::Qubits(register))
    }

    fn measure(&mut self, from: &Operand<'t>, bits: &Register, span: Span) -> Result<(), Fault> {
        let qubits = self.distinct_qubits(from)?;
        let (of, into) = (qubits.elements.len(), bits.elements.len());
        if of != into {
            let plural = |count| if count == 1 { "" } else { "s" };
            let message = format!(
                "{of} qubit{} cannot be measured into {into} bit{}: both must be of one length",
                plural(of),
                plural(into)
            );
            return Err(Fault::new(span, message));
        }
        let pairs = qubits.elements.iter().zip(bits.elements.iter());
        let readouts: Vec<_> = pairs
            .map(|(qubit, bit)| Readout {
                qubit: *qubit,
                bit: *bit,
            })
            .collect();
        self.sources.measured(&readouts);
        self.push(Operation::Measure(readouts), span)
    }

    pub(super) fn emit(&mut self, unitary: Unitary, span: Span) -> Result<(), Fault> {
        for (gate, qubits) in unitary.gates {
            if gate.theta().is_some_and(|angle| !angle.is_finite()) {
                let message = "the angles of this come to no finite number";
                return Err(Fault::new(span, message));
            }
            self.push(Operation::Unitary { gate, qubits }, span)?;
        }
        Ok(())
    }

    pub(super) fn push(&mut self, operation: Operation, span: Span) -> Result<(), Fault> {
        if self.operations.len() == OPERATIONS_MAX {
            return Err(too_long(TooLong::Operations, span));
        }
        self.operations.push(operation);
        Ok(())
    }

    /// A number that may be an angle.
    pub(super) fn angle(&mut self, expression: &Expression<'t>) -> Result<Value, Fault> {
        self.evaluated(expression, Division::of_real(self.language))
    }

    /// A number where a whole one is wanted.
    pub(super) fn whole(&mut self, expression: &Expression<'t>) -> Result<Value, Fault> {
        self.evaluated(expression, Division::of_whole(self.language))
    }

    fn evaluated(
        &mut self,
        expression: &Expression<'t>,
        division: Division,
    ) -> Result<Value, Fault> {
        self.spend(cost_of(expression), expression.span)?;
        evaluate(expression, division, &self.names)
    }

    pub(super) fn scalar(&mut self, kind: &Type<'t>, span: Span) -> Result<Scalar, Fault> {
        self.spend(cost_of_type(kind), span)?;
        scalar(kind, self.language, &self.names)
    }

    /// The qubits of an operand, none of them twice.
    fn distinct_qubits(&mut self, operand: &Operand<'t>) -> Result<Register, Fault> {
        let register = self.qubits_of(operand)?;
        distinct(&register, operand)?;
        Ok(register)
    }

    pub(super) fn qubits_of(&mut self, operand: &Operand<'t>) -> Result<Register, Fault> {
        let register = match self.names.find(operand.name.text) {
            Some(Meaning::Qubits(register)) => register.clone(),
            found => return Err(not_a(found, "quantum", operand)),
        };
        self.elements(operand, &register)
    }

    /// The bits of an operand, none of them twice.
    pub(super) fn bits_of(&mut self, operand: &Operand<'t>) -> Result<Register, Fault> {
        let register = match self.names.find(operand.name.text) {
            Some(Meaning::Bits(register)) => register.clone(),
            found => return Err(not_a(found, "classical", operand)),
        };
        let register = self.elements(operand, &register)?;
        distinct(&register, operand)?;
        Ok(register)
    }

    fn elements(&mut self, operand: &Operand<'t>, register: &Register) -> Result<Register, Fault> {
        let named = indices::of_register(operand, register, self.language, &self.names)?;
        // The index may be a long expression.
        let index = operand.span.length() / BYTES_PER_STEP;
        self.spend(named.elements.len() + index, operand.span)?;
        Ok(named)
    }

    pub(super) fn spend(&mut self, work: usize, span: Span) -> Result<(), Fault> {
        self.work.spend(work).map_err(|why| too_long(why, span))
    }
}

/// The next `size` elements, unless there would be more than `most` then.
fn declared(count: &mut u32, size: Option<u32>, most: u32) -> Option<Register> {
    let end = count
        .checked_add(size.unwrap_or(1))
        .filter(|end| *end <= most)?;
    let elements = (*count..end).collect();
    *count = end;
    Some(Register {
        elements,
        single: size.is_none(),
    })
}

fn distinct(register: &Register, operand: &Operand<'_>) -> Result<(), Fault> {
    let mut sorted = register.elements.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(twice(operand)),
        false => Ok(()),
    }
}

fn not_a(found: Option<&Meaning<'_>>, kind: &str, operand: &Operand<'_>) -> Fault {
    let name = quoted(operand.name.text);
    let message = match found {
        Some(other) => format!(
            "{name} is {}, and a {kind} register is needed here",
            other.kind()
        ),
        None => format!("there is no {kind} register {name}: declare it above"),
    };
    Fault::new(operand.name.span, message)
}
