//! The command line. What people read on it is made here, and nowhere else.
//!
//! One file for each command; beside them what they share: the connection (`client`, `events`,
//! `follow`), what is shown (`view` for programs, `report`, `histogram`, `table`, `timeline`,
//! `text` for people, `progress` while they wait), and how a command ends (`exit`, `problem`).

#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads files and waits"
)]

mod cancel;
mod client;
mod completions;
mod conformance;
mod devices;
mod drain;
mod events;
mod exit;
mod explain;
mod follow;
mod fsck;
mod histogram;
mod history;
mod jobs;
mod ledger;
mod problem;
mod progress;
mod report;
mod reserve;
mod results;
mod run;
#[cfg(test)]
mod sample;
mod serve;
mod status;
mod submission;
mod submit;
mod table;
mod terminal;
mod text;
mod timeline;
mod view;
mod watch;

use std::process::ExitCode;

use anstyle::Style;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::cli::exit::{CODES, Exit};
use crate::cli::problem::{Outcome, Problem};
use crate::cli::terminal::Colour;
use crate::job::state::State;

#[derive(Debug, Parser)]
#[command(
    name = "qrtx",
    version,
    about = "The kernel of Eigen OS: quantum jobs from submission to verified results",
    max_term_width = 80,
    after_help = format!("\
Examples:
  qrtx run examples/bell.qasm      a circuit, and what it measured
  qrtx serve                       a kernel, here until it is told to stop
  qrtx submit examples/bell.qasm   a job for the kernel that runs
  qrtx jobs                        what that kernel has to do and has done

{CODES}")
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        display_order = 900
    )]
    color: Colour,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one circuit in a kernel of its own, and show what it measured
    Run(Box<run::Arguments>),
    /// Run a kernel until it is told to stop
    Serve(Box<serve::Arguments>),
    /// Send a job to a running kernel
    Submit(Box<submit::Arguments>),
    /// Tell where a job stands, and why it does not move
    Status(status::Arguments),
    /// Print a job's events as they happen
    Watch(watch::Arguments),
    /// Show what an ended job measured
    Results(results::Arguments),
    /// End a job, and say what that achieved
    Cancel(cancel::Arguments),
    /// List jobs, newest first
    Jobs(jobs::Arguments),
    /// List devices: their state, their slots, their queues
    Devices(devices::Arguments),
    /// Let a device take no new jobs; what runs there goes on
    Drain(drain::Arguments),
    /// Let a device that drains take jobs again
    Undrain(drain::Arguments),
    /// Keep a slot of a device for jobs that name it
    Reserve(Box<reserve::Reserve>),
    /// Give a slot back that is reserved
    Release(reserve::Release),
    /// Tell why a job waits, who is ahead of it, and what was decided
    Explain(explain::Arguments),
    /// Tell everything recorded about a job, and where its shots went
    History(history::Arguments),
    /// Show where the shots of a job went, execution by execution
    Ledger(ledger::Arguments),
    /// Check the job store and the artifacts of a kernel that is not running
    Fsck(Box<fsck::Arguments>),
    /// Find out whether a driver-manager keeps the execution contract
    Conformance(Box<conformance::Arguments>),
    /// Print what makes a shell complete our commands
    Completions(completions::Arguments),
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Self::Run(arguments) => arguments.json,
            Self::Submit(arguments) => arguments.json,
            Self::Status(arguments) => arguments.about.json,
            Self::Watch(arguments) => arguments.about.json,
            Self::Results(arguments) => arguments.about.json,
            Self::Cancel(arguments) => arguments.about.json,
            Self::Jobs(arguments) => arguments.json,
            Self::Devices(arguments) => arguments.json,
            Self::Drain(arguments) | Self::Undrain(arguments) => arguments.json,
            Self::Reserve(arguments) => arguments.json,
            Self::Release(arguments) => arguments.json,
            Self::Explain(arguments) => arguments.about.json,
            Self::History(arguments) => arguments.about.json,
            Self::Ledger(arguments) => arguments.about.json,
            Self::Fsck(arguments) => arguments.json,
            Self::Conformance(arguments) => arguments.wants_json(),
            Self::Serve(_) | Self::Completions(_) => false,
        }
    }

    async fn run(self) -> Outcome {
        match self {
            Self::Run(arguments) => run::run(*arguments).await,
            Self::Serve(arguments) => serve::serve(*arguments).await,
            Self::Submit(arguments) => submit::run(*arguments).await,
            Self::Status(arguments) => status::run(arguments).await,
            Self::Watch(arguments) => watch::run(arguments).await,
            Self::Results(arguments) => results::run(arguments).await,
            Self::Cancel(arguments) => cancel::run(arguments).await,
            Self::Jobs(arguments) => jobs::run(arguments).await,
            Self::Devices(arguments) => devices::run(arguments).await,
            Self::Drain(arguments) => drain::run(arguments, true).await,
            Self::Undrain(arguments) => drain::run(arguments, false).await,
            Self::Reserve(arguments) => reserve::reserve(*arguments).await,
            Self::Release(arguments) => reserve::release(arguments).await,
            Self::Explain(arguments) => explain::run(arguments).await,
            Self::History(arguments) => history::run(arguments).await,
            Self::Ledger(arguments) => ledger::run(arguments).await,
            Self::Fsck(arguments) => fsck::run(*arguments).await,
            Self::Conformance(arguments) => conformance::run(*arguments).await,
            Self::Completions(arguments) => completions::run(&arguments),
        }
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(wrong) => return misused(&wrong).into(),
    };
    arguments.color.choose();
    let as_json = arguments.command.wants_json();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => {
            let problem = Problem::failed(format!("the runtime cannot start: {why}"));
            return problem.tell(as_json).into();
        }
    };
    let outcome = runtime.block_on(arguments.command.run());
    // A simulation that was given up may still be at its last gate.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(problem) => problem.tell(as_json).into(),
    }
}

/// What clap has to say: help, or what is wrong with the command line.
fn misused(wrong: &clap::Error) -> Exit {
    if matches!(
        wrong.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = wrong.print();
        return Exit::Done;
    }
    let as_json = std::env::args_os()
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    if as_json {
        let text = wrong.to_string();
        let told = text.split("\n\nUsage:").next().unwrap_or(&text);
        let told = told.split("\n\nFor more").next().unwrap_or(told);
        let told = told.trim_start_matches("error: ").trim_end();
        return Problem::usage(told).tell(as_json);
    }
    terminal::complain(&wrong.render().ansi().to_string());
    Exit::Usage
}

/// How a state looks: what is over well, what is not, what goes on.
fn state_style(state: Option<State>) -> Style {
    match state {
        Some(State::Completed) => terminal::GOOD,
        Some(State::Failed) => terminal::BAD,
        Some(State::Cancelled | State::Timeout) => terminal::ODD,
        _ => terminal::LIVE,
    }
}
