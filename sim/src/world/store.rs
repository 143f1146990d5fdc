//! The job store of a simulated kernel: it outlives its node, every commit is three moments at
//! which a scenario can strike, and a process that is dead can neither read nor write.

use std::collections::BTreeSet;
use std::time::Duration;

use qrtx::ids::{DeviceId, Epoch, JobId};
use qrtx::job::Job;
use qrtx::job::event::{Event, Recorded};
use qrtx::ports::JobStore;
use qrtx::ports::store::{
    Append, AppendError, Ended, Filter, Key, KeyHolder, Page, ReadError, Salvage, Unfinished,
};
use qrtx::store::MemoryStore;

use crate::nemesis::Nemesis;
use crate::planted::{Planted, planted};
use crate::process::Process;
use crate::record::CommitRecord;
use crate::scenario::{Moment, StoreFault};
use crate::trace::{Lane, Trace};
use crate::world::artifacts::Qfs;

/// What an append costs: a commit on a good disk.
const COMMIT: Duration = Duration::from_millis(1);
/// What it costs when the disk is slow.
const SLOW_COMMIT: Duration = Duration::from_millis(100);

/// The store as one life of the kernel has it.
#[derive(Debug, Clone)]
pub struct PointedStore {
    process: Process,
    inner: MemoryStore,
    qfs: Qfs,
    nemesis: Nemesis,
    trace: Trace,
}

/// What outlives every node.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The jobs.
    pub jobs: MemoryStore,
    /// The artifacts.
    pub qfs: Qfs,
}

impl PointedStore {
    /// What is kept, in the hands of `process`.
    pub fn new(process: Process, kept: &Kept, nemesis: Nemesis, trace: Trace) -> Self {
        let Kept { jobs: inner, qfs } = kept.clone();
        Self {
            process,
            inner,
            qfs,
            nemesis,
            trace,
        }
    }

    async fn at(&self, job: JobId, events: &[&'static str], moment: Moment) {
        self.nemesis.at_commit(job, events, moment);
        self.process.living().await;
    }

    async fn write(&self, epoch: Epoch, mut append: Append) -> Result<u64, AppendError> {
        let job = append.job.id;
        let events: Vec<_> = append
            .events
            .iter()
            .map(|recorded| recorded.event.name())
            .collect();
        if events.contains(&"Assigned") {
            self.gives_turn(epoch, job);
        }
        self.at(job, &events, Moment::Before).await;
        let slow = self.nemesis.store_fault() == Some(StoreFault::Slow);
        madsim::time::sleep(if slow { SLOW_COMMIT } else { COMMIT }).await;
        self.process.living().await;
        let fault = self.nemesis.store_fault();
        let name = self.nemesis.name(job);
        if let Some(StoreFault::Away | StoreFault::Full) = fault {
            self.trace.note(
                Lane::Store,
                format!("{name}: {} not written", events.join(", ")),
            );
            return Err(match fault {
                Some(StoreFault::Full) => AppendError::Full("no space is left".to_owned()),
                _ => AppendError::Unavailable("it is away".to_owned()),
            });
        }
        let completes = events.contains(&"Stored").then(|| self.qfs.of(job));
        let (state, seq) = (append.job.state, append.job.seq);
        let epoch = match planted(Planted::StaleEpochAccepted) {
            true => Epoch(u32::try_from(self.trace.records().epochs.len()).expect("few epochs")),
            false => epoch,
        };
        if planted(Planted::KeysInMemoryOnly)
            && let Some(submission) = &mut append.submission
            && let Some(key) = submission.key.take()
        {
            let (job, fingerprint) = (job, submission.fingerprint);
            self.process.remember(key, KeyHolder { job, fingerprint });
        }
        let written = self.inner.append(epoch, append).await;
        let confirmed = written.is_ok() && fault != Some(StoreFault::WritesAndSaysNo);
        let what = match &written {
            Ok(_) => format!("{} -> {} #{seq}", events.join(", "), state.name()),
            Err(why) => format!("{}: {why}", events.join(", ")),
        };
        self.trace.note(Lane::Store, format!("{name}: {what}"));
        let at = self.trace.now();
        self.trace.records().commits.push(CommitRecord {
            at,
            job,
            ordinal: self.nemesis.ordinal(job),
            events: events.clone(),
            state,
            seq,
            written: written.is_ok(),
            confirmed,
            life: self.process.life(),
        });
        if written.is_ok() {
            // An append that is refused, as a zombie's is, completes nothing.
            if let Some(there) = completes {
                self.qfs.completed(job, there);
            }
            self.at(job, &events, Moment::AfterWriteBeforeAck).await;
            if !confirmed {
                return Err(AppendError::Unavailable(
                    "the commit was not confirmed".to_owned(),
                ));
            }
            self.at(job, &events, Moment::After).await;
        }
        written
    }

    /// What a zombie decides is no decision, and nobody goes on from it.
    fn gives_turn(&self, epoch: Epoch, job: JobId) {
        let now = self.trace.now();
        let mut records = self.trace.records();
        if records.epochs.len() == epoch.0 as usize {
            records.turns.entry(job).or_insert(now);
        }
    }

    async fn claim_at(&self, moment: Moment) {
        self.nemesis.at_claim(moment);
        self.process.living().await;
    }

    async fn readable(&self) -> Result<(), ReadError> {
        self.process.living().await;
        match self.nemesis.store_fault() {
            Some(StoreFault::Away) => Err(ReadError::Unavailable("it is away".to_owned())),
            Some(StoreFault::Slow) => {
                madsim::time::sleep(SLOW_COMMIT).await;
                self.process.living().await;
                Ok(())
            }
            Some(StoreFault::Full | StoreFault::WritesAndSaysNo) | None => Ok(()),
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
        self.claim_at(Moment::Before).await;
        let epoch = self.inner.claim().await?;
        self.trace
            .note(Lane::Store, format!("epoch {} begins", epoch.0));
        let claimed = (self.trace.now(), self.process.life());
        self.trace.records().epochs.push(claimed);
        self.claim_at(Moment::AfterWriteBeforeAck).await;
        self.claim_at(Moment::After).await;
        Ok(epoch)
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.process.living().await;
        self.enter(&append);
        if planted(Planted::AckBeforeWrite) && append.submission.is_some() {
            let (store, later) = (self.clone(), append.clone());
            madsim::task::spawn(async move {
                madsim::time::sleep(Duration::from_millis(20)).await;
                store.write(epoch, later).await
            });
            return Ok(0);
        }
        self.write(epoch, append).await
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
        if planted(Planted::KeysInMemoryOnly) {
            return Ok(self.process.remembered(key));
        }
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

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        self.process.living().await;
        self.inner.set_draining(epoch, device, draining).await
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        self.readable().await?;
        self.inner.draining().await
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.readable().await?;
        self.inner.count().await
    }
}
