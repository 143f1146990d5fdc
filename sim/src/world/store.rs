//! The job store of a simulated kernel: it outlives its node, every commit is three moments at
//! which a scenario can strike, and a process that is dead can neither read nor write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use object_store::ObjectStore;
use qrtx::ids::{Epoch, JobId};
use qrtx::job::Job;
use qrtx::job::event::{Event, Recorded};
use qrtx::ports::JobStore;
use qrtx::ports::store::{
    Append, AppendError, Ended, Filter, Key, KeyHolder, Page, ReadError, Salvage, Unfinished,
};
use qrtx::store::MemoryStore;

use crate::nemesis::Nemesis;
use crate::process::Process;
use crate::scenario::{Moment, StoreFault};
use crate::trace::{Lane, Trace};
use crate::world::artifacts;

/// What an append costs: a commit on a good disk.
const COMMIT: std::time::Duration = std::time::Duration::from_millis(1);

/// The artifacts of each completed job as they were when that was committed.
pub type AtCompletion = Arc<Mutex<BTreeMap<JobId, BTreeMap<String, Vec<u8>>>>>;

/// The store as one life of the kernel has it.
#[derive(Debug, Clone)]
pub struct PointedStore {
    process: Process,
    inner: MemoryStore,
    artifacts: Arc<dyn ObjectStore>,
    at_completion: AtCompletion,
    nemesis: Nemesis,
    trace: Trace,
}

/// What outlives every node.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The jobs.
    pub jobs: MemoryStore,
    /// The artifacts.
    pub artifacts: Arc<dyn ObjectStore>,
    /// What was there when a job was completed.
    pub at_completion: AtCompletion,
}

impl PointedStore {
    /// What is kept, in the hands of `process`.
    pub fn new(process: Process, kept: &Kept, nemesis: Nemesis, trace: Trace) -> Self {
        let Kept {
            jobs: inner,
            artifacts,
            at_completion,
        } = kept.clone();
        Self {
            process,
            inner,
            artifacts,
            at_completion,
            nemesis,
            trace,
        }
    }

    async fn at(&self, job: JobId, events: &[&'static str], moment: Moment) {
        self.nemesis.at_commit(job, events, moment);
        self.process.living().await;
    }

    async fn readable(&self) -> Result<(), ReadError> {
        self.process.living().await;
        match self.nemesis.store_fault() {
            Some(StoreFault::Away) => Err(ReadError::Unavailable("it is away".to_owned())),
            Some(StoreFault::WritesAndSaysNo) | None => Ok(()),
        }
    }

    /// A job's place in the scenario stands at the end of its name.
    fn enter(&self, append: &Append) {
        if let Some(Event::Submitted { spec }) = append.events.first().map(|first| &first.event)
            && let Some(ordinal) = spec.name.rsplit(' ').next().and_then(|n| n.parse().ok())
        {
            self.nemesis.named(append.job.id, ordinal);
        }
    }
}

impl JobStore for PointedStore {
    async fn claim(&self) -> Result<Epoch, ReadError> {
        self.readable().await?;
        let epoch = self.inner.claim().await?;
        self.trace
            .note(Lane::Store, format!("epoch {} begins", epoch.0));
        Ok(epoch)
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.process.living().await;
        self.enter(&append);
        let job = append.job.id;
        let events: Vec<_> = append
            .events
            .iter()
            .map(|recorded| recorded.event.name())
            .collect();
        self.at(job, &events, Moment::Before).await;
        madsim::time::sleep(COMMIT).await;
        self.process.living().await;
        let fault = self.nemesis.store_fault();
        if fault == Some(StoreFault::Away) {
            self.trace.note(
                Lane::Store,
                format!("{}: not written", self.nemesis.name(job)),
            );
            return Err(AppendError::Unavailable("it is away".to_owned()));
        }
        if events.contains(&"Stored") {
            let there = artifacts::of(&self.artifacts, job).await;
            self.at_completion
                .lock()
                .expect("no holder panics")
                .insert(job, there);
        }
        let (state, seq) = (append.job.state.name(), append.job.seq);
        let written = self.inner.append(epoch, append).await;
        let what = match &written {
            Ok(_) => format!("{} -> {state} #{seq}", events.join(", ")),
            Err(why) => format!("{}: {why}", events.join(", ")),
        };
        self.trace
            .note(Lane::Store, format!("{}: {what}", self.nemesis.name(job)));
        if written.is_ok() {
            self.at(job, &events, Moment::AfterWriteBeforeAck).await;
            if fault == Some(StoreFault::WritesAndSaysNo) {
                return Err(AppendError::Unavailable(
                    "the commit was not confirmed".to_owned(),
                ));
            }
            self.nemesis.at_commit(job, &events, Moment::After);
        }
        written
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        self.readable().await?;
        self.inner.job(job).await
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.readable().await?;
        self.inner.events(job, after, most).await
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        self.readable().await?;
        self.inner.program(job).await
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        self.readable().await?;
        self.inner.key_holder(key).await
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        self.readable().await?;
        self.inner.list(filter, before, most).await
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        self.readable().await?;
        self.inner.unfinished(after, most).await
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        self.readable().await?;
        self.inner.salvage(job).await
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        self.process.living().await;
        self.inner.replace(epoch, job, events).await
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        self.readable().await?;
        self.inner.ended(after, most).await
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.process.living().await;
        self.inner.forget(epoch, jobs).await
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        self.readable().await?;
        self.inner.forgotten(most).await
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.process.living().await;
        self.inner.cleared(epoch, jobs).await
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.readable().await?;
        self.inner.count().await
    }
}
