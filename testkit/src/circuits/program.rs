//! A program before it is written down, and what it means.

use std::collections::BTreeSet;

use super::expression::{Expression, Scope};
use super::kind::Kind;
use super::piece::{Elementary, Piece, inverse, power, spelled_out};

/// A program of one set, with everything that its texts differ in left open.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) registers: Vec<Register>,
    pub(super) bits: Vec<Register>,
    pub(super) constants: Vec<Expression>,
    pub(super) definitions: Vec<Definition>,
    pub(super) aliases: Vec<Part>,
    pub(super) statements: Vec<Statement>,
}

/// Qubits or bits under one name.
#[derive(Debug, Clone)]
pub(super) struct Register {
    pub(super) name: String,
    pub(super) first: usize,
    pub(super) size: usize,
    /// In OpenQASM 3 declared without a size.
    pub(super) single: bool,
}

impl Register {
    pub(super) fn elements(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.size
    }
}

#[derive(Debug, Clone)]
pub(super) enum Statement {
    Apply(Application),
    /// An angle times 1, 2, … on the qubits of a register, one after the other.
    Ramp {
        kind: &'static Kind,
        unit: Expression,
        register: usize,
    },
    Barrier(Vec<Operand>),
    Comment(&'static str),
    Measure(Vec<(usize, usize)>),
    Reset(usize),
    If {
        bits: usize,
        number: usize,
        then: Vec<Application>,
        /// Only behind a register of one bit.
        otherwise: Vec<Application>,
        /// The qubits that still tell the bits, and the values that they must have; `None` if the
        /// condition cannot hold. The second is the same for the other branch.
        controls: [Option<Vec<(usize, bool)>>; 2],
    },
}

/// Qubits as a statement names them.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// One of the circuit, or within a definition one of its own.
    Qubit(usize),
    Register(usize),
    Part(Part),
    Alias(usize),
}

/// Some qubits of a register, in any order.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) register: usize,
    pub(super) places: Vec<usize>,
    /// Written as `from:step:to`, which the places then are.
    pub(super) range: Option<i32>,
}

#[derive(Debug, Clone)]
pub(super) struct Application {
    /// The outermost first.
    pub(super) modifiers: Vec<Modifier>,
    pub(super) gate: Gate,
    pub(super) angles: Vec<Expression>,
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Gate {
    Library(&'static Kind),
    Defined(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Modifier {
    Inverse,
    Power(i32),
    Control(usize, bool),
}

impl Modifier {
    pub(super) fn controls(self) -> usize {
        match self {
            Self::Control(count, _) => count,
            Self::Inverse | Self::Power(_) => 0,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) qubits: Vec<String>,
    pub(super) body: Vec<Application>,
}

/// A step of the circuit that the program means.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A gate that AQO knows by this name.
    Native(String, Option<f64>, Vec<usize>),
    Spelled(Elementary),
    Measure(Vec<(usize, usize)>),
    Reset(usize),
}

impl Program {
    pub(super) fn qubits(&self) -> usize {
        self.registers.iter().map(|register| register.size).sum()
    }

    /// The qubits of an operand, or `None` if it is a single one.
    pub(super) fn several(&self, operand: &Operand) -> Option<Vec<usize>> {
        match operand {
            Operand::Qubit(_) => None,
            Operand::Register(register) => {
                let register = &self.registers[*register];
                (!register.single).then(|| register.elements().collect())
            }
            Operand::Part(part) => Some(self.part(part)),
            Operand::Alias(alias) => Some(self.part(&self.aliases[*alias])),
        }
    }

    pub(super) fn part(&self, part: &Part) -> Vec<usize> {
        let first = self.registers[part.register].first;
        part.places.iter().map(|place| first + place).collect()
    }

    /// The qubits of every single application that a statement stands for.
    pub(super) fn spread(&self, application: &Application) -> Vec<Vec<usize>> {
        let operands = application.operands.iter();
        let operands: Vec<_> = operands
            .map(|operand| (operand, self.several(operand)))
            .collect();
        let length = operands.iter().filter_map(|(_, several)| several.as_ref());
        let length = length.map(Vec::len).max().unwrap_or(1);
        (0..length)
            .map(|turn| {
                let qubits = operands.iter().map(|(operand, several)| match several {
                    Some(several) => several[turn],
                    None => self.only(operand),
                });
                qubits.collect()
            })
            .collect()
    }

    fn only(&self, operand: &Operand) -> usize {
        match operand {
            Operand::Qubit(qubit) => *qubit,
            Operand::Register(register) => self.registers[*register].first,
            Operand::Part(_) | Operand::Alias(_) => unreachable!("these stand for several"),
        }
    }

    fn pieces_of(&self, gate: Gate, angles: &[f64], qubits: &[usize]) -> Vec<Piece> {
        let definition = match gate {
            Gate::Library(kind) => return kind.pieces(angles, qubits),
            Gate::Defined(place) => &self.definitions[place],
        };
        let names = definition.parameters.iter().cloned();
        let scope: Vec<_> = names.zip(angles.iter().copied()).collect();
        let steps = definition.body.iter().flat_map(|step| {
            let places = step.operands.iter().map(|operand| match operand {
                Operand::Qubit(place) => qubits[*place],
                other => unreachable!("{other:?} is no qubit of a gate"),
            });
            self.pieces(step, &scope, &places.collect::<Vec<_>>())
        });
        steps.collect()
    }

    /// What an application does to these qubits, its controls first.
    pub(super) fn pieces(
        &self,
        application: &Application,
        scope: &Scope,
        qubits: &[usize],
    ) -> Vec<Piece> {
        let angles = application.angles.iter();
        let angles: Vec<_> = angles.map(|angle| angle.value(scope)).collect();
        let controls = application.modifiers.iter().map(|it| it.controls()).sum();
        let (mut controls, own) = qubits.split_at(controls);
        let mut pieces = self.pieces_of(application.gate, &angles, own);
        for modifier in application.modifiers.iter().rev() {
            match *modifier {
                Modifier::Inverse => pieces = inverse(pieces),
                Modifier::Power(times) => pieces = power(pieces, times),
                Modifier::Control(count, value) => {
                    let (outer, these) = controls.split_at(controls.len() - count);
                    controls = outer;
                    for piece in &mut pieces {
                        piece.controls.extend(these.iter().map(|it| (*it, value)));
                    }
                }
            }
        }
        pieces
    }

    /// What a statement does, step by step.
    pub(super) fn steps(&self, statement: &Statement) -> Vec<Step> {
        match statement {
            Statement::Apply(application) => self
                .spread(application)
                .iter()
                .flat_map(|qubits| self.steps_on(application, qubits))
                .collect(),
            Statement::Ramp {
                kind,
                unit,
                register,
            } => {
                let qubits = self.registers[*register].elements();
                let turns = qubits.zip(1..).flat_map(|(qubit, factor)| {
                    let angle = unit.value(&[]) * f64::from(factor);
                    spelled(&kind.pieces(&[angle], &[qubit]))
                });
                turns.collect()
            }
            Statement::Barrier(_) | Statement::Comment(_) => Vec::new(),
            Statement::Measure(pairs) => vec![Step::Measure(pairs.clone())],
            Statement::Reset(qubit) => vec![Step::Reset(*qubit)],
            Statement::If {
                then,
                otherwise,
                controls,
                ..
            } => [then, otherwise]
                .into_iter()
                .zip(controls)
                .filter_map(|(branch, controls)| Some((branch, controls.as_ref()?)))
                .flat_map(|(branch, controls)| self.guarded(branch, controls))
                .collect(),
        }
    }

    fn steps_on(&self, application: &Application, qubits: &[usize]) -> Vec<Step> {
        if let (Gate::Library(kind), []) = (application.gate, &application.modifiers[..])
            && let Some(name) = kind.in_aqo()
        {
            let angle = application.angles.first().map(|angle| angle.value(&[]));
            return vec![Step::Native(name, angle, qubits.to_vec())];
        }
        spelled(&self.pieces(application, &[], qubits))
    }

    fn guarded(&self, branch: &[Application], controls: &[(usize, bool)]) -> Vec<Step> {
        let mut pieces = Vec::new();
        for application in branch {
            for qubits in self.spread(application) {
                pieces.extend(self.pieces(application, &[], &qubits));
            }
        }
        for piece in &mut pieces {
            piece.controls.extend(controls);
        }
        spelled(&pieces)
    }

    /// The names of all gates that are applied, and those of modifiers.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for statement in &self.statements {
            match statement {
                Statement::Apply(application) => self.add_names(application, &mut names),
                Statement::If {
                    then, otherwise, ..
                } => {
                    names.insert("if".to_owned());
                    for application in then.iter().chain(otherwise) {
                        self.add_names(application, &mut names);
                    }
                }
                Statement::Ramp { kind, .. } => drop(names.insert(kind.name.to_owned())),
                Statement::Reset(_) => drop(names.insert("reset".to_owned())),
                Statement::Measure(_) => drop(names.insert("measure".to_owned())),
                Statement::Barrier(_) | Statement::Comment(_) => {}
            }
        }
        names
    }

    fn add_names(&self, application: &Application, names: &mut BTreeSet<String>) {
        for modifier in &application.modifiers {
            let name = match modifier {
                Modifier::Inverse => "inv",
                Modifier::Power(_) => "pow",
                Modifier::Control(_, true) => "ctrl",
                Modifier::Control(_, false) => "negctrl",
            };
            names.insert(name.to_owned());
        }
        match application.gate {
            Gate::Library(kind) => drop(names.insert(kind.name.to_owned())),
            Gate::Defined(place) => {
                names.insert("gate".to_owned());
                for step in &self.definitions[place].body {
                    self.add_names(step, names);
                }
            }
        }
    }
}

fn spelled(pieces: &[Piece]) -> Vec<Step> {
    spelled_out(pieces).into_iter().map(Step::Spelled).collect()
}
