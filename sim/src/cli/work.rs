//! One process of a farm: runs random seeds one after the other, each on a thread of its own,
//! and prints a line of JSON for each as soon as it is over.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use qrtx_sim::chance::seed_of;
use qrtx_sim::random;
use qrtx_sim::rare;
use qrtx_sim::scenario::{LoadError, Scenario};
use qrtx_sim::trace::{self, Lane, Line};
use qrtx_sim::verdict::{Outcome, Verdict, code};
use qrtx_sim::world;
use serde::{Deserialize, Serialize};

/// In one of so many runs it is looked at whether one of its decisions changed anything.
const DECISION_EVERY: u64 = 16;

#[derive(Args)]
pub(super) struct Work {
    /// What the seeds are derived from
    #[arg(long)]
    pub(super) from: String,
    /// The number of the first seed
    #[arg(long)]
    pub(super) first: u64,
    /// From one number to the next
    #[arg(long)]
    pub(super) step: u64,
    /// The number to stop before
    #[arg(long)]
    pub(super) end: u64,
    /// Stop after so many milliseconds
    #[arg(long)]
    pub(super) millis: Option<u64>,
    /// Stop at the first failure
    #[arg(long)]
    pub(super) until_caught: bool,
    /// The planted mistake, one of those in `sim/README.md`
    #[arg(long, value_parser = super::mistakes(), hide_possible_values = true)]
    pub(super) bug: Option<String>,
}

/// What a process of a farm tells of one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) code: u8,
    pub(super) promise: String,
    pub(super) complaint: String,
    pub(super) jobs: usize,
    pub(super) rpcs: usize,
    pub(super) faults: usize,
    pub(super) kinds: Vec<String>,
    pub(super) rare: Vec<String>,
    pub(super) simulated: f64,
    pub(super) hash: String,
    /// The kind of one decision, and whether the run was another without it.
    pub(super) without: Option<(String, bool)>,
    /// Seconds of CPU of the process so far.
    pub(super) cpu: f64,
}

impl Told {
    /// Of a run that has told nothing.
    pub(super) fn lost(number: u64, seed: u64) -> Self {
        Self {
            number,
            seed,
            code: code::CRASH,
            promise: "a run comes to an end".to_owned(),
            complaint: "its process died, or it does not end".to_owned(),
            ..Self::default()
        }
    }
}

impl Work {
    pub(super) fn go(self) -> Result<u8, LoadError> {
        super::plant(self.bug.as_deref());
        #[expect(clippy::disallowed_methods, reason = "real time is what a farm has")]
        let begun = Instant::now();
        let bound = self.millis.map(Duration::from_millis);
        let mut codes = Vec::new();
        let mut looked_at = BTreeMap::new();
        let mut number = self.first;
        while number < self.end && bound.is_none_or(|most| begun.elapsed() < most) {
            let told = self.one(number, &mut looked_at);
            let line = serde_json::to_string(&told).expect("what is told has a JSON form");
            let mut out = std::io::stdout().lock();
            // Whoever no longer reads has seen enough.
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                break;
            }
            codes.push(told.code);
            if self.until_caught && told.code != code::WELL {
                break;
            }
            number += self.step;
        }
        Ok(code::worst(codes))
    }

    /// The arguments of a process that does this.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["work".to_owned(), "--from".to_owned(), self.from.clone()];
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        add("--first", self.first.to_string());
        add("--step", self.step.to_string());
        add("--end", self.end.to_string());
        if let Some(millis) = self.millis {
            add("--millis", millis.to_string());
        }
        if let Some(bug) = &self.bug {
            add("--bug", bug.clone());
        }
        if self.until_caught {
            arguments.push("--until-caught".to_owned());
        }
        arguments
    }

    fn one(&self, number: u64, looked_at: &mut LookedAt) -> Told {
        let seed = seed_of(&self.from, number);
        let scenario = random::scenario(seed);
        let outcome = world::run(&scenario, seed);
        let verdict = Verdict::of(&scenario, &outcome);
        let sampled = self.bug.is_none() && number.is_multiple_of(DECISION_EVERY);
        let without = sampled.then(|| without_one(&scenario, seed, &outcome, looked_at));
        let kinds = outcome.records.fired.iter().map(|fired| fired.kind);
        let faults: Vec<_> = kinds.filter(|kind| !kind.is_empty()).collect();
        let first = verdict.first();
        Told {
            number,
            seed,
            code: verdict.exit_code(),
            promise: first
                .map(|broken| broken.promise.to_owned())
                .unwrap_or_default(),
            complaint: first.map(|broken| broken.how.clone()).unwrap_or_default(),
            jobs: outcome.history.stored.len(),
            rpcs: outcome.records.calls.len(),
            faults: faults.len(),
            kinds: faults.iter().map(|kind| (*kind).to_owned()).collect(),
            rare: rare::hit(&outcome).into_iter().map(str::to_owned).collect(),
            simulated: outcome.ended.as_secs_f64(),
            hash: trace::hash(&outcome.lines),
            without: without.flatten(),
            cpu: cpu_seconds(),
        }
    }
}

/// How often each kind of decision was taken out, and how often that changed nothing.
type LookedAt = BTreeMap<&'static str, (u32, u32)>;

/// Of a kind that changes every run a few looks tell that; another is looked at so many times as often.
const DOUBTFUL: u32 = 4;

/// Takes one decision out of the log, of the kind that was looked at least, and looks whether the run
/// becomes another. Lines about the decisions themselves do not count.
fn without_one(
    scenario: &Scenario,
    seed: u64,
    outcome: &Outcome,
    looked_at: &mut LookedAt,
) -> Option<(String, bool)> {
    let fired = outcome.records.fired.iter();
    let fired = fired.filter(|fired| !fired.kind.is_empty());
    let chosen = fired.min_by_key(|fired| match looked_at.get(fired.kind) {
        None => 0,
        Some((looks, 0)) => 1 + looks,
        Some((looks, _)) => 1 + looks / DOUBTFUL,
    })?;
    let mut less = scenario.clone();
    less.steps.remove(chosen.step);
    let seen = |lines: &[Line]| -> Vec<String> {
        let seen = lines.iter().filter(|line| line.lane != Lane::Fault);
        seen.map(|line| line.text.clone()).collect()
    };
    let other = world::run(&less, seed);
    let changed = seen(&outcome.lines) != seen(&other.lines);
    let (looks, in_vain) = looked_at.entry(chosen.kind).or_default();
    *looks += 1;
    *in_vain += u32::from(!changed);
    Some((chosen.kind.to_owned(), changed))
}

/// Seconds of CPU that this process has used, where the system tells that.
pub(super) fn cpu_seconds() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "the system tells it in a file")]
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: user time is the 12th field, system time the 13th.
    let fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().skip(11));
    let ticks = fields.into_iter().flatten().take(2);
    let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}
