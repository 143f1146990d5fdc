//! The job table: every job that still has a duty, and who owns it. A job is owned by its loop
//! while it has something to do; else it waits here as data (D17). Whoever wants something of a
//! job says so here, and its loop does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::devices::{Book, Standing};
use crate::ids::JobId;
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::job::state::State;
use crate::job::{Duty, Job};
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::schedule::forecast::{Forecast, Kept};
use crate::schedule::policy::Policy;
use crate::schedule::pool::Pool;
use crate::schedule::rank::Rank;
use crate::schedule::timers::{Alarm, Timers};
use crate::schedule::{Pick, Scheduler};
use crate::time::Monotonic;

/// Where jobs meet.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) jobs: BTreeMap<JobId, Slot>,
    pub(super) scheduler: Scheduler,
    pub(super) forecast: Forecast,
    /// What was told of waits that are over, to be counted.
    pub(super) kept: Vec<Kept>,
    pub(super) timers: Timers,
    pub(super) compile: Pool,
    pub(super) store: Pool,
    /// Jobs that wait for the driver-manager to be reached for the first time.
    pub(super) unreached: BTreeSet<JobId>,
    /// Jobs in the table that have not ended.
    active: usize,
    /// Jobs that were let in and are being stored.
    arriving: usize,
    /// So much waiting is worth one point of priority.
    age_step: Duration,
}

/// One job in the table.
#[derive(Debug)]
pub(super) struct Slot {
    /// The job as its last event left it.
    pub(super) job: Arc<Job>,
    pub(super) since: Since,
    /// Its deadline on our clock.
    pub(super) deadline: Monotonic,
    /// The end of its back-off.
    pub(super) resume_at: Option<Monotonic>,
    /// The turn that it was given and that its record does not tell yet.
    pub(super) turn: Option<Pick>,
    /// Whether a loop owns it.
    owned: bool,
    pub(super) wishes: Wishes,
    /// Told whenever the job has changed.
    pub(super) changed: Arc<Notify>,
    /// Told whenever there is a wish.
    pub(super) wished: Arc<Notify>,
}

/// Since when a job is where it is, on our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// When it came to its state.
    pub(super) entered: Monotonic,
    /// When its open execution began, or was taken over from an earlier life.
    pub(super) opened: Monotonic,
}

/// What the wall times in a job's record are on our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When it came to its state.
    pub(super) entered: Monotonic,
    /// Its deadline.
    pub(super) deadline: Monotonic,
}

/// What is wanted of a job.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// A client cancelled, for this reason.
    pub(super) cancel: Option<String>,
    /// The deadline passed, while the job was waiting for this.
    pub(super) deadline: Option<String>,
    /// A cancel must be answered now.
    pub(super) receipt: bool,
}

/// What a job's loop does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Write this down.
    Record(Event),
    /// Do this.
    Perform(Duty),
    /// The job waits as data, or is done with: the loop ends.
    Leave,
}

impl Table {
    pub(super) fn new(limits: &Limits) -> Self {
        let age_step = Duration::from_millis(limits.age_step_ms);
        let policy = Policy {
            tenant_running: limits.tenant_running,
            tenant_weights: limits.tenant_weights.clone(),
        };
        Self {
            jobs: BTreeMap::new(),
            scheduler: Scheduler::new(policy),
            forecast: Forecast::default(),
            kept: Vec::new(),
            age_step,
            timers: Timers::default(),
            compile: Pool::new(limits.compile_slots),
            store: Pool::new(limits.store_slots),
            unreached: BTreeSet::new(),
            active: 0,
            arriving: 0,
        }
    }

    /// Takes a job in at `now`. Nobody owns it yet.
    pub(super) fn insert(&mut self, job: Arc<Job>, now: Monotonic, times: Times) {
        let Times { entered, deadline } = times;
        if let Some(device) = job.holds()
            && !planted(Bug::SlotsForgottenOnRecovery)
        {
            self.scheduler
                .hold(job.id, device, &job.spec.owner.tenant, entered);
        }
        if !job.state.is_terminal() {
            self.active += 1;
            self.timers.set(job.id, Alarm::Deadline, deadline);
        }
        let slot = Slot {
            since: Since {
                entered,
                // How long ago that was only the wall clock could say, which may have jumped: a
                // slot is rather held for too long.
                opened: now,
            },
            deadline,
            resume_at: None,
            turn: None,
            owned: false,
            wishes: Wishes::default(),
            changed: Arc::default(),
            wished: Arc::default(),
            job,
        };
        self.jobs.insert(slot.job.id, slot);
    }

    /// Looks at a job that nobody owns, because something changed for it: a loop is due, or it
    /// goes on waiting. A loop that owns it hears of it.
    pub(super) fn place(&mut self, job: JobId, book: &Book, around: Around) -> Option<Arc<Job>> {
        if self.jobs.get(&job).is_some_and(|slot| slot.owned) {
            return self.claim(job);
        }
        let as_stored = self.jobs.get(&job)?.job.clone();
        match self.next_step(&as_stored, book, around) {
            Step::Leave => None,
            // The loop decides again, and the same.
            Step::Record(_) | Step::Perform(_) => self.claim(job),
        }
    }

    /// Makes a loop the owner of a job that waits; `None` if a loop owns it already, which then
    /// hears of the wish, or if it is not here.
    pub(super) fn claim(&mut self, job: JobId) -> Option<Arc<Job>> {
        let slot = self.jobs.get_mut(&job)?;
        if slot.owned {
            slot.wished.notify_one();
            return None;
        }
        slot.owned = true;
        Some(slot.job.clone())
    }

    /// Jobs that have not ended, those that are just being stored among them.
    pub(super) fn active(&self) -> usize {
        self.active + self.arriving
    }

    /// A job was let in; it counts from now on, before anybody can see it.
    pub(super) fn arriving(&mut self) {
        self.arriving += 1;
    }

    /// A job that was let in is in the table, or will never be.
    pub(super) fn arrived(&mut self) {
        self.arriving -= 1;
    }

    /// Jobs that wait for a compile slot.
    pub(super) fn waiting_to_compile(&self) -> usize {
        self.compile.waiting()
    }

    /// Puts a job off until `at`.
    pub(super) fn pause(&mut self, job: JobId, at: Monotonic) {
        self.compile.leave(job);
        self.store.leave(job);
        if let Some(slot) = self.jobs.get_mut(&job) {
            slot.resume_at = Some(at);
        }
    }

    /// A job's record has changed, and this is known at `now`: what it no longer needs is given
    /// back.
    pub(super) fn changed(&mut self, before: &Job, after: Arc<Job>, since: Since, now: Monotonic) {
        let id = after.id;
        if !matches!(after.state, State::Validating | State::Compiling)
            && !planted(Bug::CompileSlotLeaks)
        {
            self.compile.leave(id);
        }
        if !matches!(after.duty(), Some(Duty::Complete | Duty::Report)) {
            self.store.leave(id);
        }
        // A slot that was picked for a queued job is held before the record says so.
        let picked = after.state == State::Queued && before.holds().is_none();
        let early = planted(Bug::SlotFreedAtEnd) && after.state.is_terminal();
        if (after.holds().is_none() || early) && !picked {
            self.scheduler.remove(id);
            self.scheduler.release(id, now);
            self.forecast.left(id);
        }
        if after.state.is_terminal() && !before.state.is_terminal() {
            self.active -= 1;
            self.timers.clear(id, Alarm::Deadline);
        }
        if let Some(slot) = self.jobs.get_mut(&id) {
            slot.resume_at = None;
            if !picked {
                slot.turn = None;
            }
            slot.since = since;
            slot.job = after;
            slot.changed.notify_waiters();
        }
    }

    /// Decides what the owner of a job does next, who knows it best; on [`Step::Leave`] it owns it
    /// no longer.
    pub(super) fn next_step(&mut self, known: &Job, book: &Book, around: Around) -> Step {
        let job = known.id;
        let Some(slot) = self.jobs.get_mut(&job) else {
            return Step::Leave;
        };
        let Some(duty) = known.duty() else {
            self.forget(job, around.now);
            return Step::Leave;
        };
        // An answer in hand is dealt with first: whether a wish comes too late depends on it.
        if !around.answered
            && let Some(event) = slot.wish(false)
        {
            return Step::Record(event);
        }
        if let Some(at) = slot.resume_at {
            if at > around.now {
                self.timers.set(job, Alarm::Wake, at);
                return self.leave(job);
            }
            slot.resume_at = None;
        }
        let rank = Rank::of(known, self.age_step);
        match duty {
            Duty::Admit | Duty::Validate | Duty::Compile => {
                // What the device can do must be known before anything is compiled for it.
                if book.standing(&known.spec.target) == Standing::NeverReached {
                    return self.wait_for_contact(known, book, around);
                }
                if !self.compile.take(job) {
                    self.compile.enqueue(job, rank);
                    return self.leave(job);
                }
                if duty == Duty::Admit {
                    return Step::Record(Event::Admitted);
                }
            }
            Duty::Complete | Duty::Report => {
                if !self.store.take(job) {
                    self.store.enqueue(job, rank);
                    return self.leave(job);
                }
            }
            Duty::Assign => return self.assign(known, rank, book, around),
            Duty::Allocate | Duty::Execute | Duty::Settle => {}
        }
        Step::Perform(duty)
    }

    /// Its turn, a place in the queue, or no hope for one.
    fn assign(&mut self, known: &Job, rank: Rank, book: &Book, around: Around) -> Step {
        let (job, spec) = (known.id, &known.spec);
        if let Some(Pick {
            device,
            left_waiting,
            passed_over,
            ..
        }) = self.jobs[&job].turn.clone()
        {
            return Step::Record(Event::Assigned {
                device,
                left_waiting: u32::try_from(left_waiting).unwrap_or(u32::MAX),
                passed_over,
            });
        }
        match book.standing(&spec.target) {
            Standing::Known => {}
            Standing::Unknown => return fail(book.unknown_device(&spec.target)),
            Standing::NeverReached => return self.wait_for_contact(known, book, around),
        }
        let is_new = self.scheduler.waits_for(job).is_none();
        self.scheduler
            .enqueue(job, &spec.target, &spec.owner.tenant, rank);
        if is_new {
            self.forecast.came(&self.scheduler, job, around.now);
        }
        self.leave(job)
    }

    /// Nothing is known of any device: the job waits until there is, but not for ever (D19).
    fn wait_for_contact(&mut self, known: &Job, book: &Book, around: Around) -> Step {
        let job = known.id;
        self.compile.leave(job);
        if around.first_contact_over {
            let why = book.why_waiting(&known.spec.target).unwrap_or_default();
            return fail(format!("{why}; it was never reached since start"));
        }
        self.unreached.insert(job);
        self.leave(job)
    }

    /// The jobs that wait for a first word of the driver-manager; they wait no longer.
    pub(super) fn take_unreached(&mut self) -> BTreeSet<JobId> {
        std::mem::take(&mut self.unreached)
    }

    fn leave(&mut self, job: JobId) -> Step {
        if let Some(slot) = self.jobs.get_mut(&job) {
            slot.owned = false;
        }
        Step::Leave
    }

    /// The job is over and done with.
    fn forget(&mut self, job: JobId, now: Monotonic) {
        if !planted(Bug::CompileSlotLeaks) {
            self.compile.leave(job);
        }
        self.store.leave(job);
        self.scheduler.remove(job);
        self.scheduler.release(job, now);
        self.forecast.left(job);
        self.unreached.remove(&job);
        self.timers.clear(job, Alarm::Deadline);
        self.timers.clear(job, Alarm::Wake);
        if let Some(slot) = self.jobs.remove(&job) {
            slot.changed.notify_waiters();
        }
    }

    /// Every job for which there is room now; each is owned by the loop that the caller starts.
    pub(super) fn pump(&mut self, now: Monotonic) -> Vec<Arc<Job>> {
        let mut woken = Vec::new();
        while let Some(pick) = self.scheduler.pick(now) {
            woken.push(pick.job);
            self.kept.extend(self.forecast.started(pick.job, now));
            if let Some(slot) = self.jobs.get_mut(&pick.job) {
                slot.turn = Some(pick);
            }
        }
        while let Some(job) = self.compile.pick() {
            woken.push(job);
        }
        while let Some(job) = self.store.pick() {
            woken.push(job);
        }
        woken
            .into_iter()
            .filter_map(|job| self.claim(job))
            .collect()
    }
}

fn fail(summary: String) -> Step {
    let failure = Failure::new(Category::AllocationError, summary);
    Step::Record(Event::Failed {
        failure,
        settlement: None,
    })
}

/// What a decision in the table depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) now: Monotonic,
    /// Whether the time for reaching the driver-manager at all is over.
    pub(super) first_contact_over: bool,
    /// Whether the answer of a device is in the loop's hand.
    pub(super) answered: bool,
}

impl Slot {
    /// The event that a wish calls for, if the job is where it can be granted.
    pub(super) fn wish(&mut self, answered: bool) -> Option<Event> {
        let state = self.job.state;
        if state.is_terminal() {
            let due =
                self.wishes.receipt && state == State::Cancelled && self.job.receipt.is_none();
            return due.then_some(Event::ReceiptGiven);
        }
        if let Some(waited_for) = self.wishes.deadline.clone() {
            return Some(Event::DeadlinePassed { waited_for });
        }
        if self.job.counts_in_hand() && !planted(Bug::CancelAfterCounts) {
            // Whoever cancelled finds out by looking at the job.
            self.wishes.cancel = None;
        }
        if answered {
            return None;
        }
        self.wishes
            .cancel
            .clone()
            .map(|reason| Event::CancelRequested { reason })
    }
}
