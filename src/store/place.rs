//! Where things stand in the map of a job store. Jobs stand in the order of their submission, all
//! rows of one side by side: what is written together lies together, and new jobs at the end.
//!
//! A change of this file changes what is stored: the golden stores in `tests/` find that out.

use crate::ids::{DeviceId, FencingToken, JobId, ReservationId};
use crate::job::key::Key;

/// The number of the checkpoint among the rows of a job; its events have their own numbers.
pub(super) const CHECKPOINT: u64 = 0;
/// The number of the program among the rows of a job, behind all events.
pub(super) const PROGRAM: u64 = u64::MAX;

/// The head of each job, by submission number.
const HEAD: u8 = b'i';
/// The rows of jobs, by submission number and number.
const JOB: u8 = b'j';
/// Who holds an idempotency key, by its hash.
const KEY: u8 = b'k';
/// Numbers of the store itself, by name.
const META: u8 = b'm';
/// The submission number of a job, by its name.
const NAME: u8 = b'n';
/// Rows that were replaced because they could not be read.
const ASIDE: u8 = b'q';
/// Forgotten jobs whose artifacts may still lie about, by name.
const FORGOTTEN: u8 = b'f';
/// Devices that an operator lets take no new jobs, by name.
const DRAINING: u8 = b'd';
/// Reservations, by number.
const RESERVATION: u8 = b'r';

pub(super) fn head(submission: u64) -> [u8; 9] {
    join(HEAD, [submission.to_be_bytes()])
}

/// All heads.
pub(super) const ALL_HEADS: ([u8; 1], [u8; 1]) = ([HEAD], [HEAD + 1]);

/// The submission number in the place of a head, of a row or of what was set aside.
pub(super) fn submission_at(place: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(place.get(1..9)?.try_into().ok()?))
}

pub(super) fn row(submission: u64, number: u64) -> [u8; 17] {
    join(JOB, [submission.to_be_bytes(), number.to_be_bytes()])
}

/// All rows of jobs.
pub(super) const ALL_ROWS: ([u8; 1], [u8; 1]) = ([JOB], [JOB + 1]);

/// The number in the place of a row.
pub(super) fn number_at(place: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(place.get(9..17)?.try_into().ok()?))
}

pub(super) fn name(job: JobId) -> [u8; 17] {
    join(NAME, [job.to_be_bytes()])
}

/// All names.
pub(super) const NAMES: ([u8; 1], [u8; 1]) = ([NAME], [NAME + 1]);

pub(super) fn forgotten(job: JobId) -> [u8; 17] {
    join(FORGOTTEN, [job.to_be_bytes()])
}

/// All forgotten jobs.
pub(super) const ALL_FORGOTTEN: ([u8; 1], [u8; 1]) = ([FORGOTTEN], [FORGOTTEN + 1]);

pub(super) fn draining(device: &DeviceId) -> Vec<u8> {
    [&[DRAINING], device.as_str().as_bytes()].concat()
}

/// All devices that take no new jobs.
pub(super) const ALL_DRAINING: ([u8; 1], [u8; 1]) = ([DRAINING], [DRAINING + 1]);

/// The device in such a place.
pub(super) fn device_at(place: &[u8]) -> Option<DeviceId> {
    std::str::from_utf8(place.get(1..)?).ok()?.parse().ok()
}

pub(super) fn reservation(id: ReservationId) -> [u8; 9] {
    join(RESERVATION, [id.token().0.to_be_bytes()])
}

/// The reservation in such a place.
pub(super) fn reservation_at(place: &[u8]) -> Option<ReservationId> {
    let bytes = place.get(1..)?.try_into().ok()?;
    ReservationId::of_token(FencingToken(u64::from_be_bytes(bytes)))
}

/// All reservations.
pub(super) const ALL_RESERVATIONS: ([u8; 1], [u8; 1]) = ([RESERVATION], [RESERVATION + 1]);

/// The job in the place of a name or of a forgotten job.
pub(super) fn job_at(place: &[u8]) -> Option<JobId> {
    let bytes = place.get(1..17)?.try_into().ok()?;
    Some(JobId::from_be_bytes(bytes))
}

pub(super) fn key(key: Key) -> [u8; 33] {
    join(KEY, [key.to_bytes()])
}

/// All rows of keys.
pub(super) const ALL_KEYS: ([u8; 1], [u8; 1]) = ([KEY], [KEY + 1]);

/// Where the row of a key lies that came as this one, in a store that keeps them in that order.
pub(super) fn arrived(arrival: u64, key: &[u8; 32]) -> [u8; 41] {
    let mut place = [KEY; 41];
    place[1..9].copy_from_slice(&arrival.to_be_bytes());
    place[9..].copy_from_slice(key);
    place
}

/// When it came, and the key, if the place is such a one.
pub(super) fn arrival_at(place: &[u8]) -> Option<(u64, [u8; 32])> {
    let (arrival, key) = place.get(1..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*arrival), key.try_into().ok()?))
}

pub(super) fn meta(name: &str) -> Vec<u8> {
    [&[META], name.as_bytes()].concat()
}

/// A replaced row is told apart from others that stood in the same place by its own sum.
pub(super) fn aside(submission: u64, number: u64, sum: u32) -> [u8; 21] {
    let mut place = [0; 21];
    let within: [u8; 17] = join(ASIDE, [submission.to_be_bytes(), number.to_be_bytes()]);
    place[..17].copy_from_slice(&within);
    place[17..].copy_from_slice(&sum.to_be_bytes());
    place
}

/// A replaced head stands where no row of a job was that is set aside: the program never is.
pub(super) fn head_aside(submission: u64, sum: u32) -> [u8; 21] {
    aside(submission, PROGRAM, sum)
}

pub(super) fn is_head_aside(place: &[u8]) -> bool {
    place.first() == Some(&ASIDE) && number_at(place) == Some(PROGRAM)
}

/// Everything that was set aside of a job.
pub(super) fn all_aside(submission: u64) -> ([u8; 9], [u8; 9]) {
    let at = |submission: u64| join(ASIDE, [submission.to_be_bytes()]);
    (at(submission), at(submission.saturating_add(1)))
}

fn join<const PARTS: usize, const BYTES: usize, const ALL: usize>(
    kind: u8,
    parts: [[u8; BYTES]; PARTS],
) -> [u8; ALL] {
    let mut place = [kind; ALL];
    place[1..].copy_from_slice(parts.as_flattened());
    place
}
