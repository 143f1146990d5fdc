//! A second opinion for tests: gates as full matrices built by Kronecker products.
//!
//! Slow and written without the code it judges: the matrices below are the textbook's, in full.

use std::f64::consts::PI;

use num_complex::Complex64;
use proptest::prelude::*;

use super::Gate;

type Full = Vec<Vec<Complex64>>;

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

fn cis(angle: f64) -> Complex64 {
    c(angle.cos(), angle.sin())
}

fn two(a: Complex64, b: Complex64, d: Complex64, e: Complex64) -> Full {
    vec![vec![a, b], vec![d, e]]
}

fn kronecker(left: &Full, right: &Full) -> Full {
    let (rows, inner) = (left.len() * right.len(), right.len());
    (0..rows)
        .map(|row| {
            (0..rows)
                .map(|col| left[row / inner][col / inner] * right[row % inner][col % inner])
                .collect()
        })
        .collect()
}

fn times(matrix: &Full, factor: Complex64) -> Full {
    matrix
        .iter()
        .map(|row| row.iter().map(|entry| entry * factor).collect())
        .collect()
}

fn plus(left: &Full, right: &Full) -> Full {
    left.iter()
        .zip(right)
        .map(|(a, b)| a.iter().zip(b).map(|(x, y)| x + y).collect())
        .collect()
}

fn one_qubit(gate: Gate) -> Full {
    let (o, l, i) = (c(0.0, 0.0), c(1.0, 0.0), c(0.0, 1.0));
    let half = |t: f64| (c((t / 2.0).cos(), 0.0), c((t / 2.0).sin(), 0.0));
    match gate {
        Gate::Rx(t) => two(half(t).0, -i * half(t).1, -i * half(t).1, half(t).0),
        Gate::Ry(t) => two(half(t).0, -half(t).1, half(t).1, half(t).0),
        Gate::Rz(t) => two(cis(-t / 2.0), o, o, cis(t / 2.0)),
        Gate::P(t) | Gate::Cp(t) => two(l, o, o, cis(t)),
        Gate::X | Gate::Cx | Gate::Ccx => two(o, l, l, o),
        Gate::Y => two(o, -i, i, o),
        Gate::Z | Gate::Cz | Gate::Ccz => two(l, o, o, -l),
        Gate::H => times(&two(l, l, l, -l), c(0.5_f64.sqrt(), 0.0)),
        Gate::S => two(l, o, o, i),
        Gate::Sdg => two(l, o, o, -i),
        Gate::T => two(l, o, o, cis(PI / 4.0)),
        Gate::Tdg => two(l, o, o, cis(-PI / 4.0)),
        Gate::Sx => times(&two(l + i, l - i, l - i, l + i), c(0.5, 0.0)),
        Gate::Swap => unreachable!("a swap is built from three controlled flips"),
    }
}

/// The product of one factor per qubit, the highest qubit leftmost.
fn spread(qubits: usize, factor: impl Fn(u32) -> Full) -> Full {
    (0..qubits as u32)
        .rev()
        .fold(vec![vec![c(1.0, 0.0)]], |left, q| {
            kronecker(&left, &factor(q))
        })
}

/// `1 + |1..1><1..1| (U - 1)`, the projector being on the controls.
fn full(qubits: usize, gate: Gate, operands: &[u32]) -> Full {
    let (o, l) = (c(0.0, 0.0), c(1.0, 0.0));
    let unit = two(l, o, o, l);
    let (target, controls) = operands.split_last().expect("operands");
    let change = plus(&one_qubit(gate), &times(&unit, -l));
    let controlled = spread(qubits, |q| match q {
        q if q == *target => change.clone(),
        q if controls.contains(&q) => two(o, o, o, l),
        _ => unit.clone(),
    });
    plus(&spread(qubits, |_| unit.clone()), &controlled)
}

/// The state after the gate, by a full matrix.
pub(super) fn apply(state: &[Complex64], gate: Gate, operands: &[u32]) -> Vec<Complex64> {
    if gate == Gate::Swap {
        let [a, b] = [operands[0], operands[1]];
        return [[a, b], [b, a], [a, b]]
            .iter()
            .fold(state.to_vec(), |state, pair| apply(&state, Gate::Cx, pair));
    }
    let matrix = full(state.len().ilog2() as usize, gate, operands);
    matrix
        .iter()
        .map(|row| row.iter().zip(state).map(|(m, s)| m * s).sum())
        .collect()
}

/// A normalised state whose amplitudes all differ in size and phase.
pub(super) fn uneven_state(qubits: u32) -> Vec<Complex64> {
    let raw: Vec<Complex64> = (0..1_u32 << qubits)
        .map(|k| cis(f64::from(k * k)) * (1.0 + f64::from(k) / 7.0))
        .collect();
    let norm = raw.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt();
    raw.iter().map(|amplitude| amplitude / norm).collect()
}

/// The norm of the difference.
pub(super) fn distance(left: &[Complex64], right: &[Complex64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(a, b)| (a - b).norm_sqr())
        .sum::<f64>()
        .sqrt()
}

/// How far two normalised states are from equal up to a global phase: `1 - |<left|right>|`.
pub(super) fn unlikeness(left: &[Complex64], right: &[Complex64]) -> f64 {
    1.0 - left
        .iter()
        .zip(right)
        .map(|(a, b)| a.conj() * b)
        .sum::<Complex64>()
        .norm()
}

/// All ordered choices of `arity` distinct qubits.
pub(super) fn choices(qubits: u32, arity: usize) -> Vec<Vec<u32>> {
    let mut all = vec![vec![]];
    for _ in 0..arity {
        all = all
            .iter()
            .flat_map(|choice: &Vec<u32>| {
                (0..qubits).filter(|q| !choice.contains(q)).map(|q| {
                    let mut longer = choice.clone();
                    longer.push(q);
                    longer
                })
            })
            .collect();
    }
    all
}

/// Registers of 1 to `qubits_max` qubits with up to `length_max` random gates on random operands.
pub(super) fn gates(
    qubits_max: u32,
    length_max: usize,
) -> impl Strategy<Value = (u32, Vec<(Gate, Vec<u32>)>)> {
    (1..=qubits_max).prop_flat_map(move |qubits| {
        let order = Just((0..qubits).collect::<Vec<u32>>()).prop_shuffle();
        let gate = (0..Gate::ALL.len(), -7.0..7.0_f64, order).prop_map(|(which, theta, order)| {
            let gate = Gate::ALL[which].with_theta(theta);
            let gate = if gate.arity() > order.len() {
                Gate::Sx
            } else {
                gate
            };
            (gate, order[..gate.arity()].to_vec())
        });
        (Just(qubits), prop::collection::vec(gate, 0..=length_max))
    })
}
