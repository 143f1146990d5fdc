//! A job store with a gate before its appends, so that a test decides which of them are written and
//! which are answered, and a count of what was read.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qrtx::ids::{DeviceId, Epoch, JobId, ReservationId};
use qrtx::job::Job;
use qrtx::job::event::Recorded;
use qrtx::job::head::Head;
use qrtx::job::key::Key;
use qrtx::ports::JobStore;
use qrtx::ports::store::{
    Append, AppendError, Ended, Filter, KeyHolder, Page, ReadError, Salvage, Unfinished,
};
use qrtx::schedule::reservation::Reservation;

/// What becomes of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It is written and answered.
    Through,
    /// It is written, and nobody hears of it.
    Unheard,
    /// It is not written, and never answered.
    Lost,
}

/// What decides.
type Gate = Arc<dyn Fn(&Append) -> Passage + Send + Sync>;

/// A store behind a gate. Clones share both.
#[derive(Clone)]
pub struct GatedStore<S> {
    store: S,
    gate: Gate,
    jobs_read: Arc<AtomicU64>,
    histories_read: Arc<AtomicU64>,
}

impl<S> fmt::Debug for GatedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedStore").finish_non_exhaustive()
    }
}

impl<S> GatedStore<S> {
    /// Before each append `gate` is asked.
    pub fn new(store: S, gate: impl Fn(&Append) -> Passage + Send + Sync + 'static) -> Self {
        Self {
            store,
            gate: Arc::new(gate),
            jobs_read: Arc::default(),
            histories_read: Arc::default(),
        }
    }

    /// How often a job was read by its id.
    pub fn jobs_read(&self) -> u64 {
        self.jobs_read.load(Ordering::SeqCst)
    }

    /// How often events of a job were read.
    pub fn histories_read(&self) -> u64 {
        self.histories_read.load(Ordering::SeqCst)
    }
}

impl<S: JobStore> JobStore for GatedStore<S> {
    async fn claim(&self) -> Result<Epoch, AppendError> {
        self.store.claim().await
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        match (self.gate)(&append) {
            Passage::Through => self.store.append(epoch, append).await,
            Passage::Unheard => {
                let _ = self.store.append(epoch, append).await;
                pending().await
            }
            Passage::Lost => pending().await,
        }
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        self.jobs_read.fetch_add(1, Ordering::SeqCst);
        self.store.job(job).await
    }

    async fn head(&self, job: JobId) -> Result<Option<Head>, ReadError> {
        self.store.head(job).await
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.histories_read.fetch_add(1, Ordering::SeqCst);
        self.store.events(job, after, most).await
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.program(job).await
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        self.store.key_holder(key).await
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        self.store.list(filter, before, most).await
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        self.store.unfinished(after, most).await
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        self.store.salvage(job).await
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        self.store.replace(epoch, job, events).await
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        self.store.ended(after, most).await
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.store.forget(epoch, jobs).await
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        self.store.forgotten(most).await
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.store.cleared(epoch, jobs).await
    }

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        self.store.set_draining(epoch, device, draining).await
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        self.store.draining().await
    }

    async fn set_reservation(
        &self,
        epoch: Epoch,
        now: Reservation,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        self.store.set_reservation(epoch, now, forget).await
    }

    async fn reservations(&self) -> Result<Vec<Reservation>, ReadError> {
        self.store.reservations().await
    }

    async fn unreadable_reservations(&self) -> Result<Vec<ReservationId>, ReadError> {
        self.store.unreadable_reservations().await
    }

    async fn forget_reservations(
        &self,
        epoch: Epoch,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        self.store.forget_reservations(epoch, forget).await
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.store.count().await
    }
}
