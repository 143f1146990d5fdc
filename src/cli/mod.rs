//! The command line. What people read on it is made here, and nowhere else.

#![expect(
    clippy::disallowed_methods,
    reason = "a command line reads files and waits"
)]

mod fsck;
mod histogram;
mod ledger;
mod report;
mod run;
mod serve;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "qrtx",
    version,
    about = "The kernel of Eigen OS: quantum jobs from submission to verified results",
    max_term_width = 80
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a kernel until it is told to stop
    Serve(serve::Arguments),
    /// Run one circuit in a kernel of its own, and show what it measured
    Run(run::Arguments),
    /// Show where the shots of a job went, execution by execution
    Ledger(ledger::Arguments),
    /// Check the job store and the artifacts of a kernel that is not running
    Fsck(fsck::Arguments),
}

/// How a command ended, as its exit code tells scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    TimedOut = 4,
    Cancelled = 5,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => {
            return code(complain(
                Exit::Failed,
                format!("the runtime cannot start: {why}"),
            ));
        }
    };
    let exit = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::serve(arguments).await,
            Command::Run(arguments) => run::run(arguments).await,
            Command::Ledger(arguments) => ledger::ledger(arguments).await,
            Command::Fsck(arguments) => fsck::fsck(arguments).await,
        }
    });
    // A simulation that was given up may still be at its last gate.
    runtime.shutdown_background();
    code(exit)
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// Says what went wrong, on stderr.
fn complain(exit: Exit, what: impl Display) -> Exit {
    // Whoever closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "qrtx: {what}");
    exit
}

/// The same, and as a JSON document on stdout for whoever asked for one.
fn complain_as(json: bool, exit: Exit, what: impl Display) -> Exit {
    if json {
        let document = serde_json::json!({ "error": { "message": what.to_string() } });
        print(&format!("{document}\n"));
    }
    complain(exit, what)
}

/// Writes to stdout; false if nobody takes it.
fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}
