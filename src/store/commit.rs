//! What a commit may change. Whoever commits puts as many changes into one as there are, and a
//! change that is refused leaves no trace in it.

use std::ops::ControlFlow;

use crate::ids::{DeviceId, Epoch, JobId, ReservationId};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::planted::{Bug, planted};
use crate::ports::store::{AppendError, KeyHolder};
use crate::schedule::reservation::Reservation;
use crate::store::encoded::Encoded;
use crate::store::map::{Failed, Map, MapMut, Order};
use crate::store::place::{self, CHECKPOINT, PROGRAM};
use crate::store::{find, head, own, record};

/// A change as it will lie in the store: encoded by whoever asks for it, not by the one writer
/// that all are waiting for.
#[derive(Debug)]
pub(super) enum Change {
    Append(Encoded),
    Replace(Encoded),
    Forget(Vec<JobId>),
    Cleared(Vec<JobId>),
    Draining(DeviceId, bool),
    /// A reservation as it is now, and those that need not be kept.
    Reservation(ReservationId, Vec<u8>, Vec<ReservationId>),
    ForgetReservations(Vec<ReservationId>),
}

/// Why a change is not made.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The rules say no, for this change alone.
    No(AppendError),
    /// The map says no, and the whole commit is off.
    Off(Failed),
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        Self::Off(failed)
    }
}

impl From<Failed> for AppendError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Full(why) => Self::Full(why),
            Failed::Broken(why) => Self::Unavailable(why),
        }
    }
}

impl Change {
    pub(super) fn replace(job: &Job, events: &[Recorded]) -> Self {
        Self::Replace(Encoded::whole(job, events))
    }

    pub(super) fn reservation(now: &Reservation, forget: Vec<ReservationId>) -> Self {
        Self::Reservation(now.id, record::encode(now), forget)
    }

    /// Whether it brings a job that was not there: what can be put off under load.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Self::Append(append) if append.program.is_some())
    }

    /// About how much there is to write.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Append(job) | Self::Replace(job) => job.bytes(),
            Self::Forget(jobs) | Self::Cleared(jobs) => jobs.len() * size_of::<JobId>(),
            Self::Draining(device, _) => device.as_str().len(),
            Self::Reservation(_, now, _) => now.len(),
            Self::ForgetReservations(forget) => forget.len() * size_of::<ReservationId>(),
        }
    }

    /// Makes the change, and tells the submission number of the job, 0 where it is about none.
    pub(super) fn make(&self, map: &mut impl MapMut, epoch: Epoch) -> Result<u64, Refusal> {
        let now = own::number(map, own::EPOCH)?;
        if u64::from(epoch.0) != now {
            let now = u32::try_from(now).unwrap_or(u32::MAX);
            return Err(Refusal::No(AppendError::Fenced(Epoch(now))));
        }
        match self {
            Self::Append(job) => append(map, job),
            Self::Replace(job) => replace(map, job),
            Self::Forget(jobs) => {
                for job in jobs {
                    forget(map, *job)?;
                }
                Ok(0)
            }
            Self::Cleared(jobs) => {
                for job in jobs {
                    map.remove(&place::forgotten(*job))?;
                }
                Ok(0)
            }
            Self::Draining(device, true) => {
                map.put(&place::draining(device), &record::seal(&[]))?;
                Ok(0)
            }
            Self::Draining(device, false) => {
                map.remove(&place::draining(device))?;
                Ok(0)
            }
            Self::ForgetReservations(forget) => {
                forget_reservations(map, forget)?;
                Ok(0)
            }
            Self::Reservation(id, now, forget) => {
                forget_reservations(map, forget)?;
                map.put(&place::reservation(*id), now)?;
                Ok(0)
            }
        }
    }

    /// What a planted mistake has left for another commit.
    pub(super) fn make_rest(&self, map: &mut impl MapMut) -> Result<(), Failed> {
        let Self::Append(job) = self else {
            return Ok(());
        };
        if planted(Bug::EventsInAnotherCommit)
            && let Some(submission) = find::search(map, job.job)?
        {
            write_events(map, submission, job)?;
        }
        match &job.key {
            Some((key, holder)) if planted(Bug::KeyInAnotherCommit) => map.hold(*key, holder),
            _ => Ok(()),
        }
    }

    /// Whether the change is there: what a waiter is told after a commit whose outcome was
    /// unknown.
    pub(super) fn is_made(&self, map: &impl Map) -> Result<Option<u64>, Failed> {
        match self {
            Self::Append(job) | Self::Replace(job) => {
                let Some(submission) = find::search(map, job.job)? else {
                    return Ok(None);
                };
                // What was written anew may have had all of its events before.
                let made = stands(map, submission, job)?
                    && (matches!(self, Self::Append(_)) || is_whole(map, submission, job)?);
                Ok(made.then_some(submission))
            }
            Self::Draining(device, draining) => {
                let is_draining = map.get(&place::draining(device), |_| ())?.is_some();
                Ok((is_draining == *draining).then_some(0))
            }
            Self::Reservation(id, now, _) => {
                let same = map.get(&place::reservation(*id), |row| row == now)?;
                Ok((same == Some(true)).then_some(0))
            }
            Self::Forget(_) | Self::Cleared(_) | Self::ForgetReservations(_) => Ok(None),
        }
    }
}

/// The submission number of a job that is written and the number of its last event, if it is there.
/// Its name is made again if only the rest of it tells that, or if it leads to another job.
fn known(map: &mut impl MapMut, job: &Encoded) -> Result<Option<(u64, u64)>, Failed> {
    let name = place::name(job.job);
    match map.get(&name, record::as_number)? {
        Some(Ok(submission)) => {
            let (id, last) = last_event(map, submission)?;
            if id == Some(job.job) {
                return Ok(Some((submission, last)));
            }
        }
        None if job.given == 1 => return Ok(None),
        None | Some(Err(_)) => {}
    }
    let Some(submission) = find::search(map, job.job)? else {
        return Ok(None);
    };
    map.put(&name, &record::number(submission))?;
    let (_, last) = last_event(map, submission)?;
    Ok(Some((submission, last)))
}

fn append(map: &mut impl MapMut, job: &Encoded) -> Result<u64, Refusal> {
    let there = known(map, job)?;
    let last = there.map_or(0, |(_, last)| last);
    let there = there.map(|(submission, _)| submission);
    if last + 1 != job.given {
        return match there {
            Some(submission) if stands(map, submission, job)? => Ok(submission),
            _ => Err(out_of_order(job, last)),
        };
    }
    let submission = match (there, &job.program) {
        (Some(submission), _) => submission,
        (None, Some(program)) => insert(map, job, program)?,
        (None, None) => return Err(out_of_order(job, last)),
    };
    write(map, submission, job)?;
    Ok(submission)
}

fn out_of_order(job: &Encoded, last: u64) -> Refusal {
    Refusal::No(AppendError::OutOfOrder {
        job: job.job,
        given: job.given,
        last,
    })
}

/// What comes once in a job's life.
fn insert(map: &mut impl MapMut, job: &Encoded, program: &[u8]) -> Result<u64, Refusal> {
    if let Some((key, holder)) = &job.key {
        if let Some(holder) = find::key_holder(map, *key)? {
            let holder = holder.map_err(|why| {
                let what = format!("the idempotency key cannot be looked up: {why}");
                Refusal::No(AppendError::Unavailable(what))
            })?;
            return Err(Refusal::No(AppendError::KeyTaken(holder)));
        }
        if !planted(Bug::KeyInAnotherCommit) {
            map.hold(*key, holder)?;
        }
    }
    let submission = own::last_given(map)? + 1;
    map.put(&place::name(job.job), &record::number(submission))?;
    map.put(&place::row(submission, PROGRAM), program)?;
    Ok(submission)
}

fn write(map: &mut impl MapMut, submission: u64, job: &Encoded) -> Result<(), Failed> {
    if let Some(checkpoint) = &job.checkpoint {
        map.put(&place::row(submission, CHECKPOINT), checkpoint)?;
    }
    if !planted(Bug::EventsInAnotherCommit) {
        write_events(map, submission, job)?;
    }
    map.put(&place::head(submission), &job.head)
}

fn write_events(map: &mut impl MapMut, submission: u64, job: &Encoded) -> Result<(), Failed> {
    for (number, event) in job.numbered() {
        map.put(&place::row(submission, number), event)?;
    }
    Ok(())
}

/// Whether a mistake is planted that makes two commits of one.
pub(super) fn is_split() -> bool {
    planted(Bug::KeyInAnotherCommit) || planted(Bug::EventsInAnotherCommit)
}

/// Whether these very events are stored.
fn stands(map: &impl Map, submission: u64, job: &Encoded) -> Result<bool, Failed> {
    for (number, event) in job.numbered() {
        let same = map.get(&place::row(submission, number), |row| row == event)?;
        if same != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the rest of what is stored of a job is this.
fn is_whole(map: &impl Map, submission: u64, job: &Encoded) -> Result<bool, Failed> {
    let head = map.get(&place::head(submission), |row| row == job.head)?;
    let place = place::row(submission, CHECKPOINT);
    let same = |row: &[u8]| job.checkpoint.as_ref().is_some_and(|new| row == new);
    let checkpoint = match map.get(&place, same)? {
        Some(same) => same,
        None => job.checkpoint.is_none(),
    };
    Ok(head == Some(true) && checkpoint)
}

/// Whose head it is, if that can be read, and the number of the job's last event, also if what that
/// says cannot be read.
fn last_event(map: &impl Map, submission: u64) -> Result<(Option<JobId>, u64), Failed> {
    if let Some(Ok(stub)) = map.get(&place::head(submission), head::stub)? {
        return Ok((Some(stub.id), stub.seq));
    }
    let (from, to) = (
        place::row(submission, CHECKPOINT),
        place::row(submission, PROGRAM),
    );
    let mut last = 0;
    map.scan(&from, &to, Order::Down, &mut |place, _| {
        last = place::number_at(place).unwrap_or(0);
        ControlFlow::Break(())
    })?;
    Ok((None, last))
}

fn replace(map: &mut impl MapMut, job: &Encoded) -> Result<u64, Refusal> {
    let Some(submission) = find::search(map, job.job)? else {
        return Err(out_of_order(job, 0));
    };
    if job.given != 1 && !job.events.is_empty() {
        let (_, last) = last_event(map, submission)?;
        return Err(out_of_order(job, last));
    }
    map.put(&place::name(job.job), &record::number(submission))?;
    set_head_aside(map, submission, job)?;
    if !job.events.is_empty() {
        set_events_aside(map, submission, job)?;
    }
    write(map, submission, job)?;
    Ok(submission)
}

fn set_head_aside(map: &mut impl MapMut, submission: u64, job: &Encoded) -> Result<(), Failed> {
    let head = map.get(&place::head(submission), <[u8]>::to_vec)?;
    if let Some(head) = head.filter(|head| *head != job.head) {
        let sum = crc32fast::hash(&head);
        map.put(&place::head_aside(submission, sum), &head)?;
    }
    Ok(())
}

/// Every row that is not what is written now, the checkpoint among them.
fn set_events_aside(map: &mut impl MapMut, submission: u64, job: &Encoded) -> Result<(), Failed> {
    let (from, to) = (
        place::row(submission, CHECKPOINT),
        place::row(submission, PROGRAM),
    );
    let mut other = Vec::new();
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        let number = place::number_at(place).unwrap_or(CHECKPOINT);
        let new = match number {
            CHECKPOINT => job.checkpoint.as_ref(),
            event => usize::try_from(event - 1)
                .ok()
                .and_then(|at| job.events.get(at)),
        };
        if new.is_none_or(|new| new != row) {
            other.push((number, row.to_vec()));
        }
        ControlFlow::Continue(())
    })?;
    for (number, row) in other {
        map.put(
            &place::aside(submission, number, crc32fast::hash(&row)),
            &row,
        )?;
        map.remove(&place::row(submission, number))?;
    }
    Ok(())
}

fn forget_reservations(map: &mut impl MapMut, forget: &[ReservationId]) -> Result<(), Failed> {
    forget
        .iter()
        .try_for_each(|id| map.remove(&place::reservation(*id)))
}

/// A job that is not there, or that somebody still owes something, is left alone.
fn forget(map: &mut impl MapMut, job: JobId) -> Result<(), Refusal> {
    let Some(submission) = find::search(map, job)? else {
        return Ok(());
    };
    let Some(Ok(stub)) = map.get(&place::head(submission), head::stub)? else {
        return Ok(());
    };
    if stub.duty {
        return Ok(());
    }
    if submission == own::last_given(map)? {
        own::put(map, own::GIVEN, submission)?;
    }
    let (mut gone, mut keys) = (Vec::new(), Vec::from_iter(stub.key));
    let mut note = |place: &[u8], row: &[u8]| {
        gone.push(place.to_vec());
        // A job that was written anew because its spec was lost does not know its own key.
        if place::is_head_aside(place) {
            keys.extend(head::stub(row).ok().and_then(|stub| stub.key));
        }
        ControlFlow::Continue(())
    };
    let (from, to) = (
        place::row(submission, CHECKPOINT),
        place::row(submission + 1, CHECKPOINT),
    );
    map.scan(&from, &to, Order::Up, &mut note)?;
    let (from, to) = place::all_aside(submission);
    map.scan(&from, &to, Order::Up, &mut note)?;
    gone.push(place::head(submission).to_vec());
    gone.push(place::name(job).to_vec());
    for key in keys {
        // One that was lost, and that a repetition has taken since, is that job's.
        map.release(key, &|row| {
            let holder = record::decode_of::<KeyHolder>(&key.to_bytes(), row);
            !matches!(holder, Ok((holder, _)) if holder.job != job)
        })?;
    }
    for place in gone {
        map.remove(&place)?;
    }
    let gone = own::number(map, own::GONE)? + 1;
    own::put(map, own::GONE, gone)?;
    map.put(&place::forgotten(job), &record::seal(&[]))?;
    Ok(())
}

#[cfg(test)]
mod tests;
