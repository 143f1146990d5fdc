//! `eigen.kernel.v1.KernelGateway` over a kernel: parse, call, render.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::grpc::proto::kernel::kernel_gateway_server::KernelGateway;
use crate::grpc::proto::kernel::{self as wire, *};
use crate::grpc::status::status;
use crate::grpc::{context, convert, explain};
use crate::ids::JobId;
use crate::job::request::Violation;
use crate::kernel::{Error, Kernel};
use crate::limits;
use crate::ports::Env;
use crate::ports::store::Filter;

/// The kernel's own gateway.
#[derive(Debug)]
pub struct Gateway<E: Env>(pub Arc<Kernel<E>>);

/// An id that is none names no job.
pub(super) fn job_id(text: &str) -> Result<JobId, Status> {
    let known = text.parse();
    known.map_err(|_| status(&Error::NotFound(text.chars().take(64).collect())))
}

fn invalid(field: &'static str, reason: String) -> Status {
    status(&Error::Invalid(vec![Violation { field, reason }]))
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl<E: Env> KernelGateway for Gateway<E> {
    async fn enqueue_job(&self, sent: Request<EnqueueJobRequest>) -> Answer<EnqueueJobResponse> {
        let (headers, _, message) = sent.into_parts();
        let mut request = convert::request(message);
        context::receive(&headers, &mut request);
        let submitted = self.0.submit(request).await.map_err(|why| status(&why))?;
        Ok(Response::new(EnqueueJobResponse {
            job_id: submitted.id.to_string(),
            state: convert::task_state(submitted.state) as i32,
            created_at: Some(convert::timestamp(submitted.created_at)),
            deduplicated: submitted.deduplicated,
        }))
    }

    async fn get_job_status(
        &self,
        sent: Request<GetJobStatusRequest>,
    ) -> Answer<GetJobStatusResponse> {
        let id = job_id(&sent.get_ref().job_id)?;
        let job = self.0.head(id).await.map_err(|why| status(&why))?;
        let situation = self.0.situation(&job);
        let job = convert::job_status(job, situation);
        Ok(Response::new(GetJobStatusResponse { job: Some(job) }))
    }

    async fn cancel_job(&self, sent: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        let sent = sent.into_inner();
        let reason: String = sent.reason.chars().take(limits::KEY_CHARS_MAX).collect();
        let answer = self.0.cancel(job_id(&sent.job_id)?, &reason).await;
        Ok(Response::new(convert::cancelled(
            answer.map_err(|why| status(&why))?,
        )))
    }

    async fn get_job_results(
        &self,
        sent: Request<GetJobResultsRequest>,
    ) -> Answer<GetJobResultsResponse> {
        let results = self.0.results(job_id(&sent.get_ref().job_id)?).await;
        Ok(Response::new(convert::results(
            &results.map_err(|why| status(&why))?,
        )))
    }

    async fn list_devices(&self, _: Request<ListDevicesRequest>) -> Answer<ListDevicesResponse> {
        let (devices, as_of, problem) = self.0.devices();
        Ok(Response::new(ListDevicesResponse {
            devices: devices.iter().map(convert::device).collect(),
            as_of: as_of.map(convert::timestamp),
            problem: problem.unwrap_or_default(),
        }))
    }

    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<JobEvent, Status>> + Send>>;

    async fn watch_job(&self, sent: Request<WatchJobRequest>) -> Answer<Self::WatchJobStream> {
        let WatchJobRequest {
            job_id: id,
            after_seq,
        } = sent.into_inner();
        let events = self
            .0
            .watch(job_id(&id)?, after_seq)
            .await
            .map_err(|why| status(&why))?;
        let events = events.map(|next| match next {
            Ok(recorded) => Ok(convert::event(&recorded)),
            Err(why) => Err(status(&why)),
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn list_jobs(&self, sent: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        let sent = sent.into_inner();
        let (filter, before, most) = parse_list(&sent)?;
        let page = self.0.list(&filter, before, most).await;
        let page = page.map_err(|why| status(&why))?;
        let render = |job| {
            let situation = self.0.situation(&job);
            convert::job_status(job, situation)
        };
        Ok(Response::new(ListJobsResponse {
            jobs: page.jobs.into_iter().map(render).collect(),
            next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
        }))
    }

    async fn get_job_history(
        &self,
        sent: Request<GetJobHistoryRequest>,
    ) -> Answer<GetJobHistoryResponse> {
        let id = job_id(&sent.get_ref().job_id)?;
        let job = self.0.job(id).await.map_err(|why| status(&why))?;
        let told = self.0.history_left(&job).await;
        let (events, lost) = told.map_err(|why| status(&why))?;
        Ok(Response::new(GetJobHistoryResponse {
            lost: lost.unwrap_or_default(),
            events: events.iter().map(convert::event).collect(),
            ledger: job
                .ledger
                .iter()
                .map(|entry| convert::ledger(&job, entry))
                .collect(),
            stages: convert::stages(&crate::job::history::stays(&events)),
        }))
    }

    async fn explain_job(&self, sent: Request<ExplainJobRequest>) -> Answer<ExplainJobResponse> {
        let explained = self.0.explain(job_id(&sent.get_ref().job_id)?).await;
        let explained = explained.map_err(|why| status(&why))?;
        let situation = self.0.situation(&explained.job);
        let answer = explain::explanation(explained, situation);
        Ok(Response::new(answer))
    }

    async fn drain_device(&self, sent: Request<DrainDeviceRequest>) -> Answer<DrainDeviceResponse> {
        let DrainDeviceRequest {
            device_id,
            draining,
        } = sent.into_inner();
        let device = device_id
            .parse()
            .map_err(|why| invalid("device_id", format!("is no id of a device: {why}")))?;
        let stands = self.0.set_draining(&device, draining).await;
        let stands = stands.map_err(|why| status(&why))?;
        Ok(Response::new(DrainDeviceResponse {
            device: stands.as_ref().map(convert::device),
        }))
    }

    async fn reserve_device(
        &self,
        sent: Request<ReserveDeviceRequest>,
    ) -> Answer<ReserveDeviceResponse> {
        let (headers, _, message) = sent.into_parts();
        let mut request = convert::reserve(message);
        context::receive_reserve(&headers, &mut request);
        let reserved = self.0.reserve(request).await.map_err(|why| status(&why))?;
        let made = &reserved.held.reservation;
        Ok(Response::new(ReserveDeviceResponse {
            reservation_id: made.id.to_string(),
            expires_at: Some(convert::timestamp(made.expires_at)),
            fencing_token: made.id.token().0,
            deduplicated: reserved.deduplicated,
            reservation: Some(convert::reservation(&reserved.held)),
        }))
    }

    async fn release_reservation(
        &self,
        sent: Request<ReleaseReservationRequest>,
    ) -> Answer<ReleaseReservationResponse> {
        let text = &sent.get_ref().reservation_id;
        // An id that is none names no reservation.
        let unknown = |_| Error::UnknownReservation(text.chars().take(64).collect());
        let id = text.parse().map_err(unknown).map_err(|why| status(&why))?;
        let held = self.0.release(id).await.map_err(|why| status(&why))?;
        Ok(Response::new(ReleaseReservationResponse {
            reservation: Some(convert::reservation(&held)),
        }))
    }
}

/// A moment that a client names.
fn moment(
    field: &'static str,
    sent: Option<prost_types::Timestamp>,
) -> Result<Option<crate::time::Timestamp>, Status> {
    let read = |at| {
        convert::moment(at).ok_or_else(|| invalid(field, "is no moment after 1970".to_owned()))
    };
    sent.map(read).transpose()
}

fn parse_list(sent: &wire::ListJobsRequest) -> Result<(Filter, u64, usize), Status> {
    let states = sent.states.iter().map(|state| {
        convert::state(*state).ok_or_else(|| invalid("states", format!("{state} is no state")))
    });
    let filter = Filter {
        states: states.collect::<Result<_, _>>()?,
        target: Some(sent.target.clone()).filter(|target| !target.is_empty()),
        tenant: Some(sent.tenant_id.clone()).filter(|tenant| !tenant.is_empty()),
        created_from: moment("created_from", sent.created_from)?,
        created_before: moment("created_before", sent.created_before)?,
    };
    let before = match sent.page_token.as_str() {
        "" => u64::MAX,
        token => token.parse().map_err(|_| {
            invalid(
                "page_token",
                "is not one that ListJobs gave; start without one".to_owned(),
            )
        })?,
    };
    let most = match sent.page_size as usize {
        0 => limits::PAGE_JOBS_DEFAULT,
        most if most <= limits::PAGE_JOBS_MAX => most,
        most => {
            let reason = format!("is {most}; it must be at most {}", limits::PAGE_JOBS_MAX);
            return Err(invalid("page_size", reason));
        }
    };
    Ok((filter, before, most))
}
