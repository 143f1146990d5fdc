//! Spans: one per job below the caller's, and one per stage below that. A span is made when it
//! ends, from what the job's record says, so that it is right after a restart as well.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer, SdkTracerProvider, TracerProviderBuilder};

use crate::job::Job;
use crate::job::state::State;
use crate::time::Timestamp;

thread_local! {
    // The SDK asks its generator for ids; ours are derived from the job before that.
    static NEXT: Cell<(u128, u64)> = const { Cell::new((1, 1)) };
}

/// Gives out the ids that were chosen for the span that is being made on this thread.
#[derive(Debug)]
struct ChosenIds;

impl IdGenerator for ChosenIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.with(|next| TraceId::from(next.get().0))
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.with(|next| SpanId::from(next.get().1))
    }
}

/// Where the spans of jobs go.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Whether anybody looks at them: making one costs a hash for each id.
    go_somewhere: bool,
}

impl Traces {
    /// Spans go to the processors that `builder` was given. The builder's id generator and
    /// sampler are replaced: jobs bring their ids, and their callers decide.
    pub fn new(builder: TracerProviderBuilder) -> Self {
        let provider = builder
            .with_id_generator(ChosenIds)
            .with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOn)
            .build();
        Self {
            tracer: provider.tracer("qrtx"),
            provider,
            go_somewhere: true,
        }
    }

    /// Spans go nowhere.
    pub fn none() -> Self {
        Self {
            go_somewhere: false,
            ..Self::new(SdkTracerProvider::builder())
        }
    }

    /// Hands over what is buffered.
    pub fn shutdown(&self) {
        if let Err(why) = self.provider.shutdown() {
            tracing::warn!("the last spans could not be exported: {why}");
        }
    }

    /// A job left the state that `before` is in; `after` is what became of it.
    pub fn moved(&self, before: &Job, after: &Job) {
        let trace = after.spec.trace;
        if !trace.sampled || !self.go_somewhere {
            return;
        }
        let id = after.id.to_string();
        let job_span = trace.job_span(&id).span_id;
        self.emit(
            Ended {
                name: before.state.name().into(),
                trace_id: trace.trace_id,
                span_id: trace.stage_span(&id, before.state_seq).span_id,
                parent: job_span,
                from: before.state_since,
                to: after.updated_at,
                kind: SpanKind::Internal,
            },
            after,
        );
        if after.state.is_terminal() {
            self.emit(
                Ended {
                    name: "job".into(),
                    trace_id: trace.trace_id,
                    span_id: job_span,
                    parent: trace.parent_span,
                    from: after.created_at,
                    to: after.updated_at,
                    kind: SpanKind::Server,
                },
                after,
            );
        }
    }

    fn emit(&self, span: Ended, job: &Job) {
        let mut attributes = vec![
            KeyValue::new("job_id", job.id.to_string()),
            KeyValue::new("stage", span.name.to_string()),
            KeyValue::new("attempt", i64::from(job.attempt())),
            KeyValue::new("tries", i64::from(job.tries)),
        ];
        let device = job
            .device
            .as_ref()
            .or_else(|| job.ledger.last().map(|entry| &entry.device));
        attributes.extend(device.map(|device| KeyValue::new("device_id", device.to_string())));
        let parent = Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(span.trace_id),
            SpanId::from(span.parent),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        ));
        // A trace that starts with the job has no parent span, so its id comes from the generator.
        let parent = if span.parent == 0 {
            Context::new()
        } else {
            parent
        };
        NEXT.with(|next| next.set((span.trace_id, span.span_id)));
        let builder = SpanBuilder::from_name(span.name)
            .with_kind(span.kind)
            .with_start_time(system_time(span.from))
            .with_attributes(attributes);
        let mut made = self.tracer.build_with_context(builder, &parent);
        if matches!(job.state, State::Failed | State::Timeout) {
            let summary = job.error().map(|error| error.summary);
            made.set_status(Status::error(summary.unwrap_or_default()));
        }
        made.end_with_timestamp(system_time(span.to));
    }
}

struct Ended {
    name: Cow<'static, str>,
    trace_id: u128,
    span_id: u64,
    parent: u64,
    from: Timestamp,
    to: Timestamp,
    kind: SpanKind,
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.0).unwrap_or(0))
}
