//! QFS: whole objects under `<job_id>/`, written once, each known by its hash (D13). Every call
//! is bounded: a store that hangs is a store that is away.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use crate::ids::{JobId, Sha256Sum};
use crate::job::event::ArtifactRef;
use crate::ports::{Clock as _, Env};

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
#[derive(Debug)]
pub struct Artifacts<E> {
    env: Arc<E>,
    bound: Duration,
}

impl<E: Env> Artifacts<E> {
    /// The artifacts of a world; each object is waited for at most `bound`.
    pub fn new(env: Arc<E>, bound: Duration) -> Self {
        Self { env, bound }
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
        self.keep_in(self.env.artifacts(), job, file, content).await
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
        self.keep_in(self.env.synced_artifacts(), job, file, content)
            .await
    }

    /// The content of a file, if it is what was stored.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub async fn read(&self, job: JobId, wanted: &ArtifactRef) -> Result<Vec<u8>, ArtifactError> {
        let path = path(job, &wanted.file);
        let content = self.get(self.env.artifacts(), &path).await?;
        let found = Sha256Sum::of(&content);
        if found != wanted.sha256 {
            let path = path.to_string();
            let wanted = wanted.sha256;
            return Err(ArtifactError::Damaged {
                path,
                wanted,
                found,
            });
        }
        Ok(content)
    }

    /// The object that an `aqo_ref` program names: a path below the root, with or without the
    /// `qfs://` or `circuitfs://` that the neighbours put before it. `None` if it is no such path.
    /// Links below the root are followed: whoever may write there is trusted.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub async fn resolve(&self, reference: &str) -> Option<Result<Vec<u8>, ArtifactError>> {
        let whole = reference.trim();
        let path = whole
            .strip_prefix("qfs://")
            .or_else(|| whole.strip_prefix("circuitfs://"));
        let path = path.unwrap_or(whole).trim_start_matches('/');
        let fits = !path.is_empty() && path.split('/').all(|part| part.len() <= NAME_BYTES_MAX);
        let path = Path::parse(path).ok().filter(|_| fits)?;
        Some(self.get(self.env.artifacts(), &path).await)
    }

    /// Removes everything that is stored for a job; nothing is there to remove if it was done
    /// before.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn remove(&self, job: JobId) -> Result<(), ArtifactError> {
        let folder = Path::from(job.to_string());
        let store = self.env.artifacts();
        let work = async {
            let there: Vec<_> = store.list(Some(&folder)).try_collect().await?;
            for object in there {
                match store.delete(&object.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(why) => return Err(why),
                }
            }
            Ok(())
        };
        let removed = self.bounded(work).await;
        removed.map_err(|why| why.unavailable(&folder))
    }

    async fn keep_in(
        &self,
        store: &Arc<dyn ObjectStore>,
        job: JobId,
        file: &str,
        content: &[u8],
    ) -> Result<ArtifactRef, ArtifactError> {
        let path = path(job, file);
        let create = || {
            let payload = PutPayload::from(content.to_vec());
            let put = store.put_opts(&path, payload, PutMode::Create.into());
            self.bounded(put)
        };
        match create().await {
            Ok(_) => {}
            Err(Failed::Store(object_store::Error::AlreadyExists { .. })) => {
                let there = match self.get(store, &path).await {
                    Ok(there) => there,
                    // What is there cannot even be read, as a folder or a broken link.
                    Err(ArtifactError::Missing(_)) => Vec::new(),
                    Err(away) => return Err(away),
                };
                if there != content {
                    self.set_aside(store, job, file, &there).await?;
                    create().await.map_err(|why| why.unavailable(&path))?;
                }
            }
            Err(why) => return Err(why.unavailable(&path)),
        }
        Ok(ArtifactRef::of(file, content))
    }

    /// Nothing vouches for what was found: it is neither believed nor destroyed.
    async fn set_aside(
        &self,
        store: &Arc<dyn ObjectStore>,
        job: JobId,
        file: &str,
        found: &[u8],
    ) -> Result<(), ArtifactError> {
        let from = path(job, file);
        let aside = format!("{file}.aside-{:016x}", Sha256Sum::of(found).prefix());
        let to = path(job, &aside);
        let moved = self.bounded(store.rename(&from, &to)).await;
        moved.map_err(|why| why.unavailable(&from))
    }

    async fn get(
        &self,
        store: &Arc<dyn ObjectStore>,
        path: &Path,
    ) -> Result<Vec<u8>, ArtifactError> {
        let read = async { store.get(path).await?.bytes().await };
        match self.bounded(read).await {
            Ok(bytes) => Ok(bytes.into()),
            Err(Failed::Store(why)) if names_nothing(&why) => {
                Err(ArtifactError::Missing(path.to_string()))
            }
            Err(why) => Err(why.unavailable(path)),
        }
    }

    async fn bounded<T: Send>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T, Failed> {
        match self.env.clock().timeout(self.bound, work).await {
            Some(done) => done.map_err(Failed::Store),
            None => Err(Failed::Hangs(self.bound)),
        }
    }
}

/// The longest name of a file that every file system takes.
const NAME_BYTES_MAX: usize = 255;

/// Why a call to the store brought nothing.
enum Failed {
    Store(object_store::Error),
    Hangs(Duration),
}

impl Failed {
    fn unavailable(self, path: &Path) -> ArtifactError {
        let reason = match self {
            Self::Store(why) => why.to_string(),
            Self::Hangs(bound) => format!("it did not answer within {} s", bound.as_secs_f64()),
        };
        ArtifactError::Unavailable {
            path: path.to_string(),
            reason,
        }
    }
}

/// Whether nothing can be at that place, as opposed to a store that is away.
fn names_nothing(why: &object_store::Error) -> bool {
    if matches!(why, object_store::Error::NotFound { .. }) {
        return true;
    }
    let mut cause = why.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{InvalidFilename, IsADirectory};
            return matches!(error.kind(), InvalidFilename | IsADirectory);
        }
        cause = error.source();
    }
    false
}

fn path(job: JobId, file: &str) -> Path {
    Path::from_iter([job.to_string().as_str(), file])
}
