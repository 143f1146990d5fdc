//! How the head of a job lies in the store: the one row of it that is read for a status, a list or
//! a start, and that every commit writes anew.

use prost::Message as _;

use crate::ids::{DeviceId, JobId};
use crate::job::failure::JobError;
use crate::job::head::Head;
use crate::job::key::Key;
use crate::job::state::{Phase, PublicState, State};
use crate::job::{Duty, Receipt};
use crate::ports::store::Filter;
use crate::schedule::fit::Want;
use crate::store::record;
use crate::time::Timestamp;

/// The present form of a head. The first two have less in them, and the job itself must be read.
///
/// A field that comes in later gets a number of its own and needs no other form; one that goes
/// leaves its number behind.
pub const FORM: u8 = 3;
/// What most heads fit into.
const USUAL: usize = 320;

/// What a row tells.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// All there is to a head.
    Head(Box<Head>),
    /// What earlier forms have in common.
    Old(Stub),
}

/// What every form tells: enough to find a job, and to forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stub {
    pub(super) id: JobId,
    /// The number of the last event.
    pub(super) seq: u64,
    pub(super) state: State,
    /// Whether something is still to be done ([`Job::duty`](crate::job::Job::duty)).
    pub(super) duty: bool,
    pub(super) created_at: Timestamp,
    pub(super) state_since: Timestamp,
    pub(super) key: Option<Key>,
}

impl Read {
    pub(super) fn stub(&self) -> Stub {
        match self {
            Self::Old(stub) => *stub,
            Self::Head(head) => Stub {
                id: head.id,
                seq: head.seq,
                state: head.state,
                duty: head.duty.is_some(),
                created_at: head.created_at,
                state_since: head.state_since,
                key: head.key,
            },
        }
    }
}

impl Stub {
    /// Whether a list with this filter may have the job.
    pub(super) fn may_match(&self, filter: &Filter) -> bool {
        let after = |from| self.created_at >= from;
        let before = |before| self.created_at < before;
        (filter.states.is_empty() || filter.states.contains(&self.state))
            && filter.created_from.is_none_or(after)
            && filter.created_before.is_none_or(before)
    }

    /// Both earlier forms begin so.
    fn read(bytes: &[u8]) -> Option<Self> {
        let ([state, flags], bytes) = bytes.split_first_chunk()?;
        let (id, bytes) = bytes.split_first_chunk()?;
        let (seq, bytes) = bytes.split_first_chunk()?;
        let (created_at, bytes) = bytes.split_first_chunk()?;
        let (state_since, bytes) = bytes.split_first_chunk()?;
        let key = match flags & 2 {
            0 => None,
            _ => Some(Key::from_bytes(*bytes.first_chunk()?)),
        };
        Some(Self {
            id: JobId::from_be_bytes(*id),
            seq: u64::from_be_bytes(*seq),
            state: *State::ALL.get(usize::from(*state))?,
            duty: flags & 1 != 0,
            created_at: Timestamp(i64::from_be_bytes(*created_at)),
            state_since: Timestamp(i64::from_be_bytes(*state_since)),
            key,
        })
    }
}

/// A head by its numbers. What is not there takes no room.
#[derive(Clone, PartialEq, prost::Message)]
struct Row {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    seq: u64,
    /// By its place in [`State::ALL`].
    #[prost(uint32, tag = "3")]
    state: u32,
    #[prost(int64, tag = "4")]
    state_since_us: i64,
    /// By its place in [`Phase::ALL`], from 1.
    #[prost(uint32, tag = "5")]
    phase: u32,
    /// By its place in [`PublicState::ALL`].
    #[prost(uint32, tag = "6")]
    shown: u32,
    #[prost(int64, tag = "7")]
    created_at_us: i64,
    #[prost(int64, tag = "8")]
    updated_at_us: i64,
    #[prost(int64, tag = "9")]
    expires_at_us: i64,
    #[prost(int64, optional, tag = "10")]
    not_before_us: Option<i64>,
    #[prost(string, tag = "11")]
    name: String,
    #[prost(string, tag = "12")]
    tenant: String,
    #[prost(string, tag = "13")]
    project: String,
    #[prost(bytes = "vec", optional, tag = "14")]
    key: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "15")]
    trace_id: Vec<u8>,
    #[prost(uint32, tag = "16")]
    priority: u32,
    #[prost(uint32, tag = "17")]
    shots: u32,
    #[prost(string, tag = "18")]
    target: String,
    /// What the circuit needs, as it stands in the event that tells of it.
    #[prost(bytes = "vec", optional, tag = "19")]
    needs: Option<Vec<u8>>,
    #[prost(string, optional, tag = "20")]
    reservation: Option<String>,
    #[prost(string, optional, tag = "21")]
    device: Option<String>,
    #[prost(string, optional, tag = "22")]
    holds: Option<String>,
    #[prost(uint32, tag = "23")]
    attempt: u32,
    #[prost(uint32, tag = "24")]
    tries: u32,
    #[prost(string, optional, tag = "25")]
    setback: Option<String>,
    #[prost(string, optional, tag = "26")]
    doubt: Option<String>,
    /// By its place in [`Duty::ALL`], from 1.
    #[prost(uint32, tag = "27")]
    duty: u32,
    #[prost(bool, tag = "28")]
    counts_in_hand: bool,
    /// 1 not started, 2 stopped on the device, 3 unconfirmed.
    #[prost(uint32, tag = "29")]
    receipt: u32,
    #[prost(uint32, tag = "30")]
    shots_used: u32,
    #[prost(string, optional, tag = "31")]
    error_code: Option<String>,
    #[prost(string, tag = "32")]
    error_summary: String,
}

/// What a stub is of a [`Row`]; the rest is passed over.
#[derive(Clone, PartialEq, prost::Message)]
struct Short {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    seq: u64,
    #[prost(uint32, tag = "3")]
    state: u32,
    #[prost(int64, tag = "4")]
    state_since_us: i64,
    #[prost(int64, tag = "7")]
    created_at_us: i64,
    #[prost(bytes = "vec", optional, tag = "14")]
    key: Option<Vec<u8>>,
    #[prost(uint32, tag = "27")]
    duty: u32,
}

impl Short {
    /// `None` if something in it makes no sense.
    fn stub(self) -> Option<Stub> {
        let key = self.key.map(|key| key.try_into().ok().map(Key::from_bytes));
        Some(Stub {
            id: JobId::from_be_bytes(self.id.try_into().ok()?),
            seq: self.seq,
            state: *State::ALL.get(self.state as usize)?,
            duty: at(&Duty::ALL, self.duty)?.is_some(),
            created_at: Timestamp(self.created_at_us),
            state_since: Timestamp(self.state_since_us),
            key: sound(key)?,
        })
    }
}

/// The row of a head. Its submission number is in the place, not in the row.
pub(super) fn encode(head: Head) -> Vec<u8> {
    let row = Row::from(head);
    record::seal_as(FORM, USUAL, |bytes| {
        row.encode(bytes).expect("a vector has room for it");
    })
}

/// What the row of a submission tells, or what is wrong with it.
pub(super) fn decode(row: &[u8], submission: u64) -> Result<Read, String> {
    let (form, bytes) = record::open_up_to(FORM, row)?;
    let read = match form {
        FORM => Row::decode(bytes)
            .ok()
            .and_then(|row| row.head(submission))
            .map(|head| Read::Head(Box::new(head))),
        _ => Stub::read(bytes).map(Read::Old),
    };
    read.ok_or_else(|| "it is no head".to_owned())
}

/// The same of what every form tells, for a fraction of the work: most who come by want no more.
pub(super) fn stub(row: &[u8]) -> Result<Stub, String> {
    let (form, bytes) = record::open_up_to(FORM, row)?;
    let read = match form {
        FORM => Short::decode(bytes).ok().and_then(Short::stub),
        _ => Stub::read(bytes),
    };
    read.ok_or_else(|| "it is no head".to_owned())
}

/// Whether a list with this filter has a job, if its stub may match.
pub(super) fn matches(head: &Head, filter: &Filter) -> bool {
    let wanted = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
    wanted(&filter.target, head.want.target.as_str()) && wanted(&filter.tenant, &head.tenant)
}

/// The place of something among all of its kind.
fn place<T: PartialEq>(all: &[T], one: &T) -> u32 {
    let at = all.iter().position(|each| each == one);
    u32::try_from(at.expect("ALL has every one")).expect("there are few")
}

/// What stands at a place, from 1; nothing at 0.
fn at<T: Copy>(all: &[T], place: u32) -> Option<Option<T>> {
    match place.checked_sub(1) {
        None => Some(None),
        Some(place) => all.get(place as usize).copied().map(Some),
    }
}

impl From<Head> for Row {
    fn from(head: Head) -> Self {
        let (receipt, shots_used) = match head.receipt {
            None => (0, 0),
            Some(Receipt::NotStarted) => (1, 0),
            Some(Receipt::StoppedOnDevice { shots_used }) => (2, shots_used),
            Some(Receipt::StopUnconfirmed) => (3, 0),
        };
        let Want { target, needs } = head.want;
        let needs = needs.map(|needs| serde_json::to_vec(&*needs).expect("needs have a JSON form"));
        let (error_code, error_summary) = match head.error {
            Some(JobError { code, summary }) => (Some(code.into_owned()), summary),
            None => (None, String::new()),
        };
        Self {
            id: head.id.to_be_bytes().to_vec(),
            seq: head.seq,
            state: place(&State::ALL, &head.state),
            state_since_us: head.state_since.0,
            phase: head.phase.map_or(0, |phase| 1 + place(&Phase::ALL, &phase)),
            shown: place(&PublicState::ALL, &head.shown),
            created_at_us: head.created_at.0,
            updated_at_us: head.updated_at.0,
            expires_at_us: head.expires_at.0,
            not_before_us: head.not_before.map(|at| at.0),
            name: head.name,
            tenant: head.tenant,
            project: head.project,
            key: head.key.map(|key| key.to_bytes().to_vec()),
            trace_id: head.trace_id.to_be_bytes().to_vec(),
            priority: head.priority.into(),
            shots: head.shots,
            target: target.as_str().to_owned(),
            needs,
            reservation: head.reservation.map(|id| id.to_string()),
            device: head.device.map(|device| device.as_str().to_owned()),
            holds: head.holds.map(|device| device.as_str().to_owned()),
            attempt: head.attempt,
            tries: head.tries,
            setback: head.setback,
            doubt: head.doubt,
            duty: head.duty.map_or(0, |duty| 1 + place(&Duty::ALL, &duty)),
            counts_in_hand: head.counts_in_hand,
            receipt,
            shots_used,
            error_code,
            error_summary,
        }
    }
}

impl Row {
    /// `None` if something in it makes no sense.
    fn head(self, submission: u64) -> Option<Head> {
        let device = |text: Option<String>| sound(text.map(|text| text.parse::<DeviceId>().ok()));
        let bytes = |bytes: Vec<u8>| bytes.try_into().ok();
        let key = self.key.map(|key| key.try_into().ok().map(Key::from_bytes));
        let needs = self.needs.map(|needs| serde_json::from_slice(&needs).ok());
        let reservation = self.reservation.map(|id| id.parse().ok());
        Some(Head {
            id: JobId::from_be_bytes(bytes(self.id)?),
            submission,
            seq: self.seq,
            state: *State::ALL.get(self.state as usize)?,
            state_since: Timestamp(self.state_since_us),
            phase: at(&Phase::ALL, self.phase)?,
            shown: *PublicState::ALL.get(self.shown as usize)?,
            created_at: Timestamp(self.created_at_us),
            updated_at: Timestamp(self.updated_at_us),
            expires_at: Timestamp(self.expires_at_us),
            not_before: self.not_before_us.map(Timestamp),
            name: self.name,
            tenant: self.tenant,
            project: self.project,
            key: sound(key)?,
            trace_id: u128::from_be_bytes(bytes(self.trace_id)?),
            priority: self.priority.try_into().ok()?,
            shots: self.shots,
            want: Want {
                target: self.target.parse().ok()?,
                needs: sound(needs)?,
            },
            reservation: sound(reservation)?,
            device: device(self.device)?,
            holds: device(self.holds)?,
            attempt: self.attempt,
            tries: self.tries,
            setback: self.setback,
            doubt: self.doubt,
            duty: at(&Duty::ALL, self.duty)?,
            counts_in_hand: self.counts_in_hand,
            receipt: match self.receipt {
                0 => None,
                1 => Some(Receipt::NotStarted),
                2 => Some(Receipt::StoppedOnDevice {
                    shots_used: self.shots_used,
                }),
                3 => Some(Receipt::StopUnconfirmed),
                _ => return None,
            },
            error: self.error_code.map(|code| JobError {
                code: code.into(),
                summary: self.error_summary,
            }),
        })
    }
}

/// What is not there is sound; what is there and cannot be read is not.
fn sound<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

#[cfg(test)]
mod tests;
