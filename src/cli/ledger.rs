//! `qrtx ledger JOB`: where the shots of each execution of a job went (D14).

use serde_json::json;

use crate::cli::client::AboutJob;
use crate::cli::exit::{CODES_OF_A_LOOK, Exit};
use crate::cli::problem::Outcome;
use crate::cli::view::Ledger;
use crate::cli::{history, terminal};

/// Flags of `qrtx ledger`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
A row for each execution, in which
requested = delivered + wasted + not run + unknown.

Examples:
  qrtx ledger job-01a208b16ae8761c83075c88c1b87b0a
  qrtx ledger job-01a208b16ae8761c83075c88c1b87b0a --json

{CODES_OF_A_LOOK}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let lines = kernel.history(&job_id).await?.ledger;
    if arguments.about.json {
        let ledger: Vec<_> = lines.into_iter().map(Ledger::from).collect();
        terminal::print_document(&json!({ "job_id": job_id, "ledger": ledger }))?;
    } else if lines.is_empty() {
        terminal::print("no device was asked to run this job\n")?;
    } else {
        terminal::print(&history::shots(&lines, terminal::columns()))?;
    }
    Ok(Exit::Done)
}
