//! Logs, and the way of spans to a collector.

use std::io;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::observe::Traces;

/// Where logs go, and how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// One JSON object per line on stdout: for `serve`.
    JsonToStdout,
    /// Text on stderr, errors of the kernel only unless RUST_LOG says otherwise: for commands,
    /// which tell what became of a job themselves.
    TextToStderr,
}

/// Starts logging for the whole process; what was started first stays.
pub fn start_logs(logs: Logs) {
    let filter =
        |default| EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    match logs {
        Logs::JsonToStdout => json(filter("info"), io::stdout),
        Logs::TextToStderr => {
            let text = tracing_subscriber::fmt().with_env_filter(filter("error"));
            let _ = text.with_writer(io::stderr).with_target(false).try_init();
        }
    }
}

fn json(filter: EnvFilter, to: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(to);
    let _ = lines
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .try_init();
}

/// Spans go to the OTLP collector that OTEL_EXPORTER_OTLP_ENDPOINT names, or nowhere.
pub fn traces() -> Traces {
    let wanted = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];
    if !wanted
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        return Traces::none();
    }
    match opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .build()
    {
        Ok(exporter) => {
            let resource = Resource::builder().with_service_name("qrtx").build();
            let provider = SdkTracerProvider::builder().with_resource(resource);
            Traces::new(provider.with_batch_exporter(exporter))
        }
        Err(why) => {
            tracing::warn!("spans are not exported: {why}; look at OTEL_EXPORTER_OTLP_ENDPOINT");
            Traces::none()
        }
    }
}
