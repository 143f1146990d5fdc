//! What the store knows of itself: who may write, and how many jobs there were. It is made again
//! where it is damaged or missing, as far as the jobs tell it.

use std::ops::ControlFlow;

use crate::ids::{Epoch, FencingToken};
use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::store::map::{Failed, Map, MapMut, Order};
use crate::store::place::{CHECKPOINT, PROGRAM};
use crate::store::{find, place, record};

pub(super) const EPOCH: &str = "epoch";
/// The same once more: a kernel that took a smaller one would be refused by devices.
const EPOCH_COPY: &str = "epoch-copy";
/// Every submission number up to this one was given, also if its job is forgotten.
pub(super) const GIVEN: &str = "given";
/// How many jobs are forgotten.
pub(super) const GONE: &str = "gone";

/// Takes the writer's place.
pub(super) fn claim(map: &mut impl MapMut) -> Result<Epoch, Failed> {
    let next = match (read(map, EPOCH)?, read(map, EPOCH_COPY)?) {
        (Some(Ok(one)), Some(Ok(other))) => one.max(other),
        (Some(Ok(one)), _) | (_, Some(Ok(one))) => one,
        // A store that is new has none, and no jobs that could tell it.
        _ => epoch_told(map)?,
    } + 1;
    let epoch = u32::try_from(next).map_err(|_| Failed::Broken("no epoch is left".to_owned()))?;
    put(map, EPOCH, next)?;
    put(map, EPOCH_COPY, next)?;
    let given = match read(map, GIVEN)? {
        Some(Ok(given)) => given.max(last_stored(map)?),
        _ => last_stored(map)?,
    };
    put(map, GIVEN, given)?;
    if !matches!(read(map, GONE)?, Some(Ok(gone)) if gone <= given) {
        let mut kept = 0;
        find::walk(map, (0, u64::MAX), Order::Up, &mut |_, _| {
            kept += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        let gone = given.saturating_sub(kept);
        put(map, GONE, gone)?;
    }
    Ok(Epoch(epoch))
}

/// The latest epoch of which a device or a client may have heard: it is in the tokens of executions
/// and in the names of reservations. One that ended without either was heard of by nobody.
fn epoch_told(map: &impl Map) -> Result<u64, Failed> {
    let mut latest = FencingToken(0);
    let (from, to) = place::ALL_ROWS;
    map.scan(&from, &to, Order::Up, &mut |place, row| {
        let told = match place::number_at(place) {
            Some(CHECKPOINT) => record::decode::<Job>(row).ok().and_then(|job| {
                let tokens = job.ledger.iter().map(|entry| entry.token);
                tokens.max()
            }),
            Some(PROGRAM) => None,
            _ => match record::decode::<Recorded>(row).map(|recorded| recorded.event) {
                Ok(Event::Intended { token, .. }) => Some(token),
                _ => None,
            },
        };
        latest = latest.max(told.unwrap_or(latest));
        ControlFlow::Continue(())
    })?;
    let (from, to) = place::ALL_RESERVATIONS;
    map.scan(&from, &to, Order::Up, &mut |place, _| {
        let reserved = place::submission_at(place).map(FencingToken);
        latest = latest.max(reserved.unwrap_or(latest));
        ControlFlow::Continue(())
    })?;
    Ok(u64::from(latest.epoch().0))
}

/// How many jobs are there: numbers are given without gaps.
pub(super) fn count(map: &impl Map) -> Result<u64, Failed> {
    Ok(last_given(map)?.saturating_sub(number(map, GONE)?))
}

/// The greatest submission number that was ever given.
pub(super) fn last_given(map: &impl Map) -> Result<u64, Failed> {
    Ok(last_head(map)?.max(number(map, GIVEN)?))
}

fn last_head(map: &impl Map) -> Result<u64, Failed> {
    let mut last = 0;
    let (from, to) = (place::head(0), place::head(u64::MAX));
    map.scan(&from, &to, Order::Down, &mut |place, _| {
        last = place::submission_at(place).unwrap_or(0);
        ControlFlow::Break(())
    })?;
    Ok(last)
}

/// The greatest submission number of which anything is stored.
fn last_stored(map: &impl Map) -> Result<u64, Failed> {
    let mut last = 0;
    find::walk(map, (0, u64::MAX), Order::Down, &mut |submission, _| {
        last = submission;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(last)
}

/// A number of the store itself; 0 if it was never written.
pub(super) fn number(map: &impl Map, name: &str) -> Result<u64, Failed> {
    let read = read(map, name)?.transpose();
    Ok(read.map_err(|why| unreadable(name, &why))?.unwrap_or(0))
}

pub(super) fn put(map: &mut impl MapMut, name: &str, now: u64) -> Result<(), Failed> {
    map.put(&place::meta(name), &record::number(now))
}

fn read(map: &impl Map, name: &str) -> Result<Option<Result<u64, String>>, Failed> {
    map.get(&place::meta(name), record::as_number)
}

fn unreadable(name: &str, why: &str) -> Failed {
    Failed::Broken(format!("the store's own {name}: {why}"))
}
