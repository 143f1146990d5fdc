//! `run` and `replay`: one run is shown, several are counted.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use qrtx_sim::rare;
use qrtx_sim::scenario::{self, LoadError, Scenario};
use qrtx_sim::trace;
use qrtx_sim::verdict::{Outcome, Verdict, code};
use qrtx_sim::world;
use serde_json::{Value, json};

use super::{again, load};

#[derive(Args)]
pub(super) struct Run {
    /// A name as `list` tells it, a path, `random`, `workload`, or `all`
    scenario: String,
    /// The first seed; else the one in the scenario, else 1
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds; with more than one only what fails is shown
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Seconds on a real clock after which a single run is said not to end, and shown so far
    #[arg(long, default_value_t = world::PATIENCE.as_secs())]
    patience: u64,
    /// The planted mistake, one of those in `sim/README.md`
    #[arg(long, value_parser = super::mistakes(), hide_possible_values = true)]
    bug: Option<String>,
    /// One JSON object per run in place of the timeline
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) fn go(self) -> Result<u8, LoadError> {
        super::plant(self.bug.as_deref());
        if self.scenario == "all" {
            return every(self.seeds, self.json);
        }
        let (first, seed) = load(&self.scenario, self.seed)?;
        if self.seeds == 1 {
            let patience = Duration::from_secs(self.patience);
            return Ok(one(&first, seed, patience, self.json));
        }
        let runs = (seed..).take(usize::try_from(self.seeds).unwrap_or(usize::MAX));
        let runs = runs.map(|seed| load(&self.scenario, Some(seed)));
        several(runs.collect::<Result<Vec<_>, _>>()?, self.json)
    }
}

/// Every scenario and every regression that can be run, with so many seeds each; those with a
/// seed of their own are also run with that.
pub(super) fn every(seeds: u64, as_json: bool) -> Result<u8, LoadError> {
    let mut runs = Vec::new();
    let all = scenario::all()?.into_iter().chain(scenario::regressions()?);
    for scenario in all.filter(|scenario| scenario.waits_for.is_none()) {
        let own = scenario.seed.is_some().then(|| scenario.seed());
        let seeds = (1..=seeds).filter(|_| own.is_none()).chain(own);
        runs.extend(seeds.map(|seed| (scenario.clone(), seed)));
    }
    several(runs, as_json)
}

pub(super) fn replay(file: &Path, as_json: bool) -> Result<u8, LoadError> {
    let (scenario, seed) = load(&file.display().to_string(), None)?;
    Ok(one(&scenario, seed, world::PATIENCE, as_json))
}

fn one(scenario: &Scenario, seed: u64, patience: Duration, as_json: bool) -> u8 {
    let outcome = world::run_within(scenario, seed, patience);
    let verdict = Verdict::of(scenario, &outcome);
    match as_json {
        true => say!("{}", summary(scenario, seed, &outcome, &verdict)),
        false => show(scenario, seed, &outcome, &verdict),
    }
    verdict.exit_code()
}

fn several(runs: Vec<(Scenario, u64)>, as_json: bool) -> Result<u8, LoadError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "real time is what a person waits"
    )]
    let begun = Instant::now();
    let mut codes = Vec::new();
    for (scenario, seed) in runs {
        let outcome = world::run_within(&scenario, seed, world::PATIENCE_WITH_STORIES);
        let verdict = Verdict::of(&scenario, &outcome);
        if as_json {
            say!("{}", summary(&scenario, seed, &outcome, &verdict));
        } else if verdict.exit_code() != code::WELL {
            brief(&scenario, seed, &verdict);
        }
        codes.push(verdict.exit_code());
    }
    if !as_json {
        let bad = codes.iter().filter(|code| **code != code::WELL).count();
        let (runs, seconds) = (codes.len(), begun.elapsed().as_secs_f64());
        say!("{runs} runs, {bad} of them failed, {seconds:.1} s");
    }
    Ok(code::worst(codes))
}

/// What failed, and how to see it.
pub(super) fn brief(scenario: &Scenario, seed: u64, verdict: &Verdict) {
    for what in verdict.complaints().iter().take(3) {
        say!("{}, seed {seed}: {what}", scenario.id);
    }
    say!("  again: {}", again(scenario, seed));
}

fn show(scenario: &Scenario, seed: u64, outcome: &Outcome, verdict: &Verdict) {
    say!("{}, seed {seed}: {}", scenario.id, scenario.story.trim());
    outcome.lines.iter().for_each(|line| say!("{line}"));
    let (lines, hash) = (outcome.lines.len(), trace::hash(&outcome.lines));
    let ended = outcome.ended.as_secs_f64();
    say!("{lines} lines, {ended:.3} simulated seconds, trace {hash}");
    if verdict.exit_code() == code::WELL {
        say!("all is well");
        return;
    }
    let complaints = verdict.complaints();
    complaints.iter().for_each(|what| say!("  {what}"));
    say!("again: {}", again(scenario, seed));
}

fn summary(scenario: &Scenario, seed: u64, outcome: &Outcome, verdict: &Verdict) -> Value {
    let jobs = outcome.history.stored.values().map(|stored| {
        let id = stored.job.id.to_string();
        let runs = outcome.history.runs.iter().filter(|run| run.job == id);
        json!({
            "job": outcome.ordinals.get(&stored.job.id),
            "state": stored.job.state.name(),
            "events": stored.events.len(),
            "executions": runs.count(),
        })
    });
    let fired = outcome.records.fired.iter().map(|fired| {
        let when = &scenario.steps[fired.step].when;
        json!({
            "site": when.site(),
            "ordinal": when.ordinal(),
            "choice": fired.text,
            "kind": fired.kind,
            "at": fired.at.as_secs_f64(),
        })
    });
    let told = |broken: &[qrtx_sim::verdict::Broken]| -> Vec<_> {
        let each = broken.iter();
        each.map(|broken| format!("{}: {}", broken.promise, broken.how))
            .collect()
    };
    json!({
        "scenario": scenario.id,
        "seed": seed,
        "exit_code": verdict.exit_code(),
        "crash": told(&verdict.crash),
        "safety": told(&verdict.safety),
        "liveness": told(&verdict.liveness),
        "vacuous": told(&verdict.vacuous),
        "jobs": jobs.collect::<Vec<_>>(),
        "decisions": fired.collect::<Vec<_>>(),
        "rare_states": rare::hit(outcome),
        "simulated_seconds": outcome.ended.as_secs_f64(),
        "lines": outcome.lines.len(),
        "trace_sha256": trace::hash(&outcome.lines),
        "again": again(scenario, seed),
    })
}
