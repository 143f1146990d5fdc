//! Another try, or the end? Exponential back-off with jitter, bounded by count and by time
//! (D18). The jitter comes in as a number, so that the decision itself is no matter of chance.

use crate::planted::{Bug, planted};
use std::time::Duration;

/// How often and how patiently something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Tries in all, the first included; `None` when only time bounds them.
    pub tries_max: Option<u32>,
    /// The first back-off.
    pub backoff_base: Duration,
    /// The longest back-off; a longer wish of the neighbour is cut to it.
    pub backoff_max: Duration,
}

/// What to do after a try that did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this span.
    Again(Duration),
    /// That was the last try that the count allows.
    TriesSpent,
    /// The next try would come after the bound.
    TimeSpent,
}

/// Decides after a try that did not work.
///
/// `tries` counts those that did not work, this one included. `jitter` is a number from 0 to
/// `u32::MAX` that spreads the back-off over its upper half. `wish` is a RetryInfo of the
/// neighbour. `left` is the time until the stage's bound or the job's deadline.
pub fn decide(
    policy: Policy,
    tries: u32,
    jitter: u32,
    wish: Option<Duration>,
    left: Duration,
) -> Verdict {
    let more = u32::from(planted(Bug::OneTryMore));
    if policy.tries_max.is_some_and(|most| tries >= most + more) {
        return Verdict::TriesSpent;
    }
    let doublings = match planted(Bug::BackOffStands) {
        true => 0,
        false => tries.saturating_sub(1).min(31),
    };
    let full = policy
        .backoff_base
        .saturating_mul(1 << doublings)
        .min(policy.backoff_max);
    let spread = (full / 2).mul_f64(f64::from(jitter) / f64::from(u32::MAX));
    let pause = (full / 2 + spread).max(wish.unwrap_or_default().min(policy.backoff_max));
    if pause >= left {
        Verdict::TimeSpent
    } else {
        Verdict::Again(pause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy {
        tries_max: Some(5),
        backoff_base: Duration::from_millis(100),
        backoff_max: Duration::from_secs(32),
    };
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn backoff_doubles_up_to_the_cap() {
        let patient = Policy {
            tries_max: None,
            ..POLICY
        };
        let table: String = (1..=12)
            .map(|tries| {
                let low = decide(patient, tries, 0, None, HOUR);
                let high = decide(patient, tries, u32::MAX, None, HOUR);
                format!("try {tries:>2}: {low:?} .. {high:?}\n")
            })
            .collect();
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_wish_of_the_neighbour_is_honoured_but_cannot_go_beyond_the_cap() {
        let wish = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            decide(POLICY, 1, 0, wish(5), HOUR),
            Verdict::Again(Duration::from_secs(5))
        );
        assert_eq!(
            decide(POLICY, 1, 0, wish(500), HOUR),
            Verdict::Again(POLICY.backoff_max)
        );
    }

    #[test]
    fn the_fifth_try_of_five_is_the_last() {
        assert!(matches!(
            decide(POLICY, 4, 0, None, HOUR),
            Verdict::Again(_)
        ));
        assert_eq!(decide(POLICY, 5, 0, None, HOUR), Verdict::TriesSpent);
    }

    proptest! {
        #[test]
        fn no_pause_reaches_beyond_the_bound_or_the_cap(
            tries in 0u32..100, jitter: u32, wish_ms in 0u64..100_000, left_ms in 0u64..100_000
        ) {
            let left = Duration::from_millis(left_ms);
            let wish = Some(Duration::from_millis(wish_ms));
            let policy = Policy { tries_max: None, ..POLICY };
            if let Verdict::Again(pause) = decide(policy, tries, jitter, wish, left) {
                prop_assert!(pause < left);
                prop_assert!(pause <= policy.backoff_max);
                prop_assert!(pause >= policy.backoff_base / 2);
            }
        }
    }
}
