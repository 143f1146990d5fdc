//! The gates that a program may use without defining them.

use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use super::definition::{Callee, Definition};
use super::names::{Meaning, Names};
use super::parse::Parser;
use super::syntax::{Form, Language};
use super::work::Work;
use crate::circuit::Gate;

/// The definitions of what the circuit has not as it is.
const TEXT: &str = include_str!("library.inc");

/// What `include "stdgates.inc";` provides (OpenQASM 3 specification).
const STDGATES: [&str; 32] = [
    "p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "cx", "cy", "cz",
    "cp", "crx", "cry", "crz", "ch", "swap", "ccx", "cswap", "cu", "CX", "phase", "cphase", "id",
    "u1", "u2", "u3",
];

/// What `include "qelib1.inc";` provides, in the extent that Qiskit gives it.
const QELIB1: [&str; 43] = [
    "u3", "u2", "u1", "cx", "id", "u0", "u", "p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx",
    "ry", "rz", "sx", "sxdg", "cz", "cy", "swap", "ch", "ccx", "cswap", "crx", "cry", "crz", "cu1",
    "cp", "cu3", "csx", "cu", "rxx", "rzz", "rccx", "rc3x", "c3x", "c3sqrtx", "c4x", "CX",
];

/// A file that can be included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    Stdgates,
    Qelib1,
}

impl Library {
    /// The library of this file name; nothing else can be included.
    pub(super) fn of(file: &str) -> Option<Self> {
        match file {
            "stdgates.inc" => Some(Self::Stdgates),
            "qelib1.inc" => Some(Self::Qelib1),
            _ => None,
        }
    }

    /// The file to include for a gate that one of them has.
    pub(super) fn with(gate: &str, language: Language) -> &'static str {
        match language {
            Language::Three if STDGATES.contains(&gate) => "stdgates.inc",
            _ if QELIB1.contains(&gate) => "qelib1.inc",
            _ => "stdgates.inc",
        }
    }

    fn gates(self) -> &'static [&'static str] {
        match self {
            Self::Stdgates => &STDGATES,
            Self::Qelib1 => &QELIB1,
        }
    }

    /// Lets its names stand for its gates.
    pub(super) fn provide(self, names: &mut Names<'_>) {
        for gate in everything() {
            if self.gates().contains(&gate.0) {
                names.provide(gate.0, Meaning::Gate(gate.1));
            }
        }
    }
}

/// Whether some library has a gate of this name, and the name that it has there.
pub(super) fn similar(name: &str) -> Option<&'static str> {
    let name = match name.to_ascii_lowercase().as_str() {
        "cnot" => "cx".to_owned(),
        "toffoli" | "ccnot" => "ccx".to_owned(),
        "fredkin" => "cswap".to_owned(),
        "hadamard" => "h".to_owned(),
        _ => name.to_owned(),
    };
    let known = || STDGATES.into_iter().chain(QELIB1);
    known()
        .find(|gate| *gate == name)
        .or_else(|| known().find(|gate| gate.eq_ignore_ascii_case(&name)))
}

/// What the language knows without an include.
pub(super) fn provide_builtins(names: &mut Names<'_>, language: Language) {
    names.provide("U", Meaning::Gate(Callee::U));
    match language {
        Language::Two => names.provide("CX", Meaning::Gate(Callee::Native(Gate::Cx))),
        Language::Three => names.provide("gphase", Meaning::Gate(Callee::Phase)),
    }
}

/// The gates that the circuit has as they are.
fn native(name: &str) -> Option<Gate> {
    match name {
        "CX" => Some(Gate::Cx),
        "u1" => Some(Gate::P(0.0)),
        "cu1" => Some(Gate::Cp(0.0)),
        // The circuit reads more names than OpenQASM has, and in any case.
        other => Gate::named(other, 0.0).filter(|_| other.chars().all(|c| !c.is_uppercase())),
    }
}

/// All gates of both libraries.
fn everything() -> Vec<(&'static str, Callee<'static>)> {
    let mut all: Vec<(&str, Callee<'_>)> = Vec::new();
    let mut names = Names::new();
    provide_builtins(&mut names, Language::Three);
    for name in STDGATES.into_iter().chain(QELIB1) {
        if let Some(gate) = native(name) {
            names.provide(name, Meaning::Gate(Callee::Native(gate)));
            all.push((name, Callee::Native(gate)));
        }
    }
    let never = AtomicBool::new(false);
    let mut work = Work::new(&never);
    let mut parser = Parser::begin(TEXT).expect("the library's text is our own");
    while let Some(statement) = parser.next().expect("the library's text is our own") {
        let Form::Gate(form) = statement.form else {
            panic!("the library defines gates, and nothing else");
        };
        let defined = Definition::of(&form, &mut names, Language::Three, &mut work);
        let defined = defined.expect("the library's gates are built from one another");
        let callee = Callee::Defined(Rc::new(defined));
        names.provide(form.name.text, Meaning::Gate(callee.clone()));
        all.push((form.name.text, callee));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_of_both_files_is_there_and_none_beside() {
        let all: Vec<_> = everything().into_iter().map(|(name, _)| name).collect();
        for name in STDGATES.into_iter().chain(QELIB1) {
            assert!(all.contains(&name), "{name}");
        }
        for name in all {
            assert!(STDGATES.contains(&name) || QELIB1.contains(&name), "{name}");
        }
    }
}
