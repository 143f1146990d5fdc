//! What others may see of jobs and devices. Nothing here changes anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::devices::{Shown, Standing, Status};
use crate::ids::JobId;
use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Recorded};
use crate::job::head::Head;
use crate::job::history::{Stay, stays};
use crate::job::state::{Phase, State};
use crate::kernel::{Error, Held, Kernel, Mended, mend};
use crate::ports::store::{Filter, JobStore as _, Page, ReadError};
use crate::ports::{Clock as _, Env};
use crate::schedule::Load;
use crate::schedule::forecast::Interval;
use crate::stages::documents;
use crate::store::artifacts::ArtifactError;
use crate::time::Timestamp;

/// The results of an ended job.
#[derive(Debug, Clone)]
pub struct Results {
    /// The job.
    pub job: Arc<Job>,
    /// Bit string to shots; also when storing them had failed.
    pub counts: BTreeMap<String, u64>,
    /// How long it stayed where.
    pub stays: Vec<Stay>,
}

/// A device as hardware and schedule together show it.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// What the device says.
    pub shown: Shown,
    /// What the schedule says.
    pub load: Load,
    /// Who has slots reserved, the earlier first.
    pub reservations: Vec<Held>,
    /// What a job that is enqueued now would wait; `None` before the first execution, and while the
    /// device takes no jobs.
    pub wait: Option<Interval>,
}

/// What the table has of a job.
#[derive(Debug, PartialEq)]
enum Seen {
    AtHand(Arc<Job>),
    /// It lies in the store, up to the event of this number.
    Stored(u64),
    /// Its end is dealt with, or it never was.
    Nothing,
}

/// How long a reader waits for a record to be mended.
const MEND_WAIT: Duration = Duration::from_secs(5);

/// All devices, when the list was made, and why it cannot be renewed.
pub(crate) type Devices = (Vec<Outlook>, Option<Timestamp>, Option<String>);

impl<E: Env> Kernel<E> {
    /// A job as its last event left it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn job(&self, id: JobId) -> Result<Arc<Job>, Error> {
        let stored = async || {
            let job = self.env.store().job(id).await?;
            Ok(job.map(|job| (job.seq, Arc::new(job))))
        };
        self.look(id, Arc::clone, stored).await
    }

    /// The head of a job: what is shown of it while it is not asked for all.
    ///
    /// # Errors
    /// Those of [`Kernel::job`].
    pub async fn head(&self, id: JobId) -> Result<Head, Error> {
        let stored = async || {
            let head = self.env.store().head(id).await?;
            Ok(head.map(|head| (head.seq, head)))
        };
        self.look(id, |job| Head::of(job), stored).await
    }

    /// What is to be told of a job: of one that is at hand, or, with the number of its last event,
    /// as it is stored.
    async fn look<T, F>(
        &self,
        id: JobId,
        at_hand: impl FnOnce(&Arc<Job>) -> T,
        stored: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Option<(u64, T)>, ReadError>>,
    {
        let (mut seen, mut mended) = (self.seen(id), false);
        loop {
            if let Seen::AtHand(job) = seen {
                return Ok(at_hand(&job));
            }
            let found = match stored().await {
                Err(ReadError::Corrupt { .. }) | Ok(None) if seen != Seen::Nothing && !mended => {
                    // On the heap, as it is rare and large, and a look is part of many requests.
                    Box::pin(self.mended(id)).await;
                    mended = true;
                    seen = self.seen(id);
                    continue;
                }
                Err(ReadError::Corrupt { .. }) if !mended => {
                    Box::pin(self.mend_ended(id)).await;
                    mended = true;
                    continue;
                }
                found => found?,
            };
            // What the table does not tell yet nobody may know: who asks next must see no less.
            let now = self.seen(id);
            if now == seen {
                let (seq, found) = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
                if self.table().is_behind(id, seq) {
                    let what = "another kernel has taken this one's place: ask that";
                    return Err(Error::Unavailable(what.to_owned()));
                }
                return Ok(found);
            }
            seen = now;
        }
    }

    /// Lets a job that waits, and whose record cannot be read, be made again or ended now, and not
    /// when its turn comes.
    async fn mended(&self, id: JobId) {
        let Some(changed) = self.changes(id) else {
            return;
        };
        let heard = changed.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        let claim = self.table().claim(id);
        claim.into_iter().for_each(|claim| self.launch(claim));
        self.env.clock().timeout(MEND_WAIT, heard).await;
    }

    /// Makes the record of a job again that nobody drives, if that loses nothing: what has ended is
    /// changed by no reader. What has not is driven from now on.
    async fn mend_ended(&self, id: JobId) {
        let store = self.env.store();
        let Ok(Some(left)) = store.salvage(id).await else {
            return;
        };
        if left.broken.is_some() && left.whole.is_none() {
            return;
        }
        let now = self.env.clock().now();
        match mend(store, self.epoch, id, now).await {
            Ok(None) => {}
            Ok(Some(Mended { job, .. })) => {
                tracing::warn!(job_id = %id, "a damaged record was written anew from the rest of it");
                self.go_on_with(job);
            }
            Err(why) => {
                tracing::error!(job_id = %id, "a damaged record cannot be written anew: {why}")
            }
        }
    }

    /// A job that the start did not find because its record was damaged has its duty still.
    fn go_on_with(&self, job: Job) {
        let (id, head) = (job.id, Head::of(&job));
        if head.duty.is_some() {
            let now = (self.env.clock().monotonic(), self.env.clock().now());
            self.take_in(head, Some(Arc::new(job)), now);
            self.wake([id]);
        }
    }

    fn seen(&self, id: JobId) -> Seen {
        match self.table().jobs.get(&id) {
            Some(slot) => match slot.job() {
                Some(job) => Seen::AtHand(job.clone()),
                None => Seen::Stored(slot.gist.seq),
            },
            None => Seen::Nothing,
        }
    }

    /// The results of an ended job.
    ///
    /// # Errors
    /// [`Error::NotEnded`] before the end, and those of [`Kernel::job`].
    pub async fn results(&self, id: JobId) -> Result<Results, Error> {
        let job = self.job(id).await?;
        if !job.state.is_terminal() {
            return Err(Error::NotEnded(job.state));
        }
        let counts = match job.outcome.as_ref().map(|outcome| &outcome.counts) {
            None => BTreeMap::new(),
            Some(Counts::Inline(counts)) => counts.clone(),
            Some(Counts::Object(object)) => self.large_counts(&job, object).await?,
        };
        let stays = match self.history(id).await {
            Ok(history) => stays(&history),
            // The counts are worth more than the times, which may be lost without a trace.
            Err(Error::Corrupt(why) | Error::NotFound(why)) => {
                tracing::error!(job_id = %id, "{why}");
                Vec::new()
            }
            Err(why) => return Err(why),
        };
        Ok(Results { job, counts, stays })
    }

    /// Counts that have an object of their own, or, if that is lost, those in the results.
    async fn large_counts(
        &self,
        job: &Job,
        object: &ArtifactRef,
    ) -> Result<BTreeMap<String, u64>, Error> {
        let lost = match self.artifacts.read(job.id, object).await {
            Ok(read) => {
                let counts = serde_json::from_slice(&read);
                return counts.map_err(|why| Error::Corrupt(format!("{}: {why}", object.file)));
            }
            Err(away @ ArtifactError::Unavailable { .. }) => {
                return Err(Error::Unavailable(away.to_string()));
            }
            Err(lost) => Error::Corrupt(lost.to_string()),
        };
        let Some(results) = job
            .artifacts
            .iter()
            .find(|kept| kept.file == "results.json")
        else {
            return Err(lost);
        };
        let read = self
            .artifacts
            .read(job.id, results)
            .await
            .map_err(|_| lost)?;
        documents::counts(&read).map_err(|why| Error::Corrupt(format!("results.json: {why}")))
    }

    /// Every event of a job.
    ///
    /// # Errors
    /// Those of [`Kernel::job`].
    pub async fn history(&self, id: JobId) -> Result<Vec<Recorded>, Error> {
        let store = self.env.store();
        let history = match store.events(id, 0, usize::MAX).await {
            // One that is at hand is driven by what is at hand, and nobody reads its record.
            Err(ReadError::Corrupt { .. }) if matches!(self.seen(id), Seen::Stored(_)) => {
                self.mended(id).await;
                store.events(id, 0, usize::MAX).await?
            }
            // It has lost its name.
            Ok(none) if none.is_empty() && matches!(self.seen(id), Seen::Stored(_)) => {
                self.mended(id).await;
                store.events(id, 0, usize::MAX).await?
            }
            read => read?,
        };
        if history.is_empty() {
            return Err(Error::NotFound(id.to_string()));
        }
        Ok(history)
    }

    /// The events of a job as far as they can be read, and what is wrong with the next, if anything
    /// is.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn history_left(&self, job: &Job) -> Result<(Vec<Recorded>, Option<String>), Error> {
        let events = match self.history(job.id).await {
            Ok(events) => events,
            Err(Error::Corrupt(_) | Error::NotFound(_)) => {
                let left = self.env.store().salvage(job.id).await?;
                left.map(|left| left.events).unwrap_or_default()
            }
            Err(why) => return Err(why),
        };
        let next = events.len() as u64 + 1;
        let lost = (next <= job.seq).then(|| format!("event {next} cannot be read"));
        Ok((events, lost))
    }

    /// Jobs with a submission number below `before`, newest first; see [`Page`].
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self, filter: &Filter, before: u64, most: usize) -> Result<Page, Error> {
        let page = self.env.store().list(filter, before, most).await?;
        for job in &page.unreadable {
            tracing::error!(job_id = %job, "the record of this job cannot be read: qrtx fsck tells more");
        }
        for submission in &page.nameless {
            tracing::error!(
                submission,
                "a job has lost both its name and its head: qrtx fsck tells more"
            );
        }
        Ok(page)
    }

    /// What hardware and schedule say together about every device.
    pub fn devices(&self) -> Devices {
        let (shown, as_of, problem) = self.devices.show();
        let now = self.env.clock().monotonic();
        let table = self.table();
        let outlook = |shown: Shown| {
            let device = &shown.info.id;
            let load = table.scheduler.load(device);
            // Nobody can say for how long a device takes nothing.
            let takes = shown.status() == Status::Online;
            let forecast = || table.forecast.of_another(&table.scheduler, device, now);
            let wait = takes.then(forecast).flatten();
            let reservations = table.held_of(device);
            Outlook {
                shown,
                load,
                reservations,
                wait,
            }
        };
        (shown.into_iter().map(outlook).collect(), as_of, problem)
    }

    /// What a job is doing, or why it does nothing: one sentence for a person.
    pub fn situation(&self, job: &Head) -> String {
        if let (Some(_), Some(setback)) = (job.not_before, &job.setback) {
            return format!("{} will be tried again: {setback}", job.state.name());
        }
        match job.state {
            State::Pending if self.devices.standing(&job.want) == Standing::NeverReached => {
                self.devices.why_waiting(&job.want).unwrap_or_default()
            }
            State::Pending => {
                let waiting = self.table().waiting_to_compile();
                format!("waits for a compile slot{}", others(waiting))
            }
            State::Validating => "the program is being checked".to_owned(),
            State::Compiling => "the program is being compiled".to_owned(),
            State::Queued if let Some(id) = job.reservation => {
                let now = self.env.clock().monotonic();
                let table = self.table();
                let others = others(table.scheduler.waiting_for(id));
                let wait = table.waits(job, &self.devices, now);
                let why = wait.reasons.into_iter().next();
                let why = why.map_or_else(|| "its turn has come".to_owned(), |why| why.sentence);
                format!("waits for the slot of {id}{others}: {why}")
            }
            State::Queued => {
                let table = self.table();
                let others = others(table.scheduler.waiting_as(job.id));
                let why = table.why_queued(job, &self.devices);
                let why = why.unwrap_or_else(|| "its turn has come".to_owned());
                format!("waits for {}{others}: {why}", job.want.target)
            }
            State::Allocating => "the device is being asked whether it is ready".to_owned(),
            State::Executing => match (&job.doubt, job.phase) {
                (Some(cause), _) => format!("the device is asked whether it ran: {cause}"),
                (None, Some(Phase::QuantumInitializing)) => "the call is being prepared".to_owned(),
                (None, Some(phase)) => format!("the execution is in {}", phase.name()),
                (None, None) => "the execution is under way".to_owned(),
            },
            State::Completing => "the results are being stored and read back".to_owned(),
            State::Completed => "the results are stored and verified".to_owned(),
            State::Failed | State::Cancelled | State::Timeout => {
                let error = job.error.as_ref();
                error.map(|error| error.summary.clone()).unwrap_or_default()
            }
        }
    }
}

/// Who waits beside the job that is asked after.
fn others(waiting: usize) -> String {
    match waiting.saturating_sub(1) {
        0 => String::new(),
        1 => ", as does one other job".to_owned(),
        many => format!(", as do {many} other jobs"),
    }
}
