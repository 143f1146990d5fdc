//! Where jobs are kept: the truth (D13). One append is one commit; an answer means that it is
//! on stable storage. `testkit` holds the contract suite that every store passes.

use std::future::Future;

use crate::ids::{Epoch, JobId, Sha256Sum};
use crate::job::Job;
use crate::job::event::Recorded;
use crate::job::state::State;

/// One commit: events of one job, and what goes with them.
#[derive(Debug, Clone)]
pub struct Append {
    /// The job after the events. Its `submission` is the store's to give.
    pub job: Job,
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

/// A client's idempotency key in its scope (D21).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose.
    pub tenant: String,
    /// Which project's.
    pub project: String,
    /// The key itself.
    pub key: String,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these states; all when empty.
    pub states: Vec<State>,
    /// Only this target.
    pub target: Option<String>,
    /// Only this tenant.
    pub tenant: Option<String>,
}

/// A job store.
pub trait JobStore: Send + Sync + 'static {
    /// Takes the writer's place: every append of an older epoch is refused from now on.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn claim(&self) -> impl Future<Output = Result<Epoch, ReadError>> + Send;

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

    /// A job as its last commit left it.
    ///
    /// # Errors
    /// [`ReadError`].
    fn job(&self, job: JobId) -> impl Future<Output = Result<Option<Job>, ReadError>> + Send;

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

    /// Jobs with a submission number below `before`, newest first, at most `most`.
    ///
    /// # Errors
    /// [`ReadError`].
    fn list(
        &self,
        filter: &Filter,
        before: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Job>, ReadError>> + Send;

    /// Every job that still has a duty ([`Job::duty`]), oldest first: what a kernel that starts
    /// has to go on with.
    ///
    /// # Errors
    /// [`ReadError`].
    fn unfinished(&self) -> impl Future<Output = Result<Vec<Job>, ReadError>> + Send;
}
