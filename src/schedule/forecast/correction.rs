//! What a forecast learns from its own error: by how much waits were longer or shorter than what
//! stood ahead would have taken. Others come later and go first, executions have a heavy tail, a
//! device calibrates; none of it can be foreseen job by job, all of it is in those ratios.
//!
//! Long waits are seen late and come together, so that what was seen is too short on the whole.
//! Therefore both quantiles are stretched until as many waits are within them as should be, in the
//! manner of adaptive conformal inference (Gibbs and Candès 2021).

use std::collections::VecDeque;

/// Waits that are remembered of one size.
const SEEN_MAX: usize = 200;
/// So many are enough to go by those of one size alone.
const SEEN_ENOUGH: usize = 40;
/// Sizes: each half as much again as the one before.
const SIZES: usize = 24;

/// How many waits should be within each quantile.
const LEVELS: Ratios = Ratios { p50: 0.5, p90: 0.9 };
/// Taken for granted before any wait was seen.
const UNSEEN: Ratios = Ratios { p50: 1.0, p90: 3.0 };
/// How far the logarithm of a stretch moves when a wait was beyond its quantile, or was not.
const STEP: f64 = 0.004;
/// The most by which a quantile is stretched, or the inverse.
const STRETCH_MAX: f64 = 4.0;

/// Ratios of true waits to first guesses, by the size of the guess.
#[derive(Debug)]
pub(super) struct Correction {
    sizes: [VecDeque<f64>; SIZES],
    stretch: Ratios,
}

impl Default for Correction {
    fn default() -> Self {
        Self {
            sizes: Default::default(),
            stretch: Ratios { p50: 1.0, p90: 1.0 },
        }
    }
}

/// Two quantiles of a ratio, or what belongs to each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratios {
    pub(super) p50: f64,
    pub(super) p90: f64,
}

impl Correction {
    /// The size of a guess, in executions.
    pub(super) fn size(executions: f64) -> usize {
        let size = (1.0 + executions).ln() / 1.5f64.ln();
        (size as usize).min(SIZES - 1)
    }

    /// A guess of this size came out so many times as long, of which `told` was told.
    pub(super) fn learn(&mut self, size: usize, ratio: f64, told: Ratios) {
        let moved = |stretch: f64, level: f64, told: f64| {
            let within = if ratio <= told { 1.0 } else { 0.0 };
            let stretch = stretch * (STEP * (level - within)).exp();
            stretch.clamp(1.0 / STRETCH_MAX, STRETCH_MAX)
        };
        self.stretch = Ratios {
            p50: moved(self.stretch.p50, LEVELS.p50, told.p50),
            p90: moved(self.stretch.p90, LEVELS.p90, told.p90),
        };
        let seen = &mut self.sizes[size];
        if seen.len() == SEEN_MAX {
            seen.pop_front();
        }
        seen.push_back(ratio);
    }

    /// By how much to multiply a guess of this size: what was seen of it, and of the sizes next to
    /// it as long as that is little.
    pub(super) fn ratios(&self, size: usize) -> Ratios {
        let mut seen: Vec<f64> = Vec::with_capacity(SEEN_MAX);
        for distance in 0..SIZES {
            let below = size.checked_sub(distance).filter(|_| distance > 0);
            let above = Some(size + distance).filter(|it| *it < SIZES);
            for near in [below, above].into_iter().flatten() {
                seen.extend(&self.sizes[near]);
            }
            if seen.len() >= SEEN_ENOUGH {
                break;
            }
        }
        seen.sort_unstable_by(f64::total_cmp);
        if seen.is_empty() {
            return UNSEEN;
        }
        let quantile = |share: f64| {
            let place = (share * (seen.len() + 1) as f64).round() as usize;
            seen[place.clamp(1, seen.len()) - 1]
        };
        let p50 = quantile(LEVELS.p50) * self.stretch.p50;
        let p90 = quantile(LEVELS.p90) * self.stretch.p90;
        Ratios {
            p50,
            p90: p90.max(p50),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if just that had been told.
    fn learn(correction: &mut Correction, size: usize, ratio: f64) {
        let stretch = correction.stretch;
        let told = Ratios {
            p50: ratio,
            p90: ratio,
        };
        correction.learn(size, ratio, told);
        correction.stretch = stretch;
    }

    #[test]
    fn a_guess_stands_as_long_as_no_error_was_seen() {
        assert_eq!(Correction::default().ratios(3), UNSEEN);
    }

    #[test]
    fn the_quantiles_are_those_of_the_errors_of_its_size() {
        let mut correction = Correction::default();
        for error in 1..=99 {
            learn(&mut correction, 3, f64::from(error));
            learn(&mut correction, 9, 1000.0);
        }
        let expected = Ratios {
            p50: 50.0,
            p90: 90.0,
        };
        assert_eq!(correction.ratios(3), expected);
    }

    #[test]
    fn what_is_seldom_seen_borrows_from_what_is_near() {
        let mut correction = Correction::default();
        for _ in 0..SEEN_ENOUGH {
            learn(&mut correction, 5, 3.0);
            learn(&mut correction, 20, 9.0);
        }
        assert_eq!(correction.ratios(4).p50, 3.0);
        assert_eq!(correction.ratios(18).p50, 9.0);
    }

    #[test]
    fn old_errors_are_forgotten_and_the_greatest_guess_has_a_size() {
        let mut correction = Correction::default();
        let size = Correction::size(f64::MAX);
        for _ in 0..SEEN_MAX {
            learn(&mut correction, size, 1.0);
        }
        for _ in 0..SEEN_MAX {
            learn(&mut correction, size, 2.0);
        }
        assert_eq!(correction.ratios(size), Ratios { p50: 2.0, p90: 2.0 });
    }

    #[test]
    fn a_quantile_is_stretched_until_as_many_are_within_as_should_be() {
        let mut correction = Correction::default();
        let (mut within, rounds) = (0, 4_000);
        for round in 0..rounds {
            // Each ratio is a little longer than all before it, so that what was seen is always
            // too short.
            let ratio = 1.0 + f64::from(round * 37 % 97) / 97.0 + f64::from(round) * 0.0003;
            let told = correction.ratios(0);
            within += u32::from(ratio <= told.p90);
            correction.learn(0, ratio, told);
        }
        let share = f64::from(within) / f64::from(rounds);
        assert!((share - 0.9).abs() < 0.015, "{share}");
    }
}
