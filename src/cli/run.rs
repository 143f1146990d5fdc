//! `qrtx run FILE`: a kernel in this process, the job sent through its gRPC gateway like
//! anybody's.

use std::time::Duration;

use crate::cli::client::Kernel;
use crate::cli::exit::{CODES, Exit};
use crate::cli::follow::{self, Interrupts, OnInterrupt};
use crate::cli::problem::{Outcome, Problem};
use crate::cli::report::Report;
use crate::cli::submission::Submission;
use crate::cli::view::Root;
use crate::grpc::proto::kernel as wire;
use crate::os::config::Options;
use crate::os::serve;
use crate::os::telemetry::{self, Logs};

/// Flags of `qrtx run`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Shows which stage the job is in while it runs, then a histogram of what it
measured. Ctrl-C cancels the job and says what that achieved; a second Ctrl-C
leaves at once.

Examples:
  qrtx run examples/bell.qasm
  qrtx run examples/bell.qasm --shots 1000 --seed 7 --json
  qrtx run examples/ansatz.aqo.json --param theta=0.59

{CODES}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    submission: Submission,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    options: Options,
}

/// A kernel in this process cannot go away.
const PATIENCE: Duration = Duration::ZERO;

pub(super) async fn run(arguments: Arguments) -> Outcome {
    telemetry::start_logs(Logs::TextToStderr);
    let request = arguments.submission.request()?;
    // Nobody else is to find this kernel.
    let options = Options {
        listen: Some("127.0.0.1:0".to_owned()),
        ..arguments.options
    };
    let config = options.resolve().map_err(Problem::usage)?;
    let serving = serve::start(&config, false)
        .await
        .map_err(|why| Problem::not_served(&why))?;
    let kernel = Kernel::connect(&serving.grpc.to_string()).await?;
    let outcome = job(&kernel, request, &config.qfs_root, arguments.json).await;
    let left = matches!(&outcome, Err(problem) if problem.exit == Exit::Interrupted);
    if !left {
        // Its streams are drained, so the server need not wait for them.
        drop(kernel);
        serving.stop().await;
    }
    outcome
}

async fn job(
    kernel: &Kernel,
    request: wire::EnqueueJobRequest,
    qfs_root: &str,
    as_json: bool,
) -> Outcome {
    let mut interrupts = Interrupts::listen();
    let job_id = kernel.enqueue(request).await?.job_id;
    let on_interrupt = OnInterrupt::Cancel;
    follow::to_end(
        kernel,
        &job_id,
        PATIENCE,
        &mut interrupts,
        on_interrupt,
        !as_json,
    )
    .await?;
    let results = kernel.results(&job_id).await?;
    if results.error.is_some() {
        until_reported(kernel, &job_id).await;
    }
    Report::new(results, Root(Some(qfs_root))).show(as_json)
}

/// `error.json` is written after the end; who is told where it lies should find it there.
async fn until_reported(kernel: &Kernel, job_id: &str) {
    for _ in 0..100 {
        let history = kernel.history(job_id).await;
        let written = |event: &wire::JobEvent| event.kind == "Reported";
        if history.is_ok_and(|history| history.events.iter().any(written)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
