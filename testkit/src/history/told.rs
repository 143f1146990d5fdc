//! What clients are told, and what they had asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::{JobId, Sha256Sum};
use qrtx::job::state::{PublicState, State};
use qrtx::time::Timestamp;

/// Something that a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it reached the client, since the start of the run.
    pub at: Duration,
    /// Who was told.
    pub client: String,
    /// For which of its requests, by number: two may turn out to be for one job.
    pub request: usize,
    /// About which job.
    pub job: JobId,
    /// What.
    pub news: News,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What it is called.
    pub name: String,
    /// For which tenant it is.
    pub tenant: String,
    /// The hash of its program.
    pub program: Sha256Sum,
    /// Where it is to run.
    pub target: String,
    /// How often.
    pub shots: u32,
    /// With which seed, if its client has said so.
    pub seed: Option<i64>,
    /// What the compiler is to be told.
    pub options: BTreeMap<String, String>,
    /// How urgent it is.
    pub priority: u8,
    /// How long it may take, if its client has said so.
    pub timeout: Option<Duration>,
}

/// What a client was told of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is accepted, for this idempotency key.
    Accepted {
        /// The client's key.
        key: String,
        /// When the request left that was answered so.
        asked: Duration,
        /// Whether it was told that the key had made it before; `None` where that is not told.
        repeated: Option<bool>,
        /// What it asked for.
        wish: Wish,
    },
    /// An event of a watch. A watch that is resumed goes on behind the last event.
    Event {
        /// Its number.
        seq: u64,
        /// Its name.
        kind: String,
        /// The state after it.
        state: State,
    },
    /// An update of a stream of system-api's. One that is resumed goes on behind the last.
    Update {
        /// Its number.
        seq: u64,
        /// How the job was shown then.
        shown: PublicState,
        /// Which stage that was, by its name.
        stage: String,
    },
    /// Where the job is, as system-api asks for it.
    Public(PublicState),
    /// Where the job is, in full.
    Shown(Box<Shown>),
    /// The results of an ended job.
    Results {
        /// The job's end.
        state: State,
        /// The device that ran it last, empty if none did; `None` if the answer does not tell.
        device: Option<String>,
        /// What was counted.
        counts: BTreeMap<String, i64>,
    },
    /// Why the job is not running.
    Explained {
        /// Where it was then.
        state: State,
        /// How many things hold it.
        reasons: usize,
    },
    /// The whole history of a job that has ended: number, kind and state of each event.
    History(Vec<(u64, String, State)>),
    /// Where the list of its tenant's jobs has a job that has ended; `None` if it has not.
    Listed(Option<State>),
    /// Which other jobs stood in that list, as far as it was read.
    Beside(Vec<JobId>),
    /// Whether a part of all jobs that have not been forgotten had it.
    Sifted {
        /// Which part.
        part: String,
        /// Whether it belongs there.
        wanted: bool,
        /// Whether it was there.
        found: bool,
    },
    /// What was told beside state and counts.
    Details(Details),
    /// A cancel was answered.
    Receipt {
        /// In these words.
        receipt: String,
        /// What the execution that it stopped had cost by then.
        shots_used: Option<i64>,
    },
}

/// Details of a job by their names, as text: `status.…`, `results.…` and `ledger.…`. With `.after.N.`
/// in its name it is so after event N, and may be otherwise later.
pub type Details = BTreeMap<String, String>;

/// A job as GetJobStatus tells it, as far as its events say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The number of its last event.
    pub seq: u64,
    /// Where it is.
    pub state: State,
    /// Which execution this is.
    pub attempt: u32,
    /// How often the present stage was put off.
    pub tries: u32,
    /// The device that was picked; empty if none is.
    pub device: String,
    /// Which phase of an execution, by its name; empty outside of one.
    pub phase: String,
    /// When its last event happened.
    pub updated_at: Timestamp,
    /// When the back-off ends that it waits for.
    pub not_before: Option<Timestamp>,
    /// Why it ended without success; empty if it did not.
    pub code: String,
}
