//! Chance that is a function: of the seed, and of what it is for. Two draws for different things
//! do not know of each other, so that a fault less in a log changes nothing that it did not cause.

use qrtx::ids::Sha256Sum;

/// SplitMix64: numbers in, chance out.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number for a text, the same for ever.
pub fn number_of(text: &str) -> u64 {
    // FNV-1a; `mix` spreads it.
    let folded = text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(folded)
}

/// The seeds of a farm: number `n` of those that `base` stands for.
pub fn seed_of(base: &str, n: u64) -> u64 {
    // Seeds are read by people and copied by hand: fifteen digits are enough.
    mix(Sha256Sum::of(base.as_bytes()).prefix() ^ mix(n)) % 1_000_000_000_000_000
}

/// A stream of chance for one purpose.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of `seed` for `purpose`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(mix(seed ^ number_of(purpose)))
    }

    /// Draws the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from `least` up to `most`.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.draw() % (most - least + 1)
    }

    /// Yes in so many of a hundred cases.
    pub fn percent(&mut self, share: u64) -> bool {
        self.draw() % 100 < share
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.draw() % all.len() as u64;
        &all[usize::try_from(at).expect("an index of a slice")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_for_one_thing_knows_nothing_of_another() {
        let mut one = Chance::new(7, "latency");
        let drawn: Vec<_> = (0..3).map(|_| one.draw()).collect();
        let mut again = Chance::new(7, "latency");
        assert_eq!(drawn, (0..3).map(|_| again.draw()).collect::<Vec<_>>());
        assert_ne!(drawn[0], Chance::new(7, "jitter").draw());
        assert_ne!(drawn[0], Chance::new(8, "latency").draw());
    }

    #[test]
    fn seeds_of_two_commits_have_nothing_in_common() {
        let seeds = |base| (0..100).map(move |n| seed_of(base, n));
        let all: std::collections::BTreeSet<_> = seeds("a").chain(seeds("b")).collect();
        assert_eq!(all.len(), 200);
    }
}
