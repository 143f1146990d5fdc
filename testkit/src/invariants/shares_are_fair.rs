//! While two tenants both have jobs waiting for a device, they get as much of its time for their
//! weights, up to what the executions under way may still change: for each of its slots, and for
//! one job more, the longest that either has (issue 6; the bound of start-time fair queueing, Goyal,
//! Vin and Cheng 1996). With it nobody starves, whatever the others submit. Held against every run
//! until its first fault.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;
use crate::turns::{Turn, turns};

/// What a job is taken for before one has been seen.
const FORESEEN: f64 = 1.0;

/// Says who got more of a device than somebody who waited for it too.
pub fn check(history: &History) -> Vec<Breach> {
    let slots: usize = history.slots.values().sum();
    // A tenant that may have no more jobs running is not entitled to a share.
    if history.limits.tenant_running < slots {
        return Vec::new();
    }
    let turns = turns(history);
    let mut broken = Vec::new();
    for (device, slots) in &history.slots {
        let mut tenants: BTreeMap<&str, Vec<&Turn<'_>>> = BTreeMap::new();
        for turn in turns.iter().filter(|turn| turn.device == *device) {
            tenants.entry(turn.tenant).or_default().push(turn);
        }
        let tenants: Vec<_> = tenants.into_iter().collect();
        for (place, one) in tenants.iter().enumerate() {
            for other in &tenants[place + 1..] {
                broken.extend(unfair(history, (device, *slots), one, other));
            }
        }
    }
    broken
}

type Jobs<'h, 't> = (&'h str, Vec<&'t Turn<'h>>);

/// Says when one of two tenants got too much beside the other.
fn unfair(
    history: &History,
    (device, slots): (&str, usize),
    one: &Jobs<'_, '_>,
    other: &Jobs<'_, '_>,
) -> Option<Breach> {
    let weight = |tenant: &str| {
        let weights = &history.limits.tenant_weights;
        f64::from(weights.get(tenant).copied().unwrap_or(1).max(1))
    };
    let backlogs = [one, other].map(|(_, turns)| backlog(turns, history.calm_until));
    let allowed: f64 = [one, other]
        .map(|(tenant, turns)| longest(turns) / weight(tenant))
        .iter()
        .sum();
    let allowed = allowed * (slots as f64 + 1.0);
    for both in common(&backlogs[0], &backlogs[1]) {
        let [got, beside] =
            [one, other].map(|(tenant, turns)| served(turns, both) / weight(tenant));
        if (got - beside).abs() > allowed {
            let (from, until) = (both.0.as_secs_f64(), both.1.as_secs_f64());
            let how = format!(
                "from {from:.3} s to {until:.3} s {} got {got:.3} s of {device} for its weight and {} got \
                 {beside:.3} s, though both had jobs waiting; {allowed:.3} s apart is fair",
                one.0, other.0
            );
            return Some(Breach::at(both.1, how));
        }
    }
    None
}

/// When a tenant always had a job waiting.
fn backlog(turns: &[&Turn<'_>], calm_until: Duration) -> Vec<(Duration, Duration)> {
    let mut waited: Vec<_> = turns.iter().map(|turn| turn.waited).collect();
    waited.sort_unstable();
    let mut whole: Vec<(Duration, Duration)> = Vec::new();
    for (from, until) in waited {
        let until = until.min(calm_until);
        match whole.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => whole.push((from, until)),
        }
    }
    whole
}

/// When both are so.
fn common(
    one: &[(Duration, Duration)],
    other: &[(Duration, Duration)],
) -> Vec<(Duration, Duration)> {
    let pairs = one
        .iter()
        .flat_map(|one| other.iter().map(move |other| (one, other)));
    let both = pairs.map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)));
    both.filter(|(from, until)| from < until).collect()
}

/// Device time of the jobs that had their turn then.
fn served(turns: &[&Turn<'_>], (from, until): (Duration, Duration)) -> f64 {
    let held = turns.iter().filter_map(|turn| turn.held);
    held.filter(|(at, _)| (from..until).contains(at))
        .map(|(at, over)| (over - at).as_secs_f64())
        .fold(0.0, |all, one| all + one)
}

fn longest(turns: &[&Turn<'_>]) -> f64 {
    let held = turns.iter().filter_map(|turn| turn.held);
    held.map(|(at, over)| (over - at).as_secs_f64())
        .fold(FORESEEN, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{crowd, secs};

    /// Jobs of a second each, one after the other, whose tenants are these.
    fn served_in_order(tenants: &str) -> History {
        let mut jobs = Vec::new();
        for (at, tenant) in (0..).zip(tenants.split("")) {
            if !tenant.is_empty() {
                jobs.push((tenant, 0, at, at + 1));
            }
        }
        crowd(&jobs)
    }

    #[test]
    fn a_tenant_that_takes_all_is_refused() {
        let mut history = served_in_order("aaaaaabb");
        assert_eq!(check(&history).len(), 1);
        history.calm_until = secs(4);
        assert_eq!(check(&history).len(), 0, "four seconds apart are fair");
    }

    #[test]
    fn tenants_that_take_turns_are_fair() {
        assert_eq!(check(&served_in_order("abababababaaaaaaaa")), [""; 0]);
    }

    #[test]
    fn a_tenant_of_more_weight_gets_more() {
        let mut history = served_in_order("aaaabaaaabaaaabaaaabaaaabaaaab");
        assert_eq!(check(&history).len(), 1);
        history.limits.tenant_weights.insert("a".to_owned(), 4);
        assert_eq!(check(&history), [""; 0]);
    }
}
