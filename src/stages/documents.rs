//! The documents that are stored beside a job's program and circuit. Each is a function of the
//! job's record alone, so that writing it twice writes the same.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Outcome};
use crate::job::failure::JobError;

/// The order that every driver we know uses, when a device does not say.
const BITSTRING_ORDER: &str = "msb_first_by_classical_index";

/// How the keys of a job's counts are to be read.
pub fn bitstring_order(outcome: &Outcome) -> &str {
    outcome
        .metadata
        .get("bitstring_order")
        .map_or(BITSTRING_ORDER, String::as_str)
}

/// `input.job.json`: the request as it was accepted, defaults filled in.
pub(super) fn request(job: &Job) -> Vec<u8> {
    document(&serde_json::to_value(&*job.spec).expect("a spec has a JSON form"))
}

/// What the job store alone can make again of the artifacts of a job that was in Completing and
/// is Completed with `artifacts`, by file name: all but the circuit, and counts that are an object
/// of their own.
pub fn made_again(
    completing: &Job,
    program: Vec<u8>,
    artifacts: &[ArtifactRef],
) -> Vec<(String, Vec<u8>)> {
    let mut made = vec![
        ("input.job.json".to_owned(), request(completing)),
        (completing.spec.format.file_name().to_owned(), program),
        ("meta.json".to_owned(), manifest(completing, artifacts)),
    ];
    if let Some(outcome) = &completing.outcome
        && let Counts::Inline(counts) = &outcome.counts
    {
        let results = results(completing, outcome, counts);
        made.push(("results.json".to_owned(), results));
    }
    made
}

/// `error.json`: why the job ended without success, and what it cost.
pub(super) fn error(job: &Job) -> Vec<u8> {
    let JobError { code, summary } = job.error().expect("an end without success has an error");
    document(&json!({
        "version": "1.0.0",
        "job_id": job.id,
        "name": job.spec.name,
        "state": job.state,
        "error_code": code,
        "error_summary": summary,
        "device_id": job.ledger.last().map(|entry| &entry.device),
        "attempts": job.attempt(),
        "ledger": job.ledger,
        "trace_id": format!("{:032x}", job.spec.trace.trace_id),
        "ended_at_unix_us": job.state_since,
    }))
}

/// `results.json`: the counts and where they come from.
pub(super) fn results(job: &Job, outcome: &Outcome, counts: &BTreeMap<String, u64>) -> Vec<u8> {
    document(&json!({
        "version": "1.0.0",
        "job_id": job.id,
        "device_id": job.device,
        "execution_id": job.execution_id(),
        "circuit_sha256": outcome.circuit_sha256,
        "shots": job.spec.shots,
        "bitstring_order": bitstring_order(outcome),
        "counts": counts,
        "execution_time_sec": outcome.execution_seconds,
        "metadata": outcome.metadata,
    }))
}

/// The counts in a `results.json`.
pub fn counts(results: &[u8]) -> serde_json::Result<BTreeMap<String, u64>> {
    #[derive(Deserialize)]
    struct Results {
        counts: BTreeMap<String, u64>,
    }
    serde_json::from_slice(results).map(|results: Results| results.counts)
}

/// `meta.json`: what is stored, and how it hashes.
///
/// Nothing in here depends on when or how often it was written, so a second writing is equal.
pub(super) fn manifest(job: &Job, artifacts: &[ArtifactRef]) -> Vec<u8> {
    let listed: Vec<_> = artifacts
        .iter()
        .map(|artifact| {
            let mime = if artifact.file.ends_with(".json") {
                "application/json"
            } else {
                "text/plain"
            };
            json!({
                "path": artifact.file,
                "sha256": artifact.sha256,
                "size_bytes": artifact.bytes,
                "mime_type": mime,
            })
        })
        .collect();
    document(&json!({
        "version": "1.0.0",
        "job_id": job.id,
        "name": job.spec.name,
        "tenant_id": job.spec.owner.tenant,
        "project_id": job.spec.owner.project,
        "status": "Completed",
        "created_at_unix_us": job.created_at,
        "executed_at_unix_us": job.state_since,
        "artifacts": listed,
        "hashes": {
            "program_sha256": job.spec.program_sha256,
            "circuit_sha256": job.circuit_sha256(),
            "results_sha256": artifacts.last().map(|results| results.sha256),
        },
    }))
}

/// JSON as it is stored: for people first.
fn document(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("a value has a JSON form");
    text.push(b'\n');
    text
}
