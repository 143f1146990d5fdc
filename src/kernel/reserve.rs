//! Reservations: a slot is promised once that is in the store, and free again once the end is. What
//! they are is in [`crate::schedule::reservation`], who has a turn there in the schedule.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::devices::Standing;
use crate::ids::{DeviceId, JobId, ReservationId};
use crate::kernel::table::Table;
use crate::kernel::{Error, Kernel};
use crate::planted::{Bug, planted};
use crate::ports::store::{AppendError, JobStore as _, ReadError};
use crate::ports::{Clock as _, Env};
use crate::schedule::register::Stage;
use crate::schedule::reservation::{Over, Reservation, ReserveRequest, Why, Wish};
use crate::time::Timestamp;

/// When a slot may be given back by a job is not known here: this is soon enough to ask again.
const ROOM_SOON: Duration = Duration::from_secs(5);

/// A reservation, and the job that runs in its slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reservation.
    pub reservation: Reservation,
    /// The job.
    pub job: Option<JobId>,
}

/// The answer to a reserve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// What is reserved.
    pub held: Held,
    /// Whether an earlier request with the same key made it.
    pub deduplicated: bool,
}

impl<E: Env> Kernel<E> {
    /// Reserves a slot of a device; on return that is in the store.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::UnknownDevice`], [`Error::DeviceNotReady`],
    /// [`Error::ReservationKeyConflict`], [`Error::Overloaded`]; with [`Error::Unavailable`] it may
    /// be there or not, and a repetition with the same key finds out.
    pub async fn reserve(&self, request: ReserveRequest) -> Result<Reserved, Error> {
        let wish = request.accept(&self.limits).map_err(Error::Invalid)?;
        // Whoever repeats a request is answered as before, however the device stands now.
        let before = self.table().reserved_before(&wish)?;
        if let Some(earlier) = before {
            return Ok(earlier);
        }
        self.refuse_device(&wish)?;
        let begun = self.with_table(|table| match table.reserved_before(&wish)? {
            Some(earlier) => Ok(Err(earlier)),
            None => self.begin_reservation(table, &wish).map(Ok),
        });
        let (made, forget) = match begun? {
            Ok(begun) => begun,
            Err(earlier) => return Ok(earlier),
        };
        let (tell, told) = oneshot::channel();
        if let Some(kernel) = self.me.upgrade() {
            // In a task of its own: a caller that gives up must not leave a slot half reserved.
            let record = made.clone();
            self.env.spawn(async move {
                // Nobody listens when the caller has given up.
                let _ = tell.send(kernel.store_new_reservation(record, forget).await);
            });
        }
        let bound = Duration::from_millis(self.limits.call_ms);
        let in_doubt = || {
            let what = "the job store did not take the reservation yet";
            Error::Unavailable(format!("{what}; repeat the request with the same key"))
        };
        match self.env.clock().timeout(bound, told).await {
            Some(Ok(stored)) => stored?,
            Some(Err(_)) | None => return Err(in_doubt()),
        }
        Ok(Reserved {
            held: Held {
                reservation: made,
                job: None,
            },
            deduplicated: false,
        })
    }

    /// Takes the slot, and tells what to store.
    fn begin_reservation(
        &self,
        table: &mut Table,
        wish: &Wish,
    ) -> Result<(Reservation, Vec<ReservationId>), Error> {
        let (begun, now) = (self.env.clock().monotonic(), self.env.clock().now());
        self.refuse_reservation(table, wish, now)?;
        let Some(id) = table.reservations.next_id(self.epoch) else {
            let what = "this kernel has made as many reservations as it can count";
            return Err(Error::Unavailable(format!("{what}: restart it")));
        };
        let made = Reservation::new(id, wish.clone(), now);
        let span = (begun, begun + wish.ttl);
        let tenant = &wish.owner.tenant;
        table.scheduler.reserve(id, &wish.device, tenant, span);
        table.reservations.asked(made.clone());
        Ok((made, table.reservations.outlived(now)))
    }

    /// Why no slot of the device can be reserved now, as far as that is the device's doing.
    fn refuse_device(&self, wish: &Wish) -> Result<(), Error> {
        let want = wish.device.clone().into();
        match self.devices.standing(&want) {
            Standing::Unknown => {
                let (device, message) = (wish.device.clone(), self.devices.unfit(&want));
                return Err(Error::UnknownDevice { device, message });
            }
            Standing::NeverReached => {
                let why = self.devices.why_waiting(&want).unwrap_or_default();
                return Err(Error::Unavailable(why));
            }
            Standing::Known => {}
        }
        match self.devices.why_waiting(&want) {
            None => Ok(()),
            Some(why) => Err(Error::DeviceNotReady(format!(
                "{why}; reserve a slot when the device takes jobs, or one of another device"
            ))),
        }
    }

    /// Why there is none for this tenant, or for anybody.
    fn refuse_reservation(&self, table: &Table, wish: &Wish, now: Timestamp) -> Result<(), Error> {
        let tenant = &wish.owner.tenant;
        let own = |record: &Reservation| record.owner.tenant == *tenant;
        let here = |record: &Reservation| record.device == wish.device;
        let soon = |end: Option<Timestamp>| {
            let wait = end.map(|end| end.since(now)).unwrap_or_default();
            wait.max(Duration::from_secs(1))
        };
        let register = &table.reservations;
        let most = match planted(Bug::TenantReservesAll) {
            true => usize::MAX,
            false => self.limits.tenant_reservations,
        };
        if register.holders().filter(|record| own(record)).count() >= most {
            return Err(Error::Overloaded {
                what: match most {
                    1 => format!("{tenant} has 1 reservation, as many as it may"),
                    _ => format!("{tenant} has {most} reservations, as many as it may"),
                },
                limit: Some("tenant_reservations"),
                retry_after: soon(register.first_end(own)),
            });
        }
        if let Some(running) = table.scheduler.limit_of(tenant) {
            return Err(Error::Overloaded {
                what: format!("{tenant} has {running} slots in use or reserved, as many as it may"),
                limit: Some("tenant_running"),
                retry_after: ROOM_SOON,
            });
        }
        let load = table.scheduler.load(&wish.device);
        if load.reserved >= load.slots as usize {
            return Err(Error::Overloaded {
                what: load.taken(&format!(" of {}", wish.device)),
                limit: None,
                retry_after: soon(register.first_end(here)),
            });
        }
        Ok(())
    }

    async fn store_new_reservation(
        &self,
        record: Reservation,
        forget: Vec<ReservationId>,
    ) -> Result<(), Error> {
        let id = record.id;
        tracing::info!(
            reservation = %id, device = record.device.as_str(),
            tenant = record.owner.tenant, purpose = record.purpose, "a slot is reserved"
        );
        let device = record.device.clone();
        let stored = self.store_reservation(record, &forget, Full::Refuses).await;
        self.with_table(|table| {
            match &stored {
                Ok(()) => {
                    forget.iter().for_each(|id| table.reservations.forget(*id));
                    table.reservations.stands(id);
                    table.scheduler.open_reservation(id);
                }
                Err(_) => {
                    let now = self.env.clock().monotonic();
                    table.scheduler.end_reservation(id, now);
                    table.reservations.forget(id);
                }
            }
            let load = table.scheduler.load(&device);
            self.metrics.set_device(&device, load);
        });
        self.reservations_moved.notify_waiters();
        stored
    }

    /// Gives a reserved slot back, and tells how the reservation ended, by this or before.
    ///
    /// # Errors
    /// [`Error::UnknownReservation`]; with [`Error::Unavailable`] it ends as soon as the store
    /// takes that, and a repetition tells.
    pub async fn release(&self, id: ReservationId) -> Result<Held, Error> {
        let bound = Duration::from_millis(self.limits.call_ms);
        let ended = async {
            loop {
                let moved = self.reservations_moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                let stands = self.table().stands(id);
                match stands {
                    None | Some((_, Stage::Asked)) => {
                        return Err(Error::UnknownReservation(id.to_string()));
                    }
                    Some((held, Stage::Over)) => return Ok(held),
                    Some((_, Stage::Stands)) => self.end(id, Why::Released),
                    Some((_, Stage::Ending)) => {}
                }
                moved.await;
            }
        };
        let late = || {
            let what = "the end is noted but could not be stored yet";
            Err(Error::Unavailable(format!("{what}; ask again")))
        };
        self.env
            .clock()
            .timeout(bound, ended)
            .await
            .unwrap_or_else(late)
    }

    /// Ends a reservation that goes on: from now on nobody has a turn there, and the slot is free
    /// when that is stored. The first reason stands.
    pub(super) fn end(&self, id: ReservationId, why: Why) {
        let wall = self.env.clock().now();
        let ended = self.with_table(|table| {
            let at = table
                .reservations
                .of(id)
                .map(|(record, _)| wall.max(record.made_at))?;
            let ended = table.reservations.ends(id, Over { at, why })?;
            table.scheduler.close_reservation(id);
            Some(ended)
        });
        let (Some(ended), Some(kernel)) = (ended, self.me.upgrade()) else {
            return;
        };
        self.env.spawn(async move {
            tracing::info!(reservation = %id, why = why.name(), "a reservation is over");
            let device = ended.device.clone();
            let stored = kernel.store_reservation(ended, &[], Full::Waits).await;
            if stored.is_err() {
                return;
            }
            let waited = kernel.with_table(|table| {
                let now = kernel.env.clock().monotonic();
                table.reservations.ended(id);
                let waited = table.scheduler.end_reservation(id, now);
                let load = table.scheduler.load(&device);
                kernel.metrics.set_device(&device, load);
                waited
            });
            kernel.reservations_moved.notify_waiters();
            // Whoever waited for the slot finds out that there is none.
            kernel.wake(waited);
        });
    }

    /// Repeats a commit until the store has taken it, or this kernel has been replaced.
    async fn store_reservation(
        &self,
        now: Reservation,
        forget: &[ReservationId],
        full: Full,
    ) -> Result<(), Error> {
        let (mut pause, mut full) = (Duration::from_millis(self.limits.backoff_ms_base), full);
        loop {
            let store = self.env.store();
            let stored = store
                .set_reservation(self.epoch, now.clone(), forget.to_vec())
                .await;
            match (stored, full) {
                (Ok(()), _) => return Ok(()),
                (Err(AppendError::Full(why)), Full::Refuses) => {
                    return Err(Error::Overloaded {
                        what: format!("the job store is full: {why}"),
                        limit: None,
                        retry_after: ROOM_SOON,
                    });
                }
                (Err(why @ (AppendError::Full(_) | AppendError::Unavailable(_))), _) => {
                    tracing::error!(reservation = %now.id, "{why}; it is tried again in {pause:?}");
                    // It may be there already: what is stored is not refused.
                    full = Full::Waits;
                }
                (Err(why), _) => return Err(self.not_noted(&why)),
            }
            self.env.clock().sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(self.limits.backoff_ms_max));
        }
    }

    /// Ends reservations when their time has passed.
    pub(super) async fn expire_reservations(self: Arc<Self>) {
        loop {
            let moved = self.reservations_moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let next = self.table().scheduler.next_expiry();
            let next = next.filter(|_| !planted(Bug::ReservationsNeverExpire));
            match next {
                None => moved.await,
                Some(at) => tokio::select! {
                    biased;
                    () = self.env.clock().sleep_until(at) => {}
                    () = moved => {}
                },
            }
            let now = self.env.clock().monotonic();
            let due = self.table().scheduler.expired_reservations(now);
            due.into_iter().for_each(|id| self.end(id, Why::Expired));
        }
    }

    /// Ends reservations whose device was away for too long; only after the devices were asked.
    pub(super) fn end_lost_reservations(&self) {
        let now = self.env.clock().monotonic();
        let patience = Duration::from_millis(self.limits.device_lost_ms);
        let lost = self.with_table(|table| {
            let is_lost = |device: &_| self.devices.is_lost(device);
            table.scheduler.lost_reservations(is_lost, now, patience)
        });
        lost.into_iter()
            .for_each(|id| self.end(id, Why::DeviceLost));
    }

    /// Takes over from the store what was reserved. It is kept by the wall clock while no kernel
    /// runs, and by ours otherwise.
    pub(super) async fn see_reservations(&self) -> Result<(), ReadError> {
        let records = self.env.store().reservations().await?;
        let (now, wall) = (self.env.clock().monotonic(), self.env.clock().now());
        self.with_table(|table| {
            let standing = records.iter().filter(|record| record.over.is_none());
            for record in standing.filter(|_| !planted(Bug::RecoveryForgetsReservations)) {
                let span = (now, now + record.left(wall));
                let tenant = &record.owner.tenant;
                table
                    .scheduler
                    .reserve(record.id, &record.device, tenant, span);
                table.scheduler.open_reservation(record.id);
            }
            table.reservations.load(records);
        });
        Ok(())
    }
}

/// What becomes of a commit for which there is no room.
#[derive(Debug, Clone, Copy)]
enum Full {
    /// It is refused.
    Refuses,
    /// It waits until there is.
    Waits,
}

impl Table {
    /// What was asked for with the same key before.
    fn reserved_before(&self, wish: &Wish) -> Result<Option<Reserved>, Error> {
        match self.reservations.with_key_of(wish) {
            _ if planted(Bug::ReservationKeyForgotten) => Ok(None),
            None => Ok(None),
            Some((known, _)) if !known.is_same(wish) => {
                Err(Error::ReservationKeyConflict(known.id))
            }
            Some((known, Stage::Asked)) => Err(Error::Unavailable(format!(
                "{} is just being stored; repeat the request with the same key",
                known.id
            ))),
            Some((known, _)) => Ok(Some(Reserved {
                held: self.held(known),
                deduplicated: true,
            })),
        }
    }

    /// A reservation as it is shown.
    pub(super) fn held(&self, reservation: &Reservation) -> Held {
        Held {
            job: self.scheduler.holder_of(reservation.id),
            reservation: reservation.clone(),
        }
    }

    /// A reservation as it is shown, and how far it has come.
    fn stands(&self, id: ReservationId) -> Option<(Held, Stage)> {
        let (record, stage) = self.reservations.of(id)?;
        Some((self.held(record), stage))
    }

    /// Who has slots of a device reserved, the earlier first.
    pub(super) fn held_of(&self, device: &DeviceId) -> Vec<Held> {
        let holders = self.reservations.holders();
        let here = holders.filter(|record| record.device == *device);
        here.map(|record| self.held(record)).collect()
    }
}
