//! Watching a job: its events in order and without gaps, from any sequence number on. The store
//! is read; the table only tells when to read again.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::Notify;

use crate::ids::JobId;
use crate::job::event::Recorded;
use crate::job::state::State;
use crate::kernel::{Error, Kernel};
use crate::limits::WATCH_PAGE;
use crate::planted::{Bug, planted};
use crate::ports::Env;
use crate::ports::store::JobStore as _;

struct Watcher<E: Env> {
    kernel: Arc<Kernel<E>>,
    job: JobId,
    seq: u64,
    read: VecDeque<Recorded>,
    ended: bool,
}

impl<E: Env> Kernel<E> {
    /// The events of `job` after number `after`. The stream ends when the job has ended and
    /// every event that is stored by then was given.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the stream itself may end with [`Error::Unavailable`].
    pub async fn watch(
        self: &Arc<Self>,
        job: JobId,
        after: u64,
    ) -> Result<impl Stream<Item = Result<Recorded, Error>> + Send + use<E>, Error> {
        self.job(job).await?;
        let kernel = self.clone();
        let watcher = Watcher {
            kernel,
            job,
            seq: after.saturating_sub(u64::from(planted(Bug::WatchRepeats))),
            read: VecDeque::new(),
            ended: false,
        };
        Ok(futures::stream::unfold(watcher, |mut watcher| async move {
            let next = watcher.next().await.transpose()?;
            watcher.ended |= next.is_err();
            Some((next, watcher))
        }))
    }

    /// What tells that a job has changed; `None` when it will not change any more.
    pub(super) fn changes(&self, job: JobId) -> Option<Arc<Notify>> {
        self.table().jobs.get_mut(&job).map(|slot| slot.changed())
    }

    /// What the table tells of a job: the number of its last event, and whether it has ended; `None`
    /// if the store alone knows.
    fn reached(&self, job: JobId) -> Option<(u64, bool)> {
        let table = self.table();
        let gist = &table.jobs.get(&job)?.gist;
        Some((gist.seq, gist.state.is_terminal()))
    }
}

impl<E: Env> Watcher<E> {
    async fn next(&mut self) -> Result<Option<Recorded>, Error> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.seq = event.seq;
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            let changed = self.kernel.changes(self.job);
            let heard = changed.as_ref().map(|changed| changed.notified());
            tokio::pin!(heard);
            if let Some(heard) = heard.as_mut().as_pin_mut() {
                // From here on no change is missed.
                heard.enable();
            }
            match (self.kernel.reached(self.job), heard.as_mut().as_pin_mut()) {
                (Some((seq, ended)), _) if seq <= self.seq && ended => return Ok(None),
                (Some((seq, _)), Some(heard)) if seq <= self.seq => {
                    heard.await;
                    continue;
                }
                _ => {}
            }
            let store = self.kernel.env.store();
            let stored = store.events(self.job, self.seq, WATCH_PAGE).await?;
            // What the table does not tell yet nobody may know: who asks next must see no less. It
            // tells of it in a moment.
            let told = self.kernel.reached(self.job);
            let known = |event: &Recorded| told.is_none_or(|(seq, _)| event.seq <= seq);
            self.read = stored.into_iter().take_while(known).collect();
            if let Some(last) = self.read.back() {
                // Nothing ever follows it, so there is nothing to look for.
                self.ended = last.state == State::Completed;
                continue;
            }
            let job = self.kernel.head(self.job).await?;
            if job.state.is_terminal() && self.seq >= job.seq {
                return Ok(None);
            }
            match heard.as_mut().as_pin_mut() {
                Some(heard) => heard.await,
                None => return Ok(None),
            }
        }
    }
}
