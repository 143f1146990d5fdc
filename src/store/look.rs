//! How a job store is read. What is damaged is told job by job, and hides no other.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::ids::{DeviceId, JobId, ReservationId};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::job::head::Head;
use crate::job::key::Key;
use crate::ports::store::{
    Ended, Filter, KeyHolder, Page, ReadError, SCAN_MAX, Salvage, Unfinished,
};
use crate::schedule::reservation::Reservation;
use crate::store::find::{self, look_up};
use crate::store::head::{self, Read};
use crate::store::map::{Failed, Map, Order};
use crate::store::place::{self, CHECKPOINT, PROGRAM};
use crate::store::record;

impl From<Failed> for ReadError {
    fn from(failed: Failed) -> Self {
        Self::Unavailable(failed.to_string())
    }
}

/// The head of a job.
pub(super) fn head(map: &impl Map, job: JobId) -> Result<Option<Head>, ReadError> {
    let Some(submission) = look_up(map, job)? else {
        return Ok(None);
    };
    let head = head_at(map, submission, job)?;
    head.map(Some)
        .map_err(|reason| ReadError::Corrupt { job, reason })
}

/// The head of a job that has this submission number, or what is wrong with it.
fn head_at(map: &impl Map, submission: u64, id: JobId) -> Result<Result<Head, String>, Failed> {
    match row_at(map, submission, id)? {
        Ok(read) => whole(map, submission, read),
        Err(why) => Ok(Err(why)),
    }
}

/// What the row of a head tells, or what is wrong with it.
fn row_at(map: &impl Map, submission: u64, id: JobId) -> Result<Result<Read, String>, Failed> {
    let read = map.get(&place::head(submission), |row| {
        head::decode(row, submission)
    })?;
    Ok(match read {
        None => Err("its head is missing".to_owned()),
        Some(Err(why)) => Err(format!("its head: {why}")),
        Some(Ok(read)) if read.stub().id != id => {
            Err(format!("its head is that of {}", read.stub().id))
        }
        Some(Ok(read)) => Ok(read),
    })
}

/// The head that a row tells. For one of an earlier form the job itself is read.
fn whole(map: &impl Map, submission: u64, read: Read) -> Result<Result<Head, String>, Failed> {
    Ok(match read {
        Read::Head(head) => Ok(*head),
        Read::Old(old) => job_at(map, submission, old.id, Some(old.seq))?.map(|job| Head::of(&job)),
    })
}

/// A job, from its checkpoint on. That it is all of the job, its head tells.
pub(super) fn job(map: &impl Map, job: JobId) -> Result<Option<Job>, ReadError> {
    let Some(submission) = look_up(map, job)? else {
        return Ok(None);
    };
    let read = match row_at(map, submission, job)? {
        Ok(read) => job_at(map, submission, job, Some(read.stub().seq))?,
        Err(why) => Err(why),
    };
    read.map(Some)
        .map_err(|reason| ReadError::Corrupt { job, reason })
}

/// The job that event `last` left, or, if nobody knows which is the last, the last that is there;
/// or what is wrong with it.
fn job_at(
    map: &impl Map,
    submission: u64,
    id: JobId,
    last: Option<u64>,
) -> Result<Result<Job, String>, Failed> {
    let checkpoint = match checkpoint(map, submission, id)? {
        Ok(checkpoint) => checkpoint,
        Err(why) => return Ok(Err(why)),
    };
    let after = checkpoint.as_ref().map_or(0, |job| job.seq);
    let events = match last.is_none_or(|last| after < last) {
        true => readable(map, submission, after, usize::MAX)?,
        false => (Vec::new(), None),
    };
    Ok(match events {
        (_, Some(broken)) => Err(broken),
        (events, None) => folded(id, checkpoint, &events).and_then(|job| match job.seq {
            seq if last.is_none_or(|last| seq == last) => Ok(Job { submission, ..job }),
            seq if last.is_some_and(|last| seq < last) => {
                Err(format!("event {} is missing", seq + 1))
            }
            _ => Err("its head is older than its events".to_owned()),
        }),
    })
}

/// The job as it was written as a whole last, if it was, or what is wrong with that.
fn checkpoint(
    map: &impl Map,
    submission: u64,
    id: JobId,
) -> Result<Result<Option<Job>, String>, Failed> {
    let checkpoint = map.get(&place::row(submission, CHECKPOINT), record::decode::<Job>)?;
    Ok(match checkpoint.transpose() {
        Err(why) => Err(format!("its checkpoint: {why}")),
        Ok(Some(job)) if job.id != id => Err(format!("its checkpoint is that of {}", job.id)),
        Ok(checkpoint) => Ok(checkpoint),
    })
}

/// A job that goes on from its checkpoint, if it has one, or begins.
fn folded(id: JobId, checkpoint: Option<Job>, events: &[Recorded]) -> Result<Job, String> {
    let folded = match checkpoint {
        None => Job::fold(id, events),
        Some(mut job) => job.follow(events).map(|()| job),
    };
    folded.map_err(|refused| format!("its history is none: {refused}"))
}

/// The submission number of a job, by its name, for rows that do not say whose they are: where the
/// head is that of another, so are they.
fn own(map: &impl Map, job: JobId) -> Result<Option<u64>, ReadError> {
    let Some(submission) = look_up(map, job)? else {
        return Ok(None);
    };
    let head = map.get(&place::head(submission), head::stub)?;
    match head {
        Some(Ok(stub)) if stub.id != job => {
            let reason = format!("its name leads to {}", stub.id);
            Err(ReadError::Corrupt { job, reason })
        }
        _ => Ok(Some(submission)),
    }
}

pub(super) fn events(
    map: &impl Map,
    job: JobId,
    after: u64,
    most: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let Some(submission) = own(map, job)? else {
        return Ok(Vec::new());
    };
    let (events, broken) = readable(map, submission, after, most)?;
    match broken {
        Some(reason) => Err(ReadError::Corrupt { job, reason }),
        None => Ok(events),
    }
}

/// Events after number `after` up to the first that cannot be read, and what is wrong with that.
fn readable(
    map: &impl Map,
    submission: u64,
    after: u64,
    most: usize,
) -> Result<(Vec<Recorded>, Option<String>), Failed> {
    let (mut events, mut broken) = (Vec::new(), None);
    let first = after.saturating_add(1);
    let (from, to) = (
        place::row(submission, first),
        place::row(submission, PROGRAM),
    );
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        if events.len() == most {
            return ControlFlow::Break(());
        }
        let wanted = first + events.len() as u64;
        match record::decode::<Recorded>(row) {
            _ if place::number_at(place) != Some(wanted) => {
                broken = Some(format!("event {wanted} is missing"));
            }
            Ok(event) if event.seq != wanted => {
                broken = Some(format!("event {wanted} calls itself {}", event.seq));
            }
            Ok(event) => {
                events.push(event);
                return ControlFlow::Continue(());
            }
            Err(why) => broken = Some(format!("event {wanted}: {why}")),
        }
        ControlFlow::Break(())
    })?;
    Ok((events, broken))
}

pub(super) fn program(map: &impl Map, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(submission) = own(map, job)? else {
        return Ok(None);
    };
    let program = map.get(&place::row(submission, PROGRAM), |row| {
        record::open(row).map(<[u8]>::to_vec)
    })?;
    program.transpose().map_err(|why| ReadError::Corrupt {
        job,
        reason: format!("its program: {why}"),
    })
}

pub(super) fn key_holder(map: &impl Map, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
    let holder = find::key_holder(map, *key)?;
    holder.transpose().map_err(|why| {
        ReadError::Unavailable(format!("the idempotency key cannot be looked up: {why}"))
    })
}

pub(super) fn list(
    map: &impl Map,
    filter: &Filter,
    before: u64,
    most: usize,
) -> Result<Page, ReadError> {
    let mut page = Page::default();
    let (mut seen, mut last) = (0, None);
    find::walk(map, (0, before), Order::Down, &mut |submission, row| {
        let told = page.jobs.len() + page.unreadable.len() + page.nameless.len();
        if told == most || seen == SCAN_MAX {
            page.next = last;
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        last = Some(submission);
        let stub = row.map(head::stub);
        if matches!(stub, Some(Ok(stub)) if !stub.may_match(filter)) {
            return Ok(ControlFlow::Continue(()));
        }
        let read = match decoded(submission, row) {
            Ok(read) if find::stands_elsewhere(map, read.stub().id, submission)? => {
                Err(format!("its head is that of {}", read.stub().id))
            }
            read => read,
        };
        match head_of(map, submission, read)? {
            (_, Ok(head)) if !head::matches(&head, filter) => {}
            (_, Ok(head)) => page.jobs.push(head),
            (Some(id), Err(_)) => page.unreadable.push(id),
            (None, Err(_)) => page.nameless.push(submission),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

pub(super) fn unfinished(
    map: &impl Map,
    after: u64,
    most: usize,
) -> Result<Vec<Unfinished>, ReadError> {
    let mut found = Vec::new();
    let between = (after, u64::MAX);
    find::walk(map, between, Order::Up, &mut |submission, row| {
        if found.len() == most {
            return Ok(ControlFlow::Break(()));
        }
        if matches!(row.map(head::stub), Some(Ok(stub)) if !stub.duty) {
            return Ok(ControlFlow::Continue(()));
        }
        let (id, head) = head_of(map, submission, decoded(submission, row))?;
        match id {
            Some(id) => found.push(Unfinished {
                submission,
                id,
                head,
            }),
            None => tracing::error!(submission, "a job has lost both its name and its head"),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// What the row of a head tells, if there is one.
fn decoded(submission: u64, row: Option<&[u8]>) -> Result<Read, String> {
    let Some(row) = row else {
        return Err("its head is missing".to_owned());
    };
    head::decode(row, submission).map_err(|why| format!("its head: {why}"))
}

/// The job of a row, if anything tells its name, and its head.
fn head_of(
    map: &impl Map,
    submission: u64,
    row: Result<Read, String>,
) -> Result<(Option<JobId>, Result<Head, String>), Failed> {
    match row {
        Ok(read) => Ok((Some(read.stub().id), whole(map, submission, read)?)),
        Err(why) => Ok((find::name_of(map, submission)?, Err(why))),
    }
}

pub(super) fn salvage(map: &impl Map, job: JobId) -> Result<Option<Salvage>, ReadError> {
    let Some(submission) = find::search(map, job)? else {
        return Ok(None);
    };
    let (events, mut broken) = readable(map, submission, 0, usize::MAX)?;
    let (last, head) = match row_at(map, submission, job)? {
        Ok(read) => (Some(read.stub().seq), whole(map, submission, read)?.ok()),
        Err(_) => (None, None),
    };
    // A head that is gone does not tell how far the job had come, and its last events may be gone with
    // it: the checkpoint tells how far at least.
    let checkpoint = checkpoint(map, submission, job)?.ok().flatten();
    let reached = checkpoint.map_or(0, |job| job.seq).max(last.unwrap_or(0));
    if broken.is_none() && (events.is_empty() || (events.len() as u64) < reached) {
        broken = Some(format!("event {} is missing", events.len() + 1));
    }
    let whole = match broken {
        Some(_) => job_at(map, submission, job, last)?.ok(),
        None => None,
    };
    Ok(Some(Salvage {
        submission,
        head,
        events,
        broken,
        whole,
    }))
}

pub(super) fn ended(
    map: &impl Map,
    after: u64,
    most: usize,
) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
    let (mut found, mut seen, mut next) = (Vec::new(), 0, None);
    let from = place::head(after.saturating_add(1));
    let to = place::head(u64::MAX);
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        if found.len() == most || seen == SCAN_MAX {
            return ControlFlow::Break(());
        }
        seen += 1;
        let submission = place::submission_at(place).unwrap_or(0);
        next = Some(submission);
        found.extend(
            head::stub(row)
                .ok()
                .filter(|stub| !stub.duty)
                .map(|stub| Ended {
                    submission,
                    id: stub.id,
                    at: stub.state_since,
                    created_at: stub.created_at,
                    keyed: stub.key.is_some(),
                }),
        );
        ControlFlow::Continue(())
    })?;
    Ok((found, next))
}

pub(super) fn draining(map: &impl Map) -> Result<BTreeSet<DeviceId>, ReadError> {
    let mut devices = BTreeSet::new();
    let (from, to) = place::ALL_DRAINING;
    map.scan(&from, &to, Order::Up, &mut |place, _| {
        devices.extend(place::device_at(place));
        ControlFlow::Continue(())
    })?;
    Ok(devices)
}

/// One that cannot be read hides no other.
pub(super) fn reservations(map: &impl Map) -> Result<Vec<Reservation>, ReadError> {
    let mut reservations = Vec::new();
    each_reservation(map, &mut |_, read| match read {
        Ok(reservation) => reservations.push(reservation),
        Err(why) => tracing::error!("a reservation cannot be read, and is not kept: {why}"),
    })?;
    Ok(reservations)
}

pub(super) fn unreadable_reservations(map: &impl Map) -> Result<Vec<ReservationId>, ReadError> {
    let mut unreadable = Vec::new();
    each_reservation(map, &mut |id, read| {
        unreadable.extend(id.filter(|_| read.is_err()));
    })?;
    Ok(unreadable)
}

/// Gives what is stored of each reservation, or what is wrong with it.
fn each_reservation(
    map: &impl Map,
    on: &mut dyn FnMut(Option<ReservationId>, Result<Reservation, String>),
) -> Result<(), ReadError> {
    let (from, to) = place::ALL_RESERVATIONS;
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        let id = place::reservation_at(place);
        let read = record::decode(row).and_then(|read: Reservation| match Some(read.id) == id {
            true => Ok(read),
            false => Err(format!("it is that of {}", read.id)),
        });
        on(id, read);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn forgotten(map: &impl Map, most: usize) -> Result<Vec<JobId>, ReadError> {
    let mut jobs = Vec::new();
    let (from, to) = place::ALL_FORGOTTEN;
    map.scan(&from, &to, Order::Up, &mut |place, _| {
        if jobs.len() == most {
            return ControlFlow::Break(());
        }
        jobs.extend(place::job_at(place));
        ControlFlow::Continue(())
    })?;
    Ok(jobs)
}
