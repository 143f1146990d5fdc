//! The connection to a kernel, which all commands share.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status, Streaming};

use crate::cli::problem::{Problem, root};
use crate::grpc::proto::kernel as wire;
use crate::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use crate::ids::JobId;
use crate::limits::{ANSWER_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::os::config;

const ENDPOINT: &str = "127.0.0.1:50052";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is tried, and how long that may take.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long an answer may take. The slowest is that to a cancel, which waits for the driver and
/// for the store.
const ANSWER: Duration = Duration::from_secs(60);

/// Which kernel.
#[derive(Debug, clap::Args)]
pub(super) struct Address {
    /// Where the kernel listens, with or without http://
    /// [default: 127.0.0.1:50052]
    #[arg(
        long,
        env = "QRTX_ENDPOINT",
        value_name = "HOST:PORT",
        hide_env_values = true
    )]
    endpoint: Option<String>,
}

/// What every command about one job takes.
#[derive(Debug, clap::Args)]
pub(super) struct AboutJob {
    /// The job's id, as submit printed it
    job: String,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

impl AboutJob {
    /// The kernel and the id, if there is one and it is one.
    pub(super) async fn open(&self) -> Result<(Kernel, String), Problem> {
        let parsed: Result<JobId, _> = self.job.trim().parse();
        let id = parsed.map_err(|why| Problem::usage(why).hint("`qrtx jobs` lists them"))?;
        Ok((Kernel::at(&self.address).await?, id.to_string()))
    }
}

/// A kernel that answers, or did.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    client: KernelGatewayClient<Channel>,
    endpoint: String,
}

impl Kernel {
    /// The kernel that the command line, or the environment, names.
    pub(super) async fn at(address: &Address) -> Result<Self, Problem> {
        // A variable that is set to nothing is not set.
        let given = address.endpoint.as_deref().map(str::trim);
        let endpoint = given.filter(|given| !given.is_empty()).unwrap_or(ENDPOINT);
        Self::connect(endpoint).await
    }

    /// The kernel at `endpoint`.
    pub(super) async fn connect(endpoint: &str) -> Result<Self, Problem> {
        let url = config::url("--endpoint", Some(endpoint.to_owned()))
            .map_err(Problem::usage)?
            .expect("an endpoint was given");
        let endpoint = url.trim_start_matches("http://").trim_end_matches('/');
        let channel = Endpoint::from_shared(url.clone())
            .map_err(|why| Problem::usage(format!("--endpoint is {endpoint:?}: {}", root(&why))))?
            .connect_timeout(CONNECT)
            // A watch may be silent for hours; a peer that is gone must still be noticed.
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .connect()
            .await
            .map_err(|why| Problem::unreachable(endpoint, root(&why)))?;
        let client = KernelGatewayClient::new(channel)
            .max_decoding_message_size(ANSWER_BYTES_MAX)
            .max_encoding_message_size(REQUEST_BYTES_MAX);
        Ok(Self {
            client,
            endpoint: endpoint.to_owned(),
        })
    }

    /// Where it is, for people.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(ANSWER, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Problem::answered(&self.endpoint, &status)),
            Err(_) => {
                let (endpoint, seconds) = (&self.endpoint, ANSWER.as_secs());
                let message = format!("the kernel at {endpoint} did not answer in {seconds} s");
                Err(Problem::lost(endpoint, message))
            }
        }
    }

    pub(super) async fn enqueue(
        &self,
        request: wire::EnqueueJobRequest,
    ) -> Result<wire::EnqueueJobResponse, Problem> {
        self.answer(self.client.clone().enqueue_job(request)).await
    }

    pub(super) async fn status(&self, job_id: &str) -> Result<wire::JobStatus, Problem> {
        let request = wire::GetJobStatusRequest {
            job_id: job_id.to_owned(),
        };
        let answer = self
            .answer(self.client.clone().get_job_status(request))
            .await?;
        let missing = || Problem::failed("the kernel answered without a status");
        answer.job.ok_or_else(missing)
    }

    pub(super) async fn results(
        &self,
        job_id: &str,
    ) -> Result<wire::GetJobResultsResponse, Problem> {
        let request = wire::GetJobResultsRequest {
            job_id: job_id.to_owned(),
        };
        self.answer(self.client.clone().get_job_results(request))
            .await
    }

    pub(super) async fn cancel(
        &self,
        job_id: &str,
        reason: &str,
    ) -> Result<wire::CancelJobResponse, Problem> {
        let request = wire::CancelJobRequest {
            job_id: job_id.to_owned(),
            reason: reason.to_owned(),
        };
        self.answer(self.client.clone().cancel_job(request)).await
    }

    pub(super) async fn jobs(
        &self,
        request: wire::ListJobsRequest,
    ) -> Result<wire::ListJobsResponse, Problem> {
        self.answer(self.client.clone().list_jobs(request)).await
    }

    pub(super) async fn devices(&self) -> Result<wire::ListDevicesResponse, Problem> {
        let request = wire::ListDevicesRequest {};
        self.answer(self.client.clone().list_devices(request)).await
    }

    pub(super) async fn drain(
        &self,
        device_id: &str,
        draining: bool,
    ) -> Result<wire::DrainDeviceResponse, Problem> {
        let request = wire::DrainDeviceRequest {
            device_id: device_id.to_owned(),
            draining,
        };
        self.answer(self.client.clone().drain_device(request)).await
    }

    pub(super) async fn reserve(
        &self,
        request: wire::ReserveDeviceRequest,
    ) -> Result<wire::ReserveDeviceResponse, Problem> {
        self.answer(self.client.clone().reserve_device(request))
            .await
    }

    pub(super) async fn release(
        &self,
        reservation_id: &str,
    ) -> Result<wire::ReleaseReservationResponse, Problem> {
        let request = wire::ReleaseReservationRequest {
            reservation_id: reservation_id.to_owned(),
        };
        self.answer(self.client.clone().release_reservation(request))
            .await
    }

    pub(super) async fn explain(&self, job_id: &str) -> Result<wire::ExplainJobResponse, Problem> {
        let request = wire::ExplainJobRequest {
            job_id: job_id.to_owned(),
        };
        self.answer(self.client.clone().explain_job(request)).await
    }

    pub(super) async fn history(
        &self,
        job_id: &str,
    ) -> Result<wire::GetJobHistoryResponse, Problem> {
        let request = wire::GetJobHistoryRequest {
            job_id: job_id.to_owned(),
        };
        self.answer(self.client.clone().get_job_history(request))
            .await
    }

    /// The events of a job after number `after`, over this one connection.
    pub(super) async fn watch(
        &self,
        job_id: &str,
        after: u64,
    ) -> Result<Streaming<wire::JobEvent>, Problem> {
        let request = wire::WatchJobRequest {
            job_id: job_id.to_owned(),
            after_seq: after,
        };
        self.answer(self.client.clone().watch_job(request)).await
    }
}
