//! `qrtx results JOB`: what an ended job measured.

use crate::cli::client::AboutJob;
use crate::cli::events::Patience;
use crate::cli::exit::CODES;
use crate::cli::follow::Interrupts;
use crate::cli::problem::Outcome;
use crate::cli::report::Report;
use crate::cli::submit;
use crate::cli::view::Root;

/// Flags of `qrtx results`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
All paths, also error.details.file, are below the artifact root of the kernel.
A job that failed has no artifacts but the error.json that is named there. One
that has not ended has no results: that is wrong use (2), unless --wait says to
stay.

Examples:
  qrtx results job-01a208b16ae8761c83075c88c1b87b0a
  qrtx results job-01a208b16ae8761c83075c88c1b87b0a --wait --json | jq .counts

{CODES}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
    /// Stay to the job's end first
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    if arguments.wait {
        let (patience, mut interrupts) = (arguments.patience.span(), Interrupts::listen());
        return submit::wait(
            &kernel,
            &job_id,
            patience,
            &mut interrupts,
            arguments.about.json,
        )
        .await;
    }
    let results = kernel.results(&job_id).await.map_err(|problem| {
        match problem.code == "EIGEN_RESULTS_NOT_READY" {
            true => problem.hint("--wait stays until they are"),
            false => problem,
        }
    })?;
    Report::new(results, Root(None)).show(arguments.about.json)
}
