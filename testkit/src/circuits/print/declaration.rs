//! What a program gives names to.

use super::super::expression::Expression;
use super::super::program::{Gate, Operand, Register};
use super::super::{GateSet, Language};
use super::Writer;

impl Writer<'_> {
    pub(super) fn head(&mut self) {
        match self.language {
            Language::Two => self.say("OPENQASM 2.0 ; include \"qelib1.inc\" ;"),
            Language::Three => {
                if !self.is_rich() || self.dice.once_in(2) {
                    self.say("OPENQASM 3.0 ;");
                }
                self.say("include \"stdgates.inc\" ;");
                if self.is_rich() {
                    self.say("include 'qelib1.inc' ;");
                }
                for constant in &self.program.constants {
                    let Expression::Constant(name, value) = constant else {
                        unreachable!("only constants are among the constants");
                    };
                    self.say(&format!("const float {name} ="));
                    value.words(self.language, &mut self.words);
                    self.say(";");
                }
            }
        }
        for place in 0..self.program.definitions.len() {
            if self.language == Language::Three || self.is_plain(Gate::Defined(place)) {
                self.definition(place);
            }
        }
        for register in &self.program.registers {
            self.register(register, ["qubit", "qreg"]);
        }
        for register in &self.program.bits {
            self.register(register, ["bit", "creg"]);
        }
        if self.language == Language::Three {
            for alias in &self.program.aliases {
                self.say("let pair_of =");
                self.part(alias);
                self.say(";");
            }
        }
    }

    fn register(&mut self, register: &Register, [new, old]: [&str; 2]) {
        let Register { name, size, .. } = register;
        let is_old = self.is_rich() && !register.single && self.dice.once_in(4);
        let text = match self.language {
            Language::Three if register.single => format!("{new} {name} ;"),
            Language::Three if !is_old => format!("{new} [ {size} ] {name} ;"),
            _ => format!("{old} {name} [ {size} ] ;"),
        };
        self.say(&text);
    }

    fn definition(&mut self, place: usize) {
        let program = self.program;
        let definition = &program.definitions[place];
        self.say(&format!("gate {}", definition.name));
        if !definition.parameters.is_empty() || self.dice.once_in(4) {
            self.say("(");
            self.list(&definition.parameters, |writer, name| writer.say(name));
            self.say(")");
        }
        self.list(&definition.qubits, |writer, name| writer.say(name));
        self.say("{");
        for step in &definition.body {
            self.call(step);
            self.list(&step.operands, |writer, operand| match operand {
                Operand::Qubit(place) => writer.say(&definition.qubits[*place]),
                other => unreachable!("{other:?} is no qubit of a gate"),
            });
            self.say(";");
            // Qiskit cannot put modifiers on a gate with a barrier in it.
            if self.set != GateSet::Modifiers && self.dice.once_in(6) {
                self.say("barrier");
                self.say(&definition.qubits[0]);
                self.say(";");
            }
        }
        self.say("}");
    }
}
