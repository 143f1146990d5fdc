//! The texts of a program: first its words, then the blanks between them.

use serde_json::{Value, json};

use super::dice::Dice;
use super::expression::Expression;
use super::piece::{Elementary, spelled_out};
use super::program::{Application, Gate, Modifier, Operand, Program, Register, Statement, Step};
use super::{GateSet, Language};

mod blanks;
mod declaration;
mod operand;

/// The program as AQO.
pub(super) fn aqo(program: &Program) -> String {
    let steps = program.statements.iter().flat_map(|it| program.steps(it));
    let operations: Vec<_> = steps.map(|step| operation(&step)).collect();
    let qubits = program.qubits();
    let bits: usize = program.bits.iter().map(|it| it.size).sum();
    let mut document = json!({ "version": "1.0.0", "qubits": qubits, "operations": operations });
    if bits > 0 {
        document["bits"] = json!(bits);
    }
    document.to_string()
}

fn operation(step: &Step) -> Value {
    let gate = |name: &str, angle: Option<f64>, qubits: &[usize]| match angle {
        None => json!({ "op": name, "q": qubits }),
        Some(theta) => json!({ "op": name, "q": qubits, "params": { "theta": theta } }),
    };
    match step {
        Step::Native(name, angle, qubits) => gate(name, *angle, qubits),
        Step::Spelled(Elementary {
            name,
            angle,
            qubits,
        }) => gate(&name.to_ascii_uppercase(), *angle, qubits),
        Step::Measure(pairs) => {
            let (qubits, bits): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            json!({ "op": "MEASURE", "q": qubits, "c": bits })
        }
        Step::Reset(qubit) => json!({ "op": "RESET", "q": [qubit] }),
    }
}

/// The program as OpenQASM.
pub(super) fn openqasm(
    program: &Program,
    set: GateSet,
    language: Language,
    dice: &mut Dice,
) -> String {
    let mut writer = Writer {
        program,
        language,
        set,
        dice,
        words: Vec::new(),
        spelled: 0,
    };
    writer.head();
    for statement in &program.statements {
        writer.statement(statement);
    }
    let mut words = writer.words;
    if language == Language::Three && dice.once_in(4) {
        for word in words.iter_mut().filter(|word| *word == "pi") {
            *word = "π".to_owned();
        }
    }
    blanks::joined(&words, language, dice)
}

struct Writer<'w> {
    program: &'w Program,
    language: Language,
    set: GateSet,
    dice: &'w mut Dice,
    words: Vec<String>,
    /// Gates that were defined for what version 2 has no word for.
    spelled: usize,
}

impl Writer<'_> {
    /// Only what Qiskit does not read in version 3 may use all that the language has.
    fn is_rich(&self) -> bool {
        matches!(self.set, GateSet::Aqo | GateSet::Qelib1)
    }

    /// Words that are separated by blanks here.
    fn say(&mut self, words: &str) {
        self.words.extend(words.split(' ').map(str::to_owned));
    }

    fn say_all(&mut self, words: &[&str]) {
        self.words
            .extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut say: impl FnMut(&mut Self, T)) {
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.say(",");
            }
            say(self, item);
        }
    }

    /// Whether version 2 can say it by its name.
    fn is_plain(&self, gate: Gate) -> bool {
        match gate {
            Gate::Library(kind) => kind.in_two().is_some(),
            Gate::Defined(place) => {
                let mut body = self.program.definitions[place].body.iter();
                body.all(|step| step.modifiers.is_empty() && self.is_plain(step.gate))
            }
        }
    }

    /// Everything before the operands.
    fn call(&mut self, application: &Application) {
        let program = self.program;
        for modifier in &application.modifiers {
            match *modifier {
                Modifier::Inverse => self.say("inv @"),
                Modifier::Power(times) if times < 0 => self.say(&format!("pow ( - {} ) @", -times)),
                Modifier::Power(times) => self.say(&format!("pow ( {times} ) @")),
                Modifier::Control(count, value) => {
                    self.say(if value { "ctrl" } else { "negctrl" });
                    if count > 1 || self.dice.once_in(4) {
                        self.say(&format!("( {count} )"));
                    }
                    self.say("@");
                }
            }
        }
        match (application.gate, self.language) {
            (Gate::Defined(place), _) => self.say(&program.definitions[place].name),
            (Gate::Library(kind), Language::Two) => {
                self.say(kind.in_two().expect("what has no name is spelled out"));
            }
            (Gate::Library(kind), Language::Three) => {
                let (modifiers, name) = kind.in_three();
                self.say_all(modifiers);
                self.say(name);
            }
        }
        if !application.angles.is_empty() {
            self.say("(");
            self.list(&application.angles, |writer, angle| {
                angle.words(writer.language, &mut writer.words);
            });
            self.say(")");
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Apply(application) => self.application(application, &[]),
            Statement::Ramp {
                kind,
                unit,
                register,
            } => self.ramp(kind.name, unit, *register),
            Statement::Barrier(operands) => self.barrier(operands),
            Statement::Comment(text) => self.words.push((*text).to_owned()),
            Statement::Measure(pairs) => self.measure(pairs),
            Statement::Reset(qubit) => {
                self.say("reset");
                self.qubit(*qubit);
                self.say(";");
            }
            Statement::If {
                bits,
                number,
                then,
                otherwise,
                ..
            } => match self.language {
                Language::Two => {
                    let name = &self.program.bits[*bits].name;
                    for (branch, number) in [(then, *number), (otherwise, 1 - number.min(&1))] {
                        let condition = ["if", "(", name, "==", &number.to_string(), ")"];
                        branch
                            .iter()
                            .for_each(|it| self.application(it, &condition));
                    }
                }
                Language::Three => self.conditional(*bits, *number, then, otherwise),
            },
        }
    }

    /// The application behind this condition, in as many statements as it takes.
    fn application(&mut self, application: &Application, condition: &[&str]) {
        let program = self.program;
        let is_two = self.language == Language::Two;
        if is_two && !(application.modifiers.is_empty() && self.is_plain(application.gate)) {
            for qubits in program.spread(application) {
                self.spelled(application, &qubits, condition);
            }
            return;
        }
        let is_known =
            |operand: &Operand| matches!(operand, Operand::Qubit(_) | Operand::Register(_));
        if is_two && !application.operands.iter().all(is_known) {
            for qubits in program.spread(application) {
                self.say_all(condition);
                self.call(application);
                self.list(qubits, Self::qubit);
                self.say(";");
            }
            return;
        }
        self.say_all(condition);
        self.call(application);
        self.list(&application.operands, Self::operand);
        self.say(";");
    }

    /// In gates that version 2 knows; half of the time as a gate of its own.
    fn spelled(&mut self, application: &Application, qubits: &[usize], condition: &[&str]) {
        let gates = spelled_out(&self.program.pieces(application, &[], qubits));
        if gates.is_empty() || qubits.is_empty() || !condition.is_empty() || self.dice.once_in(2) {
            for gate in gates {
                self.say_all(condition);
                self.elementary(&gate, Self::qubit);
            }
            return;
        }
        self.spelled += 1;
        let name = format!("spelled{}", self.spelled);
        self.say(&format!("gate {name}"));
        self.list(qubits, |writer, qubit| writer.say(&format!("w{qubit}")));
        self.say("{");
        for gate in gates {
            self.elementary(&gate, |writer, qubit| writer.say(&format!("w{qubit}")));
        }
        self.say("}");
        self.say(&name);
        self.list(qubits.iter().copied(), Self::qubit);
        self.say(";");
    }

    fn elementary(&mut self, gate: &Elementary, qubit: impl FnMut(&mut Self, usize)) {
        let name = match gate.name {
            "cx" if self.dice.once_in(4) => "CX",
            "p" if self.dice.once_in(2) => "u1",
            name => name,
        };
        self.say(name);
        if let Some(angle) = gate.angle {
            self.say("(");
            if angle.is_sign_negative() {
                self.say("-");
            }
            let digits = format!("{:?}", angle.abs());
            // Version 2 has no number with an exponent and without a point.
            self.say(&match digits.split_once('e') {
                Some((mantissa, exponent)) if !mantissa.contains('.') => {
                    format!("{mantissa}.0e{exponent}")
                }
                _ => digits,
            });
            self.say(")");
        }
        self.list(gate.qubits.iter().copied(), qubit);
        self.say(";");
    }

    fn ramp(&mut self, name: &str, unit: &Expression, register: usize) {
        let Register {
            name: of,
            first,
            size,
            single,
        } = &self.program.registers[register];
        let factor = |factor: &str| {
            let text = (factor.to_owned(), Box::new(Expression::Whole(1)));
            let factor = Expression::Constant(text.0, text.1);
            Expression::Two('*', Box::new(unit.clone()), Box::new(factor))
        };
        if self.language == Language::Three && !single {
            self.say(&format!("for uint i in [ 1 : {size} ] {{ {name} ("));
            factor("i").words(self.language, &mut self.words);
            return self.say(&format!(") {of} [ i - 1 ] ; }}"));
        }
        for (qubit, turn) in (*first..first + size).zip(1..) {
            self.say(&format!("{name} ("));
            let times = Expression::Whole(turn);
            Expression::Two('*', Box::new(unit.clone()), Box::new(times))
                .words(self.language, &mut self.words);
            self.say(")");
            self.qubit(qubit);
            self.say(";");
        }
    }

    fn barrier(&mut self, operands: &[Operand]) {
        self.say("barrier");
        let program = self.program;
        let qubits = operands.iter().flat_map(|operand| match operand {
            Operand::Qubit(qubit) => vec![*qubit],
            other => program.several(other).expect("no qubit, so several"),
        });
        match self.language {
            Language::Two => self.list(qubits, Self::qubit),
            Language::Three => self.list(operands, Self::operand),
        }
        self.say(";");
    }

    fn measure(&mut self, pairs: &[(usize, usize)]) {
        let program = self.program;
        let whole = |of: &[Register], first: usize| -> Option<String> {
            let found = of
                .iter()
                .find(|it| it.first == first && it.size == pairs.len());
            found.filter(|it| !it.single).map(|it| it.name.clone())
        };
        let (qubit, bit) = pairs[0];
        let names = whole(&program.registers, qubit).zip(whole(&program.bits, bit));
        if let (Some((qubits, bits)), true) = (names, pairs.len() > 1) {
            let is_new = self.language == Language::Three && !self.dice.once_in(3);
            return match is_new {
                true => self.say(&format!("{bits} = measure {qubits} ;")),
                false => self.say(&format!("measure {qubits} -> {bits} ;")),
            };
        }
        for (qubit, bit) in pairs {
            match self.language {
                Language::Two => {
                    self.say("measure");
                    self.qubit(*qubit);
                    self.say("->");
                    self.element(&program.bits, *bit);
                }
                Language::Three => {
                    self.element(&program.bits, *bit);
                    self.say("= measure");
                    self.qubit(*qubit);
                }
            }
            self.say(";");
        }
    }

    fn conditional(
        &mut self,
        bits: usize,
        number: usize,
        then: &[Application],
        otherwise: &[Application],
    ) {
        let program = self.program;
        let register = &program.bits[bits];
        self.say("if (");
        if register.size == 1 && self.dice.once_in(2) {
            if number == 0 {
                self.say("!");
            }
            self.element(&program.bits, register.first);
        } else {
            self.say(&format!("{} == {number}", register.name));
        }
        self.say(")");
        self.block(then);
        if !otherwise.is_empty() {
            self.say("else");
            self.block(otherwise);
        }
    }

    fn block(&mut self, branch: &[Application]) {
        let is_bare = branch.len() == 1 && self.dice.once_in(2);
        if !is_bare {
            self.say("{");
        }
        branch.iter().for_each(|it| self.application(it, &[]));
        if !is_bare {
            self.say("}");
        }
    }
}
