//! Programs with measurements in their middle, `reset`, and gates that depend on what was measured.
//!
//! An `if` is only drawn on bits whose qubits are as they were when they were measured: that is
//! what the front end can compile, by the principle of deferred measurement.

use std::collections::BTreeMap;

use super::GateSet;
use super::dice::Dice;
use super::expression::Expression;
use super::generate::registers;
use super::kind::Kind;
use super::program::{Application, Gate, Operand, Program, Register, Statement};

const QUBITS_MAX: usize = 5;
const STATEMENTS_MAX: usize = 24;
/// Every measurement and reset doubles the branches that a reference has to follow.
const CHANCES_MAX: usize = 8;

/// A program; its number picks a gate that it must have.
pub(super) fn program(dice: &mut Dice, number: u32) -> Program {
    let kinds = Kind::of(GateSet::Dynamic);
    let wanted = kinds[number as usize % kinds.len()];
    let qubits = dice.within(2, QUBITS_MAX).max(wanted.qubits);
    let mut draft = Draft {
        kinds,
        program: Program {
            registers: registers(dice, qubits),
            ..Program::default()
        },
        dice,
        telling: BTreeMap::new(),
        chances: 0,
    };
    draft.bits();
    let first = draft.application(wanted, &(0..qubits).collect::<Vec<_>>());
    draft.apply(first);
    for _ in 0..draft.dice.within(8, STATEMENTS_MAX) {
        draft.step();
    }
    // So that there is something to see, whatever came before.
    draft.measure();
    draft.program
}

struct Draft<'d> {
    kinds: Vec<&'static Kind>,
    dice: &'d mut Dice,
    program: Program,
    /// Bits that were measured, and the qubit that is still as it was then.
    telling: BTreeMap<usize, Option<usize>>,
    chances: usize,
}

impl Draft<'_> {
    fn bits(&mut self) {
        let mut first = 0;
        for name in ["c", "m2", "out"] {
            let size = self.dice.within(1, 2);
            self.program.bits.push(Register {
                name: name.to_owned(),
                first,
                size,
                single: false,
            });
            first += size;
        }
    }

    fn step(&mut self) {
        let all: Vec<_> = (0..self.program.qubits()).collect();
        match self.dice.below(10) {
            0 | 1 if self.chances < CHANCES_MAX => self.measure(),
            2 if self.chances < CHANCES_MAX => {
                let qubit = self.dice.below(all.len());
                self.forget(qubit);
                self.chances += 1;
                self.program.statements.push(Statement::Reset(qubit));
            }
            3..=5 => self.conditional(),
            6 => {
                let register = self.dice.below(self.program.registers.len());
                let whole = Statement::Barrier(vec![Operand::Qubit(
                    self.program.registers[register].first,
                )]);
                self.program.statements.push(whole);
            }
            _ => {
                let kind = self.kind(all.len());
                let application = self.application(kind, &all);
                self.apply(application);
            }
        }
    }

    fn kind(&mut self, most: usize) -> &'static Kind {
        let mut fitting = self.kinds.clone();
        fitting.retain(|kind| kind.qubits <= most);
        self.dice.pick(&fitting)
    }

    fn application(&mut self, kind: &'static Kind, of: &[usize]) -> Application {
        let places = self.dice.distinct(kind.qubits, of.len());
        let qubits = places.into_iter().map(|place| Operand::Qubit(of[place]));
        Application {
            modifiers: Vec::new(),
            gate: Gate::Library(kind),
            angles: (0..kind.angles)
                .map(|_| Expression::plain(self.dice, &[]))
                .collect(),
            operands: qubits.collect(),
        }
    }

    fn apply(&mut self, application: Application) {
        self.forget_changed(&application);
        self.program.statements.push(Statement::Apply(application));
    }

    fn measure(&mut self) {
        let qubit = self.dice.below(self.program.qubits());
        let bits: usize = self.program.bits.iter().map(|it| it.size).sum();
        let bit = self.dice.below(bits);
        self.telling.insert(bit, Some(qubit));
        self.chances += 1;
        let measure = Statement::Measure(vec![(qubit, bit)]);
        self.program.statements.push(measure);
    }

    fn conditional(&mut self) {
        let bits = self.dice.below(self.program.bits.len());
        let register = self.program.bits[bits].clone();
        let number = self.dice.below(1 << register.size);
        let known: Vec<_> = register
            .elements()
            .map(|bit| self.telling.get(&bit).copied())
            .collect();
        let sources: Vec<_> = known.iter().flatten().copied().flatten().collect();
        if known.contains(&Some(None)) {
            return;
        }
        let free = (0..self.program.qubits()).filter(|qubit| !sources.contains(qubit));
        let free: Vec<_> = free.collect();
        if free.is_empty() {
            return;
        }
        let wanted = |number: usize| -> Option<Vec<(usize, bool)>> {
            let mut wanted = BTreeMap::new();
            for (place, source) in known.iter().enumerate() {
                let value = number >> place & 1 == 1;
                match source {
                    Some(Some(qubit)) if *wanted.entry(*qubit).or_insert(value) != value => {
                        return None;
                    }
                    // What was never measured is zero.
                    None if value => return None,
                    _ => {}
                }
            }
            Some(wanted.into_iter().collect())
        };
        let has_else = register.size == 1 && sources.len() == 1 && self.dice.once_in(2);
        let controls = [
            wanted(number),
            wanted(1 - number.min(1)).filter(|_| has_else),
        ];
        let mut branch = |least: usize, most: usize| -> Vec<Application> {
            (0..self.dice.within(least, most))
                .map(|_| {
                    let kind = self.kind(free.len());
                    self.application(kind, &free)
                })
                .collect()
        };
        let then = branch(1, 3);
        let otherwise = if has_else { branch(1, 2) } else { Vec::new() };
        for application in then.iter().chain(&otherwise) {
            self.forget_changed(application);
        }
        self.program.statements.push(Statement::If {
            bits,
            number,
            then,
            otherwise,
            controls,
        });
    }

    /// After the gate only its controls are sure to be what they were measured to be.
    fn forget_changed(&mut self, application: &Application) {
        let Gate::Library(kind) = application.gate else {
            unreachable!("nothing is defined in these programs");
        };
        let is_control = matches!(kind.name, "cx" | "ccx");
        let kept = if is_control { kind.qubits - 1 } else { 0 };
        for operand in &application.operands[kept..] {
            if let Operand::Qubit(qubit) = operand {
                self.forget(*qubit);
            }
        }
    }

    fn forget(&mut self, changed: usize) {
        for source in self.telling.values_mut() {
            *source = source.filter(|qubit| *qubit != changed);
        }
    }
}
