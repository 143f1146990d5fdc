//! Chance that is the same for ever: ChaCha by its published stream, and nothing of a library's
//! ways to make other things of it, which may change with its version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Dice with a stream of their own.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of this seed; streams of one seed have nothing to do with one another.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut stream_of_seed = ChaCha8Rng::from_seed(bytes);
        stream_of_seed.set_stream(stream);
        Self(stream_of_seed)
    }

    /// One of `0..count`. There must be one.
    pub fn below(&mut self, count: usize) -> usize {
        assert!(count > 0, "there is nothing below zero");
        let count = u64::try_from(count).expect("a usize has at most 64 bits");
        assert!(
            count <= u64::from(u32::MAX),
            "no die has {count} sides here"
        );
        let scaled = (u64::from(self.0.next_u32()) * count) >> 32;
        usize::try_from(scaled).expect("it is below a usize")
    }

    /// A number from 0 up to, and without, 1.
    pub fn unit(&mut self) -> f64 {
        // As many bits as a float keeps.
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of `from..=to`.
    pub fn within(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// So many different ones of `0..of`, in any order.
    pub fn distinct(&mut self, count: usize, of: usize) -> Vec<usize> {
        let mut rest: Vec<_> = (0..of).collect();
        (0..count)
            .map(|_| rest.swap_remove(self.below(rest.len())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_dice_fall_alike_for_ever() {
        let throws = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            (0..8).map(|_| dice.below(100)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1, 0), throws(1, 0));
        assert_ne!(throws(1, 0), throws(1, 1));
        assert_ne!(throws(1, 0), throws(2, 0));
        assert_eq!(throws(1, 0), [62, 38, 92, 29, 39, 79, 90, 91]);
    }
}
