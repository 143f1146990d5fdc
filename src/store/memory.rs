//! The store that forgets when the process ends (`--store memory`), and that a simulated node
//! may leave behind when it is killed: clones share what is stored. Records are kept in their
//! encoded form, so that what is read is what a disk would give back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, JobId};
use crate::job::Job;
use crate::job::event::{FORMAT, Recorded};
use crate::job::state::State;
use crate::ports::store::{
    Append, AppendError, Filter, JobStore, Key, KeyHolder, ReadError, Submission,
};

/// A job store in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
}

#[derive(Debug, Default)]
struct Data {
    epoch: u32,
    submissions: u64,
    rows: BTreeMap<JobId, Row>,
    by_submission: BTreeMap<u64, JobId>,
    keys: BTreeMap<Key, KeyHolder>,
    unfinished: BTreeSet<(u64, JobId)>,
}

#[derive(Debug)]
struct Row {
    submission: u64,
    head: Vec<u8>,
    events: Vec<Vec<u8>>,
    program: Vec<u8>,
    state: State,
    target: String,
    tenant: String,
}

/// A stored record and the version of its form.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    record: T,
}

fn encode<T: Serialize>(record: T) -> Vec<u8> {
    serde_json::to_vec(&Versioned { v: FORMAT, record }).expect("records have a JSON form")
}

fn decode<T: DeserializeOwned>(job: JobId, bytes: &[u8]) -> Result<T, ReadError> {
    let corrupt = |reason: String| ReadError::Corrupt { job, reason };
    let read: Versioned<T> =
        serde_json::from_slice(bytes).map_err(|why| corrupt(why.to_string()))?;
    if read.v != FORMAT {
        return Err(corrupt(format!(
            "its form is version {}, this kernel reads {FORMAT}",
            read.v
        )));
    }
    Ok(read.record)
}

impl MemoryStore {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data
            .lock()
            .expect("no code panics while it holds the store")
    }
}

impl Data {
    fn append(&mut self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        if epoch.0 != self.epoch {
            return Err(AppendError::Fenced(Epoch(self.epoch)));
        }
        let Append {
            mut job,
            events,
            submission,
        } = append;
        let given = job.seq + 1 - events.len() as u64;
        let encoded: Vec<_> = events.iter().map(encode).collect();
        let last = self
            .rows
            .get(&job.id)
            .map_or(0, |row| row.events.len() as u64);
        if last + 1 != given {
            return match self.rows.get(&job.id) {
                Some(row) if row.has(given, &encoded) => Ok(row.submission),
                _ => Err(AppendError::OutOfOrder {
                    job: job.id,
                    given,
                    last,
                }),
            };
        }
        if let Some(submission) = submission {
            self.insert(&job, submission)?;
        }
        let Some(row) = self.rows.get_mut(&job.id) else {
            return Err(AppendError::OutOfOrder {
                job: job.id,
                given,
                last,
            });
        };
        job.submission = row.submission;
        row.events.extend(encoded);
        row.head = encode(&job);
        row.state = job.state;
        let place = (row.submission, job.id);
        if job.duty().is_some() {
            self.unfinished.insert(place);
        } else {
            self.unfinished.remove(&place);
        }
        Ok(place.0)
    }

    fn insert(&mut self, job: &Job, submission: Submission) -> Result<(), AppendError> {
        if let Some(key) = submission.key {
            if let Some(holder) = self.keys.get(&key) {
                return Err(AppendError::KeyTaken(*holder));
            }
            self.keys.insert(
                key,
                KeyHolder {
                    job: job.id,
                    fingerprint: submission.fingerprint,
                },
            );
        }
        self.submissions += 1;
        self.by_submission.insert(self.submissions, job.id);
        self.rows.insert(
            job.id,
            Row {
                submission: self.submissions,
                head: Vec::new(),
                events: Vec::new(),
                program: submission.program,
                state: job.state,
                target: job.spec.target.to_string(),
                tenant: job.spec.owner.tenant.clone(),
            },
        );
        Ok(())
    }
}

impl Row {
    /// Whether these very events are stored from number `given` on.
    fn has(&self, given: u64, encoded: &[Vec<u8>]) -> bool {
        let from = usize::try_from(given.saturating_sub(1)).unwrap_or(usize::MAX);
        self.events
            .get(from..from.saturating_add(encoded.len()))
            .is_some_and(|at| at == encoded)
    }

    fn matches(&self, filter: &Filter) -> bool {
        (filter.states.is_empty() || filter.states.contains(&self.state))
            && filter
                .target
                .as_ref()
                .is_none_or(|target| *target == self.target)
            && filter
                .tenant
                .as_ref()
                .is_none_or(|tenant| *tenant == self.tenant)
    }
}

impl JobStore for MemoryStore {
    async fn claim(&self) -> Result<Epoch, ReadError> {
        let mut data = self.data();
        data.epoch += 1;
        Ok(Epoch(data.epoch))
    }

    async fn append(&self, epoch: Epoch, append: Append) -> Result<u64, AppendError> {
        self.data().append(epoch, append)
    }

    async fn job(&self, job: JobId) -> Result<Option<Job>, ReadError> {
        self.data()
            .rows
            .get(&job)
            .map(|row| decode(job, &row.head))
            .transpose()
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let data = self.data();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let rows = data
            .rows
            .get(&job)
            .into_iter()
            .flat_map(|row| row.events.iter());
        rows.skip(after)
            .take(most)
            .map(|event| decode(job, event))
            .collect()
    }

    async fn program(&self, job: JobId) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.data().rows.get(&job).map(|row| row.program.clone()))
    }

    async fn key_holder(&self, key: &Key) -> Result<Option<KeyHolder>, ReadError> {
        Ok(self.data().keys.get(key).copied())
    }

    async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Vec<Job>, ReadError> {
        let data = self.data();
        data.by_submission
            .range(..before)
            .rev()
            .map(|(_, job)| (*job, &data.rows[job]))
            .filter(|(_, row)| row.matches(filter))
            .take(most)
            .map(|(job, row)| decode(job, &row.head))
            .collect()
    }

    async fn unfinished(&self) -> Result<Vec<Job>, ReadError> {
        let data = self.data();
        data.unfinished
            .iter()
            .map(|(_, job)| decode(*job, &data.rows[job].head))
            .collect()
    }
}
