//! What a job is asked to do: parsed once from a request, valid ever after.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ReservationId, Sha256Sum};
use crate::job::target::Target;
use crate::job::trace::TraceContext;
use crate::planted::{Bug, planted};
use crate::time::Timestamp;

/// How a program is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramFormat {
    /// An AQO circuit as JSON; needs no compiler beyond lowering.
    AqoJson,
    /// A reference to an AQO circuit below the artifact root, as text.
    AqoRef,
    /// Eigen-Lang source.
    EigenLangSource,
    /// OpenQASM 2 or 3, as the text says.
    QasmText,
    /// The same under the name of version 3.
    Qasm3,
}

impl ProgramFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::AqoJson,
        Self::AqoRef,
        Self::EigenLangSource,
        Self::QasmText,
        Self::Qasm3,
    ];

    /// The format's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::AqoJson => "aqo_json",
            Self::AqoRef => "aqo_ref",
            Self::EigenLangSource => "eigen_lang_source",
            Self::QasmText => "qasm_text",
            Self::Qasm3 => "qasm3",
        }
    }

    /// The program's file name in the job's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::AqoJson => "program.aqo.json",
            Self::AqoRef => "program.ref.txt",
            Self::EigenLangSource => "program.eigen.py",
            Self::QasmText | Self::Qasm3 => "program.qasm",
        }
    }
}

/// A job as it was accepted. The program itself lies in the store, beside the first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// For people; never used in a path.
    pub name: String,
    /// How the program is written.
    pub format: ProgramFormat,
    /// The program's hash.
    pub program_sha256: Sha256Sum,
    /// The program's size.
    pub program_bytes: u64,
    /// The device that shall run it, or the class.
    pub target: Target,
    /// The reserved slot of that device in which it shall run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
    /// 0 to 100, higher is more urgent.
    pub priority: u8,
    /// 1 to [`crate::limits::SHOTS_MAX`].
    pub shots: u32,
    /// For reproducible sampling, if the device can.
    pub seed: Option<i64>,
    /// For the compiler, as they came.
    pub compiler_options: BTreeMap<String, String>,
    /// The client's notes, as they came.
    pub metadata: BTreeMap<String, String>,
    /// When the job ends as Timeout at the latest.
    pub expires_at: Timestamp,
    /// Whose job.
    pub owner: Owner,
    /// The client's key for this job, if it gave one.
    pub idempotency_key: Option<String>,
    /// The request that brought the job, for logs and the neighbours.
    pub request_id: String,
    /// The trace the job belongs to.
    pub trace: TraceContext,
}

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// The tenant; scopes idempotency keys together with the project.
    pub tenant: String,
    /// The project.
    pub project: String,
    /// Who asked; may be empty.
    pub subject: String,
}

impl JobSpec {
    /// The options that the device gets: the seed, and the values of circuit parameters.
    pub fn device_options(&self) -> BTreeMap<String, String> {
        const PARAMETER: [&str; 4] = ["param.", "param:", "parameters.", "parameters:"];
        let parameters = self
            .compiler_options
            .iter()
            .chain(&self.metadata)
            .filter(|(key, _)| PARAMETER.iter().any(|prefix| key.starts_with(prefix)));
        let seed = self.seed.filter(|_| !planted(Bug::SeedNotSent));
        let seed = seed.map(|seed| ("seed".to_owned(), seed.to_string()));
        parameters
            .map(|(key, value)| (key.clone(), value.clone()))
            .chain(seed)
            .collect()
    }
}
