//! Opens QFS: a local directory, or a bucket by its URL.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

/// One place twice: as it is, and with puts that return when the object is on stable storage.
#[derive(Debug, Clone)]
pub struct Opened {
    /// As it is.
    pub store: Arc<dyn ObjectStore>,
    /// With synced puts.
    pub synced: Arc<dyn ObjectStore>,
}

/// Why the artifact root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or entered.
    #[error("the artifact root {root} cannot be used: {source}; choose another with --qfs-root")]
    Directory {
        /// The directory.
        root: String,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The URL names a kind of store that is not built in.
    #[error("the artifact root {0} needs a kernel that was built with --features s3")]
    NotBuiltIn(String),
    /// The URL names no kind of store at all.
    #[error("the artifact root {0} is no s3:// URL and no directory")]
    Unknown(String),
}

/// Opens the artifact root, a directory (made if it is not there) or `s3://bucket/prefix`.
///
/// # Errors
/// [`OpenError`].
pub fn open(root: &str) -> Result<Opened, OpenError> {
    if root.contains("://") {
        return bucket(root);
    }
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Directory {
        root: root.to_owned(),
        source,
    };
    std::fs::create_dir_all(Path::new(root)).map_err(|why| failed(why.into()))?;
    // With its last file a job's folder goes, too.
    let local = || {
        let local = LocalFileSystem::new_with_prefix(root).map_err(|why| failed(why.into()))?;
        Ok::<_, OpenError>(local.with_automatic_cleanup(true))
    };
    Ok(Opened {
        store: Arc::new(local()?),
        synced: Arc::new(local()?.with_fsync(true)),
    })
}

/// What a bucket acknowledges is on stable storage.
#[cfg(feature = "s3")]
fn bucket(root: &str) -> Result<Opened, OpenError> {
    let url: url::Url = root
        .parse()
        .map_err(|_| OpenError::Unknown(root.to_owned()))?;
    if url.scheme() != "s3" {
        return Err(OpenError::Unknown(root.to_owned()));
    }
    let failed = |source: object_store::Error| OpenError::Directory {
        root: root.to_owned(),
        source: source.into(),
    };
    let bucket = object_store::aws::AmazonS3Builder::from_env().with_url(root);
    let bucket = bucket.build().map_err(failed)?;
    let prefix = object_store::path::Path::from(url.path());
    let store: Arc<dyn ObjectStore> =
        Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix));
    Ok(Opened {
        synced: store.clone(),
        store,
    })
}

#[cfg(not(feature = "s3"))]
fn bucket(root: &str) -> Result<Opened, OpenError> {
    match root.starts_with("s3://") {
        true => Err(OpenError::NotBuiltIn(root.to_owned())),
        false => Err(OpenError::Unknown(root.to_owned())),
    }
}
