//! A kernel that serves on loopback, with a folder of its own, and clients of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use qrtx::grpc::proto::kernel as wire;
use qrtx::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use qrtx::limits::Limits;
use qrtx::observe::Traces;
use qrtx::os::config::{Config, Options};
use qrtx::os::serve::{self, Serving};
use qrtx::store::MemoryStore;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

pub(crate) type Client = KernelGatewayClient<Channel>;

/// One kernel and its surroundings. Its folder goes when it does.
pub(crate) struct Deployment {
    pub(crate) config: Config,
    pub(crate) store: MemoryStore,
    pub(crate) traces: Traces,
    folder: TempDir,
    serving: Option<Serving<MemoryStore>>,
}

impl Deployment {
    /// With embedded neighbours and the usual bounds.
    pub(crate) async fn embedded() -> Self {
        Self::new(|_| {}).await
    }

    /// With whatever `change` makes of the usual configuration.
    pub(crate) async fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::traced(Traces::none(), change).await
    }

    pub(crate) async fn traced(traces: Traces, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Options::default().resolve().unwrap();
        config.qfs_root = folder.path().display().to_string();
        config.listen = "127.0.0.1:0".to_owned();
        config.http = "127.0.0.1:0".to_owned();
        config.limits = Limits {
            device_poll_ms: 50,
            ..Limits::default()
        };
        change(&mut config);
        let store = MemoryStore::default();
        let mut deployment = Self {
            config,
            store,
            traces,
            folder,
            serving: None,
        };
        deployment.start().await;
        deployment
    }

    pub(crate) async fn start(&mut self) {
        let (store, traces) = (self.store.clone(), self.traces.clone());
        self.serving = Some(
            serve::start_on(&self.config, true, store, traces)
                .await
                .unwrap(),
        );
    }

    pub(crate) fn serving(&self) -> &Serving<MemoryStore> {
        self.serving.as_ref().unwrap()
    }

    /// Stops the kernel in an orderly way.
    pub(crate) async fn stop(&mut self) {
        self.take().stop().await;
    }

    /// Takes the running kernel out, so that another can be started beside it.
    pub(crate) fn take(&mut self) -> Serving<MemoryStore> {
        self.serving.take().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        client_of(self.serving().grpc).await
    }

    /// Where the artifacts of all jobs lie.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Where the artifacts of a job lie.
    pub(crate) fn folder(&self, job_id: &str) -> PathBuf {
        self.folder.path().join(job_id)
    }
}

pub(crate) async fn channel_to(gateway: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{gateway}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

pub(crate) async fn client_of(gateway: SocketAddr) -> Client {
    KernelGatewayClient::new(channel_to(gateway).await).max_encoding_message_size(64 << 20)
}

/// A request for `program` as AQO on the embedded device, with 1000 shots and seed 7.
pub(crate) fn request(program: Vec<u8>) -> wire::EnqueueJobRequest {
    wire::EnqueueJobRequest {
        name: "a test's job".to_owned(),
        program,
        program_format: "aqo_json".to_owned(),
        target: "sim:local".to_owned(),
        shots: Some(1000),
        seed: Some(7),
        ..wire::EnqueueJobRequest::default()
    }
}

pub(crate) async fn enqueue(client: &mut Client, request: wire::EnqueueJobRequest) -> String {
    client
        .enqueue_job(request)
        .await
        .unwrap()
        .into_inner()
        .job_id
}

/// The events of a job after `after`, up to its end.
pub(crate) async fn events(client: &mut Client, job_id: &str, after: u64) -> Vec<wire::JobEvent> {
    let request = wire::WatchJobRequest {
        job_id: job_id.to_owned(),
        after_seq: after,
    };
    let events = client.watch_job(request).await.unwrap().into_inner();
    events.map(Result::unwrap).collect().await
}

/// Returns when the job has recorded an event of that kind.
pub(crate) async fn until(client: &mut Client, job_id: &str, kind: &str) {
    let request = wire::WatchJobRequest {
        job_id: job_id.to_owned(),
        after_seq: 0,
    };
    let mut events = client.watch_job(request).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(event) = events.message().await.unwrap() {
        if event.kind == kind {
            return;
        }
        seen.push(event.message);
    }
    panic!("{job_id} ended without {kind}: {seen:#?}");
}

pub(crate) async fn status(client: &mut Client, job_id: &str) -> wire::JobStatus {
    let request = wire::GetJobStatusRequest {
        job_id: job_id.to_owned(),
    };
    client
        .get_job_status(request)
        .await
        .unwrap()
        .into_inner()
        .job
        .unwrap()
}

pub(crate) async fn results(
    client: &mut Client,
    job_id: &str,
) -> Result<wire::GetJobResultsResponse, Status> {
    let request = wire::GetJobResultsRequest {
        job_id: job_id.to_owned(),
    };
    client
        .get_job_results(request)
        .await
        .map(tonic::Response::into_inner)
}

/// Follows a job to its end.
pub(crate) async fn finish(client: &mut Client, job_id: &str) -> wire::GetJobResultsResponse {
    events(client, job_id, 0).await;
    results(client, job_id).await.unwrap()
}

pub(crate) async fn cancel(client: &mut Client, job_id: &str) -> wire::CancelJobResponse {
    let request = wire::CancelJobRequest {
        job_id: job_id.to_owned(),
        reason: String::new(),
    };
    client.cancel_job(request).await.unwrap().into_inner()
}

pub(crate) async fn history(client: &mut Client, job_id: &str) -> wire::GetJobHistoryResponse {
    let request = wire::GetJobHistoryRequest {
        job_id: job_id.to_owned(),
    };
    client.get_job_history(request).await.unwrap().into_inner()
}
