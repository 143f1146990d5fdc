//! The one writer: whoever finds nobody committing does it, off the async threads, for all that
//! have come in, until nobody waits any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::ids::Epoch;
use crate::planted::{Bug, planted};
use crate::ports::store::AppendError;
use crate::store::commit::{self, Change, Refusal};
use crate::store::disk::engine::Engine;
use crate::store::disk::queue::{Queue, Role, Room};
use crate::store::map::Failed;
use crate::time::Monotonic;

/// What an asker is told.
type Outcome = Result<u64, AppendError>;

/// One change that waits to be made.
#[derive(Debug)]
pub(super) struct Waiting {
    epoch: Epoch,
    change: Change,
    tell: oneshot::Sender<Outcome>,
}

/// The engine, and who waits for it.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) engine: Engine,
    queue: Mutex<Queue<Waiting>>,
}

/// A duty to commit until nobody waits. Whoever drops it undone lets all go that wait.
#[derive(Debug)]
pub(super) struct Lead {
    writer: Arc<Writer>,
    done: bool,
}

impl Waiting {
    /// Only as a planted mistake.
    fn tell_at_once(&mut self, submission: u64) {
        let (nobody, _) = oneshot::channel();
        let tell = std::mem::replace(&mut self.tell, nobody);
        let _ = tell.send(Ok(submission));
    }
}

impl Writer {
    pub(super) fn new(engine: Engine, room: Room) -> Self {
        Self {
            engine,
            queue: Mutex::new(Queue::new(room)),
        }
    }

    /// Takes a change in. Its outcome comes on the receiver; with a lead, the caller has to see to
    /// it that there is one.
    pub(super) fn ask(
        self: &Arc<Self>,
        now: Monotonic,
        epoch: Epoch,
        change: Change,
    ) -> Result<(oneshot::Receiver<Outcome>, Option<Lead>), AppendError> {
        let (tell, told) = oneshot::channel();
        let mut queue = self.queue();
        if change.is_new()
            && let Some(why) = queue.crowded(now)
        {
            return Err(AppendError::Full(why));
        }
        let bytes = change.bytes();
        let waiting = Waiting {
            epoch,
            change,
            tell,
        };
        let lead = match queue.push(now, bytes, waiting) {
            Role::Follow => None,
            Role::Lead => Some(Lead {
                writer: self.clone(),
                done: false,
            }),
        };
        Ok((told, lead))
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit for all of a batch; each is told what is on the disk.
    fn commit(&self, mut batch: Vec<Waiting>) {
        let mut outcomes = self.engine.write(|map| {
            let make = |waiting: &mut Waiting| match waiting.change.make(map, waiting.epoch) {
                Ok(submission) => {
                    if planted(Bug::ToldBeforeCommit) {
                        waiting.tell_at_once(submission);
                    }
                    Ok(Ok(submission))
                }
                Err(Refusal::No(why)) => Ok(Err(why)),
                Err(Refusal::Off(failed)) => Err(failed),
            };
            batch.iter_mut().map(make).collect::<Result<Vec<_>, _>>()
        });
        if outcomes.is_ok() && commit::is_split() {
            let rest = self.engine.write(|map| {
                let mut waiting = batch.iter();
                waiting.try_for_each(|waiting| waiting.change.make_rest(map))
            });
            outcomes = rest.and(outcomes);
        }
        match outcomes {
            Ok(outcomes) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    // Nobody listens when the asker gave up; what was asked for is done.
                    let _ = waiting.tell.send(outcome);
                }
            }
            Err(failed) => {
                tracing::error!(changes = batch.len(), "a commit failed: {failed}");
                for waiting in batch {
                    let outcome = self.read_back(&waiting.change, &failed);
                    let _ = waiting.tell.send(outcome);
                }
            }
        }
    }

    /// What is there after a commit of which nobody knows whether it worked.
    fn read_back(&self, change: &Change, failed: &Failed) -> Outcome {
        match self.engine.read(|map| change.is_made(map)) {
            Ok(Some(submission)) => Ok(submission),
            Ok(None) => Err(failed.clone().into()),
            Err(unreadable) => Err(AppendError::Unavailable(format!("{failed}; {unreadable}"))),
        }
    }
}

impl Lead {
    /// Commits until nobody waits any more.
    pub(super) fn follow_through(mut self) {
        loop {
            let batch = self.writer.queue().take();
            if batch.is_empty() {
                self.done = true;
                return;
            }
            self.writer.commit(batch);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.done {
            self.writer.engine.suspect();
            drop(self.writer.queue().abandon());
        }
    }
}
