//! What a client asks about its job: where it is, what came of it, why it waits.

use std::collections::BTreeMap;

use qrtx::grpc::proto::internal::{self, kernel_gateway_service_client as system_api};
use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::JobId;
use qrtx::job::state::{PublicState, State};
use qrtx_testkit::history::{News, Shown};
use tonic::Status;

use super::{Client, PAUSE, details};

/// One in so many jobs is asked about in all ways that there are.
const CURIOUS_EVERY: usize = 4;
/// Of one in so many the whole status is asked for.
const STATUS_EVERY: usize = 3;
/// One in so many is asked why it waits.
const WHY_EVERY: usize = 2;

/// The end of a job, the device that is named, and what was counted.
pub(super) type Fetched = (State, Option<String>, BTreeMap<String, i64>);

impl Client {
    /// What the one real client of this kernel would show now.
    pub(super) async fn ask_as_system_api(&self, job: JobId) {
        let mut client = system_api::KernelGatewayServiceClient::new(self.channel.clone());
        let request = internal::GetJobStatusRequest {
            job_id: job.to_string(),
            ..Default::default()
        };
        let asked = self
            .patiently(async move { client.get_job_status(request).await })
            .await;
        if let Ok(answer) = asked
            && let Some(shown) = public(answer.into_inner().state())
        {
            self.hears(job, News::Public(shown), &format!("is shown as {shown:?}"));
        }
    }

    /// Where the job is, in full.
    pub(super) async fn ask_ours(&self, job: JobId) {
        if self.planned.ordinal % STATUS_EVERY != 1 {
            return;
        }
        let request = wire::GetJobStatusRequest {
            job_id: job.to_string(),
        };
        let mut client = self.ours();
        let asked = self
            .patiently(async move { client.get_job_status(request).await })
            .await;
        let Some(status) = asked.ok().and_then(|answer| answer.into_inner().job) else {
            return;
        };
        self.sees(job, status);
    }

    /// A whole status, wherever it stood.
    pub(super) fn sees(&self, job: JobId, status: wire::JobStatus) {
        self.hears(job, News::Details(details::status(&status)), "details");
        let shown = Shown {
            seq: status.last_event_seq,
            state: state(status.state()),
            attempt: status.attempt,
            tries: status.tries,
            phase: details::phase(status.phase()),
            updated_at: details::moment(status.updated_at),
            not_before: status.not_before.map(|at| details::moment(Some(at))),
            code: status.error.unwrap_or_default().error_code,
            device: status.device_id,
        };
        let said = format!("is {} after event {}", shown.state.name(), shown.seq);
        self.hears(job, News::Shown(shown.into()), &said);
    }

    pub(super) async fn fetch(&self, job: JobId) {
        loop {
            let asked = match self.planned.plan.system_api {
                true => self.fetch_as_system_api(job).await,
                false => self.fetch_ours(job).await,
            };
            match asked {
                Ok((state, device, counts)) => {
                    let said = format!("results: {}, {counts:?}", state.name());
                    let news = News::Results {
                        state,
                        device,
                        counts,
                    };
                    self.hears(job, news, &said);
                    return;
                }
                Err(why) => self.note(&format!("results failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    /// Asks for the results once.
    async fn fetch_ours(&self, job: JobId) -> Result<Fetched, Status> {
        let request = wire::GetJobResultsRequest {
            job_id: job.to_string(),
        };
        let mut client = self.ours();
        let asked = self.patiently(async move { client.get_job_results(request).await });
        let answer = asked.await?.into_inner();
        self.hears(job, News::Details(details::results(&answer)), "details");
        let state = state(answer.state());
        Ok((state, Some(answer.device_id), answer.counts))
    }

    /// Why it is not running.
    pub(super) async fn ask_why(&self, job: JobId) {
        if !self.planned.ordinal.is_multiple_of(WHY_EVERY) {
            return;
        }
        let request = wire::ExplainJobRequest {
            job_id: job.to_string(),
        };
        let mut client = self.ours();
        let asked = self
            .patiently(async move { client.explain_job(request).await })
            .await;
        let Ok(answer) = asked else { return };
        let answer = answer.into_inner();
        let Some(status) = answer.job else { return };
        let state = state(status.state());
        let reasons = answer.reasons.len();
        let said = format!("explained: {}, {reasons} reasons", state.name());
        self.hears(job, News::Explained { state, reasons }, &said);
    }

    /// What is told of an ended job wherever one may look.
    pub(super) async fn look_up(&self, job: JobId) {
        if !self.planned.ordinal.is_multiple_of(CURIOUS_EVERY) {
            return;
        }
        self.read_history(job).await;
        self.find_in_list(job).await;
    }

    async fn read_history(&self, job: JobId) {
        let answer = loop {
            let request = wire::GetJobHistoryRequest {
                job_id: job.to_string(),
            };
            let mut client = self.ours();
            let asked = self
                .patiently(async move { client.get_job_history(request).await })
                .await;
            match asked {
                Ok(answer) => break answer.into_inner(),
                Err(why) => self.note(&format!("history failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        };
        let details = details::history(&answer);
        let events: Vec<_> = answer
            .events
            .into_iter()
            .map(|event| (event.seq, event.kind.clone(), state(event.state())))
            .collect();
        let said = format!("history: {} events", events.len());
        self.hears(job, News::History(events), &said);
        self.hears(job, News::Details(details), "details");
    }
}

pub(super) fn state(told: wire::TaskState) -> State {
    let name = told
        .as_str_name()
        .trim_start_matches("TASK_STATE_")
        .to_lowercase();
    let known = State::ALL
        .into_iter()
        .find(|state| state.name().to_lowercase() == name);
    known.expect("the kernel tells states that it has")
}

pub(super) fn public(told: internal::TaskState) -> Option<PublicState> {
    Some(match told {
        internal::TaskState::Pending => PublicState::Pending,
        internal::TaskState::Compiling | internal::TaskState::Optimizing => PublicState::Compiling,
        internal::TaskState::Queued => PublicState::Queued,
        internal::TaskState::Running => PublicState::Running,
        internal::TaskState::Done => PublicState::Done,
        internal::TaskState::Error => PublicState::Error,
        internal::TaskState::Cancelled => PublicState::Cancelled,
        internal::TaskState::Timeout => PublicState::Timeout,
        internal::TaskState::Unspecified => return None,
    })
}
