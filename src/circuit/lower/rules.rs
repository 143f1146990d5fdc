//! What each gate may be replaced by, up to a global phase.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::super::{Gate, Operation};

/// One gate of a replacement. Its angle is `scale` times the angle of the replaced gate plus its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) gate: Gate,
    scale: f64,
    /// Which operands of the replaced gate it acts on; only the first `arity` entries count.
    places: [usize; 3],
}

impl Part {
    /// The gate as its own replacement.
    pub(super) fn whole(gate: Gate) -> Self {
        Self {
            gate: gate.with_theta(0.0),
            scale: 1.0,
            places: [0, 1, 2],
        }
    }

    /// This part of a replacement of `outer`, seen as a part of what `outer` belongs to.
    pub(super) fn within(&self, outer: &Self) -> Self {
        let own = self.gate.theta().unwrap_or(0.0);
        let offset = outer.gate.theta().unwrap_or(0.0);
        Self {
            gate: self.gate.with_theta(self.scale * offset + own),
            scale: self.scale * outer.scale,
            places: self.places.map(|place| outer.places[place]),
        }
    }

    /// The operation that this part is when `replaced` acts on `qubits`.
    pub(super) fn on(&self, replaced: Gate, qubits: &[u32]) -> Operation {
        let own = self.gate.theta().unwrap_or(0.0);
        let given = replaced.theta().unwrap_or(0.0);
        let places = &self.places[..self.gate.arity()];
        Operation::Unitary {
            gate: self.gate.with_theta(self.scale * given + own),
            qubits: places.iter().map(|place| qubits[*place]).collect(),
        }
    }
}

/// A gate that does not depend on the replaced gate's angle, on its first operand.
const fn one(gate: Gate) -> Part {
    Part {
        gate,
        scale: 0.0,
        places: [0, 0, 0],
    }
}

/// The same on the operand at `place`.
const fn at(gate: Gate, place: usize) -> Part {
    Part {
        gate,
        scale: 0.0,
        places: [place, 0, 0],
    }
}

/// A gate on two operands, the target last.
const fn two(gate: Gate, control: usize, target: usize) -> Part {
    Part {
        gate,
        scale: 0.0,
        places: [control, target, 0],
    }
}

/// A gate on all three operands.
const fn three(gate: Gate) -> Part {
    Part {
        gate,
        scale: 0.0,
        places: [0, 1, 2],
    }
}

/// A gate whose angle is `scale` times the replaced gate's, plus the one that is written in it.
const fn turned(gate: Gate, scale: f64, place: usize) -> Part {
    Part {
        gate,
        scale,
        places: [place, 0, 0],
    }
}

const T: Part = at(Gate::T, 2);
const TDG: Part = at(Gate::Tdg, 2);
const H: Part = at(Gate::H, 2);

type Rules = &'static [&'static [Part]];

/// All known replacements of a gate, each in the order of execution. The gate's angle is ignored.
pub(super) const fn rules(gate: Gate) -> Rules {
    match gate.arity() {
        1 if gate.theta().is_some() => rules_for_rotations(gate),
        1 => rules_for_half_turns(gate),
        _ => rules_for_entanglers(gate),
    }
}

/// Conjugation by a quarter turn about one axis takes the second axis to the third.
const fn rules_for_rotations(gate: Gate) -> Rules {
    match gate {
        Gate::Rx(_) => {
            const {
                &[
                    &[one(Gate::S), turned(Gate::Ry(0.0), 1.0, 0), one(Gate::Sdg)],
                    &[one(Gate::H), turned(Gate::Rz(0.0), 1.0, 0), one(Gate::H)],
                ]
            }
        }
        Gate::Ry(_) => {
            const {
                &[
                    &[one(Gate::Sdg), turned(Gate::Rx(0.0), 1.0, 0), one(Gate::S)],
                    &[
                        one(Gate::Z),
                        one(Gate::Sx),
                        turned(Gate::Rz(PI), -1.0, 0),
                        one(Gate::Sx),
                    ],
                ]
            }
        }
        Gate::Rz(_) => {
            const {
                &[
                    &[turned(Gate::P(0.0), 1.0, 0)],
                    &[
                        one(Gate::Rx(-FRAC_PI_2)),
                        turned(Gate::Ry(0.0), 1.0, 0),
                        one(Gate::Rx(FRAC_PI_2)),
                    ],
                    &[one(Gate::H), turned(Gate::Rx(0.0), 1.0, 0), one(Gate::H)],
                ]
            }
        }
        Gate::P(_) => const { &[&[turned(Gate::Rz(0.0), 1.0, 0)]] },
        _ => &[],
    }
}

/// The gates that undo themselves; their roots are further down.
const fn rules_for_half_turns(gate: Gate) -> Rules {
    match gate {
        Gate::X => {
            const {
                &[
                    &[one(Gate::Rx(PI))],
                    &[one(Gate::Sx), one(Gate::Sx)],
                    &[one(Gate::H), one(Gate::Z), one(Gate::H)],
                ]
            }
        }
        Gate::Y => const { &[&[one(Gate::Ry(PI))], &[one(Gate::Z), one(Gate::X)]] },
        Gate::Z => {
            const {
                &[
                    &[one(Gate::Rz(PI))],
                    &[one(Gate::S), one(Gate::S)],
                    &[one(Gate::H), one(Gate::X), one(Gate::H)],
                ]
            }
        }
        Gate::H => {
            const {
                &[
                    &[one(Gate::Z), one(Gate::Ry(FRAC_PI_2))],
                    &[one(Gate::S), one(Gate::Sx), one(Gate::S)],
                ]
            }
        }
        _ => rules_for_roots(gate),
    }
}

const fn rules_for_roots(gate: Gate) -> Rules {
    match gate {
        Gate::S => {
            const {
                &[
                    &[one(Gate::Rz(FRAC_PI_2))],
                    &[one(Gate::T), one(Gate::T)],
                    &[one(Gate::Z), one(Gate::Sdg)],
                ]
            }
        }
        Gate::Sdg => {
            const {
                &[
                    &[one(Gate::Rz(-FRAC_PI_2))],
                    &[one(Gate::Z), one(Gate::S)],
                    &[one(Gate::Tdg), one(Gate::Tdg)],
                ]
            }
        }
        Gate::T => const { &[&[one(Gate::Rz(FRAC_PI_4))], &[one(Gate::S), one(Gate::Tdg)]] },
        Gate::Tdg => {
            const {
                &[
                    &[one(Gate::Rz(-FRAC_PI_4))],
                    &[one(Gate::Sdg), one(Gate::T)],
                ]
            }
        }
        Gate::Sx => {
            const {
                &[
                    &[one(Gate::Rx(FRAC_PI_2))],
                    &[one(Gate::H), one(Gate::S), one(Gate::H)],
                ]
            }
        }
        _ => &[],
    }
}

/// The long rule for CCZ is that of Nielsen and Chuang, figure 4.9, without its outer Hadamards.
const fn rules_for_entanglers(gate: Gate) -> Rules {
    match gate {
        Gate::Cx => const { &[&[at(Gate::H, 1), two(Gate::Cz, 0, 1), at(Gate::H, 1)]] },
        Gate::Cz => {
            const {
                &[
                    &[two(Gate::Cp(PI), 0, 1)],
                    &[at(Gate::H, 1), two(Gate::Cx, 0, 1), at(Gate::H, 1)],
                ]
            }
        }
        Gate::Cp(_) => {
            const {
                &[&[
                    turned(Gate::P(0.0), 0.5, 0),
                    turned(Gate::P(0.0), 0.5, 1),
                    two(Gate::Cx, 0, 1),
                    turned(Gate::P(0.0), -0.5, 1),
                    two(Gate::Cx, 0, 1),
                ]]
            }
        }
        Gate::Swap => {
            const {
                &[&[
                    two(Gate::Cx, 0, 1),
                    two(Gate::Cx, 1, 0),
                    two(Gate::Cx, 0, 1),
                ]]
            }
        }
        Gate::Ccx => const { &[&[H, three(Gate::Ccz), H]] },
        Gate::Ccz => {
            const {
                &[
                    &[H, three(Gate::Ccx), H],
                    &[
                        two(Gate::Cx, 1, 2),
                        TDG,
                        two(Gate::Cx, 0, 2),
                        T,
                        two(Gate::Cx, 1, 2),
                        TDG,
                        two(Gate::Cx, 0, 2),
                        at(Gate::T, 1),
                        T,
                        two(Gate::Cx, 0, 1),
                        at(Gate::T, 0),
                        at(Gate::Tdg, 1),
                        two(Gate::Cx, 0, 1),
                    ],
                ]
            }
        }
        _ => &[],
    }
}
