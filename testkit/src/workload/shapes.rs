//! The distributions that a workload is made of, thrown with [`Dice`].

use std::f64::consts::TAU;

use crate::circuits::Dice;

/// A number from above 0 up to 1, whose logarithm is finite.
fn positive(dice: &mut Dice) -> f64 {
    1.0 - dice.unit()
}

/// With this mean.
pub(super) fn exponential(dice: &mut Dice, mean: f64) -> f64 {
    -mean * positive(dice).ln()
}

/// With median 1; `sigma` is the deviation of its logarithm.
pub(super) fn lognormal(dice: &mut Dice, sigma: f64) -> f64 {
    // Box and Muller 1958.
    let radius = (-2.0 * positive(dice).ln()).sqrt();
    (sigma * radius * (TAU * dice.unit()).cos()).exp()
}

/// From 1 up to `most`, with this tail index.
pub(super) fn pareto(dice: &mut Dice, index: f64, most: f64) -> f64 {
    let cut = 1.0 - most.powf(-index);
    (1.0 - dice.unit() * cut).powf(-1.0 / index)
}

/// Ranks from 0 on, of which rank r comes in proportion to (r + 1)^-exponent.
#[derive(Debug)]
pub(super) struct Zipf {
    /// The share of this rank and of all before it.
    up_to: Vec<f64>,
}

impl Zipf {
    pub(super) fn new(ranks: usize, exponent: f64) -> Self {
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-exponent));
        let mut sum = 0.0;
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        let sums: Vec<_> = sums.collect();
        let up_to = sums.iter().map(|part| part / sum).collect();
        Self { up_to }
    }

    pub(super) fn throw(&self, dice: &mut Dice) -> usize {
        let at = dice.unit();
        let rank = self.up_to.partition_point(|up_to| *up_to <= at);
        rank.min(self.up_to.len() - 1)
    }
}
