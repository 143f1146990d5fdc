//! What gates do, by the textbook: a turn of one qubit under controls, a phase, an exchange.
//!
//! From here come the circuit in AQO and the gates that OpenQASM 2 has no word for. The front end
//! has an opinion of its own on all of this (`qrtx::circuit`), and this one is built differently on
//! purpose: a controlled turn is split in three by its Euler angles (Barenco et al. 1995, lemma
//! 4.3), a phase under controls becomes a phase of the parity of every subset of them, and an
//! exchange is three controlled NOTs.

use std::f64::consts::{FRAC_PI_2, PI};

/// `e^(i delta) Rz(phi) Ry(theta) Rz(lambda)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    delta: f64,
    theta: f64,
    phi: f64,
    lambda: f64,
}

impl Turn {
    /// Without a phase of its own: the determinant is one.
    pub(super) const fn euler(theta: f64, phi: f64, lambda: f64) -> Self {
        Self {
            delta: 0.0,
            theta,
            phi,
            lambda,
        }
    }

    /// With a real first entry, as Qiskit and the paper on OpenQASM 2 print the matrix.
    pub(super) fn real_first(theta: f64, phi: f64, lambda: f64) -> Self {
        Self::euler(theta, phi, lambda).shifted(f64::midpoint(phi, lambda))
    }

    pub(super) fn shifted(self, by: f64) -> Self {
        Self {
            delta: self.delta + by,
            ..self
        }
    }

    pub(super) fn x() -> Self {
        Self::real_first(PI, 0.0, PI)
    }

    pub(super) fn y() -> Self {
        Self::real_first(PI, FRAC_PI_2, FRAC_PI_2)
    }

    pub(super) fn h() -> Self {
        Self::real_first(FRAC_PI_2, 0.0, PI)
    }

    pub(super) fn sx() -> Self {
        Self::rx(FRAC_PI_2).shifted(FRAC_PI_2 / 2.0)
    }

    pub(super) fn p(angle: f64) -> Self {
        Self::real_first(0.0, 0.0, angle)
    }

    pub(super) fn rx(angle: f64) -> Self {
        Self::euler(angle, -FRAC_PI_2, FRAC_PI_2)
    }

    pub(super) fn ry(angle: f64) -> Self {
        Self::euler(angle, 0.0, 0.0)
    }

    pub(super) fn rz(angle: f64) -> Self {
        Self::euler(0.0, 0.0, angle)
    }

    pub(super) fn inverse(self) -> Self {
        Self {
            delta: -self.delta,
            theta: -self.theta,
            phi: -self.lambda,
            lambda: -self.phi,
        }
    }

    /// On the last of these qubits, where all others are one.
    pub(super) fn on(self, qubits: &[usize]) -> Piece {
        let (target, controls) = qubits.split_last().expect("a turn has a target");
        Piece {
            controls: controls.iter().map(|control| (*control, true)).collect(),
            act: Act::Turn(self, *target),
        }
    }
}

/// Something done where every control has its value.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) controls: Vec<(usize, bool)>,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Turn(Turn, usize),
    Phase(f64),
    Exchange(usize, usize),
}

impl Piece {
    pub(super) fn phase(angle: f64) -> Self {
        Self {
            controls: Vec::new(),
            act: Act::Phase(angle),
        }
    }

    pub(super) fn exchange(one: usize, other: usize) -> Self {
        Self {
            controls: Vec::new(),
            act: Act::Exchange(one, other),
        }
    }

    pub(super) fn where_is(mut self, qubit: usize, value: bool) -> Self {
        self.controls.push((qubit, value));
        self
    }

    fn inverse(mut self) -> Self {
        self.act = match self.act {
            Act::Turn(turn, target) => Act::Turn(turn.inverse(), target),
            Act::Phase(angle) => Act::Phase(-angle),
            exchange @ Act::Exchange(..) => exchange,
        };
        self
    }
}

/// The other way round.
pub(super) fn inverse(pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.into_iter().rev().map(Piece::inverse).collect()
}

/// So many times, backwards if negative.
pub(super) fn power(pieces: Vec<Piece>, times: i32) -> Vec<Piece> {
    let once = if times < 0 { inverse(pieces) } else { pieces };
    let times = usize::try_from(times.unsigned_abs()).expect("it is small");
    let all = std::iter::repeat_n(once, times);
    all.flatten().collect()
}

/// A gate that every language here has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Elementary {
    /// In lower case: `x`, `h`, `cx`, `p`, `ry` or `rz`.
    pub(super) name: &'static str,
    pub(super) angle: Option<f64>,
    pub(super) qubits: Vec<usize>,
}

/// The pieces from gates that every language has, up to a global phase.
pub(super) fn spelled_out(pieces: &[Piece]) -> Vec<Elementary> {
    let mut out = Speller(Vec::new());
    for piece in pieces {
        let flipped = || piece.controls.iter().filter(|(_, value)| !value);
        flipped().for_each(|(qubit, _)| out.gate("x", &[*qubit]));
        let controls: Vec<_> = piece.controls.iter().map(|(qubit, _)| *qubit).collect();
        match piece.act {
            Act::Phase(angle) => out.phase(angle, &controls),
            Act::Turn(turn, target) => out.turn(turn, &controls, target),
            Act::Exchange(one, other) => {
                for (from, to) in [(one, other), (other, one), (one, other)] {
                    out.flip(&[&controls[..], &[from]].concat(), to);
                }
            }
        }
        flipped().for_each(|(qubit, _)| out.gate("x", &[*qubit]));
    }
    out.0
}

struct Speller(Vec<Elementary>);

impl Speller {
    fn gate(&mut self, name: &'static str, qubits: &[usize]) {
        self.push(name, None, qubits);
    }

    fn angle(&mut self, name: &'static str, angle: f64, qubit: usize) {
        self.push(name, Some(angle), &[qubit]);
    }

    fn push(&mut self, name: &'static str, angle: Option<f64>, qubits: &[usize]) {
        self.0.push(Elementary {
            name,
            angle,
            qubits: qubits.to_vec(),
        });
    }

    fn turn(&mut self, turn: Turn, controls: &[usize], target: usize) {
        let Turn {
            delta,
            theta,
            phi,
            lambda,
        } = turn;
        if controls.is_empty() {
            self.angle("rz", lambda, target);
            self.angle("ry", theta, target);
            return self.angle("rz", phi, target);
        }
        self.phase(delta, controls);
        self.angle("rz", (lambda - phi) / 2.0, target);
        self.flip(controls, target);
        self.angle("rz", -f64::midpoint(lambda, phi), target);
        self.angle("ry", -theta / 2.0, target);
        self.flip(controls, target);
        self.angle("ry", theta / 2.0, target);
        self.angle("rz", phi, target);
    }

    fn flip(&mut self, controls: &[usize], target: usize) {
        if let [only] = controls {
            return self.gate("cx", &[*only, target]);
        }
        self.gate("h", &[target]);
        self.phase(PI, &[controls, &[target]].concat());
        self.gate("h", &[target]);
    }

    /// The product of m bits is the sum over all subsets of their parity, with alternating sign,
    /// over 2^(m-1).
    fn phase(&mut self, angle: f64, qubits: &[usize]) {
        let subsets = 1_usize << qubits.len();
        #[expect(clippy::cast_precision_loss, reason = "there are a few dozen subsets")]
        let share = angle / (subsets / 2).max(1) as f64;
        for subset in 1..subsets {
            let members = (0..qubits.len()).filter(|place| subset >> place & 1 == 1);
            let members: Vec<_> = members.map(|place| qubits[place]).collect();
            let sign = if members.len() % 2 == 1 { 1.0 } else { -1.0 };
            let ladder: Vec<_> = members.windows(2).collect();
            ladder.iter().for_each(|pair| self.gate("cx", pair));
            let last = members[members.len() - 1];
            self.angle("p", sign * share, last);
            ladder.iter().rev().for_each(|pair| self.gate("cx", pair));
        }
    }
}
