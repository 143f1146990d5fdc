//! What a run proves, or breaks.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx_testkit::history::History;
use qrtx_testkit::invariants::{self, Kind};

use crate::scenario::Scenario;
use crate::trace::Line;

/// What was to be seen of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The trace.
    pub lines: Vec<Line>,
    /// What clients, devices and the store can say.
    pub history: History,
    /// Each job's place in the scenario.
    pub ordinals: BTreeMap<JobId, usize>,
    /// Steps that had no effect.
    pub unfired: Vec<String>,
    /// Why the kernel stopped by itself, if it did.
    pub stopped: Option<String>,
    /// The panic that ended the run, if one did.
    pub broke: Option<String>,
    /// When everything was over, in simulated time.
    pub ended: Duration,
}

/// What is wrong with a run, by kind; all is well when nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Something bad happened.
    pub safety: Vec<String>,
    /// Something good did not happen.
    pub liveness: Vec<String>,
    /// The run proves nothing.
    pub vacuous: Vec<String>,
}

impl Verdict {
    /// Judges a run by the scenario's expectations and invariants.
    pub fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let mut verdict = Self::default();
        if let Some(panic) = &outcome.broke {
            verdict.safety.push(format!("the run broke: {panic}"));
            return verdict;
        }
        let stopped = outcome
            .stopped
            .iter()
            .map(|why| format!("the kernel stopped: {why}"));
        verdict.safety.extend(stopped);
        let all = scenario.invariants.is_empty();
        for invariant in invariants::ALL {
            if !all
                && !scenario
                    .invariants
                    .iter()
                    .any(|name| name == invariant.name)
            {
                continue;
            }
            let broken = (invariant.check)(&outcome.history);
            let broken = broken
                .into_iter()
                .map(|what| format!("{}: {what}", invariant.name));
            match invariant.kind {
                Kind::Safety => verdict.safety.extend(broken),
                Kind::Liveness => verdict.liveness.extend(broken),
            }
        }
        verdict.expectations(scenario, outcome);
        verdict.vacuous.clone_from(&outcome.unfired);
        verdict
    }

    fn expectations(&mut self, scenario: &Scenario, outcome: &Outcome) {
        let by_ordinal: BTreeMap<_, _> = outcome
            .ordinals
            .iter()
            .map(|(id, ordinal)| (*ordinal, *id))
            .collect();
        for planned in scenario.planned() {
            let ordinal = planned.ordinal;
            let stored = by_ordinal
                .get(&ordinal)
                .and_then(|id| outcome.history.stored.get(id));
            let Some(stored) = stored else {
                self.liveness
                    .push(format!("job {ordinal} never came to the kernel"));
                continue;
            };
            let (state, wanted) = (stored.job.state, scenario.ends_of(ordinal));
            if state.is_terminal() && !wanted.is_empty() && !wanted.contains(&state) {
                let why = stored
                    .job
                    .error()
                    .map(|(_, summary)| format!(" ({summary})"));
                let why = why.unwrap_or_default();
                self.safety
                    .push(format!("job {ordinal} ended {}{why}", state.name()));
            }
            let id = stored.job.id.to_string();
            let ran = outcome
                .history
                .runs
                .iter()
                .filter(|run| run.job == id)
                .count();
            if let Some([least, most]) = scenario.executions_of(ordinal)
                && !(least..=most).contains(&ran)
            {
                self.safety.push(format!(
                    "job {ordinal} ran {ran} times, not {least} to {most}"
                ));
            }
        }
        let ledger = || {
            outcome
                .history
                .stored
                .values()
                .flat_map(|stored| &stored.job.ledger)
        };
        let wasted: u64 = ledger()
            .map(|entry| u64::from(entry.settlement.wasted))
            .sum();
        let unknown: u64 = ledger()
            .map(|entry| u64::from(entry.settlement.unknown))
            .sum();
        for (what, found, wanted) in [
            ("wasted", wasted, scenario.expect.wasted_shots),
            ("unknown", unknown, scenario.expect.unknown_shots),
        ] {
            if wanted.is_some_and(|wanted| wanted != found) {
                self.safety
                    .push(format!("{found} shots are {what}, not {wanted:?}"));
            }
        }
    }

    /// The exit code: 0 for a run in which all is well.
    pub fn exit_code(&self) -> u8 {
        match (
            self.safety.is_empty(),
            self.liveness.is_empty(),
            self.vacuous.is_empty(),
        ) {
            (false, _, _) => 129,
            (_, false, _) => 128,
            (_, _, false) => 131,
            (true, true, true) => 0,
        }
    }

    /// Everything that is wrong, in words.
    pub fn complaints(&self) -> Vec<String> {
        let named = |kind: &'static str, what: &[String]| -> Vec<String> {
            what.iter().map(|what| format!("{kind}: {what}")).collect()
        };
        let mut all = named("safety", &self.safety);
        all.extend(named("liveness", &self.liveness));
        all.extend(named("vacuous", &self.vacuous));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(safety: usize, liveness: usize, vacuous: usize) -> u8 {
        let many = |count| vec!["something".to_owned(); count];
        let [safety, liveness, vacuous] = [safety, liveness, vacuous].map(many);
        Verdict {
            safety,
            liveness,
            vacuous,
        }
        .exit_code()
    }

    #[test]
    fn the_worst_decides_the_exit_code() {
        assert_eq!(
            [wrong(0, 0, 0), wrong(0, 0, 1), wrong(0, 1, 1)],
            [0, 131, 128]
        );
        assert_eq!(wrong(1, 1, 1), 129);
    }
}
