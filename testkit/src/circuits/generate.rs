//! Programs without chance in their middle: what is drawn, and from how much.

use super::GateSet;
use super::dice::Dice;
use super::expression::Expression;
use super::kind::Kind;
use super::program::{
    Application, Definition, Gate, Modifier, Operand, Part, Program, Register, Statement,
};

const QUBITS_MAX: usize = 8;
const REGISTERS_MAX: usize = 3;
const STATEMENTS_MAX: usize = 40;
/// What is under modifiers takes many gates to spell out, so there are fewer of it.
const MODIFIED_MAX: usize = 12;
const CONTROLS_MAX: usize = 4;
const POWER_MAX: usize = 3;

const REGISTERS: [&str; 6] = ["q", "anc", "a_1", "qReg", "data7", "b"];
const DEFINITIONS: [&str; 3] = ["mine", "layer_2", "gG"];
const PARAMETERS: [&str; 2] = ["alpha", "b1"];
const OWN_QUBITS: [&str; 3] = ["x0", "y_", "zz"];
const COMMENTS: [&str; 4] = [
    "// h q[0];\n",
    "//\n",
    "// \"quoted\" and measured -> ; { @\n",
    "//// κ, π and ∀: not in ASCII\n",
];

/// A program of this set; its number picks a gate that it must have.
pub(super) fn program(set: GateSet, dice: &mut Dice, number: u32) -> Program {
    let kinds = Kind::of(set);
    let wanted = kinds[number as usize % kinds.len()];
    let qubits = dice.within(1, QUBITS_MAX).max(wanted.qubits);
    let mut draft = Draft {
        set,
        kinds,
        dice,
        program: Program {
            registers: Vec::new(),
            ..Program::default()
        },
    };
    draft.registers(qubits);
    draft.names();
    let most = match set {
        GateSet::Modifiers => MODIFIED_MAX,
        _ => STATEMENTS_MAX,
    };
    let place = draft.dice.below(4);
    for turn in 0..draft.dice.within(4, most) {
        let statement = match turn == place {
            true => Statement::Apply(draft.application(Gate::Library(wanted))),
            false => draft.statement(),
        };
        draft.program.statements.push(statement);
    }
    if draft.dice.once_in(2) {
        draft.measure_all();
    }
    draft.program
}

/// Splits so many qubits into registers.
pub(super) fn registers(dice: &mut Dice, qubits: usize) -> Vec<Register> {
    let mut registers: Vec<Register> = Vec::new();
    let names = dice.distinct(REGISTERS_MAX, REGISTERS.len());
    let mut first = 0;
    for (turn, name) in names.into_iter().enumerate() {
        let left = qubits - first;
        if left == 0 {
            break;
        }
        let size = match turn + 1 == REGISTERS_MAX {
            true => left,
            false => dice.within(1, left),
        };
        registers.push(Register {
            name: REGISTERS[name].to_owned(),
            first,
            size,
            single: size == 1 && dice.once_in(2),
        });
        first += size;
    }
    registers
}

struct Draft<'d> {
    set: GateSet,
    kinds: Vec<&'static Kind>,
    dice: &'d mut Dice,
    program: Program,
}

impl Draft<'_> {
    /// Only what Qiskit does not read in version 3 may use all that the language has.
    fn is_rich(&self) -> bool {
        matches!(self.set, GateSet::Aqo | GateSet::Qelib1)
    }

    fn registers(&mut self, qubits: usize) {
        self.program.registers = registers(self.dice, qubits);
    }

    /// What the program gives names to, beside its registers.
    fn names(&mut self) {
        if self.is_rich() {
            for name in ["k0", "step"] {
                let value = Expression::plain(self.dice, &[]);
                let constant = Expression::Constant(name.to_owned(), Box::new(value));
                self.program.constants.push(constant);
            }
        }
        if let Some(part) = self.dice.once_in(3).then(|| self.part()).flatten() {
            self.program.aliases.push(part);
        }
        for name in &DEFINITIONS[..self.dice.below(DEFINITIONS.len() + 1)] {
            let definition = self.definition(name);
            self.program.definitions.push(definition);
        }
    }

    fn definition(&mut self, name: &str) -> Definition {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let most = OWN_QUBITS.len().min(self.program.qubits());
        let qubits: Vec<String> = owned(&OWN_QUBITS[..self.dice.within(1, most)]);
        let mut parameters: Vec<String> = owned(&PARAMETERS[..self.dice.below(3)]);
        if !self.is_rich() {
            // Qiskit's reader of version 3 mistakes parameters of one name for one another.
            let place = self.program.definitions.len();
            for parameter in &mut parameters {
                *parameter = format!("{parameter}_{place}");
            }
        }
        let mut body = Vec::new();
        for _ in 0..self.dice.within(1, 3) {
            let gate = loop {
                let gate = self.gate(qubits.len());
                // Version 2 has no word for these two, and no way to spell them within a gate.
                let named = match gate {
                    Gate::Library(kind) => kind.in_two().is_some(),
                    Gate::Defined(_) => true,
                };
                if named || self.set == GateSet::Modifiers {
                    break gate;
                }
            };
            let modifiers = match self.set == GateSet::Modifiers && self.dice.once_in(3) {
                true => self.modifiers(1, qubits.len() - self.qubits_of(gate), 2),
                false => Vec::new(),
            };
            let count = self.qubits_of(gate) + controls(&modifiers);
            let places = self.dice.distinct(count, qubits.len());
            // Qiskit can only raise to a power what has no open parameters.
            let is_power = |modifier: &Modifier| matches!(modifier, Modifier::Power(_));
            let open = match modifiers.iter().any(is_power) {
                true => &[],
                false => &parameters[..],
            };
            let angles = self.angles(gate, open);
            body.push(Application {
                modifiers,
                gate,
                angles,
                operands: places.into_iter().map(Operand::Qubit).collect(),
            });
        }
        Definition {
            name: name.to_owned(),
            parameters,
            qubits,
            body,
        }
    }

    fn qubits_of(&self, gate: Gate) -> usize {
        match gate {
            Gate::Library(kind) => kind.qubits,
            Gate::Defined(place) => self.program.definitions[place].qubits.len(),
        }
    }

    /// A gate on at most so many qubits.
    fn gate(&mut self, most: usize) -> Gate {
        let defined = (0..self.program.definitions.len()).map(Gate::Defined);
        let mut known: Vec<_> = defined.collect();
        known.retain(|gate| self.qubits_of(*gate) <= most);
        if !known.is_empty() && self.dice.once_in(5) {
            return self.dice.pick(&known);
        }
        let mut fitting = self.kinds.clone();
        fitting.retain(|kind| kind.qubits <= most);
        Gate::Library(self.dice.pick(&fitting))
    }

    fn angles(&mut self, gate: Gate, parameters: &[String]) -> Vec<Expression> {
        let count = match gate {
            // Qiskit wants a whole number of whatever this takes.
            Gate::Library(kind) if kind.name == "u0" => return vec![Expression::Whole(1)],
            Gate::Library(kind) => kind.angles,
            Gate::Defined(place) => self.program.definitions[place].parameters.len(),
        };
        (0..count).map(|_| self.angle(parameters)).collect()
    }

    fn angle(&mut self, parameters: &[String]) -> Expression {
        match self.is_rich() {
            true => Expression::rich(self.dice, parameters, &self.program.constants),
            false => Expression::plain(self.dice, parameters),
        }
    }

    fn modifiers(&mut self, most: usize, free: usize, power: usize) -> Vec<Modifier> {
        let mut modifiers = Vec::new();
        let mut free = free.min(CONTROLS_MAX);
        let mut may_be_power = true;
        for _ in 0..self.dice.within(1, most) {
            match self.dice.below(4) {
                0 => modifiers.push(Modifier::Inverse),
                1 if may_be_power => {
                    let times = i32::try_from(self.dice.within(0, power)).expect("it is small");
                    let times = if self.dice.once_in(2) { -times } else { times };
                    modifiers.push(Modifier::Power(times));
                    may_be_power = false;
                }
                _ if free > 0 => {
                    let count = self.dice.within(1, free.min(2));
                    free -= count;
                    modifiers.push(Modifier::Control(count, !self.dice.once_in(3)));
                }
                _ => {}
            }
        }
        modifiers
    }

    fn statement(&mut self) -> Statement {
        let qubits = self.program.qubits();
        match self.dice.below(20) {
            0 => Statement::Comment(self.dice.pick(&COMMENTS)),
            1 => {
                let count = self.dice.within(1, qubits);
                Statement::Barrier(self.operands(count))
            }
            2 if self.is_rich() => {
                let mut kinds = self.kinds.clone();
                kinds.retain(|kind| kind.qubits == 1 && kind.angles == 1 && kind.name != "u0");
                Statement::Ramp {
                    kind: self.dice.pick(&kinds),
                    unit: self.angle(&[]),
                    register: self.dice.below(self.program.registers.len()),
                }
            }
            _ => {
                let gate = self.gate(qubits);
                Statement::Apply(self.application(gate))
            }
        }
    }

    fn application(&mut self, gate: Gate) -> Application {
        let own = self.qubits_of(gate);
        let mut modifiers = Vec::new();
        if self.set == GateSet::Modifiers && !self.dice.once_in(4) {
            modifiers = self.modifiers(3, self.program.qubits() - own, POWER_MAX);
        }
        let operands = self.operands(own + controls(&modifiers));
        Application {
            modifiers,
            gate,
            angles: self.angles(gate, &[]),
            operands,
        }
    }

    fn operands(&mut self, count: usize) -> Vec<Operand> {
        if count > 0
            && self.dice.once_in(4)
            && let Some(operands) = self.spread(count)
        {
            return operands;
        }
        let places = self.dice.distinct(count, self.program.qubits());
        places.into_iter().map(Operand::Qubit).collect()
    }

    /// Operands of which at least one is several qubits; `None` if there are not enough for that.
    fn spread(&mut self, count: usize) -> Option<Vec<Operand>> {
        let whole = self.dice.below(self.program.registers.len());
        let first = match self.dice.below(3) {
            0 => Operand::Part(self.part()?),
            1 if !self.program.aliases.is_empty() => Operand::Alias(0),
            _ => Operand::Register(whole),
        };
        let mut used = self.program.several(&first)?;
        let length = used.len();
        let mut operands = vec![first];
        while operands.len() < count {
            let like = (0..self.program.registers.len()).find(|place| {
                let register = &self.program.registers[*place];
                let is_free = register.elements().all(|qubit| !used.contains(&qubit));
                is_free && !register.single && register.size == length
            });
            let next = match like {
                Some(register) if self.dice.once_in(2) => Operand::Register(register),
                _ => {
                    let all = 0..self.program.qubits();
                    let free: Vec<_> = all.filter(|qubit| !used.contains(qubit)).collect();
                    if free.is_empty() {
                        return None;
                    }
                    Operand::Qubit(self.dice.pick(&free))
                }
            };
            match (&next, self.program.several(&next)) {
                (_, Some(qubits)) => used.extend(qubits),
                (Operand::Qubit(qubit), None) => used.push(*qubit),
                (other, None) => unreachable!("{other:?} is several qubits"),
            }
            let place = self.dice.below(operands.len() + 1);
            operands.insert(place, next);
        }
        Some(operands)
    }

    /// Some qubits of a register; `None` if the one that is picked is a single qubit.
    fn part(&mut self) -> Option<Part> {
        let register = self.dice.below(self.program.registers.len());
        let Register { size, single, .. } = self.program.registers[register];
        if single {
            return None;
        }
        if self.dice.once_in(2) {
            let count = self.dice.within(1, size);
            let places = self.dice.distinct(count, size);
            return Some(Part {
                register,
                places,
                range: None,
            });
        }
        let (from, step) = (self.dice.below(size), self.dice.within(1, 2));
        let mut places: Vec<_> = (from..size).step_by(step).collect();
        places.truncate(self.dice.within(1, size));
        let mut step = i32::try_from(step).expect("it is small");
        // Qiskit takes the end of a range that goes down for that of a slice.
        if self.is_rich() && self.dice.once_in(3) {
            places.reverse();
            step = -step;
        }
        Some(Part {
            register,
            places,
            range: Some(step),
        })
    }

    fn measure_all(&mut self) {
        for (place, register) in self.program.registers.iter().enumerate() {
            self.program.bits.push(Register {
                name: format!("c{place}"),
                ..register.clone()
            });
            let pairs = register.elements().map(|qubit| (qubit, qubit));
            let measure = Statement::Measure(pairs.collect());
            self.program.statements.push(measure);
        }
    }
}

fn controls(modifiers: &[Modifier]) -> usize {
    modifiers.iter().map(|it| it.controls()).sum()
}
