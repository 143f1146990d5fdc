//! Composes a kernel out of its configuration, and serves it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::grpc;
use crate::kernel::{Kernel, Settings};
use crate::observe::Traces;
use crate::os::artifacts::Opened;
use crate::os::config::Config;
use crate::os::production::Production;
use crate::os::{artifacts, http, jobs, telemetry};
use crate::ports::JobStore;
use crate::ports::store::{AppendError, StoreError};
use crate::store::MemoryStore;

/// How long open streams may hold up a shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a full disk has room.
const ROOM_AGAIN: Duration = Duration::from_millis(500);

/// A kernel that serves.
#[derive(Debug)]
pub struct Serving<S: JobStore> {
    /// The kernel itself.
    pub kernel: Arc<Kernel<Production<S>>>,
    /// Where the gRPC gateway listens.
    pub grpc: SocketAddr,
    /// Where HTTP listens, if it was asked for.
    pub http: Option<SocketAddr>,
    traces: Traces,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

/// Why a kernel cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The artifact root cannot be used.
    #[error(transparent)]
    Artifacts(#[from] artifacts::OpenError),
    /// An endpoint is no address.
    #[error("an endpoint cannot be used: {0}")]
    Endpoint(#[from] tonic::transport::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] jobs::Unusable),
    /// The store cannot be read, or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address is taken, or not ours.
    #[error("cannot listen on {address}: {source}; choose another with {setting}")]
    Listen {
        /// The address.
        address: String,
        /// The flag that sets it.
        setting: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ServeError {
    /// Whether the same works as soon as the job store's disk has room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Open(why) => why.is_full(),
            Self::Store(why) => matches!(why, StoreError::Append(AppendError::Full(_))),
            _ => false,
        }
    }

    /// Whether a setting is wrong, whatever the state of the machine.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        use artifacts::OpenError;
        let opened = match self {
            Self::Artifacts(opened) => opened,
            Self::Endpoint(_) => return true,
            Self::Open(_) | Self::Store(_) | Self::Listen { .. } => return false,
        };
        matches!(opened, OpenError::NotBuiltIn(_) | OpenError::Unknown(_))
    }
}

/// Begins again and again while the disk of the job store is full: a kernel that was killed meanwhile
/// goes on by itself, as one does that was not. The log tells what it waits for.
///
/// # Errors
/// Every other [`ServeError`].
pub async fn once_there_is_room<T>(
    begin: impl AsyncFn() -> Result<T, ServeError>,
) -> Result<T, ServeError> {
    let mut told = String::new();
    loop {
        let why = match begin().await {
            Err(why) if why.is_full() => why.to_string(),
            begun => return begun,
        };
        if told != why {
            tracing::error!(
                event = "waiting",
                "{why}; the kernel starts as soon as there is room"
            );
            told = why;
        }
        tokio::time::sleep(ROOM_AGAIN).await;
    }
}

/// Starts a kernel and its servers. `with_http` is false for a kernel that only one command
/// uses.
///
/// # Errors
/// [`ServeError`].
pub async fn start(config: &Config, with_http: bool) -> Result<Serving<MemoryStore>, ServeError> {
    start_on(
        config,
        with_http,
        MemoryStore::default(),
        telemetry::traces(),
    )
    .await
}

/// The same on a store that is there already, with spans going where the caller wants them.
///
/// # Errors
/// [`ServeError`].
pub async fn start_on<S: JobStore>(
    config: &Config,
    with_http: bool,
    store: S,
    traces: Traces,
) -> Result<Serving<S>, ServeError> {
    let opened = artifacts::open(&config.qfs_root)?;
    start_over(config, with_http, store, opened, traces).await
}

/// The same with artifacts that are open already, wherever they are.
///
/// # Errors
/// [`ServeError`].
pub async fn start_over<S: JobStore>(
    config: &Config,
    with_http: bool,
    store: S,
    artifacts: Opened,
    traces: Traces,
) -> Result<Serving<S>, ServeError> {
    let env = Production::new(config, store, artifacts)?;
    let settings = Settings {
        limits: config.limits.clone(),
        devices: config.devices.clone(),
        traces: traces.clone(),
    };
    // First the sockets: a kernel that cannot be reached must not take jobs over.
    let grpc_listener = listen(&config.listen, "--listen").await?;
    let http_listener = match with_http {
        true => Some(listen(&config.http, "--http").await?),
        false => None,
    };
    let address = |listener: &TcpListener| listener.local_addr().expect("a bound socket has one");
    let (grpc, http) = (address(&grpc_listener), http_listener.as_ref().map(address));

    let kernel = Kernel::start(env, settings).await?;
    let (stop, stopping) = watch::channel(false);
    let mut servers = vec![tokio::spawn(serve_grpc(
        kernel.clone(),
        grpc_listener,
        stopping.clone(),
    ))];
    if let Some(listener) = http_listener {
        let router = http::router(kernel.clone());
        servers.push(tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(told(stopping));
            if let Err(why) = served.await {
                tracing::error!("HTTP is served no longer: {why}");
            }
        }));
    }
    Ok(Serving {
        kernel,
        grpc,
        http,
        traces,
        stop,
        servers,
    })
}

async fn listen(address: &str, setting: &'static str) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Listen {
        address: address.to_owned(),
        setting,
        source,
    })
}

async fn serve_grpc<S: JobStore>(
    kernel: Arc<Kernel<Production<S>>>,
    listener: TcpListener,
    stopping: watch::Receiver<bool>,
) {
    let routes = grpc::routes(&kernel).await;
    let served = serve_routes(routes, listener, told(stopping));
    if let Err(why) = served.await {
        tracing::error!("gRPC is served no longer: {why}");
    }
}

/// Serves `routes` as the kernel serves its own, until `stopping`: what is measured beside it must
/// stand on the same ground.
///
/// # Errors
/// Those of the transport.
pub async fn serve_routes(
    routes: Routes,
    listener: TcpListener,
    stopping: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopping)
        .await
}

async fn told(mut stopping: watch::Receiver<bool>) {
    // The sender is gone when nobody serves any more, which is a reason to stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

impl<S: JobStore> Serving<S> {
    /// Stops taking requests, lets those that are open end for a while, and hands over the last
    /// spans.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for mut server in self.servers {
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                server.abort();
            }
        }
        let traces = self.traces;
        // The exporter waits for its collector, which must not hold up an async thread.
        let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
    }
}
