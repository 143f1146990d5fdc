use std::collections::BTreeMap;

use qrtx::grpc::proto::internal::{
    CompileCircuitRequest, CompileJobRequest, OptimizeCircuitRequest, RequestMetadata,
    ValidateCircuitRequest,
};
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{CompilerDouble, Method, Served};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::compiler_at;

fn double() -> CompilerDouble<HandClock> {
    CompilerDouble::new(HandClock::default())
}

fn program(source: &str) -> CompileCircuitRequest {
    CompileCircuitRequest {
        language: "eigen-lang".to_owned(),
        source: source.as_bytes().to_vec(),
        ..CompileCircuitRequest::default()
    }
}

fn complete() -> RequestMetadata {
    let text = || "x".to_owned();
    RequestMetadata {
        request_id: text(),
        trace_id: text(),
        traceparent: text(),
        retry_policy: text(),
        security_context: text(),
        tenant_id: text(),
        project_id: text(),
        ..RequestMetadata::default()
    }
}

#[tokio::test]
async fn the_circuit_has_the_qubits_that_the_source_asks_for() {
    let served = Served::start(double().routes());
    for (source, qubits) in [
        ("", 2),
        ("qubits=3", 3),
        ("# qubits=17, more than simulators", 17),
    ] {
        let request = program(&format!("{source}\n"));
        let answer = compiler_at(&served)
            .compile_circuit(request)
            .await
            .unwrap()
            .into_inner();
        let circuit = qrtx::circuit::parse(&answer.circuit.unwrap().data, &BTreeMap::new());
        let circuit = circuit.unwrap();
        assert_eq!(
            (circuit.qubits(), circuit.bits()),
            (qubits, qubits),
            "{source}"
        );
        assert_eq!(answer.metadata["compiler"], "eigen-compiler");
    }
}

#[tokio::test]
async fn the_circuit_is_canonical_and_depends_on_who_asks() {
    let served = Served::start(double().routes());
    let mut client = compiler_at(&served);
    let mut circuits = Vec::new();
    for tenant_id in ["a", "a", "b"] {
        let metadata = RequestMetadata {
            tenant_id: tenant_id.to_owned(),
            ..complete()
        };
        let request = CompileCircuitRequest {
            request_metadata: Some(metadata),
            ..program("qubits=2")
        };
        let answer = client.compile_circuit(request).await.unwrap().into_inner();
        circuits.push(answer.circuit.unwrap().data);
    }
    assert_eq!(circuits[0], circuits[1]);
    assert_ne!(circuits[0], circuits[2]);
    let text = String::from_utf8(circuits.swap_remove(0)).unwrap();
    assert!(
        text.starts_with(r#"{"checksums":{"request_sha256":""#),
        "{text}"
    );
    assert!(
        text.ends_with(r#""q":[0,1]}],"qubits":2,"version":"1.0.0"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn only_one_language_is_known() {
    let served = Served::start(double().routes());
    for language in ["", "eigen_lang", "Eigen-Lang", "qasm3", "eigen_lang_source"] {
        let request = CompileCircuitRequest {
            language: language.to_owned(),
            ..program("qubits=2")
        };
        let refused = compiler_at(&served)
            .compile_circuit(request)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{language}");
        let bad = refused.get_details_bad_request().unwrap();
        assert_eq!(bad.field_violations[0].field, "language");
    }
}

#[tokio::test]
async fn metadata_is_complete_or_absent() {
    let served = Served::start(double().routes());
    let mut client = compiler_at(&served);
    let with = |metadata| CompileCircuitRequest {
        request_metadata: Some(metadata),
        ..program("qubits=2")
    };
    client.compile_circuit(program("qubits=2")).await.unwrap();
    client.compile_circuit(with(complete())).await.unwrap();
    let refused = client
        .compile_circuit(with(RequestMetadata::default()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        refused
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .len(),
        7
    );
}

#[tokio::test]
async fn a_syntax_error_is_told_with_details_and_without_a_place() {
    let served = Served::start(double().routes());
    let refused = compiler_at(&served)
        .compile_circuit(program("a syntax error"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "validation failed")
    );
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.reason, "EIGEN_COMPILER_VALIDATION_FAILED");
    assert_eq!(info.domain, "eigen.compiler");
    assert_eq!(info.metadata["stage"], "parse");
    assert_eq!(
        refused.get_details_bad_request().unwrap().field_violations[0].field,
        "source"
    );
}

#[tokio::test]
async fn a_reference_is_followed_when_there_is_no_source() {
    let double = double();
    double.store("job-1/input/program.eigen.py", b"qubits=4");
    let served = Served::start(double.routes());
    let at = |source_ref: &str| CompileCircuitRequest {
        source_ref: source_ref.to_owned(),
        ..program("")
    };
    let found = at("qfs://job-1/input/program.eigen.py");
    let found = compiler_at(&served)
        .compile_circuit(found)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.metadata["source_precedence"], "source_ref");
    for bad in [
        "qfs://job-2/input/program.eigen.py",
        "qfs://../etc/passwd",
        "",
    ] {
        let refused = compiler_at(&served)
            .compile_circuit(at(bad))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
    }
}

#[tokio::test]
async fn a_job_is_compiled_under_its_mandatory_id() {
    let double = double();
    let served = Served::start(double.routes());
    let request = |job_id: &str| CompileJobRequest {
        job_id: job_id.to_owned(),
        language: "eigen-lang".to_owned(),
        source: b"qubits=2".to_vec(),
        ..CompileJobRequest::default()
    };
    let answer = compiler_at(&served)
        .compile_job(request("job-1"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.job_id, "job-1");
    let refused = compiler_at(&served)
        .compile_job(request(""))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let calls = double.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (calls[0].method, calls[0].job.as_str()),
        (Method::CompileJob, "job-1")
    );
}

#[tokio::test]
async fn validating_and_optimizing_are_not_implemented_unless_switched_on() {
    let check = |source: &str| ValidateCircuitRequest {
        language: "eigen-lang".to_owned(),
        source: source.as_bytes().to_vec(),
        ..ValidateCircuitRequest::default()
    };
    let served = Served::start(double().routes());
    let mut client = compiler_at(&served);
    let refused = client
        .validate_circuit(check("qubits=2"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let refused = client
        .optimize_circuit(OptimizeCircuitRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);

    let served = Served::start(double().with_validate().with_optimize().routes());
    let mut client = compiler_at(&served);
    assert!(
        client
            .validate_circuit(check("qubits=2"))
            .await
            .unwrap()
            .into_inner()
            .valid
    );
    assert!(
        !client
            .validate_circuit(check("syntax error"))
            .await
            .unwrap()
            .into_inner()
            .valid
    );
    client
        .optimize_circuit(OptimizeCircuitRequest::default())
        .await
        .unwrap();
}
