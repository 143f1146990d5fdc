//! What the rules of a job store stand on, in memory or on disk: how its map is read and changed.
//! Everything that a store promises beyond that is here once for both.

use std::collections::BTreeSet;
use std::future::Future;

use crate::ids::{DeviceId, Epoch, JobId, ReservationId};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::job::head::Head;
use crate::job::key::Key;
use crate::ports::store::{
    Append, AppendError, Ended, Filter, JobStore, KeyHolder, Page, ReadError, Salvage, Unfinished,
};
use crate::schedule::reservation::Reservation;
use crate::store::commit::Change;
use crate::store::encoded::Encoded;
use crate::store::map::Map;
use crate::store::{look, own};

/// A place for the map of a job store.
pub(super) trait Ground: Send + Sync + 'static {
    /// What the map is seen through.
    type View<'a>: Map;

    /// A look at one thing: it is in memory, or a few pages away.
    fn glance<T>(
        &self,
        look: impl FnOnce(&Self::View<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError>;

    /// A look at many things, off the async threads if that takes a while.
    fn survey<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Self::View<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> impl Future<Output = Result<T, ReadError>> + Send;

    /// Takes the writer's place.
    fn take_over(&self) -> impl Future<Output = Result<Epoch, AppendError>> + Send;

    /// Makes a change, on stable storage on return; tells the submission number of its job.
    fn change(
        &self,
        epoch: Epoch,
        change: Change,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;
}

impl<G: Ground> JobStore for G {
    async fn claim(&self) -> Result<Epoch, AppendError> {
        self.take_over().await
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.change(epoch, Change::Append(Encoded::new(append)))
            .await
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        self.glance(|map| look::job(map, job))
    }

    async fn head(&self, job: JobId) -> Result<Option<Head>, ReadError> {
        self.glance(|map| look::head(map, job))
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.glance(|map| look::events(map, job, after, most))
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        self.glance(|map| look::program(map, job))
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        self.glance(|map| look::key_holder(map, key))
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        let filter = filter.clone();
        self.survey(move |map| look::list(map, &filter, before, most))
            .await
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        self.survey(move |map| look::unfinished(map, after, most))
            .await
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        self.survey(move |map| look::salvage(map, job)).await
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        let change = Change::replace(&job, &events);
        self.change(epoch, change).await.map(drop)
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        self.survey(move |map| look::ended(map, after, most)).await
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, Change::Forget(jobs)).await.map(drop)
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        self.survey(move |map| look::forgotten(map, most)).await
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.change(epoch, Change::Cleared(jobs)).await.map(drop)
    }

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        let change = Change::Draining(device, draining);
        self.change(epoch, change).await.map(drop)
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        self.glance(|map| look::draining(map))
    }

    async fn set_reservation(
        &self,
        epoch: Epoch,
        now: Reservation,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        let change = Change::reservation(&now, forget);
        self.change(epoch, change).await.map(drop)
    }

    async fn reservations(&self) -> Result<Vec<Reservation>, ReadError> {
        self.survey(|map| look::reservations(map)).await
    }

    async fn unreadable_reservations(&self) -> Result<Vec<ReservationId>, ReadError> {
        self.survey(|map| look::unreadable_reservations(map)).await
    }

    async fn forget_reservations(
        &self,
        epoch: Epoch,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        let change = Change::ForgetReservations(forget);
        self.change(epoch, change).await.map(drop)
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.glance(|map| Ok(own::count(map)?))
    }
}
