//! The artifacts of a simulated kernel: in memory, outliving its node, out of reach for a process
//! that is dead, and as unreliable as the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use qrtx::ids::JobId;

use crate::chance::{mix, number_of};
use crate::nemesis::Nemesis;
use crate::process::Process;
use crate::record::ArtifactRecord;
use crate::scenario::{ObjectFault, ObjectOp, StoreFault};
use crate::trace::{Lane, Trace};

/// What an access costs when the store is slow.
const SLOW: Duration = Duration::from_secs(2);
/// What a power failure may still take: an operating system writes back within this.
const UNSYNCED: Duration = Duration::from_secs(30);

/// The one artifact store of a run. Clones are the same.
#[derive(Debug, Clone)]
pub struct Qfs {
    objects: Arc<InMemory>,
    shared: Arc<Mutex<Shared>>,
    nemesis: Nemesis,
    trace: Trace,
}

#[derive(Debug, Default)]
struct Shared {
    /// What was written without a sync, and when.
    unsynced: Vec<(Duration, Path)>,
    /// Files that were taken or torn when nobody could have noticed: by a power failure, or
    /// after the job had been completed.
    taken: BTreeSet<(JobId, String)>,
    /// The files of each completed job as they were when that was committed.
    at_completion: BTreeMap<JobId, Files>,
    /// The names of the files of each job as they were when its manifest was first written.
    before_manifest: BTreeMap<JobId, BTreeSet<String>>,
}

/// The files of a job, by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

impl Qfs {
    /// An empty store.
    pub fn new(nemesis: Nemesis, trace: Trace) -> Self {
        Self {
            objects: Arc::new(InMemory::new()),
            shared: Arc::default(),
            nemesis,
            trace,
        }
    }

    /// Every file of a job.
    pub fn of(&self, job: JobId) -> Files {
        let folder = Path::from(job.to_string());
        let listed: Vec<_> = at_once(self.objects.list(Some(&folder)).collect());
        let named = |meta: Result<ObjectMeta>| {
            let at = meta.expect("memory can be listed").location;
            let name = at.filename().unwrap_or_default().to_owned();
            (name, self.content(&at).expect("what is listed is there"))
        };
        listed.into_iter().map(named).collect()
    }

    /// It was committed that a job is complete, with these files.
    pub fn completed(&self, job: JobId, files: Files) {
        self.shared().at_completion.insert(job, files);
    }

    /// The files of a job as they were when it was completed.
    pub fn at_completion(&self, job: JobId) -> Option<Files> {
        self.shared().at_completion.get(&job).cloned()
    }

    /// The names of the files of a job as they were when its manifest was first written.
    pub fn before_manifest(&self, job: JobId) -> Option<BTreeSet<String>> {
        self.shared().before_manifest.get(&job).cloned()
    }

    /// A file is about to be written. What is there already counts when it is the manifest, which
    /// comes last.
    fn comes(&self, path: &Path) {
        let Some((job, "meta.json")) = parts(path) else {
            return;
        };
        let mut shared = self.shared();
        let first = shared.before_manifest.entry(job);
        first.or_insert_with(|| self.of(job).into_keys().collect());
    }

    /// Files that were taken or torn when nobody could have noticed.
    pub fn taken(&self) -> BTreeSet<(JobId, String)> {
        self.shared().taken.clone()
    }

    /// The machine lost power: of what was not synced some is gone, some is torn, some is there.
    pub fn lose_power(&self, seed: u64) {
        let now = self.trace.now();
        let unsynced = std::mem::take(&mut self.shared().unsynced);
        for (at, path) in unsynced {
            if at + UNSYNCED < now {
                continue;
            }
            let how = match mix(seed ^ number_of(path.as_ref())) % 3 {
                0 => ObjectFault::Lost,
                1 => ObjectFault::Torn,
                _ => continue,
            };
            self.damage(&path, how);
            self.take(&path);
        }
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("no holder panics")
    }

    fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let read = at_once(self.objects.get(path)).ok()?;
        at_once(read.bytes()).ok().map(|bytes| bytes.to_vec())
    }

    fn damage(&self, path: &Path, how: ObjectFault) {
        let Some(content) = self.content(path) else {
            return;
        };
        self.note(path, &format!("is damaged: {how:?}"));
        if parts(path).is_some_and(|(job, _)| self.at_completion(job).is_some()) {
            self.take(path);
        }
        match spoilt(&content, how) {
            Some(left) => {
                let put = self.objects.put(path, PutPayload::from(left));
                at_once(put).expect("memory can be written");
            }
            None => at_once(self.objects.delete(path)).expect("memory can be written"),
        }
    }

    fn take(&self, path: &Path) {
        if let Some((job, file)) = parts(path) {
            self.shared().taken.insert((job, file.to_owned()));
        }
    }

    fn written(&self, path: &Path) {
        self.note(path, "is written");
        let Some((job, file)) = parts(path) else {
            return;
        };
        let written = ArtifactRecord {
            at: self.trace.now(),
            ordinal: self.nemesis.ordinal(job),
            file: file.to_owned(),
        };
        self.trace.records().artifacts.push(written);
    }

    fn note(&self, path: &Path, what: &str) {
        let whose = parts(path).map(|(job, file)| format!("{} {file}", self.nemesis.name(job)));
        let whose = whose.unwrap_or_else(|| path.to_string());
        self.trace
            .note(Lane::Store, format!("artifact of {whose} {what}"));
    }
}

/// What is left of some content; `None` when nothing is.
fn spoilt(content: &[u8], how: ObjectFault) -> Option<Vec<u8>> {
    let mut left = content.to_vec();
    match how {
        ObjectFault::Torn => left.truncate(content.len() / 2),
        ObjectFault::Rot => {
            let at = content.len() / 3;
            left.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 4);
        }
        ObjectFault::Lost => return None,
    }
    Some(left)
}

fn parts(path: &Path) -> Option<(JobId, &str)> {
    let (job, file) = path.as_ref().split_once('/')?;
    Some((job.parse().ok()?, file))
}

/// Memory answers at once.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("memory does not wait")
}

/// When what is written is on stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When a put returns.
    AtOnce,
    /// Some time later.
    Later,
}

/// The store as one life of a process has it.
#[derive(Debug)]
pub struct Guarded {
    process: Process,
    qfs: Qfs,
    sync: Sync,
}

impl Guarded {
    /// `qfs` in the hands of `process`.
    pub fn new(process: Process, qfs: Qfs, sync: Sync) -> Self {
        Self { process, qfs, sync }
    }

    /// Does what the log says before an access; says what the object shall suffer.
    async fn access(&self, path: &Path, op: ObjectOp) -> Result<Option<ObjectFault>> {
        self.process.living().await;
        let nemesis = &self.qfs.nemesis;
        let suffers = parts(path).and_then(|(job, file)| nemesis.at_object(job, file, op));
        self.process.living().await;
        match nemesis.artifacts_fault() {
            Some(StoreFault::Away) => return Err(failed("it is away")),
            Some(StoreFault::Full) if op == ObjectOp::Put => return Err(failed("it is full")),
            Some(StoreFault::Slow) => {
                madsim::time::sleep(SLOW).await;
                self.process.living().await;
            }
            _ => {}
        }
        Ok(suffers)
    }

    fn applied_and_failed<T>(&self, done: Result<T>) -> Result<T> {
        match self.qfs.nemesis.artifacts_fault() {
            Some(StoreFault::WritesAndSaysNo) => Err(failed("it was not confirmed")),
            _ => done,
        }
    }
}

fn failed(why: &'static str) -> Error {
    Error::Generic {
        store: "simulated",
        source: why.into(),
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
        let suffers = self.access(at, ObjectOp::Put).await?;
        self.qfs.comes(at);
        let done = self.qfs.objects.put_opts(at, what, how).await;
        if done.is_ok() {
            if self.sync == Sync::Later {
                let now = self.qfs.trace.now();
                self.qfs.shared().unsynced.push((now, at.clone()));
            }
            self.qfs.written(at);
            if let Some(how) = suffers {
                self.qfs.damage(at, how);
            }
        }
        self.applied_and_failed(done)
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.access(at, ObjectOp::Put).await?;
        self.qfs.objects.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let suffers = self.access(at, ObjectOp::Get).await?;
        // Who was replaced notices it for nobody, and the other may have read it before.
        let is_current = || self.qfs.nemesis.is_current(&self.process);
        if let Some(how) = suffers.filter(|_| is_current()) {
            self.qfs.damage(at, how);
        }
        self.qfs.objects.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.process.is_alive() {
            true => self.qfs.objects.delete_stream(paths),
            false => futures::stream::pending().boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.process.is_alive() {
            true => self.qfs.objects.list(prefix),
            false => futures::stream::pending().boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.process.living().await;
        self.qfs.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.access(to, ObjectOp::Put).await?;
        let done = self.qfs.objects.copy_opts(from, to, how).await;
        self.applied_and_failed(done)
    }
}
