//! The gates by name: where each is known, and what it does.
//!
//! Written from the OpenQASM 3 specification and Qiskit's documentation of its gates; where they
//! differ, on the phase of `U`, `u2` and `u3`, as Qiskit has it, with a real first entry.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::GateSet;
use super::piece::{Piece, Turn};

/// A gate with a name.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) angles: usize,
    pub(super) qubits: usize,
    /// Which sets have it, by their letters: see [`Kind::of`].
    sets: &'static str,
    pieces: fn(&[f64], &[usize]) -> Vec<Piece>,
}

const fn kind(
    name: &'static str,
    angles: usize,
    qubits: usize,
    sets: &'static str,
    pieces: fn(&[f64], &[usize]) -> Vec<Piece>,
) -> Kind {
    Kind {
        name,
        angles,
        qubits,
        sets,
        pieces,
    }
}

fn exchange(qubits: &[usize]) -> Vec<Piece> {
    vec![Piece::exchange(qubits[0], qubits[1])]
}

/// `a` AQO, `q` qelib1.inc, `s` stdgates.inc, `2` and `3` the languages themselves.
static KINDS: [Kind; 48] = [
    kind("x", 0, 1, "aqs", |_, q| vec![Turn::x().on(q)]),
    kind("y", 0, 1, "aqs", |_, q| vec![Turn::y().on(q)]),
    kind("z", 0, 1, "aqs", |_, q| vec![Turn::p(PI).on(q)]),
    kind("h", 0, 1, "aqs", |_, q| vec![Turn::h().on(q)]),
    kind("s", 0, 1, "aqs", |_, q| vec![Turn::p(FRAC_PI_2).on(q)]),
    kind("sdg", 0, 1, "aqs", |_, q| vec![Turn::p(-FRAC_PI_2).on(q)]),
    kind("t", 0, 1, "aqs", |_, q| vec![Turn::p(FRAC_PI_4).on(q)]),
    kind("tdg", 0, 1, "aqs", |_, q| vec![Turn::p(-FRAC_PI_4).on(q)]),
    kind("sx", 0, 1, "aqs", |_, q| vec![Turn::sx().on(q)]),
    kind("sxdg", 0, 1, "q", |_, q| vec![Turn::sx().inverse().on(q)]),
    kind("rx", 1, 1, "aqs", |a, q| vec![Turn::rx(a[0]).on(q)]),
    kind("ry", 1, 1, "aqs", |a, q| vec![Turn::ry(a[0]).on(q)]),
    kind("rz", 1, 1, "aqs", |a, q| vec![Turn::rz(a[0]).on(q)]),
    kind("p", 1, 1, "aqs", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("phase", 1, 1, "s", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("u1", 1, 1, "qs", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("u2", 2, 1, "qs", |a, q| {
        vec![Turn::real_first(FRAC_PI_2, a[0], a[1]).on(q)]
    }),
    kind("u3", 3, 1, "qs", |a, q| {
        vec![Turn::real_first(a[0], a[1], a[2]).on(q)]
    }),
    kind("u", 3, 1, "q", |a, q| {
        vec![Turn::real_first(a[0], a[1], a[2]).on(q)]
    }),
    kind("U", 3, 1, "23", |a, q| {
        vec![Turn::real_first(a[0], a[1], a[2]).on(q)]
    }),
    kind("gphase", 1, 0, "3", |a, _| vec![Piece::phase(a[0])]),
    kind("id", 0, 1, "qs", |_, _| Vec::new()),
    kind("u0", 1, 1, "q", |_, _| Vec::new()),
    kind("cx", 0, 2, "aqs", |_, q| vec![Turn::x().on(q)]),
    kind("CX", 0, 2, "2qs", |_, q| vec![Turn::x().on(q)]),
    kind("cy", 0, 2, "qs", |_, q| vec![Turn::y().on(q)]),
    kind("cz", 0, 2, "aqs", |_, q| vec![Turn::p(PI).on(q)]),
    kind("ch", 0, 2, "qs", |_, q| vec![Turn::h().on(q)]),
    kind("csx", 0, 2, "q", |_, q| vec![Turn::sx().on(q)]),
    kind("cp", 1, 2, "aqs", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("cphase", 1, 2, "s", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("cu1", 1, 2, "q", |a, q| vec![Turn::p(a[0]).on(q)]),
    kind("crx", 1, 2, "qs", |a, q| vec![Turn::rx(a[0]).on(q)]),
    kind("cry", 1, 2, "qs", |a, q| vec![Turn::ry(a[0]).on(q)]),
    kind("crz", 1, 2, "qs", |a, q| vec![Turn::rz(a[0]).on(q)]),
    kind("cu3", 3, 2, "q", |a, q| {
        vec![Turn::real_first(a[0], a[1], a[2]).on(q)]
    }),
    kind("cu", 4, 2, "qs", |a, q| {
        vec![Turn::real_first(a[0], a[1], a[2]).shifted(a[3]).on(q)]
    }),
    kind("swap", 0, 2, "aqs", |_, q| exchange(q)),
    kind("rzz", 1, 2, "q", |a, q| {
        vec![
            Turn::rz(a[0]).on(&q[1..]).where_is(q[0], false),
            Turn::rz(-a[0]).on(&q[1..]).where_is(q[0], true),
        ]
    }),
    // In the basis of X, where the first qubit says which way the second turns.
    kind("rxx", 1, 2, "q", |a, q| {
        vec![
            Turn::h().on(&q[..1]),
            Turn::rx(a[0]).on(&q[1..]).where_is(q[0], false),
            Turn::rx(-a[0]).on(&q[1..]).where_is(q[0], true),
            Turn::h().on(&q[..1]),
        ]
    }),
    kind("ccx", 0, 3, "aqs", |_, q| vec![Turn::x().on(q)]),
    kind("ccz", 0, 3, "a", |_, q| vec![Turn::p(PI).on(q)]),
    kind("cswap", 0, 3, "qs", |_, q| {
        vec![Piece::exchange(q[1], q[2]).where_is(q[0], true)]
    }),
    // Both by the blocks of their matrices.
    kind("rccx", 0, 3, "q", |_, q| {
        let on_one = |turn: Turn| turn.on(&q[2..]).where_is(q[0], true);
        vec![
            on_one(Turn::p(PI)).where_is(q[1], false),
            on_one(Turn::y()).where_is(q[1], true),
        ]
    }),
    kind("rc3x", 0, 4, "q", |_, q| {
        let on_both = |turn: Turn| {
            let turned = turn.on(&q[3..]).where_is(q[0], true);
            turned.where_is(q[1], true)
        };
        vec![
            on_both(Turn::rz(-PI)).where_is(q[2], false),
            on_both(Turn::ry(-PI)).where_is(q[2], true),
        ]
    }),
    kind("c3x", 0, 4, "q", |_, q| vec![Turn::x().on(q)]),
    kind("c3sqrtx", 0, 4, "q", |_, q| vec![Turn::sx().on(q)]),
    kind("c4x", 0, 5, "q", |_, q| vec![Turn::x().on(q)]),
];

impl Kind {
    /// The gates that programs of this set are made of.
    pub(super) fn of(set: GateSet) -> Vec<&'static Self> {
        let letters = match set {
            GateSet::Aqo => "a",
            GateSet::Qelib1 => "q2",
            GateSet::Stdgates | GateSet::Modifiers => "s3",
            // What people put around measurements; nothing that is hard to spell out.
            GateSet::Dynamic => "a",
        };
        let known = |kind: &&Self| letters.chars().any(|letter| kind.sets.contains(letter));
        KINDS.iter().filter(known).collect()
    }

    pub(super) fn pieces(&self, angles: &[f64], qubits: &[usize]) -> Vec<Piece> {
        (self.pieces)(angles, qubits)
    }

    /// Its name in AQO.
    pub(super) fn in_aqo(&self) -> Option<String> {
        let known = self.sets.contains('a');
        known.then(|| self.name.to_ascii_uppercase())
    }

    /// Its name in OpenQASM 2 with qelib1.inc.
    pub(super) fn in_two(&self) -> Option<&'static str> {
        match self.name {
            "phase" => Some("p"),
            "cphase" => Some("cp"),
            name => self.sets.contains(['q', '2']).then_some(name),
        }
    }

    /// The modifiers and the name in OpenQASM 3 with both libraries.
    pub(super) fn in_three(&self) -> (&'static [&'static str], &'static str) {
        match self.name {
            "ccz" => (&["ctrl", "@"], "cz"),
            name => (&[], name),
        }
    }
}
