//! QFS: whole objects under `<job_id>/`, written once, each known by its hash (D13).

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use crate::ids::{JobId, Sha256Sum};
use crate::job::event::ArtifactRef;

/// Why an artifact is not to be had, or not to be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Try again.
    #[error("the artifact store does not take or give {path}: {reason}")]
    Unavailable {
        /// The object.
        path: String,
        /// What the store said.
        reason: String,
    },
    /// There is no such object.
    #[error("{0} is missing from the artifact store")]
    Missing(String),
    /// The object is not what was stored.
    #[error("{path} is damaged: its SHA-256 is {found}, {wanted} was stored")]
    Damaged {
        /// The object.
        path: String,
        /// What it should hash to.
        wanted: Sha256Sum,
        /// What it hashes to.
        found: Sha256Sum,
    },
}

/// The artifacts of all jobs.
#[derive(Debug, Clone)]
pub struct Artifacts {
    store: Arc<dyn ObjectStore>,
    synced: Arc<dyn ObjectStore>,
}

impl Artifacts {
    /// Artifacts in `store`; `synced` is the same place, with puts that return when the object
    /// is on stable storage.
    pub fn new(store: Arc<dyn ObjectStore>, synced: Arc<dyn ObjectStore>) -> Self {
        Self { store, synced }
    }

    /// Keeps `content` as one file of a job. If the very same is there, it is adopted; if
    /// something else is, that is set aside under a name of its own.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn keep(
        &self,
        job: JobId,
        file: &str,
        content: &[u8],
    ) -> Result<ArtifactRef, ArtifactError> {
        keep(&self.store, job, file, content).await
    }

    /// The same for content that nothing else can make again: it is on stable storage on return.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn keep_synced(
        &self,
        job: JobId,
        file: &str,
        content: &[u8],
    ) -> Result<ArtifactRef, ArtifactError> {
        keep(&self.synced, job, file, content).await
    }

    /// The content of a file, if it is what was stored.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub async fn read(&self, job: JobId, wanted: &ArtifactRef) -> Result<Vec<u8>, ArtifactError> {
        let path = path(job, &wanted.file);
        let content = get(&self.store, &path).await?;
        let found = Sha256Sum::of(&content);
        if found != wanted.sha256 {
            let path = path.to_string();
            return Err(ArtifactError::Damaged {
                path,
                wanted: wanted.sha256,
                found,
            });
        }
        Ok(content)
    }

    /// The object that an `aqo_ref` program names: a path below the root, with or without the
    /// `qfs://` or `circuitfs://` that the neighbours put before it. `None` if it is no such path.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub async fn resolve(&self, reference: &str) -> Option<Result<Vec<u8>, ArtifactError>> {
        let whole = reference.trim();
        let path = whole
            .strip_prefix("qfs://")
            .or_else(|| whole.strip_prefix("circuitfs://"));
        let path = path.unwrap_or(whole).trim_start_matches('/');
        let path = Path::parse(path)
            .ok()
            .filter(|path| !path.as_ref().is_empty())?;
        Some(get(&self.store, &path).await)
    }
}

fn path(job: JobId, file: &str) -> Path {
    Path::from_iter([job.to_string().as_str(), file])
}

async fn keep(
    store: &Arc<dyn ObjectStore>,
    job: JobId,
    file: &str,
    content: &[u8],
) -> Result<ArtifactRef, ArtifactError> {
    let path = path(job, file);
    let create = || async {
        let payload = PutPayload::from(content.to_vec());
        store.put_opts(&path, payload, PutMode::Create.into()).await
    };
    match create().await {
        Ok(_) => {}
        Err(object_store::Error::AlreadyExists { .. }) => {
            let there = get(store, &path).await?;
            if there != content {
                set_aside(store, job, file, &there).await?;
                create().await.map_err(|why| unavailable(&path, &why))?;
            }
        }
        Err(why) => return Err(unavailable(&path, &why)),
    }
    Ok(ArtifactRef::of(file, content))
}

/// Nothing vouches for what was found: it is neither believed nor destroyed.
async fn set_aside(
    store: &Arc<dyn ObjectStore>,
    job: JobId,
    file: &str,
    found: &[u8],
) -> Result<(), ArtifactError> {
    let from = path(job, file);
    let to = path(
        job,
        &format!("{file}.aside-{:016x}", Sha256Sum::of(found).prefix()),
    );
    store
        .rename(&from, &to)
        .await
        .map_err(|why| unavailable(&from, &why))
}

async fn get(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Vec<u8>, ArtifactError> {
    let read = async { store.get(path).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(object_store::Error::NotFound { .. }) => Err(ArtifactError::Missing(path.to_string())),
        Err(why) => Err(unavailable(path, &why)),
    }
}

fn unavailable(path: &Path, why: &object_store::Error) -> ArtifactError {
    ArtifactError::Unavailable {
        path: path.to_string(),
        reason: why.to_string(),
    }
}
