//! The commands. Exit codes: 0 all is well, 2 wrong use, 128 a job did not end, 129 an invariant
//! is broken, 130 the same seed went two ways, 131 a step of the scenario never fired.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are commands"
)]

use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::{Parser, Subcommand};
use qrtx_sim::scenario::{self, Scenario};
use qrtx_sim::trace;
use qrtx_sim::verdict::{Outcome, Verdict};
use qrtx_sim::world;
use serde_json::json;

const NONDETERMINISM: u8 = 130;
const WRONG_USE: u8 = 2;
const SEEDS_BEFORE_A_CHANGE: u64 = 20;
/// Lines shown before and after the first that differs.
const CONTEXT: usize = 5;

#[derive(Parser)]
#[command(
    name = "cargo sim",
    about = "Runs QRTX in a simulated world with seeded faults"
)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    /// Runs one scenario and shows what happened
    Run {
        /// A name as `list` tells it, a path, or `all`
        scenario: String,
        /// The first seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many seeds; with more than one only what fails is shown
        #[arg(long, default_value_t = 1)]
        seeds: u64,
        /// One JSON object per run in place of the timeline
        #[arg(long)]
        json: bool,
    },
    /// Names the scenarios
    List,
    /// Runs every scenario twice per seed, in two processes, and compares the whole traces
    SelfCheck {
        /// How many seeds
        #[arg(long, default_value_t = 3)]
        seeds: u64,
    },
    /// What has to hold before a change lands: every scenario with a few seeds, and self-check
    All,
    /// Prints the bare trace of one run, for self-check
    #[command(hide = true)]
    Trace { scenario: String, seed: u64 },
}

pub(crate) fn main() -> ExitCode {
    // A panic of the kernel ends its run, and that is told with the verdict.
    let cli = Cli::parse();
    let done = match cli.command {
        Commands::Run {
            scenario,
            seed,
            seeds,
            json,
        } => load(&scenario).map(|all| run(&all, seed, seeds, json)),
        Commands::List => scenario::all().map(|all| list(&all)),
        Commands::SelfCheck { seeds } => scenario::all().map(|all| self_check(&all, seeds)),
        Commands::All => {
            scenario::all().map(|all| match run(&all, 1, SEEDS_BEFORE_A_CHANGE, false) {
                0 => self_check(&all, 3),
                code => code,
            })
        }
        Commands::Trace { scenario, seed } => Scenario::load(&scenario).map(|scenario| {
            world::run(&scenario, seed)
                .lines
                .iter()
                .for_each(|line| println!("{line}"));
            0
        }),
    };
    ExitCode::from(done.unwrap_or_else(|why| {
        eprintln!("{why}");
        WRONG_USE
    }))
}

fn load(name: &str) -> Result<Vec<Scenario>, scenario::LoadError> {
    match name {
        "all" => scenario::all(),
        name => Ok(vec![Scenario::load(name)?]),
    }
}

fn list(all: &[Scenario]) -> u8 {
    for scenario in all {
        let first = scenario
            .story
            .trim()
            .split_inclusive('.')
            .next()
            .unwrap_or_default();
        println!("{:<26} {}", scenario.id, first.replace('\n', " "));
    }
    0
}

/// Runs scenarios with seeds; the worst exit code is what counts.
fn run(all: &[Scenario], first: u64, seeds: u64, as_json: bool) -> u8 {
    let begun = Instant::now();
    let alone = all.len() == 1 && seeds == 1;
    let mut codes = Vec::new();
    for scenario in all {
        for seed in (first..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
            let outcome = world::run(scenario, seed);
            let verdict = Verdict::of(scenario, &outcome);
            if as_json {
                println!("{}", summary(scenario, seed, &outcome, &verdict));
            } else if alone || verdict.exit_code() != 0 {
                show(scenario, seed, &outcome, &verdict);
            }
            codes.push(verdict.exit_code());
        }
    }
    if !alone && !as_json {
        let (bad, runs) = (codes.iter().filter(|code| **code != 0).count(), codes.len());
        println!(
            "{runs} runs, {bad} of them failed, {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    // In this order one is worse than the other.
    [129, 128, 131]
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(0)
}

fn show(scenario: &Scenario, seed: u64, outcome: &Outcome, verdict: &Verdict) {
    println!("{}, seed {seed}: {}", scenario.id, scenario.story.trim());
    outcome.lines.iter().for_each(|line| println!("{line}"));
    let (lines, hash) = (outcome.lines.len(), trace::hash(&outcome.lines));
    let ended = outcome.ended.as_secs_f64();
    println!("{lines} lines, {ended:.3} simulated seconds, trace {hash}");
    if verdict.exit_code() == 0 {
        println!("all is well");
        return;
    }
    verdict
        .complaints()
        .iter()
        .for_each(|what| println!("  {what}"));
    println!("again: cargo sim run {} --seed {seed}", scenario.called);
}

fn summary(scenario: &Scenario, seed: u64, outcome: &Outcome, verdict: &Verdict) -> String {
    let jobs = outcome.history.stored.values().map(|stored| {
        let runs = outcome
            .history
            .runs
            .iter()
            .filter(|run| run.job == stored.job.id.to_string());
        json!({
            "job": outcome.ordinals.get(&stored.job.id),
            "state": stored.job.state.name(),
            "events": stored.events.len(),
            "executions": runs.count(),
        })
    });
    let jobs: Vec<_> = jobs.collect();
    json!({
        "scenario": scenario.id,
        "seed": seed,
        "exit_code": verdict.exit_code(),
        "safety": verdict.safety,
        "liveness": verdict.liveness,
        "vacuous": verdict.vacuous,
        "jobs": jobs,
        "simulated_seconds": outcome.ended.as_secs_f64(),
        "lines": outcome.lines.len(),
        "trace_sha256": trace::hash(&outcome.lines),
        "again": format!("cargo sim run {} --seed {seed}", scenario.called),
    })
    .to_string()
}

/// Two processes per seed, so that nothing of the first can be left for the second.
fn self_check(all: &[Scenario], seeds: u64) -> u8 {
    let mut differ = 0;
    for scenario in all {
        for seed in 1..=seeds {
            let [one, other] = [traced(&scenario.id, seed), traced(&scenario.id, seed)];
            if one.is_empty() {
                eprintln!("{}, seed {seed}: there is no trace at all", scenario.id);
                differ += 1;
            }
            let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
            if one == other {
                println!(
                    "{}, seed {seed}: {} lines, twice the same",
                    scenario.id,
                    one.len()
                );
                continue;
            }
            differ += 1;
            let at = one
                .iter()
                .zip(&other)
                .take_while(|(one, other)| one == other)
                .count();
            println!(
                "{}, seed {seed}: the traces differ at line {}",
                scenario.id,
                at + 1
            );
            let from = at.saturating_sub(CONTEXT);
            one[from..at].iter().for_each(|line| println!("    {line}"));
            for (mark, lines) in [("-", &one), ("+", &other)] {
                lines
                    .iter()
                    .skip(at)
                    .take(CONTEXT)
                    .for_each(|line| println!("  {mark} {line}"));
            }
        }
    }
    if differ == 0 { 0 } else { NONDETERMINISM }
}

fn traced(scenario: &str, seed: u64) -> String {
    let me = std::env::current_exe().expect("a process has a program");
    let traced = Command::new(me)
        .args(["trace", scenario, &seed.to_string()])
        .output();
    let traced = traced.expect("what runs can be run again");
    String::from_utf8(traced.stdout).expect("a trace is text")
}
