//! `self-check`: every seed twice, in two processes, and the whole traces compared. What the
//! simulator cannot repeat it cannot find, nor explain.

use std::process::Command;

use clap::Args;
use qrtx_sim::random;
use qrtx_sim::scenario::{self, Scenario};
use qrtx_sim::verdict::code;
use qrtx_sim::world;
use serde_json::json;

use super::farm::seeds;

/// Seeds that one process runs: what is left of one must not reach the next.
const BATCH: usize = 10;
/// Lines shown before and after the first that differs.
const CONTEXT: usize = 5;
/// Stands between the traces of two seeds.
const MARK: &str = "== seed ";

#[derive(Args, Default)]
pub(super) struct SelfCheck {
    /// How many random seeds
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// What the seeds are derived from
    #[arg(long)]
    from: Option<String>,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Traces {
    /// Scenario and seed, in turns
    runs: Vec<String>,
}

impl Traces {
    pub(super) fn go(self) -> u8 {
        for pair in self.runs.chunks(2) {
            let [name, seed] = pair else { break };
            let seed: u64 = seed.parse().unwrap_or_default();
            let scenario = random::made(name, seed).map_or_else(|| Scenario::load(name), Ok);
            let Ok(scenario) = scenario else { continue };
            say!("{MARK}{seed} of {name}");
            let outcome = world::run_within(&scenario, seed, world::PATIENCE_WITH_STORIES);
            outcome.lines.iter().for_each(|line| say!("{line}"));
            if let Some(sum) = outcome.disk {
                say!("the disk: {sum:016x}");
            }
        }
        code::WELL
    }
}

impl SelfCheck {
    pub(super) fn of(seeds: u64, from: String, json: bool) -> Self {
        Self {
            seeds: Some(seeds),
            from: Some(from),
            json,
        }
    }

    pub(super) fn go(self) -> u8 {
        let from = self.from.unwrap_or_else(|| "self-check".to_owned());
        let mut runs: Vec<_> = seeds(&from, self.seeds.unwrap_or(200))
            .map(|seed| (random::NAME.to_owned(), seed))
            .collect();
        // Hand-written scenarios reach code that no seed reaches.
        let seeds = runs.len();
        let all = scenario::all().unwrap_or_default().into_iter();
        let runnable = all.filter(|scenario| scenario.waits_for.is_none());
        runs.extend(runnable.map(|scenario| (scenario.id, 3)));
        let mut divergences = Vec::new();
        let mut lines = 0;
        for batch in runs.chunks(BATCH) {
            let [one, other] = [traced(batch, false), traced(batch, true)];
            if one.len() != batch.len() || other.len() != batch.len() {
                let names: Vec<_> = batch
                    .iter()
                    .map(|(name, seed)| format!("{name} {seed}"))
                    .collect();
                divergences.push(format!("a process died on one of {}", names.join(", ")));
                continue;
            }
            // The second process went through them backwards.
            for (one, other) in one.iter().zip(other.iter().rev()) {
                lines += one.lines().count();
                divergences.extend(divergence(one, other));
            }
        }
        let stories = runs.len() - seeds;
        match self.json {
            true => say!(
                "{}",
                json!({"seeds": seeds, "stories": stories, "lines": lines, "divergences": divergences})
            ),
            false => {
                divergences.iter().for_each(|what| say!("{what}"));
                say!(
                    "{seeds} seeds and {stories} stories twice, {lines} lines, {} divergences",
                    divergences.len()
                );
            }
        }
        match divergences.is_empty() {
            true => code::WELL,
            false => code::NONDETERMINISM,
        }
    }
}

/// The traces of some runs, out of a process of their own; backwards, so that a run has other
/// runs before it than the first time.
fn traced(runs: &[(String, u64)], backwards: bool) -> Vec<String> {
    let me = std::env::current_exe().expect("a process has a program");
    let mut command = Command::new(me);
    command.arg("traces");
    let add = |(name, seed): &(String, u64)| {
        command.args([name, &seed.to_string()]);
    };
    match backwards {
        true => runs.iter().rev().for_each(add),
        false => runs.iter().for_each(add),
    }
    let traced = command.output().expect("what runs can be run again");
    let text = String::from_utf8(traced.stdout).expect("a trace is text");
    let traces = text.split(MARK).skip(1);
    traces.map(str::to_owned).collect()
}

/// Where two traces differ first, with what is around it.
fn divergence(one: &str, other: &str) -> Option<String> {
    if one == other {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let same = one
        .iter()
        .zip(&other)
        .take_while(|(one, other)| one == other);
    let at = same.count();
    let name = one.first().copied().unwrap_or_default();
    let mut told = format!("seed {name}: the traces differ at line {at}\n");
    for line in &one[at.saturating_sub(CONTEXT)..at] {
        told += &format!("    {line}\n");
    }
    for (mark, lines) in [("-", &one), ("+", &other)] {
        for line in lines.iter().skip(at).take(CONTEXT) {
            told += &format!("  {mark} {line}\n");
        }
    }
    Some(told)
}
