//! `qrtx watch JOB`: a job's events, as they happen.

use std::time::Duration;

use crate::cli::client::{AboutJob, Kernel};
use crate::cli::events::{Events, Patience};
use crate::cli::exit::{CODES, Exit};
use crate::cli::follow::{self, Interrupts};
use crate::cli::problem::Outcome;
use crate::cli::timeline::Timeline;
use crate::cli::{terminal, text, view};

/// Flags of `qrtx watch`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("json", |json| json.help(
    "Print one JSON document a line on stdout, and nothing else there"
)))]
#[command(after_help = format!("\
Prints what happened so far, then each event as it happens, up to the job's end.
If the kernel goes away meanwhile, it goes on behind the last event that was
printed. Ctrl-C leaves; the job goes on. With --json each line is a document.

Examples:
  qrtx watch job-01a208b16ae8761c83075c88c1b87b0a
  qrtx watch job-01a208b16ae8761c83075c88c1b87b0a --after 7
  qrtx watch job-01a208b16ae8761c83075c88c1b87b0a --json | jq .message

{CODES}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
    /// Only events behind this number
    #[arg(long, value_name = "SEQ", default_value = "0", value_parser = text::parse_whole::<u64>)]
    after: u64,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let (after, patience) = (arguments.after, arguments.patience.span());
    let mut interrupts = Interrupts::listen();
    print(
        &kernel,
        &job_id,
        after,
        patience,
        &mut interrupts,
        arguments.about.json,
    )
    .await
}

/// Prints the events of a job up to its end, and says how it ended.
pub(super) async fn print(
    kernel: &Kernel,
    job_id: &str,
    after: u64,
    patience: Duration,
    interrupts: &mut Interrupts,
    as_json: bool,
) -> Outcome {
    let mut events = Events::new(kernel, job_id, after, patience);
    let mut timeline = Timeline::new(terminal::columns());
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event?,
            () = interrupts.next() => return Err(follow::left(job_id)),
        };
        let Some(event) = event else {
            return Ok(Exit::of(events.state()));
        };
        if as_json {
            terminal::print_line(&view::Event::new(job_id, event))?;
        } else {
            terminal::print_part(&timeline.render(&event))?;
        }
    }
}
