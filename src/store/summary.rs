//! What is told of a job where it is looked for among others: enough to pick it, to page through
//! it and to forget it without reading the job itself.

use crate::ids::{DeviceId, JobId};
use crate::job::brief::Brief;
use crate::job::key::Key;
use crate::job::state::State;
use crate::job::target::Target;
use crate::job::{Duty, Job, Receipt};
use crate::ports::store::Filter;
use crate::store::record;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) id: JobId,
    pub(super) state: State,
    /// Whether something is still to be done ([`Job::duty`]).
    pub(super) duty: bool,
    /// The number of the last event.
    pub(super) seq: u64,
    pub(super) created_at: Timestamp,
    pub(super) state_since: Timestamp,
    /// The idempotency key.
    pub(super) key: Option<Key>,
    pub(super) tenant: String,
    pub(super) target: String,
    /// What makes a brief of it; the first form of summaries has none.
    brief: Option<Rest>,
}

/// What a brief has beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    updated_at: Timestamp,
    expires_at: Timestamp,
    not_before: Option<Timestamp>,
    priority: u8,
    duty: Option<Duty>,
    counts_in_hand: bool,
    receipt: Option<Receipt>,
    /// It names a reservation, and which one is in the job alone.
    reserved: bool,
    holds: Option<DeviceId>,
}

/// The present form of a summary. The first ends with tenant and target, where this has the rest of
/// the brief behind them.
const FORM: u8 = 2;
/// What a summary takes beside its texts, with room for the name of a device.
const BESIDE_TEXTS: usize = 144;

impl Summary {
    pub(super) fn of(job: &Job) -> Self {
        let Brief {
            duty,
            holds,
            counts_in_hand,
            tenant,
            ..
        } = Brief::of(job);
        Self {
            id: job.id,
            state: job.state,
            duty: duty.is_some(),
            seq: job.seq,
            created_at: job.created_at,
            state_since: job.state_since,
            key: job.spec.key(),
            tenant,
            target: job.spec.target.to_string(),
            brief: Some(Rest {
                updated_at: job.updated_at,
                expires_at: job.spec.expires_at,
                not_before: job.not_before,
                priority: job.spec.priority,
                duty,
                counts_in_hand,
                receipt: job.receipt,
                reserved: job.spec.reservation.is_some(),
                holds,
            }),
        }
    }

    /// The job in brief, unless the job itself must be read for that.
    pub(super) fn brief(self, submission: u64) -> Option<Brief> {
        let rest = self.brief.filter(|rest| !rest.reserved)?;
        Some(Brief {
            id: self.id,
            submission,
            seq: self.seq,
            state: self.state,
            state_since: self.state_since,
            created_at: self.created_at,
            updated_at: rest.updated_at,
            expires_at: rest.expires_at,
            not_before: rest.not_before,
            priority: rest.priority,
            want: match self.target.parse().ok()? {
                Target::Device(device) => device.into(),
                // What its circuit needs is in the job alone.
                Target::Class(_) => return None,
            },
            tenant: self.tenant,
            reservation: None,
            duty: rest.duty,
            holds: rest.holds,
            counts_in_hand: rest.counts_in_hand,
            receipt: rest.receipt,
        })
    }

    pub(super) fn matches(&self, filter: &Filter) -> bool {
        let wanted = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        (filter.states.is_empty() || filter.states.contains(&self.state))
            && wanted(&filter.target, &self.target)
            && wanted(&filter.tenant, &self.tenant)
            && filter
                .created_from
                .is_none_or(|from| self.created_at >= from)
            && filter
                .created_before
                .is_none_or(|before| self.created_at < before)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let texts = self.tenant.len() + self.target.len();
        record::seal_as(FORM, BESIDE_TEXTS + texts, |row| self.write(row))
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let state = State::ALL.iter().position(|state| *state == self.state);
        let state = state.expect("ALL has every state") as u8;
        let flags = u8::from(self.duty) | u8::from(self.key.is_some()) << 1;
        bytes.extend([state, flags]);
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.created_at.0.to_be_bytes());
        bytes.extend(self.state_since.0.to_be_bytes());
        bytes.extend(self.key.map(Key::to_bytes).into_iter().flatten());
        for text in [&self.tenant, &self.target] {
            bytes.extend((text.len() as u32).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        let rest = self.brief.as_ref().expect("what is written has a brief");
        rest.write(bytes);
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, String> {
        let (form, bytes) = record::open_up_to(FORM, row)?;
        let summary = Reader(bytes).summary(form);
        summary.ok_or_else(|| "it is no summary".to_owned())
    }
}

impl Rest {
    fn write(&self, bytes: &mut Vec<u8>) {
        let number = |duty| Duty::ALL.iter().position(|one| *one == duty);
        let duty = self.duty.and_then(number).map_or(u8::MAX, |at| at as u8);
        let (receipt, shots_used) = match self.receipt {
            None => (0, 0),
            Some(Receipt::NotStarted) => (1, 0),
            Some(Receipt::StoppedOnDevice { shots_used }) => (2, shots_used),
            Some(Receipt::StopUnconfirmed) => (3, 0),
        };
        let counts_in_hand = u8::from(self.counts_in_hand);
        let waits = u8::from(self.not_before.is_some());
        let reserved = u8::from(self.reserved);
        let flags = counts_in_hand | waits << 1 | reserved << 2;
        bytes.extend([self.priority, duty, receipt, flags]);
        bytes.extend(shots_used.to_be_bytes());
        let not_before = self.not_before.unwrap_or(Timestamp(0));
        for time in [self.updated_at, self.expires_at, not_before] {
            bytes.extend(time.0.to_be_bytes());
        }
        let holds = self.holds.as_ref().map_or("", DeviceId::as_str);
        bytes.extend(holds.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.take().map(i64::from_be_bytes).map(Timestamp)
    }

    fn text(&mut self) -> Option<String> {
        let length = u32::from_be_bytes(self.take()?) as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn rest_as_text(&self) -> Option<&str> {
        std::str::from_utf8(self.0).ok()
    }

    fn summary(&mut self, form: u8) -> Option<Summary> {
        let [state, flags] = self.take()?;
        let id = JobId::from_be_bytes(self.take()?);
        let seq = u64::from_be_bytes(self.take()?);
        let (created_at, state_since) = (self.time()?, self.time()?);
        let key = match flags & 2 {
            0 => None,
            _ => Some(Key::from_bytes(self.take()?)),
        };
        let tenant = self.text()?;
        let (target, brief) = match form {
            1 => (self.rest_as_text()?.to_owned(), None),
            _ => (self.text()?, Some(self.rest()?)),
        };
        Some(Summary {
            id,
            state: *State::ALL.get(usize::from(state))?,
            duty: flags & 1 != 0,
            seq,
            created_at,
            state_since,
            key,
            tenant,
            target,
            brief,
        })
    }

    fn rest(&mut self) -> Option<Rest> {
        let [priority, duty, receipt, flags] = self.take()?;
        let shots_used = u32::from_be_bytes(self.take()?);
        let (updated_at, expires_at, not_before) = (self.time()?, self.time()?, self.time()?);
        let holds = self.rest_as_text()?;
        Some(Rest {
            updated_at,
            expires_at,
            not_before: (flags & 2 != 0).then_some(not_before),
            priority,
            duty: Duty::ALL.get(usize::from(duty)).copied(),
            counts_in_hand: flags & 1 != 0,
            receipt: match receipt {
                0 => None,
                1 => Some(Receipt::NotStarted),
                2 => Some(Receipt::StoppedOnDevice { shots_used }),
                3 => Some(Receipt::StopUnconfirmed),
                _ => return None,
            },
            reserved: flags & 4 != 0,
            holds: match holds {
                "" => None,
                device => Some(device.parse().ok()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summaries() -> impl Iterator<Item = Summary> {
        let states = State::ALL.into_iter();
        let keys = [None, Some(Key::from_bytes([7; 32]))].into_iter().cycle();
        let receipts = [
            None,
            Some(Receipt::NotStarted),
            Some(Receipt::StoppedOnDevice { shots_used: 9 }),
            Some(Receipt::StopUnconfirmed),
        ];
        let duties = Duty::ALL.into_iter().map(Some).chain([None]).cycle();
        let rest = duties
            .zip(receipts.into_iter().cycle())
            .zip([3, 100].into_iter().cycle());
        states
            .zip(keys)
            .zip(rest)
            .map(|((state, key), ((duty, receipt), priority))| Summary {
                id: JobId::new(1, [2; 10]),
                state,
                duty: duty.is_some(),
                seq: 7,
                created_at: Timestamp(-1),
                state_since: Timestamp(i64::MAX),
                key,
                tenant: "tenant ä".to_owned(),
                target: "sim-1".to_owned(),
                brief: Some(Rest {
                    updated_at: Timestamp(5),
                    expires_at: Timestamp(6),
                    not_before: key.map(|_| Timestamp(-7)),
                    priority,
                    duty,
                    counts_in_hand: key.is_some(),
                    receipt,
                    reserved: false,
                    holds: receipt.map(|_| "sim-2".parse().unwrap()),
                }),
            })
    }

    #[test]
    fn a_summary_reads_back_and_any_part_of_it_is_none() {
        for summary in summaries() {
            let row = summary.encode();
            assert_eq!(Summary::decode(&row), Ok(summary.clone()));
            let brief = summary
                .clone()
                .brief(11)
                .expect("it has all there is to a brief");
            assert_eq!((brief.submission, brief.duty.is_some()), (11, summary.duty));
            for length in 0..row.len() {
                assert!(Summary::decode(&row[..length]).is_err(), "{length} bytes");
            }
        }
    }

    #[test]
    fn of_a_job_with_a_reservation_the_job_itself_is_read() {
        let mut summary = summaries().next().unwrap();
        summary.brief.as_mut().unwrap().reserved = true;
        let read = Summary::decode(&summary.encode());
        assert_eq!(read, Ok(summary.clone()));
        assert_eq!(summary.brief(11), None);
    }

    #[test]
    fn a_summary_of_the_first_form_reads_without_a_brief() {
        for summary in summaries() {
            let row = summary.encode();
            let (_, bytes) = record::open_up_to(FORM, &row).unwrap();
            // Up to the tenant both are alike; the target ends the first form.
            let upto = bytes.len() - summary.brief.as_ref().unwrap().bytes() - 4 - 5;
            let first = [&bytes[..upto], b"sim-1"].concat();
            let read = Summary::decode(&record::seal(&first)).unwrap();
            let wanted = Summary {
                brief: None,
                ..summary
            };
            assert_eq!(read, wanted);
            assert_eq!(read.brief(1), None);
        }
    }

    impl Rest {
        fn bytes(&self) -> usize {
            let mut bytes = Vec::new();
            self.write(&mut bytes);
            bytes.len()
        }
    }
}
