//! How evenly devices were shared among those who wanted them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::replay::Replay;

/// Shares are looked at hour by hour: over a whole trace everybody gets all that was asked for.
const WINDOW: Duration = Duration::from_secs(3600);

/// Device time of the tenants of one device in one window.
#[derive(Debug, Default)]
struct Window {
    tenants: BTreeMap<usize, Share>,
}

/// Seconds of one tenant.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    /// What its jobs that were there had still before them.
    wanted: f64,
    received: f64,
}

/// Jain's index (Jain, Chiu and Hawe 1984) over what each tenant received of what was its fair
/// share, for each device and hour in which not everybody could have all, on the mean. The fair
/// share is the max-min one: nobody gets more than wanted, and what is left is shared evenly.
#[must_use]
pub fn fairness(replay: &Replay<'_>) -> f64 {
    let windows = windows(replay);
    let indices: Vec<_> = windows.values().filter_map(Window::index).collect();
    match indices.is_empty() {
        true => 1.0,
        false => indices.iter().sum::<f64>() / indices.len() as f64,
    }
}

fn windows(replay: &Replay<'_>) -> BTreeMap<(usize, u64), Window> {
    let mut windows = BTreeMap::<_, Window>::new();
    let hour = WINDOW.as_secs_f64();
    for (start, arrival) in replay.starts.iter().zip(&replay.trace.arrivals) {
        let (at, start) = (arrival.at.as_secs_f64(), start.as_secs_f64());
        let end = start + arrival.takes.as_secs_f64();
        let numbers = (at / hour) as u64..=(end / hour) as u64;
        for number in numbers {
            let (from, until) = (number as f64 * hour, (number + 1) as f64 * hour);
            let window = windows.entry((arrival.device, number)).or_default();
            let share = window.tenants.entry(arrival.tenant).or_default();
            share.wanted += end - start.max(from);
            share.received += (end.min(until) - start.max(from)).max(0.0);
        }
    }
    windows
}

impl Window {
    /// `None` where everybody could have all that was wanted.
    fn index(&self) -> Option<f64> {
        let shares: Vec<_> = self.tenants.values().copied().collect();
        let received: f64 = shares.iter().map(|share| share.received).sum();
        let wanted: Vec<_> = shares.iter().map(|share| share.wanted).collect();
        if shares.len() < 2 || wanted.iter().sum::<f64>() <= received * 1.001 {
            return None;
        }
        let fair = max_min(&wanted, received);
        let parts = shares.iter().zip(fair);
        let parts: Vec<_> = parts
            .filter(|(_, fair)| *fair > 0.0)
            .map(|(share, fair)| share.received / fair)
            .collect();
        let sum: f64 = parts.iter().sum();
        let squares: f64 = parts.iter().map(|part| part * part).sum();
        (squares > 0.0).then(|| sum * sum / squares / parts.len() as f64)
    }
}

/// What each gets of a good if nobody gets more than wanted and what is left is shared evenly.
fn max_min(wanted: &[f64], good: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let (mut left, mut shares) = (good, vec![0.0; wanted.len()]);
    for (served, place) in order.iter().enumerate() {
        let even = left / (wanted.len() - served) as f64;
        shares[*place] = wanted[*place].min(even);
        left -= shares[*place];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_little_gets_it_and_the_rest_is_shared() {
        assert_eq!(max_min(&[10.0, 1.0, 10.0], 9.0), [4.0, 1.0, 4.0]);
        assert_eq!(max_min(&[1.0, 2.0], 9.0), [1.0, 2.0]);
    }

    fn index(shares: &[(f64, f64)]) -> Option<f64> {
        let shares = shares.iter().map(|(wanted, received)| Share {
            wanted: *wanted,
            received: *received,
        });
        let tenants = (0..).zip(shares).collect();
        Window { tenants }.index()
    }

    #[test]
    fn the_index_is_one_for_even_shares_and_one_over_all_if_one_has_everything() {
        assert_eq!(index(&[(9.0, 3.0), (9.0, 3.0)]), Some(1.0));
        assert_eq!(index(&[(9.0, 6.0), (9.0, 0.0)]), Some(0.5));
        assert_eq!(
            index(&[(9.0, 9.0), (5.0, 5.0)]),
            None,
            "nobody lacks anything"
        );
    }
}
