//! `qrtx jobs`: what a kernel has to do and has done, newest first.

use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::json;

use crate::cli::client::{Address, Kernel};
use crate::cli::exit::Exit;
use crate::cli::problem::Outcome;
use crate::cli::table::{Cell, Fit, Table};
use crate::cli::{state_style, terminal, text, view};
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;
use crate::limits::PAGE_JOBS_MAX;

/// Flags of `qrtx jobs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  qrtx jobs
  qrtx jobs --active --target sim:local
  qrtx jobs --state failed --state timeout --since 2h
  qrtx jobs --limit 100 --json | jq -r '.jobs[].job_id'

Exit codes: 0 done (also if there is no job), 2 wrong use, 3 the kernel cannot
be reached or cannot serve now.")]
pub(super) struct Arguments {
    /// Only jobs in this state; may be repeated
    #[arg(
        long = "state",
        value_name = "STATE",
        ignore_case = true,
        value_delimiter = ','
    )]
    states: Vec<Named>,
    /// Only jobs that have not ended
    #[arg(long, conflicts_with = "states")]
    active: bool,
    /// Only jobs whose target is written so
    #[arg(long, value_name = "DEVICE")]
    target: Option<String>,
    /// Only jobs of this tenant
    #[arg(long, value_name = "TENANT", value_parser = text::parse_some)]
    tenant: Option<String>,
    /// Only jobs that are not older: 90s, 15m, 2h, 7d
    #[arg(long, value_name = "SPAN", value_parser = text::parse_span)]
    since: Option<Duration>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = page_size, allow_hyphen_values = true)]
    limit: u32,
    /// Where the page before ended, as it was printed there
    #[arg(long, value_name = "TOKEN", value_parser = text::parse_some)]
    page_token: Option<String>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

/// A state on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named(State);

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Named; State::ALL.len()] = {
            let mut all = [Named(State::Pending); State::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Named(State::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

fn page_size(text: &str) -> Result<u32, String> {
    let size = text.parse().ok();
    size.filter(|size| (1..=PAGE_JOBS_MAX).contains(&(*size as usize)))
        .ok_or_else(|| format!("it must be a whole number from 1 to {PAGE_JOBS_MAX}"))
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let kernel = Kernel::at(&arguments.address).await?;
    let now = SystemTime::now();
    let page = kernel.jobs(request(&arguments, now)).await?;
    let next = Some(page.next_page_token).filter(|token| !token.is_empty());
    if arguments.json {
        let jobs: Vec<_> = page.jobs.into_iter().map(view::Job::from).collect();
        terminal::print_document(&json!({ "jobs": jobs, "next_page_token": next }))?;
        return Ok(Exit::Done);
    }
    if page.jobs.is_empty() {
        terminal::say(&nothing(&arguments, kernel.endpoint()));
        return Ok(Exit::Done);
    }
    terminal::print(&table(&page.jobs, now).render(terminal::columns()))?;
    if let Some(token) = next {
        terminal::say(&format!(
            "there are more; the same command with --page-token {token} shows them"
        ));
    }
    Ok(Exit::Done)
}

/// That there is nothing to list, and why that may be.
fn nothing(arguments: &Arguments, endpoint: &str) -> String {
    let Arguments {
        states,
        active,
        target,
        tenant,
        since,
        page_token,
        ..
    } = arguments;
    let is_narrowed = *active || !states.is_empty() || tenant.is_some() || since.is_some();
    match target {
        Some(target) => format!(
            "{endpoint} has no such job for {target}; `qrtx devices` lists the devices that it knows"
        ),
        None if page_token.is_some() => format!("{endpoint} has no job beyond that page"),
        None if is_narrowed => format!("{endpoint} has no such job"),
        None => format!("{endpoint} has no jobs; `qrtx submit FILE` sends it one"),
    }
}

fn request(arguments: &Arguments, now: SystemTime) -> wire::ListJobsRequest {
    let states: Vec<State> = match arguments.active {
        true => State::ALL
            .into_iter()
            .filter(|state| !state.is_terminal())
            .collect(),
        false => arguments.states.iter().map(|named| named.0).collect(),
    };
    wire::ListJobsRequest {
        states: states
            .into_iter()
            .map(|state| view::wire_state(state) as i32)
            .collect(),
        target: arguments.target.clone().unwrap_or_default(),
        tenant_id: arguments.tenant.clone().unwrap_or_default(),
        page_size: arguments.limit,
        page_token: arguments.page_token.clone().unwrap_or_default(),
        created_from: arguments
            .since
            .and_then(|since| now.checked_sub(since))
            .map(prost_types::Timestamp::from),
        created_before: None,
    }
}

fn table(jobs: &[wire::JobStatus], now: SystemTime) -> Table<5> {
    let mut table = Table::new([
        ("JOB", Fit::Whole),
        ("STATE", Fit::Whole),
        ("AGE", Fit::Number),
        ("TARGET", Fit::Elastic),
        ("NAME", Fit::Elastic),
    ]);
    for job in jobs {
        let state = view::state(job.state());
        let age = job.created_at.map(|at| text::span(text::age(&at, now)));
        table.push([
            job.job_id.as_str().into(),
            Cell::styled(state_style(state), view::state_name(job.state())),
            age.unwrap_or_default().into(),
            job.target.as_str().into(),
            job.name.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn jobs_are_a_table_or_cards() {
        let mut jobs = vec![sample::job(State::Executing), sample::job(State::Failed)];
        jobs[0].name = "a name that is \u{1b}[2J much longer than there is room for".to_owned();
        jobs[1].created_at = Some(sample::at(3600));
        insta::assert_snapshot!(sample::at_each_width(|width| {
            table(&jobs, sample::now()).render(width)
        }));
    }
}
