//! What a request asks to be compiled, what is wrong with it, and the circuit it becomes.

use std::collections::BTreeMap;

use qrtx::grpc::proto::internal::{
    CompileCircuitRequest, CompileJobRequest, OptimizeCircuitRequest, RequestMetadata,
    ValidateCircuitRequest,
};
use qrtx::ids::Sha256Sum;
use qrtx::limits::SOURCE_BYTES_MAX;
use serde_json::json;
use tonic_types::FieldViolation;

/// What the requests have in common.
#[derive(Clone, Copy)]
pub(super) struct Program<'a> {
    /// `None` where the request has no such field.
    job_id: Option<&'a str>,
    pub(super) job: &'a str,
    language: &'a str,
    pub(super) source: &'a [u8],
    source_ref: &'a str,
    pub(super) options: &'a BTreeMap<String, String>,
    metadata: Option<&'a RequestMetadata>,
}

impl<'a> Program<'a> {
    pub(super) fn of_circuit(request: &'a CompileCircuitRequest) -> Self {
        Self {
            job_id: None,
            job: request
                .request_metadata
                .as_ref()
                .map_or("", |metadata| &metadata.request_id),
            language: &request.language,
            source: &request.source,
            source_ref: &request.source_ref,
            options: &request.options,
            metadata: request.request_metadata.as_ref(),
        }
    }

    pub(super) fn of_job(request: &'a CompileJobRequest) -> Self {
        Self {
            job_id: Some(&request.job_id),
            job: &request.job_id,
            language: &request.language,
            source: &request.source,
            source_ref: &request.source_ref,
            options: &request.options,
            metadata: request.request_metadata.as_ref(),
        }
    }

    pub(super) fn of_check(request: &'a ValidateCircuitRequest) -> Self {
        Self {
            job_id: None,
            job: request
                .request_metadata
                .as_ref()
                .map_or("", |metadata| &metadata.request_id),
            language: &request.language,
            source: &request.source,
            source_ref: "",
            options: &request.options,
            metadata: request.request_metadata.as_ref(),
        }
    }

    pub(super) fn of_circuit_to_improve(request: &'a OptimizeCircuitRequest) -> Self {
        Self {
            job_id: None,
            job: "",
            language: "",
            source: request
                .circuit
                .as_ref()
                .map_or(&[], |circuit| &circuit.data),
            source_ref: "",
            options: &request.options,
            metadata: None,
        }
    }

    pub(super) fn path(&self) -> &'a str {
        let bare = self.source_ref.strip_prefix("qfs://");
        bare.or_else(|| self.source_ref.strip_prefix("circuitfs://"))
            .unwrap_or(self.source_ref)
    }

    pub(super) fn is_for(&self, job: &str) -> bool {
        self.job == job
            || self.path().split('/').next() == Some(job)
            || String::from_utf8_lossy(self.source).contains(job)
    }

    pub(super) fn wrong_fields(&self) -> Vec<FieldViolation> {
        let mut wrong = Vec::new();
        let mut required = |field: &str, value: &str| {
            if value.is_empty() {
                wrong.push(FieldViolation::new(field, "field is required"));
            }
        };
        if let Some(job_id) = self.job_id {
            required("job_id", job_id);
        }
        required("language", self.language);
        // Not sent means not asked for; sent means complete (G4).
        if let Some(metadata) = self.metadata {
            required("request_metadata.request_id", &metadata.request_id);
            required("request_metadata.trace_id", &metadata.trace_id);
            required("request_metadata.traceparent", &metadata.traceparent);
            required("request_metadata.retry_policy", &metadata.retry_policy);
            required(
                "request_metadata.security_context",
                &metadata.security_context,
            );
            required("request_metadata.tenant_id", &metadata.tenant_id);
            required("request_metadata.project_id", &metadata.project_id);
        }
        if !self.language.is_empty() && self.language != "eigen-lang" {
            wrong.push(FieldViolation::new("language", "unsupported language"));
        }
        if self.source.len() > SOURCE_BYTES_MAX {
            wrong.push(FieldViolation::new("source", "source exceeds 262144 bytes"));
        }
        if self.source_ref.split('/').any(|part| part == "..") {
            wrong.push(FieldViolation::new("source_ref", "must not contain .."));
        }
        wrong
    }

    /// Equal requests have equal hashes: the circuit's bytes depend on who asks (G5).
    fn request_sha256(&self, source: &[u8]) -> Sha256Sum {
        let context = self.metadata.map(|metadata| {
            let RequestMetadata {
                request_id,
                trace_id,
                traceparent,
                tenant_id,
                ..
            } = metadata;
            json!([
                request_id,
                trace_id,
                traceparent,
                tenant_id,
                metadata.project_id
            ])
        });
        let source = Sha256Sum::of(source).to_string();
        Sha256Sum::of(
            json!([source, self.options, context])
                .to_string()
                .as_bytes(),
        )
    }
}

/// The number after `qubits=`, else 2.
fn qubits_of(source: &str) -> u32 {
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let asked = source.split_once("qubits=").map(|(_, rest)| digits(rest));
    asked
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(2)
        .clamp(1, 64)
}

/// A canonical AQO document (sorted keys, no blanks) and what is told beside it.
pub(super) fn compiled(
    program: &Program<'_>,
    source: &[u8],
) -> (Vec<u8>, BTreeMap<String, String>) {
    let text = String::from_utf8_lossy(source);
    let qubits = qubits_of(&text);
    let request_sha256 = program.request_sha256(source).to_string();
    let all: Vec<u32> = (0..qubits).collect();
    let quarter = std::f64::consts::FRAC_PI_2;
    let mut operations = vec![json!({"op": "RY", "params": {"theta": quarter}, "q": [0]})];
    operations.extend((1..qubits).map(|qubit| json!({"op": "CX", "q": [qubit - 1, qubit]})));
    if text.contains("gate=H") {
        operations.push(json!({"op": "H", "q": [0]}));
    }
    operations.push(json!({"basis": "Z", "c": all, "op": "MEASURE", "q": all}));
    let document = json!({
        "checksums": {"request_sha256": request_sha256},
        "metadata": {"compiler": "eigen-compiler", "source_language": "eigen-lang"},
        "operations": operations,
        "qubits": qubits,
        "version": "1.0.0",
    });
    let aqo = document.to_string().into_bytes();

    let inline = if program.source.is_empty() {
        "source_ref"
    } else {
        "source"
    };
    let mut told: BTreeMap<String, String> = [
        ("compiler", "eigen-compiler".to_owned()),
        ("compiler_contract_version", "1.0.0".to_owned()),
        ("aqo_version", "1.0.0".to_owned()),
        ("input_bytes", source.len().to_string()),
        ("source_sha256", Sha256Sum::of(source).to_string()),
        ("aqo_sha256", Sha256Sum::of(&aqo).to_string()),
        ("request_sha256", request_sha256),
        ("source_precedence", inline.to_owned()),
        ("options_json", json!(program.options).to_string()),
        ("workload_profile", "QuantumJob".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if let Some(metadata) = program.metadata {
        told.insert("request_id".to_owned(), metadata.request_id.clone());
        told.insert("trace_id".to_owned(), metadata.trace_id.clone());
        told.insert("traceparent".to_owned(), metadata.traceparent.clone());
        told.insert("tenant_id".to_owned(), metadata.tenant_id.clone());
        told.insert("project_id".to_owned(), metadata.project_id.clone());
    }
    (aqo, told)
}
