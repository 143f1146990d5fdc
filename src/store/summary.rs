//! What is told of a job where it is looked for among others: enough to pick it, to page through
//! it and to forget it without reading the job itself.

use crate::ids::JobId;
use crate::job::Job;
use crate::job::state::State;
use crate::ports::store::{Filter, Key};
use crate::store::{place, record};
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
    /// The hash of the idempotency key.
    pub(super) key: Option<[u8; 32]>,
    pub(super) tenant: String,
    pub(super) target: String,
}

impl Summary {
    pub(super) fn of(job: &Job) -> Self {
        let owner = &job.spec.owner;
        let key = job.spec.idempotency_key.clone().map(|key| {
            place::hash(&Key {
                tenant: owner.tenant.clone(),
                project: owner.project.clone(),
                key,
            })
        });
        Self {
            id: job.id,
            state: job.state,
            duty: job.duty().is_some(),
            seq: job.seq,
            created_at: job.created_at,
            state_since: job.state_since,
            key,
            tenant: owner.tenant.clone(),
            target: job.spec.target.to_string(),
        }
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
        let state = State::ALL.iter().position(|state| *state == self.state);
        let state = state.expect("ALL has every state") as u8;
        let mut bytes = vec![
            state,
            u8::from(self.duty) | u8::from(self.key.is_some()) << 1,
        ];
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.created_at.0.to_be_bytes());
        bytes.extend(self.state_since.0.to_be_bytes());
        bytes.extend(self.key.iter().flatten());
        bytes.extend((self.tenant.len() as u32).to_be_bytes());
        bytes.extend(self.tenant.as_bytes());
        bytes.extend(self.target.as_bytes());
        record::seal(&bytes)
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, String> {
        let mut rest = Reader(record::open(row)?);
        rest.summary().ok_or_else(|| "it is no summary".to_owned())
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

    fn summary(&mut self) -> Option<Summary> {
        let [state, flags] = self.take()?;
        let id = JobId::from_be_bytes(self.take()?);
        let seq = u64::from_be_bytes(self.take()?);
        let (created_at, state_since) = (self.time()?, self.time()?);
        let key = match flags & 2 {
            0 => None,
            _ => Some(self.take()?),
        };
        let length = u32::from_be_bytes(self.take()?) as usize;
        let (tenant, target) = self.0.split_at_checked(length)?;
        Some(Summary {
            id,
            state: *State::ALL.get(usize::from(state))?,
            duty: flags & 1 != 0,
            seq,
            created_at,
            state_since,
            key,
            tenant: String::from_utf8(tenant.to_vec()).ok()?,
            target: String::from_utf8(target.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_reads_back() {
        for (state, key) in State::ALL
            .into_iter()
            .zip([None, Some([7; 32])].into_iter().cycle())
        {
            let summary = Summary {
                id: JobId::new(1, [2; 10]),
                state,
                duty: !state.is_terminal(),
                seq: 7,
                created_at: Timestamp(-1),
                state_since: Timestamp(i64::MAX),
                key,
                tenant: "tenant ä".to_owned(),
                target: String::new(),
            };
            assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
        }
    }
}
