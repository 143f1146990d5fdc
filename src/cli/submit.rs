//! `qrtx submit FILE`: sends a job to a running kernel.

use std::time::Duration;

use serde::Serialize;

use crate::cli::client::{Address, Kernel};
use crate::cli::events::Patience;
use crate::cli::exit::{CODES, Exit};
use crate::cli::follow::{self, Interrupts, OnInterrupt};
use crate::cli::problem::{Outcome, Problem};
use crate::cli::report::Report;
use crate::cli::submission::Submission;
use crate::cli::view::{self, Root};
use crate::cli::{terminal, text, watch};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx submit`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Prints the job's id as soon as the kernel has stored the job. With --wait it
stays to the end and shows the results; with --watch it prints every event on
the way. Ctrl-C leaves; the job goes on.

Examples:
  qrtx submit examples/bell.qasm --shots 1000
  job=$(qrtx submit examples/bell.qasm) && qrtx results --wait $job
  qrtx submit examples/bell.qasm --wait --json
  qrtx submit examples/bell.qasm --key nightly-17 --priority 80

{CODES}
Without --wait or --watch, 0 says that the job was accepted."))]
pub(super) struct Arguments {
    #[command(flatten)]
    submission: Submission,
    /// Stay to the job's end, then show its results
    #[arg(long, conflicts_with = "watch")]
    wait: bool,
    /// Print the job's events up to its end
    #[arg(long)]
    watch: bool,
    /// Names this submission: repeating it with the same key is the same job
    #[arg(long, value_name = "KEY", value_parser = text::parse_some)]
    key: Option<String>,
    /// Whose job it is [default: tenant-default]
    #[arg(long, value_name = "TENANT", value_parser = text::parse_some)]
    tenant: Option<String>,
    /// Which project's [default: project-default]
    #[arg(long, value_name = "PROJECT", value_parser = text::parse_some)]
    project: Option<String>,
    /// Run it in this reserved slot, as `qrtx reserve` named it
    #[arg(long, value_name = "ID", value_parser = text::parse_some)]
    reservation: Option<String>,
    /// Print one JSON document on stdout (--watch: one a line), and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    // Without a key of its own a submission whose answer got lost could not be repeated.
    let key = arguments
        .key
        .unwrap_or_else(|| format!("cli-{:032x}", rand::random::<u128>()));
    let request = wire::EnqueueJobRequest {
        idempotency_key: key.clone(),
        tenant_id: arguments.tenant.unwrap_or_default(),
        project_id: arguments.project.unwrap_or_default(),
        reservation_id: arguments.reservation.unwrap_or_default(),
        ..arguments.submission.request()?
    };
    let kernel = Kernel::at(&arguments.address).await?;
    let mut interrupts = Interrupts::listen();
    let accepted = tokio::select! {
        biased;
        accepted = kernel.enqueue(request) => accepted.map_err(|why| doubtful(why, &key))?,
        () = interrupts.next() => {
            return Err(doubtful(Problem::interrupted("left before the kernel answered"), &key));
        }
    };
    let job_id = accepted.job_id.clone();
    if accepted.deduplicated {
        terminal::say(&format!(
            "{job_id} was submitted before with this key; it is the same job"
        ));
    }
    let patience = arguments.patience.span();
    match (arguments.wait, arguments.watch) {
        (true, _) => {
            terminal::say(&format!("{job_id} was accepted"));
            wait(&kernel, &job_id, patience, &mut interrupts, arguments.json).await
        }
        (_, true) => {
            if !arguments.json {
                terminal::print(&(text::one_line(&job_id) + "\n"))?;
            }
            watch::print(
                &kernel,
                &job_id,
                0,
                patience,
                &mut interrupts,
                arguments.json,
            )
            .await
        }
        _ => {
            show(accepted, arguments.json)?;
            Ok(Exit::Done)
        }
    }
}

/// Waits for the job's end and shows what came of it.
pub(super) async fn wait(
    kernel: &Kernel,
    job_id: &str,
    patience: Duration,
    interrupts: &mut Interrupts,
    as_json: bool,
) -> Outcome {
    let on_interrupt = OnInterrupt::Leave;
    follow::to_end(kernel, job_id, patience, interrupts, on_interrupt, !as_json).await?;
    Report::new(kernel.results(job_id).await?, Root(None)).show(as_json)
}

#[derive(Serialize)]
struct Accepted {
    job_id: String,
    state: &'static str,
    created_at: Option<String>,
    deduplicated: bool,
}

fn show(accepted: wire::EnqueueJobResponse, as_json: bool) -> Result<(), Problem> {
    if !as_json {
        return terminal::print(&(text::one_line(&accepted.job_id) + "\n"));
    }
    terminal::print_document(&Accepted {
        state: view::state_name(accepted.state()),
        created_at: accepted.created_at.map(|at| at.to_string()),
        job_id: accepted.job_id,
        deduplicated: accepted.deduplicated,
    })
}

/// After a lost answer nobody knows whether the job was accepted; the key can find out.
fn doubtful(problem: Problem, key: &str) -> Problem {
    if !problem.is_doubtful() {
        return problem;
    }
    problem.with("idempotency_key", key).hint(format!(
        "the job may have been accepted, so repeat with --key {key}"
    ))
}
