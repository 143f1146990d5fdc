//! Chance: seeded draws, and the basis states they fall on.

use num_complex::Complex64;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of draws that is the same on every machine for the same seed.
#[derive(Debug)]
pub(super) struct Draws {
    source: ChaCha8Rng,
}

impl Draws {
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            source: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The next draw, uniform in 0.0..1.0.
    ///
    /// Made from the bits here rather than by a distribution of `rand`, whose results may change
    /// with its version while recorded counts must not.
    pub(super) fn next(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.source.next_u64() >> 11) as f64 * UNIT
    }

    /// The next `count` draws in ascending order.
    pub(super) fn sorted(&mut self, count: u32) -> Vec<f64> {
        let mut draws: Vec<f64> = (0..count).map(|_| self.next()).collect();
        draws.sort_unstable_by(f64::total_cmp);
        draws
    }
}

/// Tells `each` which basis states the ascending draws fall on, and how many fall on each.
///
/// One pass over the amplitudes serves all draws, so that a distribution of 2^n sums is never
/// stored. Amplitudes need not be normalised, but one at least must differ from zero.
pub(super) fn fall(amplitudes: &[Complex64], ascending: &[f64], mut each: impl FnMut(usize, u64)) {
    let total: f64 = amplitudes.iter().map(Complex64::norm_sqr).sum();
    let mut reached = 0.0;
    let mut last = 0;
    let mut rest = ascending;
    for (index, amplitude) in amplitudes.iter().enumerate() {
        let chance = amplitude.norm_sqr();
        if chance == 0.0 {
            continue;
        }
        reached += chance;
        last = index;
        let here = rest
            .iter()
            .take_while(|draw| **draw * total < reached)
            .count();
        if here > 0 {
            each(index, here as u64);
            rest = &rest[here..];
        }
        if rest.is_empty() {
            return;
        }
    }
    // Rounding may leave a draw just below 1.0 beyond the last sum; it belongs to the last state.
    if !rest.is_empty() {
        each(last, rest.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallen(amplitudes: &[f64], draws: &[f64]) -> Vec<(usize, u64)> {
        let amplitudes: Vec<Complex64> = amplitudes.iter().map(|&re| re.into()).collect();
        let mut all = Vec::new();
        fall(&amplitudes, draws, |index, count| all.push((index, count)));
        all
    }

    #[test]
    fn each_draw_falls_on_the_state_whose_share_it_lies_in() {
        let half = 0.5_f64.sqrt();
        let draws = [0.0, 0.49, 0.51, 0.74, 0.76, 0.999];
        assert_eq!(
            fallen(&[half, 0.0, 0.5, 0.5], &draws),
            [(0, 2), (2, 2), (3, 2)]
        );
    }

    #[test]
    fn a_state_without_chance_is_never_drawn() {
        assert_eq!(fallen(&[0.0, 1.0, 0.0, 0.0], &[0.0, 0.5, 0.99]), [(1, 3)]);
    }

    #[test]
    fn a_draw_beyond_the_last_sum_belongs_to_the_last_state_with_a_chance() {
        assert_eq!(fallen(&[0.6, 0.8, 0.0], &[0.1, 1.0]), [(0, 1), (1, 1)]);
    }

    #[test]
    fn the_draws_of_a_seed_are_the_recorded_ones() {
        let mut draws = Draws::seeded(7);
        let first: Vec<u64> = (0..3).map(|_| (draws.next() * 1e9) as u64).collect();
        assert_eq!(first, [157_796_097, 167_989_362, 704_276_128]);
    }

    #[test]
    fn draws_are_uniform_below_one_and_can_be_sorted() {
        let draws = Draws::seeded(1).sorted(10_000);
        assert!(draws.is_sorted() && draws[0] >= 0.0 && draws[9_999] < 1.0);
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }
}
