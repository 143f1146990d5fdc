//! How a job is found. Its name tells its submission number, its head and its checkpoint tell its
//! name back, and its rows tell that there is such a submission: whatever is damaged or missing,
//! the rest is found.

use std::ops::ControlFlow;

use crate::ids::JobId;
use crate::job::Job;
use crate::job::key::Key;
use crate::ports::store::{KeyHolder, ReadError};
use crate::store::map::{Failed, Map, Order};
use crate::store::place::{self, CHECKPOINT};
use crate::store::{head, record};

/// What a walk over submissions gives each to: its number, and the row of its head, if that is
/// there. It breaks to end the walk.
pub(super) type OnSubmission<'a> =
    dyn FnMut(u64, Option<&[u8]>) -> Result<ControlFlow<()>, Failed> + 'a;

/// The submission number of a job, by its name, for whoever reads it.
pub(super) fn look_up(map: &impl Map, job: JobId) -> Result<Option<u64>, ReadError> {
    let read = map.get(&place::name(job), record::as_number)?;
    read.transpose().map_err(|why| ReadError::Corrupt {
        job,
        reason: format!("its name: {why}"),
    })
}

/// The same for whoever mends it or goes on writing. A name is followed to a head or a checkpoint that
/// says the same; else all jobs are looked through for one that says it is this. If there is none, the
/// name is all that is left, as long as it leads to anything.
pub(super) fn search(map: &impl Map, job: JobId) -> Result<Option<u64>, Failed> {
    let named = map.get(&place::name(job), record::as_number)?;
    let named = named.and_then(Result::ok);
    let mut nobodys = None;
    if let Some(submission) = named {
        let head = map.get(&place::head(submission), <[u8]>::to_vec)?;
        match owner(map, submission, head.as_deref())? {
            Some(owner) if owner == job => return Ok(named),
            Some(_) => {}
            None => nobodys = named,
        }
    }
    let mut found = None;
    walk(map, (0, u64::MAX), Order::Down, &mut |submission, head| {
        Ok(match owner(map, submission, head)? == Some(job) {
            true => {
                found = Some(submission);
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        })
    })?;
    match (found, nobodys) {
        (None, Some(submission)) if has_rows(map, submission)? => Ok(nobodys),
        (found, _) => Ok(found),
    }
}

/// Who holds a key, or why nobody can say.
pub(super) fn key_holder(
    map: &impl Map,
    key: Key,
) -> Result<Option<Result<KeyHolder, String>>, Failed> {
    let mut rows = Vec::new();
    map.holders(key, &mut |row| {
        rows.push(record::decode_of::<KeyHolder>(&key.to_bytes(), row));
    })?;
    let mut unclear = match map.has_lost(key)? {
        true => Some("its row is lost, or may be".to_owned()),
        false => None,
    };
    for row in rows {
        match row {
            Ok((holder, true)) => match whereabouts(map, holder.job)? {
                Whereabouts::Here => return Ok(Some(Ok(holder))),
                // It was forgotten while the row could not be read.
                Whereabouts::Nowhere => {}
                Whereabouts::Unclear => {
                    let what = "cannot be found, and a record that cannot be read may be it";
                    unclear = Some(format!("its row names {}, which {what}", holder.job));
                }
            },
            Ok((holder, false)) if !has(map, holder.job, key)? => {
                unclear = Some(format!(
                    "its row names {}, which may not have it",
                    holder.job
                ));
            }
            Ok((holder, _)) => return Ok(Some(Ok(holder))),
            Err(why) => unclear = Some(why),
        }
    }
    Ok(unclear.map(Err))
}

/// Where a job is that the row of a key names.
enum Whereabouts {
    Here,
    /// It is forgotten.
    Nowhere,
    /// It may be one that nobody can tell whose it is.
    Unclear,
}

fn whereabouts(map: &impl Map, job: JobId) -> Result<Whereabouts, Failed> {
    if map.get(&place::name(job), |_| ())?.is_some() {
        return Ok(Whereabouts::Here);
    }
    let mut seen = Whereabouts::Nowhere;
    walk(map, (0, u64::MAX), Order::Down, &mut |submission, head| {
        seen = match owner(map, submission, head)? {
            Some(owner) if owner == job => Whereabouts::Here,
            None => Whereabouts::Unclear,
            Some(_) => return Ok(ControlFlow::Continue(())),
        };
        Ok(match seen {
            Whereabouts::Here => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })?;
    Ok(seen)
}

/// Whether a key is that of a job, by what its head says. One that was written anew because its spec
/// was lost does not know its own.
fn has(map: &impl Map, job: JobId, key: Key) -> Result<bool, Failed> {
    let Some(submission) = search(map, job)? else {
        return Ok(false);
    };
    let head = map.get(&place::head(submission), head::stub)?;
    Ok(matches!(head, Some(Ok(stub)) if stub.key.is_none_or(|own| own == key)))
}

/// The name of the job of a submission whose head cannot be read; `None` if nothing tells it.
pub(super) fn name_of(map: &impl Map, submission: u64) -> Result<Option<JobId>, Failed> {
    if let Some(owner) = owner(map, submission, None)? {
        return Ok(Some(owner));
    }
    let mut names = Vec::new();
    let (from, to) = place::NAMES;
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        if record::as_number(row) == Ok(submission) {
            names.extend(place::job_at(place));
        }
        ControlFlow::Continue(())
    })?;
    if let [only] = names[..] {
        return Ok(Some(only));
    }
    for name in names {
        // Another's name leads here, too.
        if search(map, name)? == Some(submission) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whose the rows of a submission are, as its head or its checkpoint says. One that stands in a wrong
/// place names a job that is found elsewhere, and is not believed.
fn owner(map: &impl Map, submission: u64, head: Option<&[u8]>) -> Result<Option<JobId>, Failed> {
    let read = head.and_then(|row| head::stub(row).ok());
    let said = read.map(|stub| stub.id);
    if let Some(id) = said
        && leads_here(map, id, submission)?
    {
        return Ok(said);
    }
    let checkpoint = place::row(submission, CHECKPOINT);
    let job = map.get(&checkpoint, |row| record::decode::<Job>(row).ok())?;
    let whole = job.flatten().map(|job| job.id);
    // Heads that have changed places each name a job that is nowhere else by its head: where the
    // checkpoint says another, and that one's name leads here, the head is not believed.
    if let Some(id) = whole
        && leads_here(map, id, submission)?
    {
        return Ok(whole);
    }
    for id in [said, whole].into_iter().flatten() {
        if !stands_elsewhere(map, id, submission)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether the name of a job leads to this submission.
fn leads_here(map: &impl Map, job: JobId, here: u64) -> Result<bool, Failed> {
    let named = map.get(&place::name(job), record::as_number)?;
    Ok(named == Some(Ok(here)))
}

/// Whether the name of a job leads to another submission, whose head says that it is this job's.
pub(super) fn stands_elsewhere(map: &impl Map, job: JobId, here: u64) -> Result<bool, Failed> {
    let named = map.get(&place::name(job), record::as_number)?;
    let Some(Ok(there)) = named.filter(|there| *there != Ok(here)) else {
        return Ok(false);
    };
    let read = map.get(&place::head(there), head::stub)?;
    Ok(read.is_some_and(|read| read.is_ok_and(|stub| stub.id == job)))
}

fn has_rows(map: &impl Map, submission: u64) -> Result<bool, Failed> {
    let mut has = false;
    let (from, to) = (
        place::row(submission, CHECKPOINT),
        place::row(submission.saturating_add(1), CHECKPOINT),
    );
    map.scan(&from, &to, Order::Up, &mut |_, _| {
        has = true;
        ControlFlow::Break(())
    })?;
    Ok(has)
}

/// Goes through all submissions above the one number and below the other, those included that
/// have lost their heads.
pub(super) fn walk(
    map: &impl Map,
    (above, below): (u64, u64),
    order: Order,
    on: &mut OnSubmission<'_>,
) -> Result<(), Failed> {
    let (mut edge, end) = match order {
        Order::Up => (above, below),
        Order::Down => (below, above),
    };
    let mut step = Ok(ControlFlow::Continue(()));
    let (from, to) = (place::head(above.saturating_add(1)), place::head(below));
    map.scan(&from, &to, order, &mut |place, row| {
        let submission = place::submission_at(place).unwrap_or(0);
        step = headless(map, edge, submission, order, on);
        if let Ok(ControlFlow::Continue(())) = step {
            step = on(submission, Some(row));
        }
        edge = submission;
        match &step {
            Ok(flow) => *flow,
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    if step?.is_continue() {
        headless(map, edge, end, order, on).map(drop)?;
    }
    Ok(())
}

/// Goes through the submissions between two heads: numbers of forgotten jobs, as a rule, of which
/// nothing is there.
fn headless(
    map: &impl Map,
    mut edge: u64,
    end: u64,
    order: Order,
    on: &mut OnSubmission<'_>,
) -> Result<ControlFlow<()>, Failed> {
    while edge.abs_diff(end) > 1 {
        let (low, high) = (edge.min(end), edge.max(end));
        let (from, to) = (
            place::row(low + 1, CHECKPOINT),
            place::row(high, CHECKPOINT),
        );
        let mut next = None;
        map.scan(&from, &to, order, &mut |place, _| {
            next = place::submission_at(place);
            ControlFlow::Break(())
        })?;
        let Some(submission) = next else { break };
        if on(submission, None)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        edge = submission;
    }
    Ok(ControlFlow::Continue(()))
}
