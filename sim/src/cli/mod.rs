//! The commands of `cargo sim`, a file each. Exit codes: 0 all is well, 2 wrong use, and those of
//! [`code`] for what is wrong with a run.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are commands"
)]

/// Prints a line. Whoever closed the pipe has read enough, as `head` has: there is no use in going
/// on, and nothing to complain of.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::print(format_args!($($text)*))
    };
}

mod aside;
mod draw;
mod farm;
mod harvest;
mod log;
mod matrix;
mod mutants;
mod progress;
mod run;
mod self_check;
mod shrink;
mod work;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use qrtx_sim::planted;
use qrtx_sim::random;
use qrtx_sim::scenario::{self, LoadError, Scenario};
use qrtx_sim::verdict::code;
use serde_json::json;

const WRONG_USE: u8 = 2;
/// What a shell tells of a command whose pipe was closed.
const UNREAD: u8 = 141;

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
    Run(run::Run),
    /// Runs a log out of a file, with the seed that stands in it
    Replay {
        /// The file
        file: PathBuf,
        /// The planted mistake, one of those in `sim/README.md`
        #[arg(long, value_parser = mistakes(), hide_possible_values = true)]
        bug: Option<String>,
        /// One JSON object in place of the timeline
        #[arg(long)]
        json: bool,
    },
    /// Names the scenarios, those that wait for a feature too
    List {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Prints the decision log of a run as a file that can be changed and replayed
    Log(log::Log),
    /// Runs random seeds on all cores, and tells what was reached
    Farm(farm::Farm),
    /// Makes a failing run smaller, and writes it as a scenario
    Shrink(shrink::Shrink),
    /// Draws a run as one HTML file
    Draw(draw::Draw),
    /// Plants mistakes, and tells how many seeds it takes to find each
    Mutants(mutants::Mutants),
    /// Kills the kernel at every persisted point of a recorded run, once and twice
    Matrix(matrix::Matrix),
    /// Runs seeds twice, in two processes, and compares the whole traces
    SelfCheck(self_check::SelfCheck),
    /// Everything that has to hold before a change lands
    All {
        /// JSON objects, one a line: each run of a scenario, then each of the other parts
        #[arg(long)]
        json: bool,
    },
    /// Runs seeds and prints a line for each: one process of a farm
    #[command(hide = true)]
    Work(work::Work),
    /// Prints the bare traces of some seeds, for self-check
    #[command(hide = true)]
    Traces(self_check::Traces),
}

pub(crate) fn main() -> ExitCode {
    // A panic inside a run is told with the verdict; its message goes to the error output.
    let done = match Cli::parse().command {
        Commands::Run(run) => run.go(),
        Commands::Replay { file, bug, json } => {
            plant(bug.as_deref());
            run::replay(&file, json)
        }
        Commands::List { json } => list(json),
        Commands::Log(log) => log.go(),
        Commands::Farm(farm) => Ok(farm.go()),
        Commands::Shrink(shrink) => shrink.go(),
        Commands::Draw(draw) => draw.go(),
        Commands::Mutants(mutants) => Ok(mutants.go()),
        Commands::Matrix(matrix) => Ok(matrix.go()),
        Commands::SelfCheck(check) => Ok(check.go()),
        Commands::All { json } => all(json),
        Commands::Work(work) => work.go(),
        Commands::Traces(traces) => Ok(traces.go()),
    };
    ExitCode::from(done.unwrap_or_else(|why| {
        eprintln!("{why}");
        if std::env::args().any(|argument| argument == "--json") {
            say!(
                "{}",
                json!({"exit_code": WRONG_USE, "error": why.to_string()})
            );
        }
        WRONG_USE
    }))
}

fn print(line: std::fmt::Arguments<'_>) {
    if let Err(why) = writeln!(std::io::stdout(), "{line}") {
        if why.kind() != std::io::ErrorKind::BrokenPipe {
            eprintln!("the output cannot be written: {why}");
        }
        std::process::exit(UNREAD.into());
    }
}

/// The scenario of that name with that seed; `random` and `workload` are those that the seed makes.
fn load(name: &str, seed: Option<u64>) -> Result<(Scenario, u64), LoadError> {
    if let Some(made) = random::made(name, seed.unwrap_or(1)) {
        return Ok((made, seed.unwrap_or(1)));
    }
    let scenario = Scenario::load(name)?;
    let seed = seed.unwrap_or_else(|| scenario.seed());
    Ok((scenario, seed))
}

/// The mistakes that can be planted, for the parser of arguments.
fn mistakes() -> PossibleValuesParser {
    PossibleValuesParser::new(planted::all())
}

/// The mistake that is planted in this process, for the line that repeats a run.
static PLANTED: OnceLock<String> = OnceLock::new();

/// Plants a mistake in this process.
fn plant(bug: Option<&str>) {
    if let Some(bug) = bug {
        assert!(planted::plant(bug), "the parser knows {bug:?}");
        PLANTED.get_or_init(|| bug.to_owned());
    }
}

/// The end of a line that repeats a run with the planted mistake.
fn with_bug() -> String {
    let bug = PLANTED.get();
    bug.map(|bug| format!(" --bug {bug}")).unwrap_or_default()
}

/// The line that repeats a run.
fn again(scenario: &Scenario, seed: u64) -> String {
    let called = &scenario.called;
    // A shell takes a path with a blank in it for two.
    let called = match called
        .chars()
        .all(|c| c.is_alphanumeric() || "/._-".contains(c))
    {
        true => called.clone(),
        false => format!("'{called}'"),
    };
    format!("cargo sim run {called} --seed {seed}{}", with_bug())
}

fn list(as_json: bool) -> Result<u8, LoadError> {
    let all = scenario::all()?;
    let regressions = scenario::regressions()?;
    if as_json {
        let names = |all: &[Scenario], waiting: bool| -> Vec<_> {
            let wanted = all.iter().filter(|one| one.waits_for.is_some() == waiting);
            wanted.map(|one| one.id.clone()).collect()
        };
        let told = json!({
            "scenarios": names(&all, false),
            "waiting": names(&all, true),
            "regressions": names(&regressions, false),
        });
        say!("{told}");
        return Ok(code::WELL);
    }
    for scenario in all.iter().chain(&regressions) {
        let first = scenario.story.trim().split_inclusive('.').next();
        let first = first.unwrap_or_default().replace('\n', " ");
        match scenario.waits_for {
            Some(issue) => say!("{:<34} waits for issue {issue}: {first}", scenario.id),
            None => say!("{:<34} {first}", scenario.id),
        }
    }
    Ok(code::WELL)
}

/// The gate: every scenario and every regression, fresh seeds, a crash at every persisted point, the
/// same traces twice, and every planted mistake until it is caught.
fn all(json: bool) -> Result<u8, LoadError> {
    let commit = commit();
    let codes = [
        run::every(5, json)?,
        farm::Farm::of(500, commit.clone(), json).go(),
        matrix::Matrix::whole(json).go(),
        self_check::SelfCheck::of(20, commit.clone(), json).go(),
        mutants::Mutants::quick(commit, json).go(),
    ];
    Ok(code::worst(codes))
}

/// What the seeds of the gate are derived from, so that each commit is tried with others.
fn commit() -> String {
    let asked = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output();
    let told = asked
        .ok()
        .and_then(|told| String::from_utf8(told.stdout).ok());
    let commit = told
        .map(|told| told.trim().to_owned())
        .filter(|told| !told.is_empty());
    commit.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}
