//! What a job came to, for a person or for a program.

use std::collections::BTreeMap;

use serde::Serialize;
use textwrap::core::display_width;

use crate::cli::exit::Exit;
use crate::cli::histogram::histogram;
use crate::cli::problem::Outcome;
use crate::cli::table::{Fit, Table, facts};
use crate::cli::terminal::{BOLD, COLUMNS, paint};
use crate::cli::view::{self, Artifact, Error, Root, Stage};
use crate::cli::{state_style, terminal, text};
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;

/// An ended job.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    job_id: String,
    state: &'static str,
    error: Option<Error>,
    counts: BTreeMap<String, i64>,
    shots: i64,
    device_id: Option<String>,
    bitstring_order: Option<String>,
    execution_seconds: f64,
    stages: Vec<Stage>,
    artifacts: Vec<Artifact>,
    manifest: Option<Artifact>,
    metadata: BTreeMap<String, String>,
    #[serde(skip)]
    ended: Option<State>,
    /// Paths are those of this machine.
    #[serde(skip)]
    is_rooted: bool,
}

impl Report {
    pub(super) fn new(results: wire::GetJobResultsResponse, root: Root<'_>) -> Self {
        Self {
            state: view::state_name(results.state()),
            ended: view::state(results.state()),
            is_rooted: root.0.is_some(),
            job_id: results.job_id,
            error: results.error.map(|error| Error::new(error, root)),
            counts: results.counts,
            shots: results.shots,
            device_id: view::some(results.device_id),
            bitstring_order: view::some(results.bitstring_order),
            execution_seconds: results.execution_seconds,
            stages: results.stages.into_iter().map(Stage::from).collect(),
            artifacts: results
                .artifacts
                .into_iter()
                .map(|kept| Artifact::new(kept, root))
                .collect(),
            manifest: results.manifest.map(|kept| Artifact::new(kept, root)),
            metadata: results.metadata,
        }
    }

    /// Prints the report, and says how the command ends.
    pub(super) fn show(&self, as_json: bool) -> Outcome {
        if as_json {
            terminal::print_document(self)?;
        } else {
            terminal::print(&self.text(terminal::columns()))?;
        }
        if let Some(error) = &self.error {
            let (job_id, code, message) = (&self.job_id, &error.code, &error.message);
            let said = format!("{job_id} {code}: {message}");
            terminal::say_in(state_style(self.ended), &said);
        }
        Ok(Exit::of(self.ended))
    }

    fn text(&self, width: Option<usize>) -> String {
        let mut told = heading(
            &self.job_id,
            self.ended,
            self.device_id.as_deref().unwrap_or_default(),
            width,
        );
        if !self.counts.is_empty() {
            let drawn = histogram(&self.counts, self.shots, width.unwrap_or(COLUMNS));
            told += &format!("\n{drawn}");
        }
        let measured = self.metadata.get("measured");
        let measured = measured.map(|what| ("measured", what.as_str().into()));
        told += &facts(measured, width);
        if !self.stages.is_empty() {
            told += &format!("\n{}", stages(&self.stages).render(width));
        }
        told += &self.stored(width);
        if let Some(error) = &self.error {
            let details = [("details", self.place(&error.details.file).into())];
            told += &format!("\n{}", facts(details, width));
        }
        told
    }

    fn place(&self, path: &str) -> String {
        match self.is_rooted {
            true => path.to_owned(),
            false => view::below_the_root(path),
        }
    }

    /// What is stored of the job; all of it lies in one folder.
    fn stored(&self, width: Option<usize>) -> String {
        let Some(folder) = self.artifacts.first().or(self.manifest.as_ref()) else {
            return String::new();
        };
        let folder = folder
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let mut table = Table::new([("FILE", Fit::Whole), ("BYTES", Fit::Number)]);
        for kept in self.artifacts.iter().chain(&self.manifest) {
            let file = kept.path.strip_prefix(folder).unwrap_or(&kept.path);
            table.push([file.trim_start_matches('/').into(), kept.bytes.into()]);
        }
        let folder = self.place(&format!("{}/", text::one_line(folder)));
        format!("\nin {folder}\n{}", table.render(width))
    }
}

/// The job, its state, and where it is or was executed.
pub(super) fn heading(
    job_id: &str,
    state: Option<State>,
    device_id: &str,
    width: Option<usize>,
) -> String {
    let job_id = &text::one_line(job_id);
    let name = state.map_or("Unknown", State::name);
    let place = match text::one_line(device_id) {
        none if none.is_empty() => none,
        device => format!("  on {device}"),
    };
    let columns = display_width(job_id) + 2 + display_width(name) + display_width(&place);
    let gap = match width {
        Some(width) if columns > width => "\n  ",
        _ => "  ",
    };
    let (job_id, name) = (paint(BOLD, job_id), paint(state_style(state), name));
    format!("{job_id}{gap}{name}{place}\n")
}

/// The time spent in each stage.
pub(super) fn stages(stages: &[Stage]) -> Table<2> {
    let mut table = Table::new([("STAGE", Fit::Whole), ("SECONDS", Fit::Number)]);
    for stage in stages {
        let seconds = format!("{:.6}", stage.seconds);
        table.push([stage.name.as_str().into(), seconds.into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn a_report_shows_what_was_measured_or_what_went_wrong() {
        let kept = |file: &str| wire::Artifact {
            path: format!("{}/{file}", sample::JOB),
            bytes: 631,
            ..wire::Artifact::default()
        };
        let stage = |name: &str, seconds| wire::Stage {
            name: name.to_owned(),
            seconds,
            ..wire::Stage::default()
        };
        let completed = wire::GetJobResultsResponse {
            job_id: sample::JOB.to_owned(),
            state: wire::TaskState::Completed as i32,
            counts: BTreeMap::from([("00".to_owned(), 519), ("11".to_owned(), 481)]),
            shots: 1000,
            device_id: "sim:local".to_owned(),
            stages: vec![stage("Pending", 0.000_25), stage("Executing", 12.5)],
            artifacts: vec![kept("results.json")],
            manifest: Some(kept("meta.json")),
            ..wire::GetJobResultsResponse::default()
        };
        let failed = wire::GetJobResultsResponse {
            job_id: sample::JOB.to_owned(),
            state: wire::TaskState::Failed as i32,
            error: Some(sample::error_with_a_drawing()),
            ..wire::GetJobResultsResponse::default()
        };
        for (name, results, root) in [
            ("completed", completed, Root(Some("circuit_fs"))),
            ("failed", failed, Root(None)),
        ] {
            let report = Report::new(results, root);
            let told = sample::at_each_width(|width| report.text(width));
            insta::assert_snapshot!(name, told);
        }
    }
}
