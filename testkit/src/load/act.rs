//! What callers ask of a gateway, the kernel's or the echo.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::try_join_all;
use qrtx::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use qrtx::grpc::proto::kernel::*;
use tonic::transport::{Channel, Endpoint};

use super::Broken;
use super::slices::Act;

/// Connections that all callers share, the same number for both sides.
const CONNECTIONS: usize = 4;

type Client = KernelGatewayClient<Channel>;

/// The way to a gateway.
#[derive(Debug, Clone)]
pub(super) struct Gateway(Vec<Client>);

impl Gateway {
    pub(super) async fn to(address: SocketAddr) -> Result<Self, Broken> {
        Self::at(&format!("http://{address}")).await
    }

    pub(super) async fn at(url: &str) -> Result<Self, Broken> {
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(Broken::at("the endpoint"))?;
        let endpoint = endpoint.tcp_nodelay(true);
        let connected = (0..CONNECTIONS).map(|_| endpoint.connect());
        let channels = try_join_all(connected).await;
        let channels = channels.map_err(Broken::at("the kernel cannot be reached"))?;
        Ok(Self(channels.into_iter().map(Client::new).collect()))
    }

    pub(super) fn client(&self, caller: usize) -> Client {
        self.0[caller % self.0.len()].clone()
    }
}

/// What is enqueued, and for which device.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) text: &'static str,
    pub(super) format: &'static str,
    pub(super) target: String,
}

/// Enqueues jobs, each with a key of its own as both real clients do.
#[derive(Debug)]
pub(super) struct Enqueue {
    gateway: Gateway,
    program: Program,
    /// Keeps the keys of two runs apart.
    run: u128,
    count: AtomicU64,
}

impl Enqueue {
    pub(super) fn new(gateway: Gateway, program: Program) -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            gateway,
            program,
            run: now.as_micros(),
            count: AtomicU64::new(0),
        }
    }

    pub(super) fn request(&self) -> EnqueueJobRequest {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        EnqueueJobRequest {
            name: "a job of the load tool".to_owned(),
            program: self.program.text.into(),
            program_format: self.program.format.to_owned(),
            target: self.program.target.clone(),
            shots: Some(100),
            idempotency_key: format!("load-{:x}-{number}", self.run),
            ..EnqueueJobRequest::default()
        }
    }

    pub(super) async fn enqueue(&self, caller: usize) -> Result<EnqueueJobResponse, Broken> {
        let answer = self
            .gateway
            .client(caller)
            .enqueue_job(self.request())
            .await;
        let answer = answer.map_err(Broken::at("EnqueueJob"))?;
        Ok(answer.into_inner())
    }
}

impl Act for Enqueue {
    async fn once(&self, caller: usize) -> Result<(), Broken> {
        self.enqueue(caller).await.map(drop)
    }
}

/// A job from its request to its results: EnqueueJob, WatchJob to the end, GetJobResults.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) enqueue: Enqueue,
    /// RPCs of callers so far.
    pub(super) calls: AtomicU64,
    /// Lives so far.
    pub(super) lives: AtomicU64,
}

impl Life {
    pub(super) fn new(enqueue: Enqueue) -> Self {
        Self {
            enqueue,
            calls: AtomicU64::new(0),
            lives: AtomicU64::new(0),
        }
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl Act for Life {
    async fn once(&self, caller: usize) -> Result<(), Broken> {
        let mut client = self.enqueue.gateway.client(caller);
        self.called();
        let job_id = self.enqueue.enqueue(caller).await?.job_id;
        self.called();
        let wanted = WatchJobRequest {
            job_id: job_id.clone(),
            after_seq: 0,
        };
        let events = client.watch_job(wanted).await;
        let mut events = events.map_err(Broken::at("WatchJob"))?.into_inner();
        while events
            .message()
            .await
            .map_err(Broken::at("WatchJob"))?
            .is_some()
        {}
        self.called();
        let wanted = GetJobResultsRequest { job_id };
        let results = client.get_job_results(wanted).await;
        let results = results.map_err(Broken::at("GetJobResults"))?.into_inner();
        if results.counts.values().sum::<i64>() != 100 {
            return Err(Broken(format!("a job ended without results: {results:?}")));
        }
        self.lives.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Asks where jobs are, one here and one there.
#[derive(Debug)]
pub(super) struct Status {
    gateway: Gateway,
    jobs: Vec<String>,
    count: AtomicU64,
}

impl Status {
    pub(super) fn new(gateway: Gateway, jobs: Vec<String>) -> Self {
        Self {
            gateway,
            jobs,
            count: AtomicU64::new(0),
        }
    }

    pub(super) async fn ask(&self, caller: usize) -> Result<GetJobStatusResponse, Broken> {
        // Golden steps go all over the list, so that no page of the store is favoured.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let at = count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let job_id = self.jobs[at as usize % self.jobs.len()].clone();
        let mut client = self.gateway.client(caller);
        let answer = client.get_job_status(GetJobStatusRequest { job_id }).await;
        let answer = answer.map_err(Broken::at("GetJobStatus"))?;
        Ok(answer.into_inner())
    }
}

impl Act for Status {
    async fn once(&self, caller: usize) -> Result<(), Broken> {
        self.ask(caller).await.map(drop)
    }
}
