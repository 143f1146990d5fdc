//! A kernel to be measured, in this process, with everything of it under one folder.

use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;
use qrtx::observe::Traces;
use qrtx::os::artifacts::{self, Opened};
use qrtx::os::config::{Config, Options};
use qrtx::os::jobs;
use qrtx::os::serve::{Serving, start_over};
use qrtx::ports::JobStore;
use qrtx::store::MemoryStore;
use qrtx::store::disk::RedbStore;

use super::Broken;

/// Where jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Memory,
    Redb,
}

impl Store {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redb => "redb",
        }
    }
}

/// Where artifacts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    Memory,
    Disk,
}

/// One of the two kinds of kernel.
#[derive(Debug)]
pub(super) enum Ground {
    Memory(Serving<MemoryStore>),
    Redb(Serving<RedbStore>),
}

impl Ground {
    /// A kernel in `folder` with neighbours at `neighbours`.
    pub(super) async fn new(
        store: Store,
        files: Files,
        folder: &Path,
        neighbours: &str,
    ) -> Result<Self, Broken> {
        match store {
            Store::Memory => {
                let store = MemoryStore::default();
                Ok(Self::Memory(serve(store, files, folder, neighbours).await?))
            }
            Store::Redb => {
                let store = jobs::open(folder).map_err(Broken::at("the store"))?;
                Ok(Self::Redb(serve(store, files, folder, neighbours).await?))
            }
        }
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Memory(serving) => serving.grpc,
            Self::Redb(serving) => serving.grpc,
        }
    }

    pub(super) async fn stop(self) {
        match self {
            Self::Memory(serving) => serving.stop().await,
            Self::Redb(serving) => serving.stop().await,
        }
    }
}

/// Serves a kernel on a store that is open.
pub(super) async fn serve<S: JobStore>(
    store: S,
    files: Files,
    folder: &Path,
    neighbours: &str,
) -> Result<Serving<S>, Broken> {
    let config = config(folder, neighbours)?;
    let opened = match files {
        Files::Memory => {
            let store = Arc::new(InMemory::new());
            Opened {
                synced: store.clone(),
                store,
            }
        }
        Files::Disk => artifacts::open(&config.qfs_root).map_err(Broken::at("the artifacts"))?,
    };
    let serving = start_over(&config, false, store, opened, Traces::none()).await;
    serving.map_err(Broken::at("the kernel"))
}

/// The usual bounds, but for the number of jobs.
fn config(folder: &Path, neighbours: &str) -> Result<Config, Broken> {
    let options = Options::default().resolve();
    let mut config = options.map_err(Broken::at("the configuration"))?;
    config.qfs_root = folder.join("qfs").display().to_string();
    config.listen = "127.0.0.1:0".to_owned();
    config.compiler = Some(neighbours.to_owned());
    config.driver = Some(neighbours.to_owned());
    config.limits.jobs_waiting = 100_000_000;
    Ok(config)
}
