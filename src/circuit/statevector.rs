//! The state of a register as 2^n amplitudes, and how gates and measurements change it in place.
//!
//! Qubit `i` is bit `i` of the basis index. Loops go over slices split at the qubits' strides, the
//! highest first, so that the innermost ones run over neighbouring amplitudes without index checks.

use num_complex::Complex64;

use super::gate::{Gate, Matrix2};

/// The amplitudes of a register of qubits; their squared norms add up to 1 but for rounding.
#[derive(Debug, Clone)]
pub(super) struct State {
    amplitudes: Vec<Complex64>,
}

/// What one-qubit matrices look like to the loops: the sparser, the faster.
enum Shape {
    Diagonal(Complex64, Complex64),
    Flip,
    Real([[f64; 2]; 2]),
    Dense(Matrix2),
}

impl State {
    /// All qubits zero. The caller has checked that `qubits` is at most `SIMULATED_QUBITS_MAX`.
    pub(super) fn zero(qubits: u32) -> Self {
        let mut amplitudes = vec![Complex64::ZERO; 1 << qubits];
        amplitudes[0] = Complex64::ONE;
        Self { amplitudes }
    }

    /// A state with these amplitudes; their number must be a power of two.
    #[cfg(test)]
    pub(super) fn of(amplitudes: Vec<Complex64>) -> Self {
        assert!(amplitudes.len().is_power_of_two());
        Self { amplitudes }
    }

    pub(super) fn amplitudes(&self) -> &[Complex64] {
        &self.amplitudes
    }

    pub(super) fn into_amplitudes(self) -> Vec<Complex64> {
        self.amplitudes
    }

    /// Becomes a copy of a state with as many qubits, in the memory it already has.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.amplitudes.copy_from_slice(&other.amplitudes);
    }

    /// Applies a gate to as many distinct qubits as it takes, controls first.
    pub(super) fn apply(&mut self, gate: Gate, qubits: &[u32]) {
        let Some(matrix) = gate.matrix() else {
            return exchange(&mut self.amplitudes, qubits[0], qubits[1]);
        };
        let (target, controls) = qubits
            .split_last()
            .expect("a gate acts on at least one qubit");
        let controls = controls.iter().fold(0, |mask, qubit| mask | 1 << qubit);
        let state = &mut self.amplitudes;
        match Shape::of(&matrix) {
            Shape::Diagonal(zero, one) => on_pairs(state, controls, *target, &mut |low, high| {
                // Phases and controlled phases leave half of the amplitudes untouched.
                if zero != Complex64::ONE {
                    low.iter_mut().for_each(|amplitude| *amplitude *= zero);
                }
                high.iter_mut().for_each(|amplitude| *amplitude *= one);
            }),
            Shape::Flip => on_pairs(state, controls, *target, &mut <[_]>::swap_with_slice),
            Shape::Real([[a, b], [c, d]]) => {
                on_amplitudes(state, controls, *target, |zero, one| {
                    (zero * a + one * b, zero * c + one * d)
                })
            }
            Shape::Dense([[a, b], [c, d]]) => {
                on_amplitudes(state, controls, *target, |zero, one| {
                    (a * zero + b * one, c * zero + d * one)
                })
            }
        }
    }

    /// The chance that measuring this qubit gives one, from 0 to 1.
    pub(super) fn chance_of_one(&self, qubit: u32) -> f64 {
        let (mut of_zero, mut of_one) = (0.0, 0.0);
        for block in self.amplitudes.chunks_exact(2 << qubit) {
            let (low, high) = block.split_at(1 << qubit);
            of_zero += low.iter().map(Complex64::norm_sqr).sum::<f64>();
            of_one += high.iter().map(Complex64::norm_sqr).sum::<f64>();
        }
        // Divided by the sum, so that rounding in a long circuit can not favour either outcome.
        of_one / (of_zero + of_one)
    }

    /// The state after this qubit was found to be `outcome`, which must have had a chance.
    pub(super) fn collapse(&mut self, qubit: u32, outcome: Outcome) {
        let kept: f64 = self
            .amplitudes
            .chunks_exact(2 << qubit)
            .flat_map(|block| match outcome {
                Outcome::Zero => &block[..1 << qubit],
                Outcome::One => &block[1 << qubit..],
            })
            .map(Complex64::norm_sqr)
            .sum();
        let scale = kept.sqrt().recip();
        on_pairs(&mut self.amplitudes, 0, qubit, &mut |low, high| {
            let (kept, lost) = match outcome {
                Outcome::Zero => (low, high),
                Outcome::One => (high, low),
            };
            kept.iter_mut().for_each(|amplitude| *amplitude *= scale);
            lost.fill(Complex64::ZERO);
        });
    }
}

/// What a measured qubit was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Zero,
    One,
}

impl Shape {
    fn of(matrix: &Matrix2) -> Self {
        let [[a, b], [c, d]] = *matrix;
        let (zero, one) = (Complex64::ZERO, Complex64::ONE);
        if b == zero && c == zero {
            Self::Diagonal(a, d)
        } else if (a, b, c, d) == (zero, one, one, zero) {
            Self::Flip
        } else if [a, b, c, d].iter().all(|entry| entry.im == 0.0) {
            Self::Real([[a.re, b.re], [c.re, d.re]])
        } else {
            Self::Dense(*matrix)
        }
    }
}

/// Replaces each pair of amplitudes that differ in the target only, where all controls are one.
fn on_amplitudes(
    state: &mut [Complex64],
    controls: u32,
    target: u32,
    change: impl Fn(Complex64, Complex64) -> (Complex64, Complex64),
) {
    on_pairs(state, controls, target, &mut |low, high| {
        for (zero, one) in low.iter_mut().zip(high) {
            (*zero, *one) = change(*zero, *one);
        }
    });
}

/// Calls `change` with runs of amplitudes for target zero and their partners for target one.
///
/// Only amplitudes for which all qubits in the mask `controls` are one are visited, each once.
fn on_pairs<F>(state: &mut [Complex64], controls: u32, target: u32, change: &mut F)
where
    F: FnMut(&mut [Complex64], &mut [Complex64]),
{
    if controls >> target == 0 {
        for block in state.chunks_exact_mut(2 << target) {
            let (low, high) = block.split_at_mut(1 << target);
            on_controlled(low, high, controls, change);
        }
        return;
    }
    let highest = controls.ilog2();
    for block in state.chunks_exact_mut(2 << highest) {
        on_pairs(
            &mut block[1 << highest..],
            controls ^ 1 << highest,
            target,
            change,
        );
    }
}

/// The rest of `on_pairs`, for controls below the target: both runs are split alike.
fn on_controlled<F>(low: &mut [Complex64], high: &mut [Complex64], controls: u32, change: &mut F)
where
    F: FnMut(&mut [Complex64], &mut [Complex64]),
{
    if controls == 0 {
        return change(low, high);
    }
    let half = 1 << controls.ilog2();
    let rest = controls ^ (1 << controls.ilog2());
    for (low, high) in low
        .chunks_exact_mut(2 * half)
        .zip(high.chunks_exact_mut(2 * half))
    {
        on_controlled(&mut low[half..], &mut high[half..], rest, change);
    }
}

/// Exchanges two distinct qubits: amplitudes move where the two differ.
fn exchange(state: &mut [Complex64], first: u32, second: u32) {
    let (upper, lower) = (1 << first.max(second), 1 << first.min(second));
    for block in state.chunks_exact_mut(2 * upper) {
        let (low, high) = block.split_at_mut(upper);
        for (low, high) in low
            .chunks_exact_mut(2 * lower)
            .zip(high.chunks_exact_mut(2 * lower))
        {
            low[lower..].swap_with_slice(&mut high[..lower]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference;
    use super::*;

    #[test]
    fn qubit_0_is_the_lowest_bit_of_the_basis_index() {
        let mut state = State::zero(3);
        state.apply(Gate::X, &[0]);
        assert_eq!(state.amplitudes()[0b001], Complex64::ONE);
        state.apply(Gate::Cx, &[0, 2]);
        assert_eq!(state.amplitudes()[0b101], Complex64::ONE);
        state.apply(Gate::Swap, &[1, 2]);
        assert_eq!(state.amplitudes()[0b011], Complex64::ONE);
    }

    #[test]
    fn a_collapsed_qubit_stays_as_it_was_found() {
        let mut state = State::zero(2);
        state.apply(Gate::H, &[0]);
        state.apply(Gate::Cx, &[0, 1]);
        assert!((state.chance_of_one(1) - 0.5).abs() < 1e-12);
        state.collapse(1, Outcome::One);
        assert!((state.amplitudes()[0b11].norm() - 1.0).abs() < 1e-12);
        assert_eq!(state.chance_of_one(0), 1.0);
        assert_eq!(state.amplitudes()[0b00], Complex64::ZERO);
    }

    #[test]
    fn every_gate_on_every_choice_of_qubits_is_its_full_matrix() {
        for gate in Gate::ALL {
            for qubits in reference::choices(4, gate.arity()) {
                let before = reference::uneven_state(4);
                let mut state = State::of(before.clone());
                state.apply(gate, &qubits);
                let wanted = reference::apply(&before, gate, &qubits);
                let distance = reference::distance(state.amplitudes(), &wanted);
                assert!(
                    distance < 1e-12,
                    "{} on {qubits:?}: {distance}",
                    gate.name()
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_random_circuit_is_the_product_of_its_full_matrices(
            (qubits, gates) in reference::gates(5, 12),
        ) {
            let mut state = State::zero(qubits);
            let mut wanted = state.amplitudes().to_vec();
            for (gate, operands) in &gates {
                state.apply(*gate, operands);
                wanted = reference::apply(&wanted, *gate, operands);
            }
            prop_assert!(reference::distance(state.amplitudes(), &wanted) < 1e-10);
        }
    }
}
