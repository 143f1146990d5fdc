//! `qrtx explain JOB`: why a job waits, who is ahead of it, and what was decided about it.

use std::time::SystemTime;

use serde_json::json;

use crate::cli::client::AboutJob;
use crate::cli::exit::{CODES_OF_A_LOOK, Exit};
use crate::cli::problem::Outcome;
use crate::cli::report::heading;
use crate::cli::timeline::Timeline;
use crate::cli::view::{self, Event, QueuePlace, WaitReason};
use crate::cli::{terminal, text};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Of a job that waits: everything that holds it, who is ahead of it and by which
rule, and when its turn may come. Of every job: each decision that was taken
about it, with who was passed over for it.

Tenants take turns by what they have used of a device; within a tenant the more
urgent job is first, and waiting counts as priority; then the earlier deadline,
then the earlier submission. Who is ahead is what would come next if nobody came
and nobody left.

Examples:
  qrtx explain job-01a208b16ae8761c83075c88c1b87b0a
  qrtx explain job-01a208b16ae8761c83075c88c1b87b0a --json | jq .reasons

{CODES_OF_A_LOOK}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let explained = kernel.explain(&job_id).await?;
    if !arguments.about.json {
        let told = tell(&explained, SystemTime::now(), terminal::columns());
        terminal::print(&told)?;
        return Ok(Exit::Done);
    }
    let decisions = explained.decisions.into_iter();
    let decisions: Vec<_> = decisions.map(|event| Event::new(&job_id, event)).collect();
    let reasons = explained.reasons.into_iter().map(WaitReason::from);
    terminal::print_document(&json!({
        "job": explained.job.map(view::Job::from),
        "reasons": reasons.collect::<Vec<_>>(),
        "queue": explained.queue.map(QueuePlace::from),
        "estimated_wait_seconds": explained.estimated_wait.map(view::seconds),
        "estimated_wait_p90_seconds": explained.estimated_wait_p90.map(view::seconds),
        "estimate_basis": view::some(explained.estimate_basis),
        "decisions": decisions,
    }))?;
    Ok(Exit::Done)
}

fn tell(told: &wire::ExplainJobResponse, now: SystemTime, width: Option<usize>) -> String {
    let job = told.job.clone().unwrap_or_default();
    let mut text = heading(&job.job_id, view::state(job.state()), &job.device_id, width);
    if told.reasons.is_empty() {
        text += &match &job.error {
            Some(error) => {
                let lead = format!("  {}: ", text::one_line(&error.error_code));
                text::paragraph(&lead, &error.error_summary, width)
            }
            None => text::paragraph("  ", &job.message, width),
        };
    }
    for reason in &told.reasons {
        let until = reason.until.as_ref();
        let until = until.map(|at| format!("until {}: ", text::moment(at, now)));
        let why = until.unwrap_or_default() + &reason.message;
        text += &text::paragraph("  waits: ", &why, width);
    }
    if let Some(queue) = &told.queue {
        text += &format!("\n{}", ahead(queue, width));
    }
    if !told.estimate_basis.is_empty() {
        let (when, basis) = (told.estimated_wait, &told.estimate_basis);
        let start = match when.map(view::seconds) {
            Some(seconds) => {
                let most = told.estimated_wait_p90.map(view::seconds);
                let most = most.filter(|most| *most > seconds).map(text::span);
                let most = most.map(|most| format!(", and nine times in ten within {most}"));
                let most = most.unwrap_or_default();
                format!("its turn may come in about {}{most}", text::span(seconds))
            }
            None => "when its turn comes is unknown".to_owned(),
        };
        let start = format!("{start}: {basis}");
        text += &format!("\n{}", text::paragraph("", &start, width));
    }
    if !told.decisions.is_empty() {
        let mut timeline = Timeline::new(width);
        let decisions = told.decisions.iter().map(|event| timeline.render(event));
        text += &format!("\ndecided\n{}", decisions.collect::<String>());
    }
    text
}

/// Who is ahead, and by which rule.
fn ahead(queue: &wire::QueuePlace, width: Option<usize>) -> String {
    let most = if queue.ahead_is_exact {
        ""
    } else {
        "at least "
    };
    let jobs = match queue.ahead {
        0 => "nobody".to_owned(),
        ahead => text::count(ahead as usize, "job"),
    };
    let count = format!("{most}{jobs} ahead of it; it waits for {}", queue.waits_for);
    let mut told = text::paragraph("", &count, width);
    for job in &queue.named {
        let lead = format!("  {}, ", text::one_line(&job.job_id));
        told += &text::paragraph(&lead, &job.message, width);
    }
    match (queue.ahead as usize).saturating_sub(queue.named.len()) {
        0 => told,
        more => told + &format!("  and {more} more\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;
    use crate::job::state::State;

    fn reason(message: &str, until: Option<prost_types::Timestamp>) -> wire::WaitReason {
        let message = message.to_owned();
        wire::WaitReason {
            message,
            until,
            ..wire::WaitReason::default()
        }
    }

    #[test]
    fn a_job_in_a_queue_is_told_who_is_ahead_and_when_its_turn_may_come() {
        let named = |job: u32, message: &str| wire::JobAhead {
            job_id: format!("job-{job:032x}"),
            message: message.to_owned(),
            ..wire::JobAhead::default()
        };
        let waiting = wire::ExplainJobResponse {
            job: Some(sample::job(State::Queued)),
            reasons: vec![
                reason("ibm:kyoto is CALIBRATING", None),
                reason("1 of 1 slots of ibm:kyoto are taken", None),
            ],
            queue: Some(wire::QueuePlace {
                waits_for: "ibm:kyoto".to_owned(),
                ahead: 1000,
                named: vec![
                    named(1, "whose tenant has used less of the device"),
                    named(2, "which is more urgent, counting how long it has waited"),
                ],
                ..wire::QueuePlace::default()
            }),
            estimated_wait: Some(prost_types::Duration {
                seconds: 754,
                nanos: 0,
            }),
            estimated_wait_p90: Some(prost_types::Duration {
                seconds: 3000,
                nanos: 0,
            }),
            estimate_basis: "1000 jobs ahead and 1 running".to_owned(),
            ..wire::ExplainJobResponse::default()
        };
        insta::assert_snapshot!(sample::at_each_width(|width| {
            tell(&waiting, sample::now(), width)
        }));
    }

    #[test]
    fn a_job_that_is_put_off_is_told_until_when_and_what_was_decided() {
        let put_off = wire::ExplainJobResponse {
            job: Some(sample::job(State::Compiling)),
            reasons: vec![reason(
                "try 2 did not work: the compiler is busy",
                Some(sample::at(-2)),
            )],
            estimate_basis: "it does not stand in the queue of its device yet".to_owned(),
            decisions: vec![sample::event(
                4,
                State::Compiling,
                3,
                "another try will follow: the compiler is busy",
            )],
            ..wire::ExplainJobResponse::default()
        };
        insta::assert_snapshot!(sample::at_each_width(|width| {
            tell(&put_off, sample::now(), width)
        }));
    }
}
