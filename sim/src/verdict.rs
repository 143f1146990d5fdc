//! What a run proves, or breaks.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx_testkit::history::{History, News};
use qrtx_testkit::invariants::{self, Breach, Kind};

use crate::rare;
use crate::record::Records;
use crate::scenario::{JobPlan, Scenario, Span, is_watch};
use crate::trace::Line;

/// What was to be seen of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The trace.
    pub lines: Vec<Line>,
    /// The same as the trace, as data.
    pub records: Records,
    /// What clients, devices and the store can say.
    pub history: History,
    /// Each job's place in the scenario.
    pub ordinals: BTreeMap<JobId, usize>,
    /// Steps that had no effect.
    pub unfired: Vec<String>,
    /// When the kernel stopped by itself, and why, if it did.
    pub stopped: Option<(Duration, String)>,
    /// The panic that ended the run, if one did.
    pub broke: Option<String>,
    /// A sum over what is on the disk of the job store, if there is one: more than a trace can show.
    pub disk: Option<u64>,
    /// When everything was over, in simulated time.
    pub ended: Duration,
}

impl Outcome {
    /// A text with jobs by their place in the scenario, as everywhere in a trace.
    pub fn named(&self, text: &str) -> String {
        let ordinals = self.ordinals.iter();
        ordinals.fold(text.to_owned(), |text, (id, ordinal)| {
            text.replace(&id.to_string(), &format!("job {ordinal}"))
        })
    }
}

/// What is wrong with a run, by kind; all is well when nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The run itself broke.
    pub crash: Vec<Broken>,
    /// Something bad happened.
    pub safety: Vec<Broken>,
    /// Something good did not happen.
    pub liveness: Vec<Broken>,
    /// The run proves nothing.
    pub vacuous: Vec<Broken>,
}

/// One promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which: an invariant, or another of the names in here.
    pub promise: &'static str,
    /// How.
    pub how: String,
    /// When that can be seen, if there is such a moment.
    pub at: Option<Duration>,
}

impl Broken {
    /// A promise whose breaking only the whole run shows.
    fn new(promise: &'static str, how: String) -> Self {
        let at = None;
        Self { promise, how, at }
    }
}

/// An exit code for each kind of failure, and 0 for none.
pub mod code {
    /// All is well.
    pub const WELL: u8 = 0;
    /// The run itself broke.
    pub const CRASH: u8 = 127;
    /// Something good did not happen.
    pub const LIVENESS: u8 = 128;
    /// Something bad happened.
    pub const SAFETY: u8 = 129;
    /// One seed went two ways.
    pub const NONDETERMINISM: u8 = 130;
    /// The run proves nothing.
    pub const VACUOUS: u8 = 131;

    /// The worst of several.
    pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
        let order = [WELL, VACUOUS, LIVENESS, NONDETERMINISM, SAFETY, CRASH];
        let weight = |code: &u8| order.iter().position(|known| known == code);
        codes.into_iter().max_by_key(weight).unwrap_or(WELL)
    }
}

impl Verdict {
    /// Judges a run by the scenario's expectations and by every invariant.
    pub fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let mut verdict = Self::default();
        if let Some(panic) = &outcome.broke {
            let promise = "the run goes through";
            verdict.crash.push(Broken::new(promise, panic.clone()));
            return verdict;
        }
        if let Some((at, why)) = &outcome.stopped {
            verdict.safety.push(Broken {
                promise: "the kernel breaks no law of its own",
                how: outcome.named(why),
                at: Some(*at),
            });
        }
        for invariant in invariants::ALL {
            let promise = invariant.name;
            let broken = (invariant.check)(&outcome.history).into_iter();
            let broken = broken.map(|Breach { at, how }| Broken {
                promise,
                how: outcome.named(&how),
                at,
            });
            match invariant.kind {
                Kind::Safety => verdict.safety.extend(broken),
                Kind::Liveness => verdict.liveness.extend(broken),
            }
        }
        verdict.expectations(scenario, outcome);
        if !scenario.loose {
            verdict.vacuous(scenario, outcome);
        }
        verdict
    }

    fn vacuous(&mut self, scenario: &Scenario, outcome: &Outcome) {
        let promise = "every step has its moment";
        let unfired = outcome.unfired.iter();
        let unfired = unfired.map(|step| Broken::new(promise, step.clone()));
        self.vacuous.extend(unfired);
        let hit = rare::hit(outcome);
        let missed = scenario.expect.hits.iter();
        for state in missed.filter(|state| !hit.contains(state.as_str())) {
            let promise = "the rare state is reached";
            let how = format!("{state} was not hit");
            self.vacuous.push(Broken::new(promise, how));
        }
    }

    fn expected(&mut self, how: String) {
        let promise = "the scenario's end";
        self.safety.push(Broken::new(promise, how));
    }

    fn expectations(&mut self, scenario: &Scenario, outcome: &Outcome) {
        // A request that came twice has an id also where it was turned away for itself.
        let stored = |(id, _): &(&JobId, &usize)| outcome.history.stored.contains_key(id);
        let by_ordinal: BTreeMap<_, _> = outcome
            .ordinals
            .iter()
            .filter(stored)
            .map(|(id, ordinal)| (*ordinal, *id))
            .collect();
        let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
        for run in &outcome.history.runs {
            *runs.entry(&run.job).or_default() += 1;
        }
        for planned in scenario.planned() {
            let ordinal = planned.ordinal;
            let stored = by_ordinal
                .get(&ordinal)
                .and_then(|id| outcome.history.stored.get(id));
            let of_job = scenario.expect.job.get(&ordinal);
            let refused = of_job.is_some_and(|expected| expected.refused);
            let Some(stored) = stored else {
                if !scenario.loose && !refused && !may_be_another(scenario, &planned.plan) {
                    let promise = "the scenario's end";
                    let how = format!("job {ordinal} never came to the kernel");
                    self.liveness.push(Broken::new(promise, how));
                }
                continue;
            };
            if refused {
                self.expected(format!("job {ordinal} was not turned away"));
            }
            let (state, wanted) = (stored.job.state, scenario.ends_of(ordinal));
            if state.is_terminal() && !wanted.is_empty() && !wanted.contains(&state) {
                let why = stored
                    .job
                    .error()
                    .map(|error| format!(" ({})", error.summary));
                let why = why.unwrap_or_default();
                self.expected(format!("job {ordinal} ended {}{why}", state.name()));
            }
            let id = stored.job.id.to_string();
            let ran = runs.get(id.as_str()).copied().unwrap_or_default();
            if let Some([least, most]) = scenario.executions_of(ordinal)
                && !(least..=most).contains(&ran)
            {
                self.expected(format!(
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
                self.expected(format!("{found} shots are {what}, not {wanted:?}"));
            }
        }
        if let Some(Span(most)) = scenario.expect.answers_within {
            self.answers(outcome, most);
        }
        let lost = turns_lost(&outcome.history);
        if scenario.expect.turns_lost.is_some_and(|most| lost > most) {
            self.expected(format!("{lost} turns came to nothing"));
        }
        for told in &outcome.history.told {
            let News::Receipt { receipt, .. } = &told.news else {
                continue;
            };
            let name = receipt.trim_start_matches("CANCEL_RECEIPT_");
            let wanted = &scenario.expect.receipts;
            if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
                self.expected(format!("a cancel was answered {name}"));
            }
        }
    }

    /// Every call of a client is answered in time. A watch goes on for as long as it likes.
    fn answers(&mut self, outcome: &Outcome, most: Duration) {
        let calls = outcome.records.calls.iter();
        let asked =
            calls.filter(|call| call.from.starts_with("client-") && !is_watch(&call.method));
        for call in asked {
            let until = call.ended.unwrap_or(outcome.ended);
            let took = until.saturating_sub(call.sent);
            if took > most {
                let (method, from) = (&call.method, &call.from);
                self.expected(format!("{method} of {from} was answered after {took:?}"));
            }
        }
    }

    /// The exit code: 0 for a run in which all is well.
    pub fn exit_code(&self) -> u8 {
        let kinds = [
            (&self.crash, code::CRASH),
            (&self.safety, code::SAFETY),
            (&self.liveness, code::LIVENESS),
            (&self.vacuous, code::VACUOUS),
        ];
        let broken = kinds.into_iter().find(|(broken, _)| !broken.is_empty());
        broken.map_or(code::WELL, |(_, code)| code)
    }

    /// Everything that is wrong, the worst first.
    pub fn all(&self) -> impl Iterator<Item = &Broken> {
        let kinds = [&self.crash, &self.safety, &self.liveness, &self.vacuous];
        kinds.into_iter().flatten()
    }

    /// The worst of what is wrong.
    pub fn first(&self) -> Option<&Broken> {
        self.all().next()
    }

    /// Everything that is wrong, in words.
    pub fn complaints(&self) -> Vec<String> {
        let named = |kind: &'static str, what: &[Broken]| -> Vec<String> {
            what.iter()
                .map(|Broken { promise, how, .. }| format!("{kind}: {promise}: {how}"))
                .collect()
        };
        let mut all = named("crash", &self.crash);
        all.extend(named("safety", &self.safety));
        all.extend(named("liveness", &self.liveness));
        all.extend(named("vacuous", &self.vacuous));
        all
    }
}

/// Turns of which nothing was asked of a device.
fn turns_lost(history: &History) -> usize {
    let pairs = history
        .stored
        .values()
        .flat_map(|stored| stored.events.windows(2));
    let lost = pairs.filter(|pair| {
        let names = [&pair[0], &pair[1]].map(|recorded| recorded.event.name());
        names == ["Assigned", "Retried"]
    });
    lost.count()
}

/// Whether a job may be turned away for another with its key, or be taken for that: who is told which
/// of them came first is chance.
fn may_be_another(scenario: &Scenario, plan: &JobPlan) -> bool {
    let same = |other: &&JobPlan| (&other.tenant, &other.key) == (&plan.tenant, &plan.key);
    let shared = plan.key.is_some() && scenario.jobs.iter().filter(same).count() > 1;
    // Without a key of its own, system-api's gateway makes one up of what is asked for.
    shared || plan.system_api && plan.like.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(safety: usize, liveness: usize, vacuous: usize) -> u8 {
        let broken = Broken::new("a promise", "somehow".to_owned());
        let many = |count| vec![broken.clone(); count];
        let [safety, liveness, vacuous] = [safety, liveness, vacuous].map(many);
        Verdict {
            crash: Vec::new(),
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
        assert_eq!(code::worst([0, 131, 128, 129, 128]), 129);
        assert_eq!(code::worst([]), 0);
    }
}
