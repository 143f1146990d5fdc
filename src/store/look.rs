//! How a job store is read. What is damaged is told job by job, and hides no other.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::ids::{DeviceId, JobId};
use crate::job::Job;
use crate::job::brief::Brief;
use crate::job::event::Recorded;
use crate::job::key::Key;
use crate::ports::store::{
    Ended, Filter, KeyHolder, Page, ReadError, SCAN_MAX, Salvage, Unfinished,
};
use crate::schedule::reservation::Reservation;
use crate::store::commit::submission_of;
use crate::store::map::{Failed, Map, Order};
use crate::store::place::{self, HEAD, PROGRAM};
use crate::store::record;
use crate::store::summary::Summary;

impl From<Failed> for ReadError {
    fn from(failed: Failed) -> Self {
        Self::Unavailable(failed.to_string())
    }
}

pub(super) fn job(map: &impl Map, job: JobId) -> Result<Option<Job>, ReadError> {
    let Some(submission) = submission_of(map, job)? else {
        return Ok(None);
    };
    let head = head(map, submission, job)?;
    head.map(Some)
        .map_err(|reason| ReadError::Corrupt { job, reason })
}

/// The head of a job, or what is wrong with it.
fn head(map: &impl Map, submission: u64, id: JobId) -> Result<Result<Job, String>, Failed> {
    let head = map.get(&place::row(submission, HEAD), record::decode::<Job>)?;
    Ok(match head {
        None => Err("its head is missing".to_owned()),
        Some(Err(why)) => Err(format!("its head: {why}")),
        Some(Ok(job)) if job.id != id => Err(format!("its head is that of {}", job.id)),
        // The number is the store's to give, and was not known when the head was written.
        Some(Ok(job)) => Ok(Job { submission, ..job }),
    })
}

pub(super) fn events(
    map: &impl Map,
    job: JobId,
    after: u64,
    most: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let Some(submission) = submission_of(map, job)? else {
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
    let Some(submission) = submission_of(map, job)? else {
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
    let holder = map.get(&place::key(*key), record::decode)?;
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
    let (mut seen, mut last, mut failed) = (0, None, None);
    let (from, to) = (place::summary(0), place::summary(before));
    map.scan(&from, &to, Order::Down, &mut |place, row| {
        if page.jobs.len() + page.unreadable.len() == most || seen == SCAN_MAX {
            page.next = last;
            return ControlFlow::Break(());
        }
        seen += 1;
        let submission = place::submission_at(place).unwrap_or(0);
        last = Some(submission);
        let picked = match Summary::decode(row) {
            Ok(summary) if !summary.matches(filter) => return ControlFlow::Continue(()),
            Ok(summary) => head(map, submission, summary.id).map(|job| (summary.id, job)),
            Err(why) => name_of(map, submission).map(|id| (id, Err(why))),
        };
        match picked {
            Ok((_, Ok(job))) => page.jobs.push(job),
            Ok((id, Err(_))) => page.unreadable.push(id),
            Err(why) => {
                failed = Some(why);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(page), |failed| Err(failed.into()))
}

pub(super) fn unfinished(
    map: &impl Map,
    after: u64,
    most: usize,
) -> Result<Vec<Unfinished>, ReadError> {
    let mut found = Vec::new();
    let mut failed = None;
    let from = place::summary(after.saturating_add(1));
    map.scan(
        &from,
        &place::summary(u64::MAX),
        Order::Up,
        &mut |place, row| {
            if found.len() == most {
                return ControlFlow::Break(());
            }
            let submission = place::submission_at(place).unwrap_or(0);
            let one = match Summary::decode(row) {
                Ok(summary) if !summary.duty => return ControlFlow::Continue(()),
                Ok(summary) => brief(map, submission, summary),
                Err(why) => name_of(map, submission).map(|id| (id, Err(why))),
            };
            match one {
                Ok((id, job)) => found.push(Unfinished {
                    submission,
                    id,
                    job,
                }),
                Err(why) => {
                    failed = Some(why);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    failed.map_or(Ok(found), |failed| Err(failed.into()))
}

/// A job and what its summary says of it. For one of the first form the job itself is read.
fn brief(
    map: &impl Map,
    submission: u64,
    summary: Summary,
) -> Result<(JobId, Result<Brief, String>), Failed> {
    let id = summary.id;
    match summary.brief(submission) {
        Some(brief) => Ok((id, Ok(brief))),
        None => Ok((id, head(map, submission, id)?.map(|job| Brief::of(&job)))),
    }
}

/// The job of a submission whose summary cannot be read.
fn name_of(map: &impl Map, submission: u64) -> Result<JobId, Failed> {
    let mut name = None;
    let (from, to) = place::NAMES;
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        if record::as_number(row) == Ok(submission) {
            name = place::job_at(place);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    name.ok_or_else(|| Failed::Broken(format!("nothing names the job of submission {submission}")))
}

pub(super) fn salvage(map: &impl Map, job: JobId) -> Result<Option<Salvage>, ReadError> {
    let Some(submission) = submission_of(map, job)? else {
        return Ok(None);
    };
    let (events, mut broken) = readable(map, submission, 0, usize::MAX)?;
    let summary = map.get(&place::summary(submission), Summary::decode)?;
    let summary = summary.and_then(Result::ok);
    let last = summary.as_ref().map_or(0, |summary| summary.seq);
    if broken.is_none() && (events.is_empty() || (events.len() as u64) < last) {
        broken = Some(format!("event {} is missing", events.len() + 1));
    }
    let (tenant, target) =
        summary.map_or_else(Default::default, |summary| (summary.tenant, summary.target));
    Ok(Some(Salvage {
        submission,
        tenant,
        target,
        events,
        broken,
    }))
}

pub(super) fn ended(
    map: &impl Map,
    after: u64,
    most: usize,
) -> Result<(Vec<Ended>, Option<u64>), ReadError> {
    let (mut found, mut seen, mut next) = (Vec::new(), 0, None);
    let from = place::summary(after.saturating_add(1));
    map.scan(
        &from,
        &place::summary(u64::MAX),
        Order::Up,
        &mut |place, row| {
            if found.len() == most || seen == SCAN_MAX {
                return ControlFlow::Break(());
            }
            seen += 1;
            let submission = place::submission_at(place).unwrap_or(0);
            next = Some(submission);
            if let Ok(summary) = Summary::decode(row)
                && summary.state.is_terminal()
                && !summary.duty
            {
                found.push(Ended {
                    submission,
                    id: summary.id,
                    at: summary.state_since,
                    created_at: summary.created_at,
                    keyed: summary.key.is_some(),
                });
            }
            ControlFlow::Continue(())
        },
    )?;
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
    let (from, to) = place::ALL_RESERVATIONS;
    map.scan(&from, &to, Order::Up, &mut |_, row| {
        match record::decode(row) {
            Ok(reservation) => reservations.push(reservation),
            Err(why) => tracing::error!("a reservation cannot be read, and is not kept: {why}"),
        }
        ControlFlow::Continue(())
    })?;
    Ok(reservations)
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
