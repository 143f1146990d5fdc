//! A client whose jobs come by way of system-api: the contract that it speaks has other messages, a
//! stream that ends before its job does, and other answers to a cancel.

use qrtx::grpc::Channel;
use qrtx::grpc::proto::internal::{self, kernel_gateway_service_client as system_api};
use qrtx::ids::JobId;
use qrtx::job::state::{PublicState, State};
use qrtx_testkit::history::News;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};
use tonic_types::StatusExt as _;

use super::questions::{Fetched, public};
use super::{Client, PAUSE, SILENCE, program, prost_duration};

type Gateway = system_api::KernelGatewayServiceClient<Channel>;

impl Client {
    fn theirs(&self) -> Gateway {
        Gateway::new(self.channel.clone())
    }

    /// What system-api makes of the job, under `key`. Of every other job the key and the tenant are in
    /// the headers alone.
    fn as_system_api(&self, key: &str) -> Request<internal::EnqueueJobRequest> {
        let plan = &self.planned.plan;
        let (program, format) = program(&self.planned);
        let seed = plan.seed.map(|seed| ("seed".to_owned(), seed.to_string()));
        let shots = ("shots".to_owned(), plan.shots.to_string());
        let mut message = internal::EnqueueJobRequest {
            metadata: Some(internal::RequestMetadata {
                contract_version: "1.0.0".to_owned(),
                request_id: format!("req_{}", self.planned.ordinal),
                idempotency_key: key.to_owned(),
                deadline: plan.timeout.map(|span| prost_duration(span.0)),
                tenant_id: self.tenant(),
                role: "user".to_owned(),
                source_service: "system-api".to_owned(),
                ..Default::default()
            }),
            name: self.called(),
            program,
            program_format: format.to_owned(),
            target: plan.device.clone(),
            priority: plan.priority,
            compiler_options: plan.options.clone(),
            metadata_kvs: seed.into_iter().chain([shots]).collect(),
        };
        let mut headers = MetadataMap::new();
        if let Some(metadata) = &mut message.metadata
            && !self.planned.ordinal.is_multiple_of(2)
        {
            for (name, value) in [
                ("x-eigen-idempotency-key", &mut metadata.idempotency_key),
                ("x-eigen-tenant-id", &mut metadata.tenant_id),
            ] {
                let value = std::mem::take(value);
                headers.insert(name, value.parse().expect("a plain word"));
            }
        }
        Request::from_parts(headers, Extensions::default(), message)
    }

    /// Submits once; gives the job's id.
    pub(super) async fn submit_as_system_api(&self, key: &str) -> Result<String, Status> {
        let (mut client, request) = (self.theirs(), self.as_system_api(key));
        let answered = self.patiently(async move { client.enqueue_job(request).await });
        Ok(answered.await?.into_inner().job_id)
    }

    /// Follows the job to its end, however often its stream ends before.
    pub(super) async fn stream(&self, job: JobId) {
        let (mut seq, mut ended) = (0, false);
        while !ended {
            let request = internal::StreamJobUpdatesRequest {
                job_id: job.to_string(),
                last_event_seq: seq,
                ..Default::default()
            };
            let mut client = self.theirs();
            let opened = self
                .patiently(async move { client.stream_job_updates(request).await })
                .await;
            let mut updates = match opened {
                Ok(updates) => updates.into_inner(),
                Err(why) => {
                    self.note(&format!("stream failed: {}", why.message()));
                    madsim::time::sleep(PAUSE).await;
                    continue;
                }
            };
            loop {
                match madsim::time::timeout(SILENCE, updates.message()).await {
                    Ok(Ok(Some(update))) => {
                        let update = update.update.expect("an update is one");
                        let shown = public(update.state()).expect("a state is told");
                        (seq, ended) = (update.event_seq, is_end(shown));
                        let stage = update.stage;
                        let said = format!("update {seq}: {stage}, shown as {shown:?}");
                        self.hears(job, News::Update { seq, shown, stage }, &said);
                        self.ask_as_system_api(job).await;
                    }
                    Ok(Ok(None)) | Err(_) => break,
                    Ok(Err(why)) => {
                        self.note(&format!("stream broke: {}", why.message()));
                        break;
                    }
                }
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    /// Asks for the results once.
    pub(super) async fn fetch_as_system_api(&self, job: JobId) -> Result<Fetched, Status> {
        let request = internal::GetJobResultsRequest {
            job_id: job.to_string(),
            ..Default::default()
        };
        let mut client = self.theirs();
        let asked = self.patiently(async move { client.get_job_results(request).await });
        let answer = asked.await?.into_inner();
        let state = of_end(public(answer.state()));
        Ok((state, None, answer.counts))
    }

    /// Asks once for the job to be cancelled; gives what came of it, and never shots.
    pub(super) async fn cancel_as_system_api(
        &self,
        job: JobId,
    ) -> Result<(String, Option<i64>), Status> {
        let request = internal::CancelJobRequest {
            job_id: job.to_string(),
            ..Default::default()
        };
        let mut client = self.theirs();
        let asked = self.patiently(async move { client.cancel_job(request).await });
        match asked.await {
            Ok(answer) => {
                let code = answer.into_inner().reason_code;
                Ok((code.trim_start_matches("ACCEPTED_").to_owned(), None))
            }
            Err(why) => {
                let too_late = |reason: &str| reason == "EIGEN_CANCEL_TOO_LATE";
                match why.get_details_error_info() {
                    Some(info) if too_late(&info.reason) => Ok(("TOO_LATE".to_owned(), None)),
                    _ => Err(why),
                }
            }
        }
    }
}

fn is_end(shown: PublicState) -> bool {
    use PublicState::{Cancelled, Done, Error, Timeout};
    matches!(shown, Done | Error | Cancelled | Timeout)
}

/// The state that is shown so.
fn of_end(shown: Option<PublicState>) -> State {
    let mut all = State::ALL.into_iter();
    let found = all.find(|state| state.is_terminal() && Some(state.public()) == shown);
    found.expect("results are given of a job that has ended")
}
