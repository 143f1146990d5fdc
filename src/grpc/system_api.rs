//! `eigen.internal.v1.KernelGatewayService`, as the existing system-api calls it (D7): a thin
//! adapter over the same kernel. What that client reads, and how, is in the reference of the
//! neighbours; states are mapped as D10 says and never go back.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use prost::Message as _;
use tonic::{Code, Request, Response, Status};

use crate::grpc::convert::{self, timestamp};
use crate::grpc::gateway::job_id;
use crate::grpc::proto::internal::kernel_gateway_service_server::KernelGatewayService;
use crate::grpc::proto::internal::stream_job_updates_response::JobUpdateEnvelope;
use crate::grpc::proto::internal::*;
use crate::grpc::status::{refuse, status};
use crate::ids::{JobId, Sha256Sum};
use crate::job::event::{Event, Recorded};
use crate::job::failure::JobError;
use crate::job::request::JobRequest;
use crate::job::state::{Phase, PublicState, State};
use crate::job::{Job, Receipt};
use crate::kernel::{Kernel, Told};
use crate::planted::{Bug, planted};
use crate::ports::{Clock as _, Env};

/// The gateway of the existing system-api.
#[derive(Debug)]
pub struct SystemApiGateway<E: Env>(pub Arc<Kernel<E>>);

/// That client collects the whole stream before it passes anything on, within 30 s: a stream
/// that is open longer tells its users nothing.
const STREAM_SPAN: Duration = Duration::from_secs(20);
/// What is left of the caller's own deadline when the stream ends.
const STREAM_MARGIN: Duration = Duration::from_secs(2);

type Answer<T> = Result<Response<T>, Status>;

fn task_state(public: PublicState) -> TaskState {
    match public {
        PublicState::Pending => TaskState::Pending,
        PublicState::Compiling => TaskState::Compiling,
        PublicState::Queued => TaskState::Queued,
        PublicState::Running => TaskState::Running,
        PublicState::Done => TaskState::Done,
        PublicState::Error => TaskState::Error,
        PublicState::Cancelled => TaskState::Cancelled,
        PublicState::Timeout => TaskState::Timeout,
    }
}

/// How far along a job is, 0 to 1: by its public state, not by time.
fn progress(public: PublicState) -> f32 {
    match public {
        PublicState::Pending => 0.0,
        PublicState::Compiling => 0.2,
        PublicState::Queued => 0.4,
        PublicState::Running => 0.6,
        _ => 1.0,
    }
}

/// The phase where there is one, because it says more than the state.
fn stage(state: State, phase: Option<Phase>) -> &'static str {
    match phase {
        Some(phase) => phase.name(),
        None => state.name(),
    }
}

fn qfs(path: &str) -> String {
    format!("qfs://{path}")
}

/// `error_code`, `error_summary`, `error_details_ref`: all three or none, because that client
/// drops the others when the first is empty.
fn error(job: JobId, told: Option<JobError>) -> (String, String, String) {
    let told = told.map(|told| convert::error(job, told));
    told.map_or_else(Default::default, |error| {
        (
            error.error_code,
            error.error_summary,
            qfs(&error.error_details_ref),
        )
    })
}

/// Without a key, the same request sent again is the same job: the client's retry. Empty for one
/// that has a key, or no id.
fn made_up_key(sent: &EnqueueJobRequest) -> String {
    let Some(metadata) = &sent.metadata else {
        return String::new();
    };
    if metadata.request_id.is_empty() || !metadata.idempotency_key.is_empty() {
        return String::new();
    }
    let content = EnqueueJobRequest {
        metadata: None,
        ..sent.clone()
    };
    let sum = Sha256Sum::of(&content.encode_to_vec());
    format!("request:{}:{sum}", metadata.request_id)
}

fn request(sent: EnqueueJobRequest) -> JobRequest {
    let metadata = sent.metadata.unwrap_or_default();
    JobRequest {
        name: sent.name,
        program: sent.program,
        program_format: sent.program_format,
        target: sent.target,
        // Its contract has no field for it: what is named in the metadata counts.
        reservation: String::new(),
        // Unset is 0 on this wire, so 0 is a priority like any other.
        priority: Some(sent.priority),
        shots: None,
        seed: None,
        compiler_options: sent.compiler_options,
        metadata: sent.metadata_kvs,
        timeout: metadata.deadline.map(convert::span),
        idempotency_key: metadata.idempotency_key,
        tenant: metadata.tenant_id,
        project: metadata.project_id,
        subject: metadata.subject,
        request_id: metadata.request_id,
        traceparent: metadata.traceparent,
    }
}

#[tonic::async_trait]
impl<E: Env> KernelGatewayService for SystemApiGateway<E> {
    async fn enqueue_job(&self, sent: Request<EnqueueJobRequest>) -> Answer<EnqueueJobResponse> {
        let (headers, _, message) = sent.into_parts();
        let made_up = made_up_key(&message);
        let mut request = request(message);
        crate::grpc::context::receive(&headers, &mut request);
        if request.idempotency_key.is_empty() {
            request.idempotency_key = made_up;
        }
        let submitted = self.0.submit(request).await.map_err(|why| status(&why))?;
        Ok(Response::new(EnqueueJobResponse {
            job_id: submitted.id.to_string(),
            state: task_state(submitted.shown) as i32,
            created_at: Some(timestamp(submitted.created_at)),
        }))
    }

    async fn get_job_status(
        &self,
        sent: Request<GetJobStatusRequest>,
    ) -> Answer<GetJobStatusResponse> {
        let id = job_id(&sent.get_ref().job_id)?;
        let job = self.0.head(id).await.map_err(|why| status(&why))?;
        let message = self.0.situation(&job);
        let (error_code, error_summary, error_details_ref) = error(id, job.error);
        Ok(Response::new(GetJobStatusResponse {
            job_id: job.id.to_string(),
            state: task_state(job.shown) as i32,
            stage: stage(job.state, job.phase).to_owned(),
            progress: progress(job.shown),
            message,
            error_code,
            error_summary,
            error_details_ref,
            updated_at: Some(timestamp(job.updated_at)),
        }))
    }

    async fn cancel_job(&self, sent: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        let id = job_id(&sent.get_ref().job_id)?;
        let answer = self.0.cancel(id, "").await.map_err(|why| status(&why))?;
        let reason_code = match answer.told {
            Told::Receipt(Receipt::NotStarted | Receipt::StoppedOnDevice { .. }) => "ACCEPTED",
            Told::Receipt(Receipt::StopUnconfirmed) => "ACCEPTED_STOP_UNCONFIRMED",
            Told::TooLate if planted(Bug::LateCancelAccepted) => "ACCEPTED",
            Told::TooLate => {
                let what = match answer.state {
                    State::Completing => "the job's results are being stored".to_owned(),
                    ended => format!("the job has ended as {}", ended.name()),
                };
                return Err(refuse(
                    Code::FailedPrecondition,
                    "EIGEN_CANCEL_TOO_LATE",
                    &format!("it is too late to cancel: {what}, and nothing was changed"),
                ));
            }
        };
        Ok(Response::new(CancelJobResponse {
            accepted: true,
            reason_code: reason_code.to_owned(),
        }))
    }

    async fn get_job_results(
        &self,
        sent: Request<GetJobResultsRequest>,
    ) -> Answer<GetJobResultsResponse> {
        let results = self.0.results(job_id(&sent.get_ref().job_id)?).await;
        let results = results.map_err(|why| status(&why))?;
        let job = &results.job;
        let (error_code, error_summary, error_details_ref) = error(job.id, job.error());
        let stored = job
            .artifacts
            .iter()
            .find(|kept| kept.file == "results.json");
        Ok(Response::new(GetJobResultsResponse {
            job_id: job.id.to_string(),
            state: task_state(job.shown) as i32,
            counts: convert::counts(&results),
            metadata: summary(job),
            error_code,
            error_summary,
            error_details_ref,
            qfs_result_ref: stored
                .map(|kept| qfs(&convert::path(job.id, &kept.file)))
                .unwrap_or_default(),
            completed_at: Some(timestamp(job.state_since)),
        }))
    }

    type StreamJobUpdatesStream =
        Pin<Box<dyn Stream<Item = Result<StreamJobUpdatesResponse, Status>> + Send>>;

    async fn stream_job_updates(
        &self,
        sent: Request<StreamJobUpdatesRequest>,
    ) -> Answer<Self::StreamJobUpdatesStream> {
        let span = match grpc_timeout(sent.metadata()) {
            Some(deadline) => STREAM_SPAN.min(deadline.saturating_sub(STREAM_MARGIN)),
            None => STREAM_SPAN,
        };
        let StreamJobUpdatesRequest {
            job_id: id,
            last_event_seq,
            ..
        } = sent.into_inner();
        // Earlier events are needed to know how far the client was shown the job.
        let events = self
            .0
            .watch(job_id(&id)?, 0)
            .await
            .map_err(|why| status(&why))?;
        let mut shown = PublicState::Pending;
        let updates = events.map(move |next| {
            let recorded = next.map_err(|why| status(&why))?;
            shown = shown.max(recorded.state.public());
            Ok((recorded.seq, update(&recorded, shown)))
        });
        let seen = match planted(Bug::StreamBeginsAnew) {
            true => 0,
            false => last_event_seq,
        };
        let updates = updates.filter_map(move |next| async move {
            match next {
                Ok((seq, update)) => (seq > seen).then_some(Ok(update)),
                Err(why) => Some(Err(why)),
            }
        });
        let kernel = self.0.clone();
        let end = Box::pin(async move { kernel.clock().sleep(span).await });
        Ok(Response::new(Box::pin(updates.take_until(end))))
    }

    async fn get_dispatch_rationale(
        &self,
        sent: Request<GetDispatchRationaleRequest>,
    ) -> Answer<GetDispatchRationaleResponse> {
        let id = job_id(&sent.get_ref().job_id)?;
        let job = self.0.job(id).await.map_err(|why| status(&why))?;
        let history = self.0.history(id).await.map_err(|why| status(&why))?;
        let rationale = history
            .iter()
            .rev()
            .find_map(|recorded| rationale(&job, recorded));
        let rationale = rationale.ok_or_else(|| {
            let message = format!(
                "the job is {} and has not been given a device",
                job.state.name()
            );
            refuse(Code::FailedPrecondition, "EIGEN_NOT_DISPATCHED", &message)
        })?;
        Ok(Response::new(GetDispatchRationaleResponse {
            rationale: Some(rationale),
        }))
    }
}

/// That client shows what has this prefix as the summary of the result.
fn summary(job: &Job) -> BTreeMap<String, String> {
    let Some(outcome) = &job.outcome else {
        return BTreeMap::new();
    };
    let told = outcome
        .metadata
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    let ours = [
        (
            "execution_time_sec".to_owned(),
            format!("{:.6}", outcome.execution_seconds),
        ),
        ("shots".to_owned(), job.spec.shots.to_string()),
        ("target".to_owned(), job.spec.target.to_string()),
    ];
    told.chain(ours)
        .map(|(key, value)| (format!("result.summary.{key}"), value))
        .collect()
}

fn update(recorded: &Recorded, shown: PublicState) -> StreamJobUpdatesResponse {
    StreamJobUpdatesResponse {
        update: Some(JobUpdateEnvelope {
            event_seq: recorded.seq,
            state: task_state(shown) as i32,
            stage: stage(recorded.state, recorded.phase).to_owned(),
            progress: progress(shown),
            message: recorded.event.sentence(),
            timestamp: Some(timestamp(recorded.at)),
        }),
    }
}

fn rationale(job: &Job, recorded: &Recorded) -> Option<DispatchRationale> {
    let Event::Assigned {
        device,
        left_waiting,
        ..
    } = &recorded.event
    else {
        return None;
    };
    Some(DispatchRationale {
        version: "1.0.0".to_owned(),
        policy_version: "fair-share-priority-age/2".to_owned(),
        reason_codes: vec!["MOST_URGENT_WAITING".to_owned(), "SLOT_FREE".to_owned()],
        selected_backend: device.to_string(),
        selected_queue: job.spec.target.to_string(),
        attributes: BTreeMap::from([
            ("priority".to_owned(), job.spec.priority.to_string()),
            ("submission".to_owned(), job.submission.to_string()),
            ("left_waiting".to_owned(), left_waiting.to_string()),
        ]),
        timeline_ref: String::new(),
        logs_ref: String::new(),
        trace_id: format!("{:032x}", job.spec.trace.trace_id),
        trace_ref: String::new(),
    })
}

/// The caller's deadline, out of the header that gRPC defines: digits and a unit.
fn grpc_timeout(headers: &tonic::metadata::MetadataMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => count.checked_mul(3600).map(Duration::from_secs),
        "M" => count.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}
