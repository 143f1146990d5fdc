//! What executions on one device take: lately on the whole, and for each tenant, whose jobs
//! resemble each other.

use std::collections::{BTreeMap, VecDeque};

/// How much of a mean's weight is left after one more execution: it knows the last twenty or so.
const DECAY: f64 = 0.95;
/// A tenant's own executions are believed as much as all of the device's when there were so many.
const PRIOR: f64 = 2.0;
/// Tenants that are known by name; older ones are taken to be like everybody.
const TENANTS_MAX: usize = 4_096;
/// Executions by which it is known how far one can be from what was expected.
const SPREAD_MAX: usize = 128;

/// The executions of one device. Nothing here depends on how many there were.
#[derive(Debug, Default)]
pub(super) struct Durations {
    all: Mean,
    /// The tenants seen lately, and those seen before them, so that forgetting costs nothing.
    tenants: BTreeMap<String, Mean>,
    earlier: BTreeMap<String, Mean>,
    /// What the last executions took, over what was expected of them.
    spread: VecDeque<f64>,
}

/// A mean in which the latest counts most.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum = self.sum * DECAY + value;
        self.weight = self.weight * DECAY + 1.0;
    }

    fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

impl Durations {
    /// An execution of a tenant took so long.
    pub(super) fn took(&mut self, tenant: &str, seconds: f64) {
        if let Some(expected) = self.of(tenant).filter(|expected| *expected > 0.0) {
            if self.spread.len() == SPREAD_MAX {
                self.spread.pop_front();
            }
            self.spread.push_back(seconds / expected);
        }
        self.all.add(seconds);
        if let Some(mean) = self.tenants.get_mut(tenant) {
            mean.add(seconds);
            return;
        }
        if self.tenants.len() == TENANTS_MAX / 2 {
            self.earlier = std::mem::take(&mut self.tenants);
        }
        let mut mean = self.earlier.remove(tenant).unwrap_or_default();
        mean.add(seconds);
        self.tenants.insert(tenant.to_owned(), mean);
    }

    /// Seconds an execution takes, whosever it is; `None` before the first.
    pub(super) fn of_any(&self) -> Option<f64> {
        self.all.value()
    }

    /// Seconds an execution of this tenant takes; `None` before the first of anybody.
    pub(super) fn of(&self, tenant: &str) -> Option<f64> {
        let all = self.of_any()?;
        let known = self
            .tenants
            .get(tenant)
            .or_else(|| self.earlier.get(tenant));
        let own = known.copied().unwrap_or_default();
        Some((own.sum + PRIOR * all) / (own.weight + PRIOR))
    }

    /// Seconds that an execution has still before it which has taken `elapsed` already and of
    /// which `expected` were expected.
    pub(super) fn rest(&self, expected: f64, elapsed: f64) -> f64 {
        let longer = self.spread.iter().map(|times| times * expected);
        let (sum, count) = longer
            .filter(|seconds| *seconds > elapsed)
            .fold((0.0, 0.0), |(sum, count), seconds| {
                (sum + seconds, count + 1.0)
            });
        match count > 0.0 {
            true => sum / count - elapsed,
            // It is longer than all that were seen; of such it is known that the longer one has
            // taken, the longer it will.
            false => elapsed.max(expected - elapsed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_execution_and_then_it_holds_for_everybody() {
        let mut durations = Durations::default();
        assert_eq!(durations.of("ada"), None);
        durations.took("ada", 4.0);
        assert_eq!(durations.of("ada"), Some(4.0));
        assert_eq!(durations.of("bob"), Some(4.0));
    }

    #[test]
    fn a_tenant_is_known_by_its_own_executions() {
        let mut durations = Durations::default();
        for _ in 0..100 {
            durations.took("ada", 1.0);
            durations.took("bob", 9.0);
        }
        let (ada, bob) = (durations.of("ada").unwrap(), durations.of("bob").unwrap());
        assert!(ada < 2.0 && bob > 8.0, "{ada} {bob}");
        assert!((4.0..6.0).contains(&durations.of("cyd").unwrap()));
    }

    #[test]
    fn what_executions_take_now_counts_and_not_what_they_took_once() {
        let mut durations = Durations::default();
        for _ in 0..1000 {
            durations.took("ada", 1.0);
        }
        for _ in 0..60 {
            durations.took("ada", 5.0);
        }
        assert!(durations.of("ada").unwrap() > 4.5);
    }

    #[test]
    fn the_longer_one_runs_the_longer_it_will_where_times_have_a_heavy_tail() {
        let mut durations = Durations::default();
        for round in 0..10 {
            for _ in 0..9 {
                durations.took("ada", 1.0);
            }
            durations.took("ada", 20.0 + f64::from(round));
        }
        let (early, late) = (durations.rest(3.0, 0.0), durations.rest(3.0, 5.0));
        assert!(late > 2.0 * early, "{early} {late}");
        assert_eq!(durations.rest(3.0, 500.0), 500.0);
    }

    #[test]
    fn no_more_tenants_are_known_than_the_bound() {
        let mut durations = Durations::default();
        for number in 0..3 * TENANTS_MAX {
            durations.took(&format!("tenant-{number}"), 1.0);
            durations.took("ada", 7.0);
            assert!(durations.tenants.len() + durations.earlier.len() <= TENANTS_MAX);
        }
        assert!(
            durations.of("ada").unwrap() > 6.0,
            "who comes often is kept"
        );
    }
}
