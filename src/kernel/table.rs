//! The job table: every job that still has a duty, and who owns it. A job is owned by its loop
//! while it has something to do; else it waits here as data (D17). Whoever wants something of a
//! job says so here, and its loop does it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::devices::{Book, Standing};
use crate::ids::{JobId, ReservationId};
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::job::head::Head;
use crate::job::state::State;
use crate::job::{Duty, Job};
use crate::kernel::slot::{Known, Since, Slot};
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::schedule::admission::Admission;
use crate::schedule::forecast::{Forecast, Kept};
use crate::schedule::policy::Policy;
use crate::schedule::pool::Pool;
use crate::schedule::register::Register;
use crate::schedule::reservation::Why;
use crate::schedule::timers::{Alarm, Timers};
use crate::schedule::{Pick, Scheduler};
use crate::time::Monotonic;

/// Where jobs meet.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) jobs: BTreeMap<JobId, Box<Slot>>,
    /// Jobs that nobody owns and that are still at hand, in the order in which they came to rest.
    at_hand: VecDeque<JobId>,
    /// So many; all others lie in the store.
    at_hand_max: usize,
    pub(super) scheduler: Scheduler,
    pub(super) forecast: Forecast,
    /// What was told of waits that are over, to be counted.
    pub(super) kept: Vec<Kept>,
    pub(super) timers: Timers,
    pub(super) reservations: Register,
    pub(super) compile: Pool,
    pub(super) store: Pool,
    /// Jobs that wait for the driver-manager to be reached for the first time.
    pub(super) unreached: BTreeSet<JobId>,
    /// Jobs that have not ended, those that are just being stored among them.
    pub(super) admission: Admission,
    /// So much waiting is worth one point of priority.
    age_step: Duration,
}

/// A job that a loop owns from now on.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) id: JobId,
    /// The job as its last event left it; `None` if it lies in the store alone.
    pub(super) job: Option<Arc<Job>>,
}

/// What the wall times in a job's record are on our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When it came to its state.
    pub(super) entered: Monotonic,
    /// Its deadline.
    pub(super) deadline: Monotonic,
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
            at_hand: VecDeque::new(),
            at_hand_max: limits.jobs_at_hand,
            scheduler: Scheduler::new(policy),
            forecast: Forecast::default(),
            kept: Vec::new(),
            age_step,
            timers: Timers::default(),
            reservations: Register::default(),
            compile: Pool::new(limits.compile_slots),
            store: Pool::new(limits.store_slots),
            unreached: BTreeSet::new(),
            admission: Admission::new(limits.jobs_waiting, limits.tenant_waiting),
        }
    }

    /// Takes a job in at `now`, which may be at hand. Nobody owns it yet.
    pub(super) fn insert(
        &mut self,
        job: Head,
        at_hand: Option<Arc<Job>>,
        now: Monotonic,
        times: Times,
    ) {
        let Times { entered, deadline } = times;
        let id = job.id;
        if let Some(device) = &job.holds
            && !planted(Bug::SlotsForgottenOnRecovery)
        {
            let own = job.reservation;
            if !own.is_some_and(|own| self.scheduler.hold_reserved(id, own)) {
                self.scheduler.hold(id, device, &job.tenant, entered);
            }
        }
        let tenant = match job.state.is_terminal() {
            true => job.tenant.as_str().into(),
            false => {
                self.timers.set(id, Alarm::Deadline, deadline);
                self.admission.came(&job.tenant, now)
            }
        };
        let since = Since {
            entered,
            // How long ago that was only the wall clock could say, which may have jumped: a slot
            // is rather held for too long.
            opened: now,
        };
        let mut slot = Slot::new(job, tenant, self.age_step, since, deadline);
        if let Some(job) = at_hand {
            slot.follow(job);
            self.rest(id);
        }
        self.jobs.insert(id, Box::new(slot));
    }

    /// Looks at a job that nobody owns, because something changed for it: a loop is due, or it
    /// goes on waiting. A loop that owns it hears of it.
    pub(super) fn place(&mut self, job: JobId, book: &Book, around: Around) -> Option<Claim> {
        let slot = self.jobs.get(&job)?;
        if slot.is_owned() {
            return self.claim(job);
        }
        let gist = slot.gist.clone();
        match self.decide(gist.known(job, gist.duty), book, around) {
            Step::Leave => None,
            // The loop decides again, and the same.
            Step::Record(_) | Step::Perform(_) => self.claim(job),
        }
    }

    /// Makes a loop the owner of a job that waits; `None` if a loop owns it already, which then
    /// hears of the wish, or if it is not here.
    pub(super) fn claim(&mut self, id: JobId) -> Option<Claim> {
        let slot = self.jobs.get_mut(&id)?;
        let job = slot.job().cloned();
        slot.own().then_some(Claim { id, job })
    }

    /// Whether the store, with the event of this number, has more of a job that is not at hand than
    /// was written here: another kernel has taken this one's place. It may not know yet that it wrote
    /// that, and answers differently.
    pub(super) fn is_behind(&self, job: JobId, stored: u64) -> bool {
        let slot = self.jobs.get(&job);
        slot.is_some_and(|slot| slot.job().is_none() && stored > slot.gist.seq)
    }

    /// The job as the store has it, for the loop that owns it. If it was ended there because its
    /// record could not be read, that is a change like any other.
    pub(super) fn recalled(&mut self, job: Arc<Job>, now: Monotonic) {
        let Some(slot) = self.jobs.get_mut(&job.id) else {
            return;
        };
        let since = slot.since;
        if slot.gist.seq == job.seq && slot.gist.state == job.state {
            slot.follow(job);
            slot.tell();
        } else {
            self.changed(job, since, now);
        }
    }

    /// A job that nobody owns stays at hand until enough others have come after it.
    fn rest(&mut self, job: JobId) {
        self.at_hand.push_back(job);
        if self.at_hand.len() > self.at_hand_max
            && let Some(longest) = self.at_hand.pop_front()
            && let Some(slot) = self.jobs.get_mut(&longest)
            && !slot.is_owned()
        {
            slot.rest();
        }
    }

    /// Jobs that wait for a compile slot.
    pub(super) fn waiting_to_compile(&self) -> usize {
        self.compile.waiting()
    }

    /// Puts a job off until `at`.
    pub(super) fn pause(&mut self, job: JobId, at: Monotonic) {
        if !planted(Bug::BackOffKeepsItsPlace) {
            self.compile.leave(job);
            self.store.leave(job);
        }
        if let Some(slot) = self.jobs.get_mut(&job) {
            slot.resume_at = Some(at);
        }
    }

    /// A job's record has changed, and this is known at `now`: what it no longer needs is given
    /// back.
    pub(super) fn changed(&mut self, after: Arc<Job>, since: Since, now: Monotonic) {
        let id = after.id;
        let Some(slot) = self.jobs.get_mut(&id) else {
            return;
        };
        let (held, had_ended) = (slot.gist.holds, slot.gist.state.is_terminal());
        let tenant = slot.gist.tenant.clone();
        let ended = after.state.is_terminal();
        // A slot that was picked for a queued job is held before the record says so.
        let picked = after.state == State::Queued && !held;
        let early = planted(Bug::SlotFreedAtEnd) && ended;
        let lets_go = (after.holds().is_none() || early) && !picked;
        let compiles = matches!(after.state, State::Validating | State::Compiling);
        slot.resume_at = None;
        if !picked {
            slot.astir().turn = None;
        }
        slot.since = since;
        slot.follow(after);
        if !planted(Bug::WatchersAreNotTold) {
            slot.tell();
        }
        if !compiles && !planted(Bug::CompileSlotLeaks) {
            self.compile.leave(id);
        }
        if lets_go {
            self.scheduler.remove(id);
            self.scheduler.release(id, now);
            self.forecast.left(id);
        }
        if ended && !had_ended {
            self.admission.ended(&tenant, now);
            self.timers.clear(id, Alarm::Deadline);
        }
    }

    /// Decides what the owner of a job does next, who knows it best; on [`Step::Leave`] it owns it
    /// no longer.
    pub(super) fn next_step(&mut self, known: &Job, book: &Book, around: Around) -> Step {
        let Some(slot) = self.jobs.get(&known.id) else {
            return Step::Leave;
        };
        let gist = slot.gist.clone();
        self.decide(gist.known(known.id, known.duty()), book, around)
    }

    fn decide(&mut self, known: Known<'_>, book: &Book, around: Around) -> Step {
        let Known { id: job, rank, .. } = known;
        let Some(slot) = self.jobs.get_mut(&job) else {
            return Step::Leave;
        };
        let Some(duty) = known.duty else {
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
        match duty {
            Duty::Admit | Duty::Validate | Duty::Compile => {
                if let Some(over) = self.without_reservation(known, around.now) {
                    return over;
                }
                // What the device can do must be known before anything is compiled for it.
                if book.standing(known.want) == Standing::NeverReached {
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
            Duty::Assign => return self.assign(known, book, around),
            Duty::Allocate | Duty::Execute | Duty::Settle => {}
        }
        Step::Perform(duty)
    }

    /// Its turn, a place in the queue, or no hope for one.
    fn assign(&mut self, known: Known<'_>, book: &Book, around: Around) -> Step {
        let Known { id: job, want, .. } = known;
        if let Some(Pick {
            device,
            left_waiting,
            passed_over,
            ..
        }) = self.jobs[&job].turn().cloned()
        {
            return Step::Record(Event::Assigned {
                device,
                left_waiting: u32::try_from(left_waiting).unwrap_or(u32::MAX),
                passed_over,
            });
        }
        if let Some(over) = self.without_reservation(known, around.now) {
            return over;
        }
        match book.standing(want) {
            Standing::Known => {}
            // After a restart the device may be away for which the job was compiled before.
            Standing::Unknown if !around.first_contact_over => {}
            Standing::Unknown => return fail(book.unfit(want)),
            Standing::NeverReached => return self.wait_for_contact(known, book, around),
        }
        let Known { tenant, rank, .. } = known;
        if let Some(own) = known.reservation {
            self.scheduler.enqueue_reserved(job, own, rank);
            return self.leave(job);
        }
        let is_new = !self.scheduler.is_waiting(job);
        self.scheduler.enqueue_for(job, want, tenant, rank);
        if is_new {
            self.forecast.came(&self.scheduler, job, around.now);
        }
        self.leave(job)
    }

    /// The end of a job whose reservation ended before its turn came.
    fn without_reservation(&self, known: Known<'_>, now: Monotonic) -> Option<Step> {
        self.reservation_over(known.reservation?, now).map(fail)
    }

    /// Why nobody may use a reservation any more, for a person; by our clock also if that is not
    /// recorded yet.
    pub(super) fn reservation_over(&self, id: ReservationId, now: Monotonic) -> Option<String> {
        let over = self.reservations.goes_on(id).err();
        over.or_else(|| {
            let in_time = self.scheduler.is_in_time(id, now);
            (!in_time).then(|| Why::Expired.told_of(id))
        })
    }

    /// Nothing is known of any device: the job waits until there is, but not for ever (D19).
    fn wait_for_contact(&mut self, known: Known<'_>, book: &Book, around: Around) -> Step {
        let job = known.id;
        self.compile.leave(job);
        if around.first_contact_over {
            let why = book.why_waiting(known.want).unwrap_or_default();
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
        if let Some(slot) = self.jobs.get_mut(&job)
            && slot.disown()
        {
            self.rest(job);
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
            slot.tell();
        }
    }

    /// Every job for which there is room now; each is owned by the loop that the caller starts.
    pub(super) fn pump(&mut self, now: Monotonic) -> Vec<Claim> {
        let mut woken = Vec::new();
        while let Some(pick) = self.scheduler.pick(now) {
            woken.push(pick.job);
            self.kept.extend(self.forecast.started(pick.job, now));
            if let Some(slot) = self.jobs.get_mut(&pick.job) {
                slot.astir().turn = Some(pick);
            }
        }
        for pool in [&mut self.compile, &mut self.store] {
            woken.extend(std::iter::from_fn(|| pool.pick()));
        }
        let woken = woken.into_iter();
        woken.filter_map(|job| self.claim(job)).collect()
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
