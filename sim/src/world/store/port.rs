//! The port as the kernel has it: what goes wrong of it is decided beside.

use std::collections::BTreeSet;
use std::time::Duration;

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

use super::PointedStore;
use crate::planted::{Planted, planted};
use crate::scenario::{Moment, StoreFault};
use crate::trace::Lane;
use crate::world::jobs::on;

impl JobStore for PointedStore {
    async fn claim(&self) -> Result<Epoch, AppendError> {
        let away = self.readable().await;
        away.map_err(|why| AppendError::Unavailable(why.to_string()))?;
        self.claim_at(Moment::Before).await;
        let epoch = on!(&self.inner, jobs => jobs.claim().await)?;
        self.trace
            .note(Lane::Store, format!("epoch {} begins", epoch.0));
        let claimed = (self.trace.now(), self.process.life());
        // One that was claimed by a process that died before it knew is counted, too.
        let all = usize::try_from(epoch.0).expect("few epochs");
        self.trace.records().epochs.resize(all, claimed);
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
        on!(&self.inner, jobs => jobs.job(job).await)
    }

    async fn head(&self, job: JobId) -> Result<Option<Head>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.head(job).await)
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.events(job, after, most).await)
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.program(job).await)
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        self.readable().await?;
        if planted(Planted::KeysInMemoryOnly) {
            return Ok(self.process.remembered(key));
        }
        on!(&self.inner, jobs => jobs.key_holder(key).await)
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.list(filter, before, most).await)
    }

    async fn unfinished(&self, after: u64, most: usize) -> Result<Vec<Unfinished>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.unfinished(after, most).await)
    }

    async fn salvage(&self, job: JobId) -> Result<Option<Salvage>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.salvage(job).await)
    }

    async fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> Result<(), AppendError> {
        self.process.living().await;
        on!(&self.inner, jobs => jobs.replace(epoch, job, events).await)
    }

    async fn ended(&self, after: u64, most: usize) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.ended(after, most).await)
    }

    async fn forget(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.process.living().await;
        on!(&self.inner, store => store.forget(epoch, jobs).await)
    }

    async fn forgotten(&self, most: usize) -> Result<Vec<JobId>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.forgotten(most).await)
    }

    async fn cleared(&self, epoch: Epoch, jobs: Vec<JobId>) -> Result<(), AppendError> {
        self.process.living().await;
        on!(&self.inner, store => store.cleared(epoch, jobs).await)
    }

    async fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> Result<(), AppendError> {
        self.process.living().await;
        on!(&self.inner, jobs => jobs.set_draining(epoch, device, draining).await)
    }

    async fn draining(&self) -> Result<BTreeSet<DeviceId>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.draining().await)
    }

    async fn set_reservation(
        &self,
        epoch: Epoch,
        now: Reservation,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        self.takes_its_time().await;
        let fault = self.nemesis.store_fault().filter(|_| !self.on_disk());
        let unavailable = || Err(AppendError::Unavailable("it is away".to_owned()));
        match fault {
            Some(StoreFault::Away) => return unavailable(),
            Some(StoreFault::Full) => {
                return Err(AppendError::Full("no space is left".to_owned()));
            }
            _ => {}
        }
        let (id, over) = (now.id, now.over.is_some());
        let stored = on!(&self.inner, jobs => jobs.set_reservation(epoch, now, forget).await);
        let what = if over { "is over" } else { "is made" };
        let how = stored
            .as_ref()
            .err()
            .map_or(String::new(), |why| format!(": {why}"));
        self.trace.note(Lane::Store, format!("{id} {what}{how}"));
        self.process.living().await;
        match fault {
            Some(StoreFault::WritesAndSaysNo) if stored.is_ok() => unavailable(),
            _ => stored,
        }
    }

    async fn reservations(&self) -> Result<Vec<Reservation>, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.reservations().await)
    }

    async fn unreadable_reservations(&self) -> Result<Vec<ReservationId>, ReadError> {
        on!(&self.inner, jobs => jobs.unreadable_reservations().await)
    }

    async fn forget_reservations(
        &self,
        epoch: Epoch,
        forget: Vec<ReservationId>,
    ) -> Result<(), AppendError> {
        on!(&self.inner, jobs => jobs.forget_reservations(epoch, forget).await)
    }

    async fn count(&self) -> Result<u64, ReadError> {
        self.readable().await?;
        on!(&self.inner, jobs => jobs.count().await)
    }
}
