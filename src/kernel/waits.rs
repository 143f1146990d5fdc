//! Why a job waits, who is ahead of it, and when its turn may come: pure, over what the table, the
//! schedule and the device book know. No more jobs are looked at than [`Line`] does.

use crate::devices::{Book, Obstacle, Standing};
use crate::ids::{DeviceId, ReservationId};
use crate::job::head::Head;
use crate::job::state::State;
use crate::kernel::table::Table;
use crate::schedule::Load;
use crate::schedule::fit::Want;
use crate::schedule::forecast::Interval;
use crate::schedule::line::Line;
use crate::schedule::reservation::Reservation;
use crate::time::{Monotonic, Timestamp};

/// Reasons that are told in one sentence: a class may have many devices.
const REASONS_TOLD: usize = 4;

/// What a waiting job waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// Everything that holds it; nothing for a job that does not wait.
    pub reasons: Vec<Reason>,
    /// The queue that it stands in, if it stands in one.
    pub queue: Option<Queue>,
    /// When its turn on its device may come; `None` once it has had it.
    pub start: Option<Start>,
}

/// One thing that holds a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What kind of thing.
    pub cause: Cause,
    /// The same for a person.
    pub sentence: String,
    /// When it is over, if that is known.
    pub until: Option<Timestamp>,
}

/// The kinds of things that hold a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The last try did not work, and the next one has its time.
    BackOff,
    /// The driver-manager was never reached since start.
    FirstContact,
    /// The driver-manager cannot be asked now.
    DriverManager,
    /// The device says that it takes nothing.
    DeviceState,
    /// The driver-manager does not list the device any more.
    DeviceGone,
    /// The device went away too often lately, and has not stayed for long enough yet.
    HeldBack,
    /// An operator lets the device take no new jobs.
    Draining,
    /// The tenant has as many jobs running as it may.
    TenantLimit,
    /// All slots of the device are taken.
    DeviceSlot,
    /// All slots of the device are reserved.
    Reserved,
    /// All places for compiling are taken.
    CompileSlot,
    /// All places for storing results are taken.
    StoreSlot,
}

/// A queue, and a job's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// What for: `a compile slot`, `a store slot`, or the device.
    pub place: String,
    /// Who is ahead.
    pub line: Line,
}

/// When a job's turn may come.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// From now on, as far as can be told today; `None` if it cannot.
    pub wait: Option<Interval>,
    /// What that rests on, or why nothing can be told, for a person.
    pub basis: String,
}

impl Table {
    /// What `job` waits for at `now`.
    pub(super) fn waits(&self, job: &Head, book: &Book, now: Monotonic) -> Wait {
        let paused = self.jobs.get(&job.id).and_then(|slot| slot.resume_at);
        let (reasons, queue) = match &job.setback {
            Some(setback) if !job.state.is_terminal() && paused.is_some_and(|at| at > now) => {
                (vec![back_off(job, setback)], None)
            }
            _ => self.holds_up(job, book),
        };
        let start = matches!(
            job.state,
            State::Pending | State::Validating | State::Compiling | State::Queued
        )
        .then(|| {
            let queue = queue.as_ref();
            self.start(job, (&reasons, queue), book, now)
        });
        Wait {
            reasons,
            queue,
            start,
        }
    }

    fn holds_up(&self, job: &Head, book: &Book) -> (Vec<Reason>, Option<Queue>) {
        if self.unreached.contains(&job.id) {
            let word = book.out_of_reach().into_iter();
            return (word.map(|it| Reason::against(&it, "")).collect(), None);
        }
        let (pool, place, cause) = match job.state {
            State::Pending | State::Validating | State::Compiling => {
                (&self.compile, "compile slot", Cause::CompileSlot)
            }
            State::Completing => (&self.store, "store slot", Cause::StoreSlot),
            State::Queued => {
                return match job.reservation {
                    None => self.device_holds_up(job, book),
                    Some(id) => self.reservation_holds_up(job, id, book),
                };
            }
            _ => return (Vec::new(), None),
        };
        let Some(line) = pool.line(job.id) else {
            return (Vec::new(), None);
        };
        let places = pool.places();
        let full = format!("{places} of {places} {place}s are taken");
        let place = format!("a {place}");
        let reason = Reason::new(cause, full);
        (vec![reason], Some(Queue { place, line }))
    }

    /// Who is ahead of a job in the queue of its device, and what beside them is between it and
    /// its turn.
    fn device_holds_up(&self, job: &Head, book: &Book) -> (Vec<Reason>, Option<Queue>) {
        let Some(line) = self.scheduler.line(job.id) else {
            return (Vec::new(), None);
        };
        let place = job.want.target.to_string();
        let reasons = self.device_reasons(job, book);
        (reasons, Some(Queue { place, line }))
    }

    /// What keeps a job from the devices that could run it, in a sentence; `None` if nothing does.
    pub(super) fn why_queued(&self, job: &Head, book: &Book) -> Option<String> {
        if !self.scheduler.is_waiting(job.id) {
            return None;
        }
        let reasons = self.device_reasons(job, book);
        let told: Vec<_> = reasons
            .iter()
            .take(REASONS_TOLD)
            .map(|it| &*it.sentence)
            .collect();
        let told = (!told.is_empty()).then(|| told.join("; "))?;
        Some(match reasons.len().saturating_sub(REASONS_TOLD) {
            0 => told,
            more => format!("{told}; and {more} more"),
        })
    }

    /// What beside other jobs is between a job and its turn. Of devices that could all run it, each
    /// that does not is told, unless one is free.
    fn device_reasons(&self, job: &Head, book: &Book) -> Vec<Reason> {
        let want = &job.want;
        let mut devices = book.obstacles(want);
        let full = |device: &DeviceId| {
            let Load { free, slots, .. } = self.scheduler.load(device);
            free == 0 && slots > 0
        };
        if devices
            .iter()
            .any(|(device, against)| against.is_empty() && !full(device))
        {
            devices.clear();
        }
        let mut reasons = against_all(want, book);
        for (device, against) in &devices {
            let against = against.iter();
            reasons.extend(against.map(|it| Reason::against(it, device.as_str())));
        }
        if let Some(limit) = tenant_limit(self, &job.tenant) {
            reasons.push(Reason::new(Cause::TenantLimit, limit));
        }
        for (device, _) in devices.iter().filter(|(device, _)| full(device)) {
            reasons.push(self.full(device));
        }
        reasons
    }

    /// What has the slots of a device that has none free.
    fn full(&self, device: &DeviceId) -> Reason {
        let load = self.scheduler.load(device);
        let taken = load.taken(&format!(" of {device}"));
        if load.reserved < load.slots as usize {
            return Reason::new(Cause::DeviceSlot, taken);
        }
        let here = |record: &Reservation| record.device == *device;
        Reason {
            until: self.reservations.first_end(here),
            ..Reason::new(Cause::Reserved, taken)
        }
    }

    /// The same of a job that waits for a slot that is reserved for its tenant.
    fn reservation_holds_up(
        &self,
        job: &Head,
        id: ReservationId,
        book: &Book,
    ) -> (Vec<Reason>, Option<Queue>) {
        let Some(line) = self.scheduler.line(job.id) else {
            return (Vec::new(), None);
        };
        let want = &job.want;
        let mut reasons = against_all(want, book);
        for (device, against) in &book.obstacles(want) {
            let against = against.iter();
            reasons.extend(against.map(|it| Reason::against(it, device.as_str())));
            let taken = match self.scheduler.holder_of(id) {
                Some(holder) => format!("{holder} runs in the slot of {id}"),
                None if self.scheduler.has_room_for_a_holder(device) => continue,
                None => format!("{id} has the next slot of {device} that is given back"),
            };
            reasons.push(Reason::new(Cause::DeviceSlot, taken));
        }
        let place = format!("the slot of {id}");
        (reasons, Some(Queue { place, line }))
    }

    fn start(
        &self,
        job: &Head,
        (reasons, queue): (&[Reason], Option<&Queue>),
        book: &Book,
        now: Monotonic,
    ) -> Start {
        let unknown = |basis: String| Start { wait: None, basis };
        if job.state != State::Queued {
            return unknown("it does not stand in the queue of its device yet".to_owned());
        }
        let slot = self.jobs.get(&job.id);
        if slot.is_some_and(|slot| slot.turn().is_some()) {
            return unknown("it has just come".to_owned());
        }
        let Some(Queue { line, .. }) = queue else {
            return unknown("it does not stand in the queue of its device now".to_owned());
        };
        let scheduler = &self.scheduler;
        let devices = book.obstacles(&job.want);
        let one_takes_jobs = devices.iter().any(|(_, against)| against.is_empty());
        let beyond_turns = |reason: &Reason| match reason.cause {
            Cause::DeviceSlot | Cause::Reserved => false,
            Cause::DeviceState | Cause::DeviceGone | Cause::HeldBack | Cause::Draining => {
                !one_takes_jobs
            }
            _ => true,
        };
        if job.reservation.is_some() {
            return unknown("of turns in a reserved slot nothing is foretold".to_owned());
        }
        if reasons.iter().any(beyond_turns) {
            return unknown("what holds it has no end that is known".to_owned());
        }
        let forecast = self.forecast.of(scheduler, job.id, now);
        let device = self.forecast.device_of(scheduler, job.id, now);
        let (Some(wait), Some(device)) = (forecast, device) else {
            if reasons.iter().any(|reason| reason.cause == Cause::Reserved) {
                return unknown("a reservation may end earlier than it has to".to_owned());
            }
            let target = &job.want.target;
            return unknown(format!("no execution on {target} was seen since start"));
        };
        let seconds = self.forecast.execution_seconds(device).unwrap_or_default();
        let load = scheduler.load(device);
        let at_least = if line.is_exact() { "" } else { "at least " };
        Start {
            wait: Some(wait),
            basis: format!(
                "{at_least}{} ahead and {} running, executions took {seconds:.3} s lately, {}",
                count(line.ahead, "job"),
                load.running,
                count(load.slots as usize, "slot"),
            ),
        }
    }
}

impl Reason {
    fn against(obstacle: &Obstacle, device: &str) -> Self {
        let cause = match obstacle {
            Obstacle::NeverReached(_) => Cause::FirstContact,
            Obstacle::Unreachable(_) => Cause::DriverManager,
            Obstacle::Gone => Cause::DeviceGone,
            Obstacle::Hardware(_) => Cause::DeviceState,
            Obstacle::HeldBack(_) => Cause::HeldBack,
            Obstacle::Draining => Cause::Draining,
        };
        let until = match obstacle {
            Obstacle::HeldBack(held) => Some(held.until),
            _ => None,
        };
        Self {
            until,
            ..Self::new(cause, obstacle.sentence(device))
        }
    }

    fn new(cause: Cause, sentence: String) -> Self {
        Self {
            cause,
            sentence,
            until: None,
        }
    }
}

/// What is against all devices together that are asked for: none can be asked, or none is known.
fn against_all(want: &Want, book: &Book) -> Vec<Reason> {
    let word = book.out_of_reach().into_iter();
    let mut reasons: Vec<_> = word.map(|it| Reason::against(&it, "")).collect();
    if book.standing(want) == Standing::Unknown {
        reasons.push(Reason::new(Cause::DeviceGone, book.unfit(want)));
    }
    reasons
}

fn back_off(job: &Head, setback: &str) -> Reason {
    Reason {
        cause: Cause::BackOff,
        sentence: format!("try {} did not work: {setback}", job.tries),
        until: job.not_before,
    }
}

/// Why no job of `tenant` gets a turn, if none does.
fn tenant_limit(table: &Table, tenant: &str) -> Option<String> {
    let running = table.scheduler.limit_of(tenant)?;
    let holders = table.reservations.holders();
    let reserved = holders
        .filter(|record| record.owner.tenant == tenant)
        .count();
    if reserved > 0 {
        let slots = count(running, "slot");
        return Some(format!(
            "{tenant} has {slots}, {reserved} reserved, as many as it may"
        ));
    }
    let jobs = count(running, "job");
    Some(format!("{tenant} has {jobs} running, as many as it may"))
}

fn count(many: usize, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        _ => format!("{many} {what}s"),
    }
}

#[cfg(test)]
mod tests;
