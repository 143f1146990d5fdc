//! Where jobs are kept: the truth (D13). One append is one commit; an answer means that it is
//! on stable storage. `testkit` holds the contract suite that every store passes.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, Epoch, JobId, ReservationId, Sha256Sum};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::job::head::Head;
use crate::job::key::Key;
use crate::job::state::State;
use crate::schedule::reservation::Reservation;
use crate::time::Timestamp;

/// One commit: events of one job, and what goes with them.
#[derive(Debug, Clone)]
pub struct Append {
    /// The job after the events. Its `submission` is the store's to give.
    pub job: Arc<Job>,
    /// The events, the last of which is number `job.seq`.
    pub events: Vec<Recorded>,
    /// Only with the first event.
    pub submission: Option<Submission>,
}

/// What comes with a job's first event, in the same commit.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The program.
    pub program: Vec<u8>,
    /// The client's key, if it gave one.
    pub key: Option<Key>,
    /// What the key stands for.
    pub fingerprint: Sha256Sum,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHolder {
    /// The job that was made with it.
    pub job: JobId,
    /// What was asked for then.
    pub fingerprint: Sha256Sum,
}

/// Why an append changed nothing, or may have changed something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The key was taken by an earlier job: answer with that one.
    #[error("the idempotency key belongs to {}", .0.job)]
    KeyTaken(KeyHolder),
    /// Somebody else writes this store now: stop.
    #[error("this kernel's place as the store's writer was taken over by epoch {}", .0.0)]
    Fenced(Epoch),
    /// The job's history is not where the caller thinks: a bug, or a second writer.
    #[error("event {given} of {job} cannot follow event {last}")]
    OutOfOrder {
        /// The job.
        job: JobId,
        /// The first event that was given.
        given: u64,
        /// The last event that is stored.
        last: u64,
    },
    /// There is no room: refuse what is new.
    #[error("the job store is full: {0}")]
    Full(String),
    /// It may have worked or not: repeat the same append, which does nothing if it had worked.
    #[error("the job store cannot be written: {0}")]
    Unavailable(String),
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Try again.
    #[error("the job store cannot be read: {0}")]
    Unavailable(String),
    /// What is stored makes no sense: do not try again.
    #[error("the record of {job} cannot be read: {reason}")]
    Corrupt {
        /// The job.
        job: JobId,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a store cannot be used, where both is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these states; all when empty.
    pub states: Vec<State>,
    /// Only this target.
    pub target: Option<String>,
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only jobs accepted at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only jobs accepted before this time.
    pub created_before: Option<Timestamp>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Newest first. May be fewer than asked for, or none, though the list goes on: a store looks
    /// at no more than [`SCAN_MAX`] jobs for a page.
    pub jobs: Vec<Head>,
    /// Jobs that the filter asks for and that cannot be read.
    pub unreadable: Vec<JobId>,
    /// Submission numbers of jobs of which not even the name can be read.
    pub nameless: Vec<u64>,
    /// The list goes on below this submission number; `None` at its end.
    pub next: Option<u64>,
}

/// Jobs that a store looks at for one page of a list, whether they fit the filter or not.
pub const SCAN_MAX: usize = 10_000;

/// A job that a starting kernel has to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// Its place in the order of all submissions.
    pub submission: u64,
    /// Its name.
    pub id: JobId,
    /// Its head, or why that cannot be read. That the rest of the job can be is not said.
    pub head: Result<Head, String>,
}

/// What can still be read of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Salvage {
    /// Its place in the order of all submissions.
    pub submission: u64,
    /// Its head, if that can be read.
    pub head: Option<Head>,
    /// Its events from the first on, up to the first that cannot be read.
    pub events: Vec<Recorded>,
    /// What is wrong with the event after those; `None` if that is all there is.
    pub broken: Option<String>,
    /// The job, if something is wrong with its events that lies before a whole checkpoint.
    pub whole: Option<Job>,
}

/// An ended job that nothing is owed to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its place in the order of all submissions.
    pub submission: u64,
    /// Its name.
    pub id: JobId,
    /// When it ended.
    pub at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Whether an idempotency key stands for it.
    pub keyed: bool,
}

/// A job store.
pub trait JobStore: Send + Sync + 'static {
    /// Takes the writer's place: every append of an older epoch is refused from now on.
    ///
    /// # Errors
    /// [`AppendError::Full`] and [`AppendError::Unavailable`].
    fn claim(&self) -> impl Future<Output = Result<Epoch, AppendError>> + Send;

    /// Makes one commit, whole or not at all; returns the job's submission number. Repeating an
    /// append that worked changes nothing and answers the same.
    ///
    /// # Errors
    /// [`AppendError`].
    fn append(
        &self,
        epoch: Epoch,
        append: Append,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// A job as its last commit left it, with everything that is known of it.
    ///
    /// # Errors
    /// [`ReadError`].
    fn job(&self, job: JobId) -> impl Future<Output = Result<Option<Job>, ReadError>> + Send;

    /// The head of a job as its last commit left it: nothing else of the job is read for it.
    ///
    /// # Errors
    /// [`ReadError`].
    fn head(&self, job: JobId) -> impl Future<Output = Result<Option<Head>, ReadError>> + Send;

    /// A job's events after number `after`, in order, at most `most`; none of a job that is not
    /// there.
    ///
    /// # Errors
    /// [`ReadError`].
    fn events(
        &self,
        job: JobId,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Recorded>, ReadError>> + Send;

    /// A job's program.
    ///
    /// # Errors
    /// [`ReadError`].
    fn program(
        &self,
        job: JobId,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, ReadError>> + Send;

    /// Who holds a key.
    ///
    /// # Errors
    /// [`ReadError`].
    fn key_holder(
        &self,
        key: &Key,
    ) -> impl Future<Output = Result<Option<KeyHolder>, ReadError>> + Send;

    /// Jobs with a submission number below `before`, newest first, at most `most`. Where fewer
    /// are given, [`Page::next`] tells whether the list goes on.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn list(
        &self,
        filter: &Filter,
        before: u64,
        most: usize,
    ) -> impl Future<Output = Result<Page, ReadError>> + Send;

    /// Jobs that still have a duty ([`Job::duty`]) and a submission number above `after`, oldest
    /// first, at most `most`: what a kernel that starts has to go on with. None means that there
    /// are no more. A job that cannot be read is one of them.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn unfinished(
        &self,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Unfinished>, ReadError>> + Send;

    /// What can still be read of a job; `None` if there is no such job.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn salvage(
        &self,
        job: JobId,
    ) -> impl Future<Output = Result<Option<Salvage>, ReadError>> + Send;

    /// Writes the record of a job that is there already anew: `events` are all of its events from the
    /// first on, or none if those that are stored stay as they are. What does not read as what is
    /// written now is kept aside as it was. Program, key and submission number stay.
    ///
    /// # Errors
    /// [`AppendError::OutOfOrder`] if there is no such job or the events are not whole, and those
    /// of every commit.
    fn replace(
        &self,
        epoch: Epoch,
        job: Job,
        events: Vec<Recorded>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Ended jobs without a duty and with a submission number above `after`, oldest first, at most
    /// `most`. None means that there are no more; at most [`SCAN_MAX`] jobs are looked at, and the
    /// number to go on after is given along.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn ended(
        &self,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<(Vec<Ended>, Option<u64>), ReadError>> + Send;

    /// Removes ended jobs with everything that is stored of them, in one commit; those that have a
    /// duty, or are not there, are left out. Their names stay among the forgotten.
    ///
    /// # Errors
    /// Those of every commit.
    fn forget(
        &self,
        epoch: Epoch,
        jobs: Vec<JobId>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Jobs that are forgotten here and whose artifacts may still lie about, at most `most`.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn forgotten(&self, most: usize) -> impl Future<Output = Result<Vec<JobId>, ReadError>> + Send;

    /// The artifacts of these forgotten jobs are gone, too: not even their names are kept.
    ///
    /// # Errors
    /// Those of every commit.
    fn cleared(
        &self,
        epoch: Epoch,
        jobs: Vec<JobId>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Notes that an operator lets a device take no new jobs, or that it takes them again. Repeating
    /// it changes nothing.
    ///
    /// # Errors
    /// Those of every commit.
    fn set_draining(
        &self,
        epoch: Epoch,
        device: DeviceId,
        draining: bool,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// The devices that an operator lets take no new jobs.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn draining(&self) -> impl Future<Output = Result<BTreeSet<DeviceId>, ReadError>> + Send;

    /// Stores a reservation as it is now in place of what was stored of it, and forgets others, in
    /// one commit. Repeating it changes nothing.
    ///
    /// # Errors
    /// Those of every commit.
    fn set_reservation(
        &self,
        epoch: Epoch,
        now: Reservation,
        forget: Vec<ReservationId>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// All reservations, the earlier first, but those that cannot be read.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn reservations(&self) -> impl Future<Output = Result<Vec<Reservation>, ReadError>> + Send;

    /// The reservations that cannot be read.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn unreadable_reservations(
        &self,
    ) -> impl Future<Output = Result<Vec<ReservationId>, ReadError>> + Send;

    /// Forgets reservations, also those that cannot be read. Repeating it changes nothing.
    ///
    /// # Errors
    /// Those of every commit.
    fn forget_reservations(
        &self,
        epoch: Epoch,
        forget: Vec<ReservationId>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// How many jobs are kept, whatever their state.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn count(&self) -> impl Future<Output = Result<u64, ReadError>> + Send;
}
