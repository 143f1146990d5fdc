//! Qubits and bits as each language names them.

use super::super::Language;
use super::super::program::{Operand, Part, Register};
use super::Writer;

impl Writer<'_> {
    pub(super) fn operand(&mut self, operand: &Operand) {
        let program = self.program;
        match operand {
            Operand::Qubit(qubit) => self.qubit(*qubit),
            Operand::Register(register) => self.say(&program.registers[*register].name),
            Operand::Part(part) => self.part(part),
            Operand::Alias(_) => self.say("pair_of"),
        }
    }

    pub(super) fn part(&mut self, part: &Part) {
        let name = &self.program.registers[part.register].name;
        let places: Vec<_> = part.places.iter().map(ToString::to_string).collect();
        let (first, last) = (&places[0], &places[places.len() - 1]);
        let text = match part.range {
            None => format!("{name} [ {{ {} }} ]", places.join(" , ")),
            Some(1) => format!("{name} [ {first} : {last} ]"),
            Some(step) => {
                let step = step.to_string().replace('-', "- ");
                format!("{name} [ {first} : {step} : {last} ]")
            }
        };
        self.say(&text);
    }

    pub(super) fn qubit(&mut self, qubit: usize) {
        let program = self.program;
        self.element(&program.registers, qubit);
    }

    pub(super) fn element(&mut self, of: &[Register], element: usize) {
        let register = of.iter().find(|it| it.elements().contains(&element));
        let register = register.expect("every element is in a register");
        let (name, place) = (&register.name, element - register.first);
        if register.single && self.language == Language::Three {
            return self.say(name);
        }
        let text = match self.is_rich() && self.language == Language::Three {
            true if self.dice.once_in(8) => format!("{name} [ - {} ]", register.size - place),
            true if self.dice.once_in(8) => format!("{name} [ 2 * {place} - {place} ]"),
            _ => format!("{name} [ {place} ]"),
        };
        self.say(&text);
    }
}
