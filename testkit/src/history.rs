//! A run as it was seen from outside: what clients were told, what devices did, what is stored.
//! Nothing in here comes from the kernel's own view of itself but the store's content.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qrtx::devices::Status;
use qrtx::ids::{JobId, Sha256Sum};
use qrtx::job::Job;
use qrtx::job::event::{Counts, Recorded};
use qrtx::job::state::State;
use qrtx::limits::Limits;
use qrtx::ports::devices::Hardware;
use qrtx::schedule::reservation::Reservation;

pub use told::{Details, News, Shown, Told, Wish};

use crate::neighbours::{Method, Run};

/// A device as it is.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// For example `simulator`.
    pub backend_type: String,
    /// As in the driver's list.
    pub capabilities: BTreeMap<String, String>,
}

/// Everything that can be held against a kernel.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What clients were told, in the order in which it reached them.
    pub told: Vec<Told>,
    /// Every run that really took place.
    pub runs: Vec<Run>,
    /// What clients were promised.
    pub promises: Vec<Promise>,
    /// Reservations that are stored at the end, also those that are over.
    pub reservations: Vec<Reservation>,
    /// Whether clients reserve slots. Those count to what a tenant may have running and has used,
    /// on all devices, from a moment on that only the kernel knows.
    pub reserving: bool,
    /// Runs that each device takes at a time.
    pub slots: BTreeMap<String, usize>,
    /// What each device is and has.
    pub devices: BTreeMap<String, Device>,
    /// What is stored at the end.
    pub stored: BTreeMap<JobId, Stored>,
    /// What is stored of jobs and cannot be read, and why.
    pub damaged: Vec<String>,
    /// Every commit that was written, in order.
    pub committed: Vec<Committed>,
    /// When a kernel first tried to record that a job is given a device. What was decided then
    /// stands while the store is away, and may be decided again by the kernel's next life.
    pub turns: BTreeMap<JobId, Duration>,
    /// Every time that a kernel first tried to record that a job is given a device: also later
    /// turns of a job.
    pub given: Vec<Given>,
    /// What kernels were told of devices, in order.
    pub words: Vec<Word>,
    /// What somebody was told of devices who looked at them.
    pub looks: Vec<Look>,
    /// Devices that an operator took out of use.
    pub drained: Vec<Drained>,
    /// Every call of a kernel to a neighbour, in order.
    pub asked: Vec<Asked>,
    /// What reached compiler and driver to be compiled and executed, in order.
    pub passed: Vec<Passed>,
    /// Files that a power failure took or tore: nobody could have noticed.
    pub taken: BTreeSet<(JobId, String)>,
    /// Requests to run what is no circuit, by job.
    pub unreadable: Vec<String>,
    /// Devices whose shots cost money.
    pub paid: BTreeSet<String>,
    /// Which program a compiler made a circuit of, by their hashes.
    pub made: BTreeMap<Sha256Sum, Sha256Sum>,
    /// Whether a kernel was started anew after its wall clock was moved: it has nothing else to
    /// go by.
    pub wall_moved: bool,
    /// For how long kernels stood still, all in all.
    pub stood_still: Duration,
    /// When the kernel stood still and nobody stood in for it, or could not read what a job's turn
    /// needs: from and until, in the order in which they ended.
    pub pauses: Vec<(Duration, Duration)>,
    /// When a kernel died, or began to stand still: what it was about to do at that moment it did
    /// later, or another did it.
    pub broke_off: Vec<Duration>,
    /// Jobs whose clients went away once they were accepted.
    pub unwatched: BTreeSet<JobId>,
    /// Clients that were still submitting when everything was over.
    pub unanswered: Vec<String>,
    /// When submits were at a kernel: from and until. One without an answer may still be there.
    pub submits: Vec<(Duration, Duration)>,
    /// Submits that were turned away, in order.
    pub refused: Vec<Refused>,
    /// Every cancel that a client asked for.
    pub cancels: Vec<Cancel>,
    /// When a kernel was told that another has taken its place as the store's writer, by its life.
    pub fenced: Vec<(u32, Duration)>,
    /// When the writer's place in the store was taken, each time.
    pub epochs: Vec<Duration>,
    /// Whether the driver was well and in reach from the first to the last, so that whatever it is
    /// asked of an execution it can say.
    pub driver_was_well: bool,
    /// When devices were not to be used, which they say when they are asked: from and until.
    pub away: BTreeMap<String, Vec<(Duration, Duration)>>,
    /// When a client, a kernel, what it stores, or the way between them was in trouble: from and
    /// until.
    pub troubles: Vec<(Duration, Duration)>,
    /// When a kernel or the network about it was in trouble, and not what it keeps files in alone:
    /// from and until.
    pub kernel_troubles: Vec<(Duration, Duration)>,
    /// Every start of a kernel, in order.
    pub starts: Vec<Start>,
    /// When the job store was slow, full or away: from and until.
    pub store_troubles: Vec<(Duration, Duration)>,
    /// Tasks of the kernel that are left at the end.
    pub left_running: usize,
    /// When the first fault took place, or everything was over: until then a kernel knows all.
    pub calm_until: Duration,
    /// When the last fault took place or ended, since the start of the run.
    pub last_fault: Duration,
    /// When everything was over.
    pub ended: Duration,
    /// The bounds that the kernel was given.
    pub limits: Limits,
    /// Whether the driver can be asked what became of an execution, and refuses what is stale.
    pub askable: bool,
}

/// A job that was given a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// When that was to be recorded, since the start of the run; it was decided before.
    pub at: Duration,
    /// By which life of the kernel, from 1.
    pub life: u32,
    /// The job.
    pub job: JobId,
    /// The device.
    pub device: String,
}

/// What a kernel was told of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// When it had the answer, since the start of the run.
    pub at: Duration,
    /// Which life of the kernel, from 1.
    pub life: u32,
    /// The device.
    pub device: String,
    /// How it is; offline if it was not in the list.
    pub hardware: Hardware,
    /// Whether it was in the last list.
    pub listed: bool,
}

impl Word {
    /// Whether the device says of itself that it takes jobs, and is in the list.
    pub fn is_up(&self) -> bool {
        self.listed && self.hardware == Hardware::Online
    }

    /// Whether the device is away, broken, or not in the list.
    pub fn is_lost(&self) -> bool {
        matches!(self.hardware, Hardware::Offline | Hardware::Error)
    }
}

/// A list of the devices, as a kernel gave it to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When it was asked for, since the start of the run.
    pub asked: Duration,
    /// When it was here.
    pub at: Duration,
    /// How each device was said to be.
    pub devices: BTreeMap<String, Status>,
}

/// A device that an operator took out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// The device.
    pub device: String,
    /// From when until when it is so for certain: the answer was here, and nobody had begun to take
    /// it back.
    pub certain: (Duration, Duration),
}

/// A kernel that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When, since the start of the run.
    pub at: Duration,
    /// When it could be reached.
    pub ready: Option<Duration>,
    /// When it died.
    pub ended: Option<Duration>,
}

/// A slot that a client was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Its name, as clients and drivers hear it.
    pub id: String,
    /// Its token.
    pub token: u64,
    /// Of which device.
    pub device: String,
    /// For whom.
    pub tenant: String,
    /// From when until when it stands for certain: the answer was here, and the earliest end was
    /// not.
    pub certain: (Duration, Duration),
    /// By when it is over for certain.
    pub over: Duration,
}

/// A commit that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// When, since the start of the run.
    pub at: Duration,
    /// Whether the store said that it was written; until then a kernel does not go by it.
    pub confirmed: bool,
    /// The job.
    pub job: JobId,
    /// The number of its last event.
    pub seq: u64,
    /// The names of its events.
    pub events: Vec<&'static str>,
    /// The state after it.
    pub state: State,
}

/// A call of a kernel to a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When it left, since the start of the run.
    pub at: Duration,
    /// Who was asked.
    pub whom: String,
    /// Which call.
    pub what: String,
    /// For which job, if it is for one.
    pub job: Option<JobId>,
    /// Which life of the kernel asked, from 1.
    pub life: u32,
    /// When the answer was here, or the call was given up or broke; `None` if it went on.
    pub ended: Option<Duration>,
    /// How it ended: a gRPC code, or another word if there was no answer.
    pub end: String,
}

/// A request for a job, as it reached a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// When, since the start of the run.
    pub at: Duration,
    /// For which job.
    pub job: JobId,
    /// To do what.
    pub method: Method,
    /// In whose name; empty if it does not say.
    pub tenant: String,
    /// The options in it.
    pub options: BTreeMap<String, String>,
    /// Whether it says how long the kernel waits for an answer.
    pub bounded: bool,
}

/// A submit that was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When that was asked.
    pub asked: Duration,
    /// When the answer was here.
    pub at: Duration,
    /// Who asked.
    pub client: String,
    /// For which tenant.
    pub tenant: String,
    /// For which idempotency key.
    pub key: String,
    /// Why.
    pub why: Refusal,
    /// The gRPC code.
    pub code: String,
    /// Whether it was told when to come again.
    pub come_again: bool,
}

/// Why a submit is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is too much to do: another time.
    Overload,
    /// The job store has no room: another time.
    StoreFull,
    /// The key stands for another request.
    KeyConflict,
}

/// A cancel that a client asked for, until it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Who asked.
    pub client: String,
    /// For which job.
    pub job: JobId,
    /// Why.
    pub reason: String,
    /// When it asked first.
    pub asked: Duration,
    /// When it had its answer.
    pub answered: Option<Duration>,
}

/// A job as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The head.
    pub job: Job,
    /// Its events.
    pub events: Vec<Recorded>,
    /// Its artifacts now, by file name.
    pub artifacts: BTreeMap<String, Vec<u8>>,
    /// Its artifacts when it was completed; `None` if it was not.
    pub at_completion: Option<BTreeMap<String, Vec<u8>>>,
    /// The names of the artifacts that there were when the manifest was first written.
    pub before_manifest: Option<BTreeSet<String>>,
}

impl Stored {
    /// What was counted; `None` if nothing was, or if it was an object of its own that is gone.
    pub fn counts(&self) -> Option<BTreeMap<String, u64>> {
        match &self.job.outcome.as_ref()?.counts {
            Counts::Inline(counts) => Some(counts.clone()),
            Counts::Object(object) => {
                let content = self.artifacts.get(&object.file)?;
                let whole = Sha256Sum::of(content) == object.sha256;
                whole.then(|| serde_json::from_slice(content).ok())?
            }
        }
    }
}

/// When each job's intents were committed.
pub type Intents = BTreeMap<JobId, Vec<Duration>>;

impl History {
    /// The moment since which the kernel has lived for `span` until `at`.
    pub fn lived_since(&self, at: Duration, span: Duration) -> Duration {
        let (mut at, mut left) = (at, span);
        for &(from, until) in self.pauses.iter().rev() {
            let lived = at.saturating_sub(until);
            if lived >= left {
                break;
            }
            left -= lived;
            at = at.min(from);
        }
        at.saturating_sub(left)
    }

    /// Whether anything was wrong with the network, the store, a process or a neighbour in a span.
    pub fn was_troubled(&self, from: Duration, until: Duration) -> bool {
        self.touches(&self.troubles, from, until)
    }

    /// Whether in a span a kernel could do nothing for a job, whatever was wrong with its files.
    pub fn kernel_was_troubled(&self, from: Duration, until: Duration) -> bool {
        self.touches(&self.kernel_troubles, from, until)
    }

    /// Whether one of these troubles, a pause or one of the job store lies in a span.
    fn touches(&self, troubles: &[(Duration, Duration)], from: Duration, until: Duration) -> bool {
        let troubles = troubles.iter().chain(&self.pauses);
        let mut troubles = troubles.chain(&self.store_troubles);
        troubles.any(|&(began, ended)| began <= until && from <= ended)
    }

    /// What each client was told of each job, in order, and apart where it asked for it twice.
    pub fn told_apart(&self) -> BTreeMap<(&str, JobId, usize), Vec<&Told>> {
        let mut apart: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for told in &self.told {
            let of = (told.client.as_str(), told.job, told.request);
            apart.entry(of).or_default().push(told);
        }
        apart
    }

    /// When it was committed of each job that a device would be asked, in order.
    pub fn intents(&self) -> Intents {
        let mut intents: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let intended = |commit: &&Committed| commit.events.contains(&"Intended");
        for commit in self.committed.iter().filter(intended) {
            intents.entry(commit.job).or_default().push(commit.at);
        }
        intents
    }

    /// The jobs of which a client has an acknowledgement.
    pub fn accepted(&self) -> BTreeSet<JobId> {
        let accepted = |told: &&Told| matches!(told.news, News::Accepted { .. });
        self.told
            .iter()
            .filter(accepted)
            .map(|told| told.job)
            .collect()
    }
}
