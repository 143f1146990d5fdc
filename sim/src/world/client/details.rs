//! What answers say beside states and counts, for `details_are_true`.

use qrtx::grpc::proto::kernel as wire;
use qrtx::time::Timestamp;
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
        ("status.created_at", moment(told.created_at).0.to_string()),
        ("status.expires_at", moment(told.expires_at).0.to_string()),
        ("status.trace", told.trace_id.clone()),
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
        (
            "results.completed_at",
            moment(told.completed_at).0.to_string(),
        ),
        ("results.error", error(told.error.as_ref())),
        ("results.artifacts", artifacts(&told.artifacts)),
        ("results.manifest", artifacts(told.manifest.as_slice())),
        ("results.stages", stages(&told.stages)),
    ])
}

fn error(told: Option<&wire::JobError>) -> String {
    told.map_or(String::new(), |error| {
        format!("{}, {}", error.error_code, error.error_details_ref)
    })
}

fn artifacts(told: &[wire::Artifact]) -> String {
    let each = told.iter().map(|artifact| {
        let (path, sum, bytes) = (&artifact.path, &artifact.sha256, artifact.bytes);
        format!("{path} {sum} {bytes}")
    });
    each.collect::<Vec<_>>().join(", ")
}

fn stages(told: &[wire::Stage]) -> String {
    let each = told.iter().map(|stage| {
        let (name, at, seconds) = (&stage.name, moment(stage.started_at), stage.seconds);
        format!("{name} at {at:?} for {seconds} s")
    });
    each.collect::<Vec<_>>().join(", ")
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
        let (wasted, proof, unknown) = (
            &entry.wasted_cause,
            &entry.not_run_proof,
            &entry.unknown_cause,
        );
        let causes = format!("wasted by {wasted:?}, not run by {proof:?}, unknown by {unknown:?}");
        all.insert(format!("ledger.after.{last}.{attempt}.causes"), causes);
    }
    all.extend(told.events.iter().map(|event| {
        let (attempt, phase) = (event.attempt, phase(event.phase()));
        let at = moment(event.at);
        let name = format!("history.{}", event.seq);
        (name, format!("at {at:?}, attempt {attempt}, {phase:?}"))
    }));
    all
}

/// The name of a phase; empty if it is none.
pub(super) fn phase(told: wire::ExecutionPhase) -> String {
    match told {
        wire::ExecutionPhase::Unspecified => String::new(),
        phase => format!("{phase:?}"),
    }
}

pub(super) fn moment(told: Option<prost_types::Timestamp>) -> Timestamp {
    let told = told.unwrap_or_default();
    Timestamp(told.seconds * 1_000_000 + i64::from(told.nanos) / 1000)
}

fn named<'a>(details: impl IntoIterator<Item = (&'a str, String)>) -> Details {
    let owned = |(name, said): (&str, String)| (name.to_owned(), said);
    details.into_iter().map(owned).collect()
}
