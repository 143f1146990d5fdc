//! One trace per job: the caller's span, the job's span below it, one span per stage below that.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use qrtx::observe::Traces;
use qrtx::os::clock::SystemClock;
use qrtx_testkit::neighbours::{CompilerDouble, DriverDouble, Method, Served};

use crate::circuits::bell;
use crate::harness::{Deployment, enqueue, finish, request};

const TRACE: u128 = 0xe03d_d7b0_00ae_4e67_8016_4115_ebd9_86f8;
const CALLER: u64 = 0x6ea3_6324_b681_1d7b;

async fn spans_of_a_job(traceparent: &str) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let builder = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let deployment = Deployment::traced(Traces::new(builder), |_| {}).await;
    let mut client = deployment.client().await;
    let mut traced = request(bell());
    traced.traceparent = traceparent.to_owned();
    let job_id = enqueue(&mut client, traced).await;
    finish(&mut client, &job_id).await;
    exporter.get_finished_spans().unwrap()
}

#[tokio::test]
async fn every_stage_is_a_span_below_the_job_and_the_job_is_below_its_caller() {
    let spans = spans_of_a_job(&format!("00-{TRACE:032x}-{CALLER:016x}-01")).await;
    let by_name: BTreeMap<_, _> = spans
        .iter()
        .map(|span| (span.name.as_ref(), span))
        .collect();
    let job = by_name["job"];
    assert_eq!(job.parent_span_id, SpanId::from(CALLER));
    let stages = [
        "Pending",
        "Validating",
        "Compiling",
        "Queued",
        "Allocating",
        "Executing",
        "Completing",
    ];
    assert_eq!(spans.len(), stages.len() + 1);
    let mut end = job.start_time;
    for stage in stages {
        let span = by_name[stage];
        assert_eq!(span.parent_span_id, job.span_context.span_id(), "{stage}");
        assert_eq!(
            span.span_context.trace_id(),
            TraceId::from(TRACE),
            "{stage}"
        );
        assert_eq!(
            span.start_time, end,
            "{stage} begins where the stage before it ended"
        );
        end = span.end_time;
    }
    assert_eq!(end, job.end_time);
}

#[tokio::test]
async fn the_neighbours_are_called_from_the_span_of_the_stage_that_calls() {
    let clock = SystemClock::default();
    let (compiler, driver) = (CompilerDouble::new(clock), DriverDouble::new(clock));
    let compiles = Served::start(compiler.routes());
    let drives = Served::start(driver.routes());
    let exporter = InMemorySpanExporter::default();
    let builder = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let deployment = Deployment::traced(Traces::new(builder), |config| {
        config.compiler = Some(compiles.url());
        config.driver = Some(drives.url());
    })
    .await;
    let mut client = deployment.client().await;
    let mut traced = request(b"qubits=2".to_vec());
    traced.program_format = "eigen_lang_source".to_owned();
    traced.traceparent = format!("00-{TRACE:032x}-{CALLER:016x}-01");
    let job_id = enqueue(&mut client, traced).await;
    finish(&mut client, &job_id).await;

    let spans = exporter.get_finished_spans().unwrap();
    let calls = [compiler.calls(), driver.calls()].concat();
    for (method, stage) in [
        (Method::ValidateCircuit, "Validating"),
        (Method::CompileCircuit, "Compiling"),
        (Method::GetDeviceStatus, "Allocating"),
        (Method::ExecuteCircuit, "Executing"),
    ] {
        let call = calls.iter().find(|call| call.method == method).unwrap();
        let span = spans.iter().find(|span| span.name == stage).unwrap();
        let parent = format!("00-{TRACE:032x}-{}-01", span.span_context.span_id());
        assert_eq!(
            call.header("traceparent"),
            Some(parent.as_str()),
            "{method:?}"
        );
    }
}

#[tokio::test]
async fn without_a_caller_the_trace_starts_with_the_job() {
    let spans = spans_of_a_job("").await;
    let job = spans.iter().find(|span| span.name == "job").unwrap();
    assert_eq!(job.parent_span_id, SpanId::INVALID);
    assert!(spans.iter().all(|span| {
        span.span_context.trace_id() == job.span_context.trace_id()
            && span.span_context.trace_id() != TraceId::INVALID
    }));
}

#[tokio::test]
async fn a_caller_that_does_not_record_is_followed() {
    assert!(
        spans_of_a_job(&format!("00-{TRACE:032x}-{CALLER:016x}-00"))
            .await
            .is_empty()
    );
}
