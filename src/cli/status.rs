//! `qrtx status JOB`: where a job stands, and why it does not move.

use std::time::SystemTime;

use crate::cli::client::AboutJob;
use crate::cli::exit::{CODES, Exit};
use crate::cli::problem::Outcome;
use crate::cli::report::heading;
use crate::cli::table::{Cell, facts};
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx status`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  qrtx status job-01a208b16ae8761c83075c88c1b87b0a
  qrtx status job-01a208b16ae8761c83075c88c1b87b0a --json | jq -r .state

{CODES}
A job that has not ended yet is 0."))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let job = kernel.status(&job_id).await?;
    let state = view::state(job.state());
    if arguments.about.json {
        terminal::print_document(&view::Job::from(job))?;
    } else {
        let told = tell(&job, SystemTime::now(), terminal::columns());
        terminal::print(&told)?;
    }
    Ok(Exit::of(state))
}

fn tell(job: &wire::JobStatus, now: SystemTime, width: Option<usize>) -> String {
    let mut told = heading(&job.job_id, view::state(job.state()), "", width);
    told += &match &job.error {
        Some(error) => {
            let lead = format!("  {}: ", text::one_line(&error.error_code));
            text::paragraph(&lead, &error.error_summary, width)
        }
        None => text::paragraph("  ", &job.message, width),
    };
    let moment = |at: &Option<prost_types::Timestamp>| {
        at.map(|at| text::moment(&at, now)).unwrap_or_default()
    };
    let ended = view::state(job.state()).is_some_and(crate::job::state::State::is_terminal);
    let optional = |shown: bool, told: String| if shown { told } else { String::new() };
    let error = job.error.as_ref();
    let list = [
        ("name", job.name.clone()),
        ("target", job.target.clone()),
        ("device", job.device_id.clone()),
        ("shots", job.shots.to_string()),
        ("priority", job.priority.to_string()),
        ("owner", format!("{} / {}", job.tenant_id, job.project_id)),
        (
            "attempt",
            optional(job.attempt > 0, job.attempt.to_string()),
        ),
        ("tries", optional(job.tries > 0, job.tries.to_string())),
        ("created", moment(&job.created_at)),
        ("updated", moment(&job.updated_at)),
        ("next try", moment(&job.not_before)),
        ("deadline", optional(!ended, moment(&job.expires_at))),
        (
            "receipt",
            view::receipt_name(job.cancel_receipt())
                .unwrap_or_default()
                .to_owned(),
        ),
        ("events", job.last_event_seq.to_string()),
        ("trace", job.trace_id.clone()),
        (
            "details",
            error
                .map(|error| view::below_the_root(&error.error_details_ref))
                .unwrap_or_default(),
        ),
    ];
    let list = list.map(|(name, told)| (name, Cell::from(told)));
    told + "\n" + &facts(list, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;
    use crate::job::state::State;

    #[test]
    fn a_status_tells_what_happens_or_why_nothing_does() {
        let mut waiting = sample::job(State::Queued);
        waiting.message =
            "waits for sim:local, as do 3 other jobs: 1 of 1 slots of sim:local are taken"
                .to_owned();
        waiting.not_before = Some(sample::at(-2));
        waiting.tries = 2;
        let mut failed = sample::job(State::Failed);
        failed.error = Some(sample::error_with_a_drawing());
        failed.attempt = 0;
        for (name, job) in [("waiting", waiting), ("failed", failed)] {
            let told = sample::at_each_width(|width| tell(&job, sample::now(), width));
            insta::assert_snapshot!(name, told);
        }
    }
}
