//! `qrtx history JOB`: everything that is recorded about a job, and where its shots went.

use serde_json::json;

use crate::cli::client::AboutJob;
use crate::cli::exit::{CODES_OF_A_LOOK, Exit};
use crate::cli::problem::Outcome;
use crate::cli::table::{Fit, Table};
use crate::cli::timeline::Timeline;
use crate::cli::view::{Event, Ledger, Stage};
use crate::cli::{report, terminal, text};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx history`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Events, the time spent in each stage, and the ledger: a row for each execution,
in which requested = delivered + wasted + not run + unknown.

Examples:
  qrtx history job-01a208b16ae8761c83075c88c1b87b0a
  qrtx history job-01a208b16ae8761c83075c88c1b87b0a --json | jq .ledger

{CODES_OF_A_LOOK}"))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let history = kernel.history(&job_id).await?;
    let stages: Vec<Stage> = history.stages.into_iter().map(Stage::from).collect();
    if arguments.about.json {
        let events = history.events.into_iter();
        let events: Vec<_> = events.map(|event| Event::new(&job_id, event)).collect();
        let ledger: Vec<_> = history.ledger.into_iter().map(Ledger::from).collect();
        terminal::print_document(&json!({
            "job_id": job_id,
            "events": events,
            "stages": stages,
            "ledger": ledger,
            "lost": (!history.lost.is_empty()).then_some(history.lost),
        }))?;
        return Ok(Exit::Done);
    }
    let width = terminal::columns();
    let mut timeline = Timeline::new(width);
    let mut told: String = history
        .events
        .iter()
        .map(|event| timeline.render(event))
        .collect();
    if !history.lost.is_empty() {
        let why = format!("{}; the ledger is whole", history.lost);
        told += &text::paragraph("lost: ", &why, width);
    }
    if !stages.is_empty() {
        told += &format!("\n{}", report::stages(&stages).render(width));
    }
    if !history.ledger.is_empty() {
        told += &format!("\n{}", shots(&history.ledger, width));
    }
    terminal::print(&told)?;
    Ok(Exit::Done)
}

/// Where the shots of each execution went.
pub(super) fn shots(lines: &[wire::AttemptLedger], width: Option<usize>) -> String {
    let reasons = lines.iter().map(|line| reasons(line, width));
    ledger(lines).render(width) + &reasons.collect::<String>()
}

fn ledger(lines: &[wire::AttemptLedger]) -> Table<7> {
    let mut table = Table::new([
        ("ATTEMPT", Fit::Number),
        ("DEVICE", Fit::Elastic),
        ("REQUESTED", Fit::Number),
        ("DELIVERED", Fit::Number),
        ("WASTED", Fit::Number),
        ("NOT RUN", Fit::Number),
        ("UNKNOWN", Fit::Number),
    ]);
    for line in lines {
        table.push([
            line.attempt.into(),
            line.device_id.as_str().into(),
            line.requested.into(),
            line.delivered.into(),
            line.wasted.into(),
            line.not_run.into(),
            line.unknown.into(),
        ]);
    }
    table
}

/// Why shots were not delivered, and how that is known.
fn reasons(line: &wire::AttemptLedger, width: Option<usize>) -> String {
    let columns = [
        ("wasted", line.wasted, &line.wasted_cause),
        ("not run", line.not_run, &line.not_run_proof),
        ("unknown", line.unknown, &line.unknown_cause),
    ];
    let told = columns
        .into_iter()
        .filter(|(_, shots, why)| *shots > 0 && !why.is_empty());
    told.map(|(column, _, why)| {
        let lead = format!("  attempt {}, {column}: ", line.attempt);
        text::paragraph(&lead, why, width)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn the_ledger_says_where_the_shots_went_and_why() {
        let lines = [
            wire::AttemptLedger {
                attempt: 1,
                device_id: "sim:local".to_owned(),
                requested: 1000,
                wasted: 400,
                wasted_cause: "the answer was lost".to_owned(),
                not_run: 600,
                not_run_proof: "the driver stopped it before they were fired".to_owned(),
                ..wire::AttemptLedger::default()
            },
            wire::AttemptLedger {
                attempt: 2,
                device_id: "sim:local".to_owned(),
                requested: 1000,
                delivered: 1000,
                ..wire::AttemptLedger::default()
            },
        ];
        insta::assert_snapshot!(sample::at_each_width(|width| shots(&lines, width)));
    }
}
