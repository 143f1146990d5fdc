//! The artifacts of a simulated kernel: in memory, outliving its node, and out of reach for a
//! process that is dead.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use qrtx::ids::JobId;

use crate::process::Process;

/// A store as one life of a process has it.
#[derive(Debug)]
pub struct Guarded {
    process: Process,
    inner: Arc<dyn ObjectStore>,
}

impl Guarded {
    /// `inner` in the hands of `process`.
    pub fn new(process: Process, inner: Arc<dyn ObjectStore>) -> Self {
        Self { process, inner }
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the artifacts of {}", self.process.name())
    }
}

#[tonic::async_trait]
impl ObjectStore for Guarded {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.process.living().await;
        self.inner.put_opts(at, what, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.process.living().await;
        self.inner.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.process.living().await;
        self.inner.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.process.is_alive() {
            true => self.inner.delete_stream(paths),
            false => futures::stream::pending().boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.process.is_alive() {
            true => self.inner.list(prefix),
            false => futures::stream::pending().boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.process.living().await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.process.living().await;
        self.inner.copy_opts(from, to, how).await
    }
}

/// Every file of a job, by its name.
pub async fn of(store: &Arc<dyn ObjectStore>, job: JobId) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::from(job.to_string());
    let mut files = BTreeMap::new();
    let listed: Vec<_> = store.list(Some(&folder)).collect().await;
    for meta in listed {
        let at = meta.expect("memory can be listed").location;
        let read = store.get(&at).await.expect("what is listed is there");
        let bytes = read.bytes().await.expect("memory can be read");
        files.insert(at.filename().unwrap_or_default().to_owned(), bytes.to_vec());
    }
    files
}
