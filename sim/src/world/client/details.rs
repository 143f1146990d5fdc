//! What answers say beside states and counts, for `details_are_true`.

use qrtx::grpc::proto::kernel as wire;
use qrtx_testkit::history::Details;

pub(super) fn status(told: &wire::JobStatus) -> Details {
    let receipt = match told.cancel_receipt() {
        wire::CancelReceipt::NotStarted => "NotStarted",
        wire::CancelReceipt::StoppedOnDevice => "StoppedOnDevice",
        wire::CancelReceipt::StopUnconfirmed => "StopUnconfirmed",
        _ => "",
    };
    let receipt_at = format!("status.after.{}.receipt", told.last_event_seq);
    named([
        ("status.name", told.name.clone()),
        ("status.target", told.target.clone()),
        ("status.priority", told.priority.to_string()),
        ("status.shots", told.shots.to_string()),
        ("status.tenant", told.tenant_id.clone()),
        ("status.project", told.project_id.clone()),
        ("status.created_at", moment(told.created_at)),
        ("status.expires_at", moment(told.expires_at)),
        (&receipt_at, receipt.to_owned()),
    ])
}

pub(super) fn results(told: &wire::GetJobResultsResponse) -> Details {
    named([
        ("results.shots", told.shots.to_string()),
        (
            "results.execution_seconds",
            told.execution_seconds.to_string(),
        ),
        ("results.bitstring_order", told.bitstring_order.clone()),
        ("results.metadata", format!("{:?}", told.metadata)),
        ("results.completed_at", moment(told.completed_at)),
    ])
}

/// The books of each execution.
pub(super) fn history(told: &wire::GetJobHistoryResponse) -> Details {
    let last = told.events.last().map_or(0, |event| event.seq);
    let mut all = named([("ledger.attempts", told.ledger.len().to_string())]);
    for entry in &told.ledger {
        let (attempt, device, token) = (entry.attempt, &entry.device_id, entry.fencing_token);
        let execution = format!("{} shots on {device}, token {token}", entry.requested);
        all.insert(format!("ledger.{attempt}.execution"), execution);
        let (delivered, wasted) = (entry.delivered, entry.wasted);
        let (not_run, unknown) = (entry.not_run, entry.unknown);
        let sums = format!("{delivered} delivered, {wasted} wasted, {not_run} not run, {unknown}?");
        all.insert(format!("ledger.after.{last}.{attempt}"), sums);
    }
    all
}

/// Microseconds since 1970.
fn moment(told: Option<prost_types::Timestamp>) -> String {
    let told = told.unwrap_or_default();
    (told.seconds * 1_000_000 + i64::from(told.nanos) / 1000).to_string()
}

fn named<'a>(details: impl IntoIterator<Item = (&'a str, String)>) -> Details {
    let owned = |(name, said): (&str, String)| (name.to_owned(), said);
    details.into_iter().map(owned).collect()
}
