//! `qrtx ledger`: where the shots of each execution of a job went (D14).

use std::fmt::Write as _;

use serde::Serialize;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::cli::{Exit, complain_as, print};
use crate::grpc::proto::kernel as wire;
use crate::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use crate::limits::ANSWER_BYTES_MAX;

/// Flags of `qrtx ledger`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  qrtx ledger job-01a208b16ae8761c83075c88c1b87b0a
  qrtx ledger job-01a208b16ae8761c83075c88c1b87b0a --json

requested = delivered + wasted + not run + unknown. Exit codes: 0 here it is,
1 there is no such job, 2 wrong use, 3 the kernel cannot be reached.")]
pub(super) struct Arguments {
    /// The job
    job: String,
    /// Where the kernel listens
    #[arg(
        long,
        env = "QRTX_ENDPOINT",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:50052"
    )]
    endpoint: String,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

/// One execution.
#[derive(Debug, Serialize)]
struct Line {
    attempt: u32,
    execution_id: String,
    device_id: String,
    requested: i64,
    delivered: i64,
    wasted: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    wasted_cause: String,
    not_run: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    not_run_proof: String,
    unknown: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    unknown_cause: String,
    fencing_token: u64,
}

pub(super) async fn ledger(arguments: Arguments) -> Exit {
    let Arguments {
        job,
        endpoint,
        json,
    } = arguments;
    let address = endpoint.trim_start_matches("http://");
    let channel = match Endpoint::from_shared(format!("http://{address}")) {
        Ok(endpoint) => endpoint.connect().await,
        Err(why) => return complain_as(json, Exit::Usage, format!("--endpoint {endpoint}: {why}")),
    };
    let channel = match channel {
        Ok(channel) => channel,
        Err(why) => {
            let what = format!("no kernel answers at {address}: {why}; name it with --endpoint");
            return complain_as(json, Exit::Unreachable, what);
        }
    };
    let mut client = KernelGatewayClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
    let asked = wire::GetJobHistoryRequest {
        job_id: job.clone(),
    };
    match client.get_job_history(asked).await {
        Ok(history) => show(&job, history.into_inner().ledger, json),
        Err(refused) => {
            let exit = match refused.code() {
                Code::InvalidArgument => Exit::Usage,
                Code::Unavailable => Exit::Unreachable,
                _ => Exit::Failed,
            };
            complain_as(json, exit, refused.message())
        }
    }
}

fn show(job: &str, ledger: Vec<wire::AttemptLedger>, json: bool) -> Exit {
    let lines: Vec<Line> = ledger.into_iter().map(Line::from).collect();
    let text = if json {
        let document = serde_json::json!({ "job_id": job, "ledger": lines });
        format!("{document}\n")
    } else {
        table(&lines)
    };
    if print(&text) {
        Exit::Done
    } else {
        Exit::Failed
    }
}

fn table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no device was asked to run this job\n".to_owned();
    }
    let mut text = format!(
        "{:<8}{:<20}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
        "attempt", "device", "requested", "delivered", "wasted", "not run", "unknown"
    );
    for line in lines {
        let numbers = [
            line.requested,
            line.delivered,
            line.wasted,
            line.not_run,
            line.unknown,
        ];
        let numbers: String = numbers
            .iter()
            .map(|number| format!("{number:>10}"))
            .collect();
        let _ = writeln!(text, "{:<8}{:<20}{numbers}", line.attempt, line.device_id);
        let whys = [
            ("wasted", &line.wasted_cause),
            ("not run", &line.not_run_proof),
            ("unknown", &line.unknown_cause),
        ];
        for (column, why) in whys.into_iter().filter(|(_, why)| !why.is_empty()) {
            let _ = writeln!(text, "        {column}: {why}");
        }
    }
    text
}

impl From<wire::AttemptLedger> for Line {
    fn from(told: wire::AttemptLedger) -> Self {
        Self {
            attempt: told.attempt,
            execution_id: told.execution_id,
            device_id: told.device_id,
            requested: told.requested,
            delivered: told.delivered,
            wasted: told.wasted,
            wasted_cause: told.wasted_cause,
            not_run: told.not_run,
            not_run_proof: told.not_run_proof,
            unknown: told.unknown,
            unknown_cause: told.unknown_cause,
            fencing_token: told.fencing_token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_shows_each_column_and_why() {
        let lost = wire::AttemptLedger {
            attempt: 1,
            device_id: "qpu-1".to_owned(),
            requested: 1000,
            unknown: 1000,
            unknown_cause: "the answer was lost, and the driver cannot be asked".to_owned(),
            ..wire::AttemptLedger::default()
        };
        let stopped = wire::AttemptLedger {
            attempt: 2,
            device_id: "qpu-1".to_owned(),
            requested: 1000,
            wasted: 300,
            wasted_cause: "the job was cancelled".to_owned(),
            not_run: 700,
            not_run_proof: "the driver told the shots used".to_owned(),
            ..wire::AttemptLedger::default()
        };
        let lines: Vec<_> = [lost, stopped].map(Line::from).into();
        insta::assert_snapshot!(table(&lines));
        assert_eq!(table(&[]), "no device was asked to run this job\n");
    }
}
