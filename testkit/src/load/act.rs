//! What callers ask of a gateway, the kernel's or the echo.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use qrtx::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use qrtx::grpc::proto::kernel::*;
use qrtx::os::config;
use tonic::transport::{self, Channel, Endpoint};

use super::Broken;
use super::slices::Act;

/// Connections that all callers share, the same number for both sides.
const CONNECTIONS: usize = 4;
/// How long a connection to a kernel elsewhere may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a job of a kernel of the tool's own may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

type Client = KernelGatewayClient<Channel>;

/// The way to a gateway.
#[derive(Debug, Clone)]
pub(super) struct Gateway(Vec<Client>);

impl Gateway {
    pub(super) async fn to(address: SocketAddr) -> Result<Self, Broken> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(Broken::at("the endpoint"))?;
        let connected = Self::connect(&endpoint.tcp_nodelay(true)).await;
        connected.map_err(Broken::at("the kernel cannot be reached"))
    }

    /// The kernel that a person named, as all commands of `qrtx` take it.
    pub(super) async fn elsewhere(given: &str, patience: Duration) -> Result<Self, Broken> {
        let url = config::url("--endpoint", Some(given.to_owned()));
        let url = url.map_err(|why| Broken(why.to_string()))?;
        let endpoint = Endpoint::from_shared(url.unwrap_or_default());
        let endpoint = endpoint.map_err(Broken::at("--endpoint"))?;
        let endpoint = endpoint.tcp_nodelay(true).connect_timeout(CONNECT);
        let connected = Self::connect(&endpoint.timeout(patience)).await;
        connected.map_err(|why| {
            let why = root(&why);
            Broken(format!(
                "the kernel at {given} cannot be reached ({why}); start one with `qrtx serve`, or \
                 say with --endpoint HOST:PORT where one is"
            ))
        })
    }

    async fn connect(endpoint: &Endpoint) -> Result<Self, transport::Error> {
        let connected = (0..CONNECTIONS).map(|_| endpoint.connect());
        let channels = try_join_all(connected).await?;
        Ok(Self(channels.into_iter().map(Client::new).collect()))
    }

    pub(super) fn client(&self, caller: usize) -> Client {
        self.0[caller % self.0.len()].clone()
    }
}

fn root(why: &transport::Error) -> String {
    let mut last: &dyn std::error::Error = why;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
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
    /// How long one may take.
    patience: Duration,
    /// RPCs of callers so far.
    pub(super) calls: AtomicU64,
    /// Lives so far.
    pub(super) lives: AtomicU64,
}

impl Life {
    pub(super) fn new(enqueue: Enqueue, patience: Duration) -> Self {
        Self {
            enqueue,
            patience,
            calls: AtomicU64::new(0),
            lives: AtomicU64::new(0),
        }
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives each event of the job to `on_event`, and returns when the job has ended.
    async fn watch(
        &self,
        client: &mut Client,
        job_id: String,
        mut on_event: impl FnMut(JobEvent),
    ) -> Result<(), Broken> {
        let after_seq = 0;
        let events = client.watch_job(WatchJobRequest { job_id, after_seq });
        let mut events = events.await.map_err(Broken::at("WatchJob"))?.into_inner();
        while let Some(event) = events.message().await.map_err(Broken::at("WatchJob"))? {
            on_event(event);
        }
        Ok(())
    }

    /// Everything that is told of one job.
    pub(super) async fn told(&self) -> Result<(Vec<JobEvent>, GetJobResultsResponse), Broken> {
        let mut client = self.enqueue.gateway.client(0);
        let job_id = self.enqueue.enqueue(0).await?.job_id;
        let mut events = Vec::new();
        let watched = self.watch(&mut client, job_id.clone(), |event| events.push(event));
        watched.await?;
        let results = client
            .get_job_results(GetJobResultsRequest { job_id })
            .await;
        let results = results.map_err(Broken::at("GetJobResults"))?;
        Ok((events, results.into_inner()))
    }

    /// What holds a job that does not end, as the kernel tells it; the job is cancelled.
    async fn stuck(&self, client: &mut Client, job_id: String) -> Broken {
        let wanted = ExplainJobRequest {
            job_id: job_id.clone(),
        };
        let why = match client.explain_job(wanted).await {
            Ok(told) => {
                let told = told.into_inner();
                let reasons = told.reasons.into_iter().map(|reason| reason.message);
                let reasons: Vec<_> = reasons.collect();
                match (reasons.is_empty(), told.job) {
                    // It waits for nothing: what it does is told.
                    (true, Some(job)) => job.message,
                    _ => reasons.join("; "),
                }
            }
            Err(why) => format!("ExplainJob: {why}"),
        };
        let wanted = CancelJobRequest {
            job_id: job_id.clone(),
            ..CancelJobRequest::default()
        };
        let left = match client.cancel_job(wanted).await {
            Ok(_) => "it is cancelled",
            Err(_) => "it could not be cancelled",
        };
        let seconds = self.patience.as_secs();
        Broken(format!(
            "{job_id} had not ended after {seconds} s, and {left}: {why}. Mend that, name another \
             device with --target, or allow more with --patience SECONDS"
        ))
    }
}

impl Act for Life {
    async fn once(&self, caller: usize) -> Result<(), Broken> {
        let mut client = self.enqueue.gateway.client(caller);
        self.called();
        let job_id = self.enqueue.enqueue(caller).await?.job_id;
        self.called();
        let ended = self.watch(&mut client, job_id.clone(), drop);
        match tokio::time::timeout(self.patience, ended).await {
            Ok(ended) => ended?,
            Err(_) => return Err(self.stuck(&mut client, job_id).await),
        }
        self.called();
        let wanted = GetJobResultsRequest { job_id };
        let results = client.get_job_results(wanted).await;
        let results = results.map_err(Broken::at("GetJobResults"))?.into_inner();
        if results.counts.values().sum::<i64>() != 100 {
            let why = match results.error {
                Some(error) => format!("{}: {}", error.error_code, error.error_summary),
                None => format!("its counts are {:?}", results.counts),
            };
            let job_id = results.job_id;
            return Err(Broken(format!("{job_id} ended without 100 shots: {why}")));
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
