//! `qrtx serve`.

use std::pin::pin;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::exit::Exit;
use crate::cli::problem::{Outcome, Problem};
use crate::os::config::{Config, Options, StoreKind};
use crate::os::jobs::{self, Unusable};
use crate::os::serve;
use crate::os::telemetry::{self, Logs};
use crate::ports::JobStore;
use crate::store::MemoryStore;

/// Flags of `qrtx serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  qrtx serve
  qrtx serve --compiler 127.0.0.1:50053 --driver 127.0.0.1:50054
  qrtx serve --listen 0.0.0.0:50052 --qfs-root /srv/circuit_fs

Logs are JSON lines on stdout; the one with \"event\":\"ready\" tells the addresses.")]
pub(super) struct Arguments {
    /// Where the gRPC gateway listens [default: 127.0.0.1:50052]
    #[arg(long, env = "EIGEN_KERNEL_ADDR", value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where HTTP listens: /metrics, /healthz, /readyz [default: 127.0.0.1:9091]
    #[arg(long, env = "QRTX_HTTP_ADDR", value_name = "HOST:PORT")]
    http: Option<String>,
    /// Where jobs are kept: redb, on disk, or memory, which forgets them when the kernel ends
    /// [default: redb]
    #[arg(long, env = "QRTX_STORE", value_name = "STORE")]
    store: Option<String>,
    /// The directory of the job store [default: qrtx-data]
    #[arg(long, env = "QRTX_DATA_DIR", value_name = "DIR")]
    data_dir: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn serve(arguments: Arguments) -> Outcome {
    telemetry::start_logs(Logs::JsonToStdout);
    let Arguments {
        listen,
        http,
        store,
        data_dir,
        options,
    } = arguments;
    let options = Options {
        listen,
        http,
        store,
        data_dir,
        ..options
    };
    let config = options.resolve().map_err(Problem::usage)?;
    match config.store {
        StoreKind::Memory => serve_on(&config, async || Ok(MemoryStore::default())).await,
        StoreKind::Redb => {
            let open = async || jobs::open_cached(&config.data_dir, config.store_cache_mib);
            serve_on(&config, open).await
        }
    }
}

async fn serve_on<S: JobStore>(
    config: &Config,
    open: impl AsyncFn() -> Result<S, Unusable>,
) -> Outcome {
    let traces = telemetry::traces();
    let begin = async || serve::start_on(config, true, open().await?, traces.clone()).await;
    // Heard from here on without a gap: what nobody listens to is lost once it was listened to.
    let mut to_stop = pin!(asked_to_stop());
    let started = tokio::select! {
        biased;
        () = &mut to_stop => return Ok(Exit::Done),
        started = serve::once_there_is_room(begin) => started,
    };
    let serving = started.map_err(|why| Problem::not_served(&why))?;
    ready(config, &serving);
    let why = tokio::select! {
        biased;
        why = serving.kernel.stopped() => Some(why),
        () = to_stop => None,
    };
    match &why {
        None => tracing::info!(event = "stopping", "the kernel was asked to stop"),
        Some(why) => tracing::error!(event = "stopping", "{why}"),
    }
    serving.stop().await;
    match why {
        None => Ok(Exit::Done),
        Some(why) => Err(Problem::failed(why)),
    }
}

fn ready<S: JobStore>(config: &Config, serving: &serve::Serving<S>) {
    let embedded = |endpoint: &Option<String>| match endpoint {
        Some(endpoint) => endpoint.clone(),
        None => "embedded".to_owned(),
    };
    tracing::info!(
        event = "ready",
        grpc = %serving.grpc,
        http = serving.http.map(tracing::field::display),
        compiler = embedded(&config.compiler),
        driver = embedded(&config.driver),
        qfs_root = config.qfs_root,
        store = match config.store {
            StoreKind::Redb => config.data_dir.as_str(),
            StoreKind::Memory => "memory",
        },
        epoch = serving.kernel.epoch().0,
        "the kernel is ready"
    );
}

/// Returns on SIGINT or SIGTERM.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
