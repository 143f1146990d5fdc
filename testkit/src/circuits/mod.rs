//! Circuits by chance, each written in OpenQASM 2, in OpenQASM 3 and as AQO.
//!
//! For tests of the front ends: one program is made up, with registers, gates of its own, angles
//! as expressions and odd blanks, and printed three times. The AQO comes from this module's own
//! reading of every gate (`piece.rs`), so that reading the three is asking three opinions; a
//! fourth is Qiskit's, whose answers are stored (`tests/reference/`).
//!
//! The same set, seed and number give the same texts for ever.

use std::collections::BTreeSet;

use serde::Serialize;

mod dice;
mod dynamic;
mod expression;
mod generate;
mod kind;
mod outcomes;
mod piece;
mod print;
mod program;

pub use dice::Dice;
pub use outcomes::outcomes;

use kind::Kind;

/// What the circuits are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GateSet {
    /// The gates of AQO.
    Aqo,
    /// All of qelib1.inc, and the two gates that OpenQASM 2 knows without it.
    Qelib1,
    /// All of stdgates.inc, and the two gates that OpenQASM 3 knows without it.
    Stdgates,
    /// The same under `ctrl`, `negctrl`, `inv` and `pow`, and the program's own gates under them.
    Modifiers,
    /// Measurements in the middle, `reset` and `if`.
    Dynamic,
}

impl GateSet {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Aqo,
        Self::Qelib1,
        Self::Stdgates,
        Self::Modifiers,
        Self::Dynamic,
    ];

    /// The name on the command line and in the stored data.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aqo => "aqo",
            Self::Qelib1 => "qelib1",
            Self::Stdgates => "stdgates",
            Self::Modifiers => "modifiers",
            Self::Dynamic => "dynamic",
        }
    }

    /// The set of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Whether a circuit has chance in its middle, so that it has outcomes instead of amplitudes.
    #[must_use]
    pub const fn is_dynamic(self) -> bool {
        matches!(self, Self::Dynamic)
    }

    /// What circuits of this set must have used before all of it can be said to be tried.
    #[must_use]
    pub fn names(self) -> BTreeSet<String> {
        let kinds = Kind::of(self).into_iter().map(|kind| kind.name);
        let beside: &[&str] = match self {
            Self::Aqo | Self::Qelib1 | Self::Stdgates => &["gate"],
            Self::Modifiers => &["gate", "ctrl", "negctrl", "inv", "pow"],
            Self::Dynamic => &["measure", "reset", "if"],
        };
        kinds
            .chain(beside.iter().copied())
            .map(str::to_owned)
            .collect()
    }
}

/// The text that Qiskit is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// OpenQASM 2.
    #[serde(rename = "qasm2")]
    Two,
    /// OpenQASM 3.
    #[serde(rename = "qasm3")]
    Three,
}

/// One circuit in three languages.
#[derive(Debug, Clone, Serialize)]
pub struct Texts {
    /// What it is made of.
    pub set: GateSet,
    /// Its seed.
    pub seed: u64,
    /// Which one of this seed and set, from 0.
    pub number: u32,
    /// Which text Qiskit is to read.
    pub read: Language,
    /// As OpenQASM 2.
    pub qasm2: String,
    /// As OpenQASM 3.
    pub qasm3: String,
    /// As AQO.
    pub aqo: String,
    /// Names of the gates, modifiers and statements in it.
    #[serde(skip)]
    pub names: BTreeSet<String>,
}

impl Texts {
    /// The circuit of this set, seed and number. The number also picks a gate that it must have.
    #[must_use]
    pub fn new(set: GateSet, seed: u64, number: u32) -> Self {
        let stream = (set as u64) << 32 | u64::from(number);
        let mut dice = Dice::new(seed, stream);
        let program = match set {
            GateSet::Dynamic => dynamic::program(&mut dice, number),
            _ => generate::program(set, &mut dice, number),
        };
        Self {
            set,
            seed,
            number,
            read: read_by_qiskit(set, number),
            qasm2: print::openqasm(&program, set, Language::Two, &mut dice),
            qasm3: print::openqasm(&program, set, Language::Three, &mut dice),
            aqo: print::aqo(&program),
            names: program.names(),
        }
    }

    /// The text that Qiskit is to read.
    #[must_use]
    pub fn read(&self) -> &str {
        match self.read {
            Language::Two => &self.qasm2,
            Language::Three => &self.qasm3,
        }
    }
}

fn read_by_qiskit(set: GateSet, number: u32) -> Language {
    match set {
        GateSet::Aqo | GateSet::Qelib1 => Language::Two,
        GateSet::Stdgates | GateSet::Modifiers => Language::Three,
        GateSet::Dynamic if number.is_multiple_of(2) => Language::Two,
        GateSet::Dynamic => Language::Three,
    }
}
