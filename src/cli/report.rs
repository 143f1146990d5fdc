//! What a job came to, for a person or for a program.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::cli::histogram::histogram;
use crate::cli::{Exit, complain, print};
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;

/// An ended job.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    job_id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
    counts: BTreeMap<String, i64>,
    shots: i64,
    device_id: String,
    bitstring_order: String,
    execution_seconds: f64,
    stages: Vec<Stage>,
    artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Artifact>,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Error {
    error_code: String,
    error_summary: String,
    details: String,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: String,
    started_at: String,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Artifact {
    path: String,
    sha256: String,
    bytes: u64,
}

/// Where an object lies that the kernel names below its artifact root.
fn located(qfs_root: &str, path: &str) -> String {
    if qfs_root.contains("://") {
        return format!("{}/{path}", qfs_root.trim_end_matches('/'));
    }
    Path::new(qfs_root).join(path).display().to_string()
}

impl Report {
    pub(super) fn new(results: wire::GetJobResultsResponse, qfs_root: &str) -> Self {
        let state = results.state();
        let state = State::ALL.into_iter().find(|known| {
            state.as_str_name() == format!("TASK_STATE_{}", known.name().to_uppercase())
        });
        let artifact = |kept: wire::Artifact| Artifact {
            path: located(qfs_root, &kept.path),
            sha256: kept.sha256,
            bytes: kept.bytes,
        };
        Self {
            job_id: results.job_id,
            state: state.map_or("Unknown", State::name),
            error: results.error.map(|error| Error {
                error_code: error.error_code,
                error_summary: error.error_summary,
                details: located(qfs_root, &error.error_details_ref),
            }),
            counts: results.counts,
            shots: results.shots,
            device_id: results.device_id,
            bitstring_order: results.bitstring_order,
            execution_seconds: results.execution_seconds,
            stages: results
                .stages
                .into_iter()
                .map(|stage| Stage {
                    name: stage.name,
                    started_at: stage
                        .started_at
                        .map(|at| at.to_string())
                        .unwrap_or_default(),
                    seconds: stage.seconds,
                })
                .collect(),
            artifacts: results.artifacts.into_iter().map(artifact).collect(),
            manifest: results.manifest.map(artifact),
            metadata: results.metadata,
        }
    }

    /// Whether the report names an `error.json`.
    pub(super) fn names_a_file_to_come(&self) -> bool {
        self.error.is_some()
    }

    /// Prints the report, and says how the command ends.
    pub(super) fn show(&self, json: bool) -> Exit {
        let text = match json {
            true => serde_json::to_string_pretty(self).expect("a report has a JSON form") + "\n",
            false => self.text(),
        };
        let taken = print(&text);
        if let Some(error) = &self.error {
            let Error {
                error_code,
                error_summary,
                ..
            } = error;
            complain(
                Exit::Failed,
                format!("{} {error_code}: {error_summary}", self.job_id),
            );
        }
        if !taken {
            return complain(Exit::Failed, "nobody takes what is printed");
        }
        match self.state {
            "Completed" => Exit::Done,
            "Timeout" => Exit::TimedOut,
            "Cancelled" => Exit::Cancelled,
            _ => Exit::Failed,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}  {}", self.job_id, self.state);
        if !self.device_id.is_empty() {
            text += &format!("  on {}", self.device_id);
        }
        text.push('\n');
        if !self.counts.is_empty() {
            text += &format!("\n{}", histogram(&self.counts, self.shots));
        }
        if !self.stages.is_empty() {
            text += "\nstage            seconds\n";
        }
        for stage in &self.stages {
            text += &format!("  {:<12} {:>9.6}\n", stage.name, stage.seconds);
        }
        let stored: Vec<_> = self.artifacts.iter().chain(&self.manifest).collect();
        if !stored.is_empty() {
            text += "\nartifacts\n";
        }
        for artifact in stored {
            text += &format!("  {}  ({} bytes)\n", artifact.path, artifact.bytes);
        }
        if let Some(error) = &self.error {
            text += &format!("\ndetails  {}\n", error.details);
        }
        text
    }
}
