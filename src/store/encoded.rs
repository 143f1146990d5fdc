//! Events of a job as they will lie in the store, and what goes with them: which rows a commit
//! writes.

use crate::ids::JobId;
use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::job::head::Head;
use crate::job::key::Key;
use crate::ports::store::{Append, KeyHolder};
use crate::store::{head, record};

/// After so many events a job gets a checkpoint, the whole job in one row, so that reading it takes
/// no longer however often it was tried. It gets one, too, before a device is asked, with the answer,
/// and when it has ended: what was paid for is there twice.
const CHECKPOINT_EVENTS: u64 = 32;

/// Events of a job, and what goes with them.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) job: JobId,
    /// The number of the first event.
    pub(super) given: u64,
    pub(super) events: Vec<Vec<u8>>,
    pub(super) head: Vec<u8>,
    pub(super) checkpoint: Option<Vec<u8>>,
    pub(super) program: Option<Vec<u8>>,
    pub(super) key: Option<(Key, Vec<u8>)>,
}

impl Encoded {
    pub(super) fn new(append: Append) -> Self {
        let Append {
            job,
            events,
            submission,
        } = append;
        let holder = submission.as_ref().map(|submission| KeyHolder {
            job: job.id,
            fingerprint: submission.fingerprint,
        });
        let key = submission.as_ref().and_then(|submission| submission.key);
        Self {
            key: key.zip(holder).map(|(key, holder)| {
                let row = record::encode_of(&key.to_bytes(), &holder);
                (key, row)
            }),
            program: submission.map(|submission| record::seal(&submission.program)),
            ..Self::whole(&job, &events)
        }
    }

    /// The whole of what is stored of a job but its program and key.
    pub(super) fn whole(job: &Job, events: &[Recorded]) -> Self {
        let before = job.seq - events.len() as u64;
        let far = job.seq / CHECKPOINT_EVENTS > before / CHECKPOINT_EVENTS;
        let pays = |event: &Event| matches!(event, Event::Intended { .. } | Event::Executed { .. });
        let paid = |recorded: &Recorded| pays(&recorded.event);
        // Without events it stands for those that cannot be read.
        let alone = events.is_empty();
        let checkpoint = far || alone || job.state.is_terminal() || events.iter().any(paid);
        Self {
            job: job.id,
            given: before + 1,
            events: events.iter().map(record::encode).collect(),
            head: head::encode(Head::of(job)),
            checkpoint: checkpoint.then(|| record::encode(job)),
            program: None,
            key: None,
        }
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &Vec<u8>)> {
        (self.given..).zip(&self.events)
    }

    /// About how much there is to write.
    pub(super) fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(Vec::len).sum();
        let rest = [&self.checkpoint, &self.program].into_iter().flatten();
        events + self.head.len() + rest.map(Vec::len).sum::<usize>()
    }
}
