//! What a gate does: a list of the circuit's own gates and a phase, and what the modifiers of
//! OpenQASM make of it. The phase means nothing until somebody controls it.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use crate::circuit::Gate;

/// Gates in order, and a global phase in radians.
#[derive(Debug, Clone, Default)]
pub(super) struct Unitary {
    pub(super) gates: Vec<Placed>,
    pub(super) phase: f64,
}

/// A gate on qubits, controls first.
pub(super) type Placed = (Gate, Vec<u32>);

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLong {
    /// More gates than a circuit may have.
    Operations,
    /// More than this come of one gate under its controls.
    Controlled(usize),
    /// More work than one program may make.
    Steps,
}

impl Unitary {
    pub(super) fn gate(gate: Gate, qubits: &[u32]) -> Self {
        Self {
            gates: vec![(gate, qubits.to_vec())],
            phase: 0.0,
        }
    }

    pub(super) fn phase(phase: f64) -> Self {
        Self {
            gates: Vec::new(),
            phase,
        }
    }

    /// The language's own gate on one qubit, with a real first entry, cos(theta/2). The text of
    /// OpenQASM 3 multiplies by `e^(i theta/2)`, but its own example of a controlled NOT and the
    /// tools that write OpenQASM do not. Version 2 leaves the phase open.
    pub(super) fn u(theta: f64, phi: f64, lambda: f64, qubit: u32) -> Self {
        let turns = [Gate::Rz(lambda), Gate::Ry(theta), Gate::Rz(phi)];
        let turns = turns.into_iter().filter(|turn| turn.theta() != Some(0.0));
        Self {
            gates: turns.map(|turn| (turn, vec![qubit])).collect(),
            phase: f64::midpoint(phi, lambda),
        }
    }

    /// First this, then `next`.
    pub(super) fn then(&mut self, next: Self) {
        self.gates.extend(next.gates);
        self.phase += next.phase;
    }

    pub(super) fn inverse(self) -> Self {
        let mut gates = Vec::with_capacity(self.gates.len());
        for (gate, qubits) in self.gates.into_iter().rev() {
            if gate == Gate::Sx {
                // Four of them are nothing, and two are an X.
                gates.push((Gate::X, qubits.clone()));
            }
            gates.push((undoing(gate), qubits));
        }
        let phase = -self.phase;
        Self { gates, phase }
    }

    /// Done `times` in a row; the other way round if negative.
    pub(super) fn power(self, times: i64, most: usize) -> Result<Self, TooLong> {
        let once = if times < 0 { self.inverse() } else { self };
        let times = usize::try_from(times.unsigned_abs()).unwrap_or(usize::MAX);
        if once.gates.len().saturating_mul(times) > most {
            return Err(TooLong::Operations);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "the phase of so many is noise anyway"
        )]
        let phase = once.phase * times as f64;
        // With no gates there may be any number of turns, and none is worth going round.
        let turns = if once.gates.is_empty() { 0 } else { times };
        let mut gates = Vec::with_capacity(once.gates.len() * turns);
        for _ in 0..turns {
            gates.extend_from_slice(&once.gates);
        }
        Ok(Self { gates, phase })
    }

    /// Done only where all of these qubits are one. With more than a handful of controls the
    /// number of gates grows threefold with each.
    pub(super) fn controlled(self, controls: &[u32], most: usize) -> Result<Self, TooLong> {
        let mut out = Controlled {
            gates: Vec::new(),
            most,
        };
        for (gate, qubits) in self.gates {
            out.gate(gate, controls, &qubits)?;
        }
        let phase = match controls.split_last() {
            None => self.phase,
            Some((last, others)) => {
                if self.phase != 0.0 {
                    out.phase(self.phase, others, *last)?;
                }
                0.0
            }
        };
        let gates = out.gates;
        Ok(Self { gates, phase })
    }
}

/// The gate that undoes another, but for the square root of X.
fn undoing(gate: Gate) -> Gate {
    match gate {
        Gate::S => Gate::Sdg,
        Gate::Sdg => Gate::S,
        Gate::T => Gate::Tdg,
        Gate::Tdg => Gate::T,
        Gate::Rx(_) | Gate::Ry(_) | Gate::Rz(_) | Gate::P(_) | Gate::Cp(_) => {
            gate.with_theta(-gate.theta().unwrap_or(0.0))
        }
        Gate::X | Gate::Y | Gate::Z | Gate::H | Gate::Sx => gate,
        Gate::Cx | Gate::Cz | Gate::Swap | Gate::Ccx | Gate::Ccz => gate,
    }
}

/// Builds controlled gates from those that there are.
struct Controlled {
    gates: Vec<Placed>,
    most: usize,
}

type Done = Result<(), TooLong>;

impl Controlled {
    fn push(&mut self, gate: Gate, qubits: &[u32]) -> Done {
        if self.gates.len() == self.most {
            return Err(TooLong::Operations);
        }
        self.gates.push((gate, qubits.to_vec()));
        Ok(())
    }

    /// The gate on `qubits`, with these controls before its own.
    fn gate(&mut self, gate: Gate, controls: &[u32], qubits: &[u32]) -> Done {
        if gate == Gate::Swap {
            let [first, second] = [qubits[0], qubits[1]];
            self.push(Gate::Cx, &[second, first])?;
            self.flip(&[controls, &[first]].concat(), second)?;
            return self.push(Gate::Cx, &[second, first]);
        }
        let (target, own) = qubits.split_last().expect("a gate acts on a qubit");
        self.on_target(gate, &[controls, own].concat(), *target)
    }

    /// What the gate does to its target, with these controls in place of its own.
    fn on_target(&mut self, gate: Gate, controls: &[u32], target: u32) -> Done {
        if controls.is_empty() {
            return self.push(gate, &[target]);
        }
        match gate {
            Gate::X | Gate::Cx | Gate::Ccx => self.flip(controls, target),
            Gate::Z | Gate::Cz | Gate::Ccz => self.sign(controls, target),
            Gate::P(angle) | Gate::Cp(angle) => self.phase(angle, controls, target),
            Gate::S => self.phase(FRAC_PI_2, controls, target),
            Gate::Sdg => self.phase(-FRAC_PI_2, controls, target),
            Gate::T => self.phase(FRAC_PI_4, controls, target),
            Gate::Tdg => self.phase(-FRAC_PI_4, controls, target),
            // Turned until the axis is that of a gate whose controlled form is known.
            Gate::Y => self.between(Gate::Sdg, Gate::S, Gate::X, controls, target),
            Gate::H => {
                let (there, back) = (Gate::Ry(-FRAC_PI_4), Gate::Ry(FRAC_PI_4));
                self.between(there, back, Gate::Z, controls, target)
            }
            Gate::Sx => self.between(Gate::H, Gate::H, Gate::S, controls, target),
            Gate::Rx(angle) => self.between(Gate::H, Gate::H, Gate::Rz(angle), controls, target),
            // Half a turn, and the other half backwards unless the controls flip it twice.
            Gate::Ry(angle) | Gate::Rz(angle) => {
                self.push(gate.with_theta(angle / 2.0), &[target])?;
                self.flip(controls, target)?;
                self.push(gate.with_theta(-angle / 2.0), &[target])?;
                self.flip(controls, target)
            }
            Gate::Swap => unreachable!("a swap has no target"),
        }
    }

    fn between(
        &mut self,
        before: Gate,
        after: Gate,
        inner: Gate,
        controls: &[u32],
        target: u32,
    ) -> Done {
        self.push(before, &[target])?;
        self.on_target(inner, controls, target)?;
        self.push(after, &[target])
    }

    fn flip(&mut self, controls: &[u32], target: u32) -> Done {
        match *controls {
            [] => self.push(Gate::X, &[target]),
            [one] => self.push(Gate::Cx, &[one, target]),
            [one, other] => self.push(Gate::Ccx, &[one, other, target]),
            _ => {
                self.push(Gate::H, &[target])?;
                self.phase(PI, controls, target)?;
                self.push(Gate::H, &[target])
            }
        }
    }

    fn sign(&mut self, controls: &[u32], target: u32) -> Done {
        match *controls {
            [] => self.push(Gate::Z, &[target]),
            [one] => self.push(Gate::Cz, &[one, target]),
            [one, other] => self.push(Gate::Ccz, &[one, other, target]),
            _ => self.phase(PI, controls, target),
        }
    }

    /// A phase where all qubits are one. The last control takes it in two halves that cancel
    /// unless the others are one (Barenco et al. 1995, lemma 7.5, for a diagonal gate).
    fn phase(&mut self, angle: f64, controls: &[u32], target: u32) -> Done {
        match *controls {
            [] => self.push(Gate::P(angle), &[target]),
            [one] => self.push(Gate::Cp(angle), &[one, target]),
            [ref others @ .., last] => {
                self.push(Gate::Cp(angle / 2.0), &[last, target])?;
                self.flip(others, last)?;
                self.push(Gate::Cp(-angle / 2.0), &[last, target])?;
                self.flip(others, last)?;
                self.phase(angle / 2.0, others, target)
            }
        }
    }
}

#[cfg(test)]
#[path = "unitary_tests.rs"]
mod tests;
