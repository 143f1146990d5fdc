//! The job store of a simulated kernel: it outlives its node, every commit is three moments at
//! which a scenario can strike, and a process that is dead can neither read nor write.

mod port;

use std::time::Duration;

use qrtx::ids::{Epoch, JobId};
use qrtx::job::event::Event;
use qrtx::ports::JobStore;
use qrtx::ports::store::{Append, AppendError, KeyHolder, ReadError};
use qrtx::store::disk::OpenError;
use qrtx_testkit::history::Given;

use crate::nemesis::Nemesis;
use crate::planted::{Planted, planted};
use crate::process::Process;
use crate::record::CommitRecord;
use crate::scenario::{Moment, StoreFault};
use crate::trace::{Lane, Trace};
use crate::world::artifacts::{Files, Qfs};
use crate::world::disk::UnderWay;
use crate::world::jobs::{COMMIT, Jobs, Opened, on};

/// What a commit costs when the disk is slow.
const SLOW_COMMIT: Duration = Duration::from_millis(100);

/// The store as one life of the kernel has it.
#[derive(Debug, Clone)]
pub struct PointedStore {
    process: Process,
    kept: Jobs,
    inner: Opened,
    qfs: Qfs,
    nemesis: Nemesis,
    trace: Trace,
}

/// What outlives every node.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The jobs.
    pub jobs: Jobs,
    /// The artifacts.
    pub qfs: Qfs,
}

impl PointedStore {
    /// What is kept, in the hands of `process`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        process: &Process,
        kept: &Kept,
        nemesis: &Nemesis,
        trace: &Trace,
    ) -> Result<Self, OpenError> {
        let store = Self {
            process: process.clone(),
            kept: kept.jobs.clone(),
            inner: kept.jobs.open(process)?,
            qfs: kept.qfs.clone(),
            nemesis: nemesis.clone(),
            trace: trace.clone(),
        };
        if let Jobs::Disk(disk) = &kept.jobs {
            for one in disk.broke_off() {
                store.settle(one).await;
            }
        }
        Ok(store)
    }

    /// Records what was under way when an earlier process died, if it is there.
    async fn settle(
        &self,
        UnderWay {
            mut commit,
            completes,
            ..
        }: UnderWay,
    ) {
        let CommitRecord { job, seq, .. } = commit;
        let there = on!(&self.inner, jobs => jobs.events(job, seq - 1, 1).await);
        let there = there.unwrap_or_default();
        if there.first().map(|recorded| recorded.event.name()) == commit.events.last().copied() {
            let (events, name) = (commit.events.join(", "), self.nemesis.name(job));
            self.trace.note(
                Lane::Store,
                format!("{name}: {events} was written before the end"),
            );
            commit.written = true;
            self.written(commit, completes);
        }
    }

    /// A commit is there.
    fn written(&self, commit: CommitRecord, completes: Option<Files>) {
        if let Some(there) = completes {
            self.qfs.completed(commit.job, there);
        }
        self.trace.records().commits.push(commit);
    }

    async fn at(&self, job: JobId, events: &[&'static str], moment: Moment) {
        self.nemesis.at_commit(job, events, moment);
        self.process.living().await;
    }

    async fn write(&self, epoch: Epoch, mut append: Append) -> Result<u64, AppendError> {
        let job = append.job.id;
        let recorded = append.events.iter();
        let events: Vec<_> = recorded.map(|recorded| recorded.event.name()).collect();
        for recorded in &append.events {
            if let Event::Assigned { device, .. } = &recorded.event {
                self.gives_turn(epoch, (job, recorded.seq), device.as_str());
            }
        }
        self.at(job, &events, Moment::Before).await;
        self.takes_its_time().await;
        let fault = self.nemesis.store_fault();
        let name = self.nemesis.name(job);
        let refused = |why: &str| {
            self.trace.note(
                Lane::Store,
                format!("{name}: {} not written{why}", events.join(", ")),
            );
        };
        if let (Jobs::Memory(_), Some(StoreFault::Away | StoreFault::Full)) = (&self.kept, fault) {
            refused("");
            return Err(match fault {
                Some(StoreFault::Full) => AppendError::Full("no space is left".to_owned()),
                _ => AppendError::Unavailable("it is away".to_owned()),
            });
        }
        let completes = events.contains(&"Stored").then(|| self.qfs.of(job));
        let epoch = self.mistaken(epoch, &mut append);
        let mut commit = CommitRecord {
            at: self.trace.now(),
            job,
            ordinal: self.nemesis.ordinal(job),
            events: events.clone(),
            state: append.job.state,
            seq: append.job.seq,
            written: false,
            confirmed: false,
            life: self.process.life(),
        };
        let written = self.hand_over(epoch, append, &commit, &completes).await;
        if self.on_disk()
            && let Err(why @ (AppendError::Unavailable(_) | AppendError::Full(_))) = &written
        {
            refused(&format!(": {why}"));
            return written;
        }
        commit.at = self.trace.now();
        commit.written = written.is_ok();
        commit.confirmed = written.is_ok() && fault != Some(StoreFault::WritesAndSaysNo);
        let confirmed = commit.confirmed;
        let (state, seq) = (commit.state.name(), commit.seq);
        let what = match &written {
            Ok(_) => format!("{} -> {state} #{seq}", events.join(", ")),
            Err(why) => format!("{}: {why}", events.join(", ")),
        };
        self.trace.note(Lane::Store, format!("{name}: {what}"));
        if matches!(written, Err(AppendError::Fenced(_))) {
            let fenced = (self.process.life(), self.trace.now());
            self.trace.records().fenced.push(fenced);
        }
        // An append that is refused, as a zombie's is, completes nothing.
        let completes = completes.filter(|_| written.is_ok());
        self.written(commit, completes);
        if written.is_ok() {
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

    /// A disk takes its time by itself, and more if it is slow.
    async fn takes_its_time(&self) {
        let slow = self.nemesis.store_fault() == Some(StoreFault::Slow);
        if slow || !self.on_disk() {
            madsim::time::sleep(if slow { SLOW_COMMIT } else { COMMIT }).await;
        }
        self.process.living().await;
    }

    fn on_disk(&self) -> bool {
        matches!(self.kept, Jobs::Disk(_))
    }

    /// Asks the store itself. A process that dies meanwhile hears no more of it; what became of the
    /// append is seen when the store is opened again.
    async fn hand_over(
        &self,
        epoch: Epoch,
        append: Append,
        commit: &CommitRecord,
        completes: &Option<Files>,
    ) -> Result<u64, AppendError> {
        let Jobs::Disk(disk) = &self.kept else {
            return on!(&self.inner, jobs => jobs.append(epoch, append).await);
        };
        let _handed = disk.hands_over(&self.process, commit.clone(), completes.clone());
        let written = on!(&self.inner, jobs => jobs.append(epoch, append).await);
        self.process.living().await;
        written
    }

    /// What planted mistakes make of an append.
    fn mistaken(&self, epoch: Epoch, append: &mut Append) -> Epoch {
        if planted(Planted::KeysInMemoryOnly)
            && let Some(submission) = &mut append.submission
            && let Some(key) = submission.key.take()
        {
            let (job, fingerprint) = (append.job.id, submission.fingerprint);
            self.process.remember(key, KeyHolder { job, fingerprint });
        }
        match planted(Planted::StaleEpochAccepted) {
            true => Epoch(u32::try_from(self.trace.records().epochs.len()).expect("few epochs")),
            false => epoch,
        }
    }

    /// What a zombie decides is no decision, and nobody goes on from it.
    fn gives_turn(&self, epoch: Epoch, (job, seq): (JobId, u64), device: &str) {
        let (at, life) = (self.trace.now(), self.process.life());
        let mut records = self.trace.records();
        if records.epochs.len() != epoch.0 as usize {
            return;
        }
        records.turns.entry(job).or_insert(at);
        // What the store did not take is recorded again, and was decided once.
        let given = records.given.entry((job, life, seq));
        given.or_insert_with(|| Given {
            at,
            life,
            job,
            device: device.to_owned(),
        });
    }

    async fn claim_at(&self, moment: Moment) {
        self.nemesis.at_claim(moment);
        self.process.living().await;
    }

    async fn readable(&self) -> Result<(), ReadError> {
        self.process.living().await;
        match self.nemesis.store_fault() {
            Some(StoreFault::Away) if !self.on_disk() => {
                return Err(ReadError::Unavailable("it is away".to_owned()));
            }
            Some(StoreFault::Slow) => {
                madsim::time::sleep(SLOW_COMMIT).await;
                self.process.living().await;
            }
            _ => {}
        }
        Ok(())
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
