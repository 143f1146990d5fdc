//! An artifact store that says "written" and has written half: nobody is told that a job is
//! complete before what is there has been read back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use qrtx::ids::Sha256Sum;
use qrtx::job::request::JobRequest;
use qrtx::job::state::State;
use qrtx::kernel::{Kernel, Settings};
use qrtx::os::artifacts::Opened;
use qrtx::os::config::Options;
use qrtx::os::production::Production;
use qrtx::store::MemoryStore;

use crate::circuits::bell;

/// Writes the first half of some puts of one file, and says that all is well.
#[derive(Debug)]
struct Torn {
    inner: InMemory,
    file: &'static str,
    left: AtomicU32,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a store that tears {}", self.file)
    }
}

#[tonic::async_trait]
impl ObjectStore for Torn {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        let tears = at.filename() == Some(self.file)
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
        let what = match tears {
            true => {
                let whole: Vec<u8> = what.iter().flat_map(|part| part.to_vec()).collect();
                PutPayload::from(whole[..whole.len() / 2].to_vec())
            }
            false => what,
        };
        self.inner.put_opts(at, what, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[tokio::test]
async fn what_was_torn_while_it_was_written_is_written_again_before_completed() {
    for file in [
        "input.job.json",
        "program.aqo.json",
        "compiled.aqo.json",
        "results.json",
        "meta.json",
    ] {
        let torn = Torn {
            inner: InMemory::new(),
            file,
            left: AtomicU32::new(2),
        };
        let store: Arc<dyn ObjectStore> = Arc::new(torn);
        let opened = Opened {
            store: store.clone(),
            synced: store.clone(),
        };
        let mut config = Options::default().resolve().unwrap();
        config.limits.backoff_ms_base = 10;
        let env = Production::new(&config, MemoryStore::default(), opened).unwrap();
        let settings = Settings {
            limits: config.limits,
            ..Settings::default()
        };
        let kernel = Kernel::start(env, settings).await.unwrap();
        let request = JobRequest {
            name: "torn".to_owned(),
            program: bell(),
            program_format: "aqo_json".to_owned(),
            target: "sim:local".to_owned(),
            ..JobRequest::default()
        };
        let id = kernel.submit(request).await.unwrap().id;
        let mut events = Box::pin(kernel.watch(id, 0).await.unwrap());
        while events.next().await.is_some() {}

        let job = kernel.job(id).await.unwrap();
        assert_eq!(job.state, State::Completed, "{file}: {:?}", job.failure);
        for kept in job.artifacts.iter().chain(&job.manifest) {
            let at = Path::from(format!("{id}/{}", kept.file));
            let content = store.get(&at).await.unwrap().bytes().await.unwrap();
            assert_eq!(
                Sha256Sum::of(&content),
                kept.sha256,
                "{file}: {}",
                kept.file
            );
        }
    }
}
