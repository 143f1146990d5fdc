//! `qrtx cancel JOB`: ends a job, and says what that achieved.

use serde_json::json;

use crate::cli::client::AboutJob;
use crate::cli::exit::{CODES, Exit};
use crate::cli::problem::Outcome;
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx cancel`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
The receipt says what the cancel achieved:
  NOT_STARTED        no device was asked to run the job
  STOPPED_ON_DEVICE  the device confirmed that the execution is over
  STOP_UNCONFIRMED   the job is cancelled, but the device may go on
  TOO_LATE           nothing was changed: the job had ended or had its counts
A repeated cancel gets the first receipt again.

Examples:
  qrtx cancel job-01a208b16ae8761c83075c88c1b87b0a
  qrtx cancel job-01a208b16ae8761c83075c88c1b87b0a --reason \"wrong circuit\"

{CODES}
A job that is cancelled now is 0, and TOO_LATE is 1."))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) about: AboutJob,
    /// Why, for the record
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let (kernel, job_id) = arguments.about.open().await?;
    let answer = kernel.cancel(&job_id, &arguments.reason).await?;
    let receipt = view::receipt_name(answer.receipt());
    if arguments.about.json {
        terminal::print_document(&json!({
            "job_id": job_id,
            "receipt": receipt,
            "state": view::state_name(answer.state()),
            "shots_used": answer.shots_used,
            "message": answer.message,
        }))?;
    } else {
        let fired = answer.shots_used.map(|used| {
            let used = usize::try_from(used).unwrap_or_default();
            format!("; {} fired", text::count(used, "shot"))
        });
        let told = answer.message.clone() + &fired.unwrap_or_default();
        let lead = format!("{}  ", receipt.unwrap_or("UNKNOWN"));
        terminal::print(&text::paragraph(&lead, &told, terminal::columns()))?;
    }
    Ok(match answer.receipt() {
        wire::CancelReceipt::TooLate => Exit::Failed,
        _ => Exit::Done,
    })
}
