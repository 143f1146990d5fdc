//! The report as a table, as JSON, and as a picture.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use qrtx_testkit::workload::{Order, Replay, Score, Truth, Workload};
use serde_json::json;

use crate::plot;

/// Compares the kernel's schedule with first come first served and strict priority
#[derive(Debug, Parser)]
#[command(name = "policy-report")]
struct Arguments {
    /// What the chance of the workload depends on
    #[arg(long, default_value_t = Workload::default().seed)]
    seed: u64,
    /// Jobs in all
    #[arg(long, default_value_t = Workload::default().jobs, value_parser = at_least_one)]
    jobs: usize,
    /// Who submit them
    #[arg(long, default_value_t = Workload::default().tenants, value_parser = at_least_one)]
    tenants: usize,
    /// Devices, of one slot each
    #[arg(long, default_value_t = Workload::default().devices, value_parser = at_least_one)]
    devices: usize,
    /// Days in which the jobs come
    #[arg(long, default_value_t = Workload::default().days, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// What is asked of the devices, over what they can do
    #[arg(long, default_value_t = Workload::default().load, value_parser = above_nothing)]
    load: f64,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    /// Draws the waits as an SVG picture
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it must be a whole number, at least 1".to_owned())
}

fn above_nothing(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it must be a number above 0, such as 0.9".to_owned())
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match report(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr().lock(), "policy-report: {why}");
            ExitCode::FAILURE
        }
    }
}

fn report(arguments: &Arguments) -> Result<(), String> {
    let workload = Workload {
        seed: arguments.seed,
        jobs: arguments.jobs,
        tenants: arguments.tenants,
        devices: arguments.devices,
        days: arguments.days,
        load: arguments.load,
    };
    let trace = workload.trace();
    let replays = Order::ALL.map(|order| Replay::of(&trace, order));
    let scores: Vec<_> = replays
        .iter()
        .map(|replay| (replay.order, Score::of(replay)))
        .collect();
    let truth = replays.iter().find_map(Truth::of);
    let text = match arguments.json {
        true => document(&workload, &scores, truth)?,
        false => table(&workload, &scores, truth),
    };
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|why| format!("the report cannot be written: {why}"))?;
    if let Some(file) = &arguments.out {
        plot::draw(file, &replays).map_err(|why| format!("{}: {why}", file.display()))?;
    }
    Ok(())
}

fn document(
    workload: &Workload,
    scores: &[(Order, Score)],
    truth: Option<Truth>,
) -> Result<String, String> {
    let orders = scores
        .iter()
        .map(|(order, score)| json!({"order": order.name(), "score": score}));
    let document = json!({
        "workload": workload,
        "orders": orders.collect::<Vec<_>>(),
        "forecast": truth,
    });
    let text = serde_json::to_string_pretty(&document).map_err(|why| why.to_string())?;
    Ok(text + "\n")
}

fn table(workload: &Workload, scores: &[(Order, Score)], truth: Option<Truth>) -> String {
    let Workload {
        seed,
        jobs,
        tenants,
        devices,
        days,
        load,
    } = workload;
    let mut text = format!(
        "{jobs} jobs of {tenants} tenants on {devices} devices in {days} days, load {load}, seed \
         {seed}\n\n{:24}{:>10}{:>10}{:>10}{:>12}{:>14}\n",
        "minutes of waiting", "mean", "median", "p99", "fairness", "utilisation"
    );
    for (order, score) in scores {
        let minutes = [
            score.wait_mean_seconds,
            score.wait_p50_seconds,
            score.wait_p99_seconds,
        ]
        .map(|seconds| seconds / 60.0);
        let [mean, median, p99] = minutes;
        let _ = writeln!(
            text,
            "{:24}{mean:>10.0}{median:>10.0}{p99:>10.0}{:>12.2}{:>14.3}",
            order.name(),
            score.fairness,
            score.utilisation
        );
    }
    if let Some(truth) = truth {
        let percent = |part: f64| format!("{:.1} %", 100.0 * part);
        let rows = [
            ("jobs to which a wait was told", percent(truth.told)),
            ("  that started within its p50", percent(truth.within_p50)),
            ("  that started within its p90", percent(truth.within_p90)),
            (
                "  the same of those that had to wait",
                percent(truth.waiting_within_p50),
            ),
            ("  ", percent(truth.waiting_within_p90)),
            ("pinball loss", format!("{:.0} s", truth.pinball_seconds)),
            (
                "  of queue depth times mean duration",
                format!("{:.0} s", truth.pinball_naive_seconds),
            ),
        ];
        text.push('\n');
        for (what, value) in rows {
            let _ = writeln!(text, "{what:40}{value:>10}");
        }
    }
    text
}
