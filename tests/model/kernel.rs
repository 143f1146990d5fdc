//! What the kernel does: each step is one event that is stored, or one act that follows from it.

use std::time::Duration;

use qrtx::job::Duty;
use qrtx::job::event::{Event, Evidence, OnUnknown};
use qrtx::job::head::Head;
use qrtx::job::ledger::{Entry, Settlement};
use qrtx::job::state::State;
use qrtx::ports::devices::Inspection;
use qrtx::reconcile::{self, Finding};
use qrtx::schedule::Scheduler;
use qrtx::schedule::policy::Policy;
use qrtx::schedule::rank::Rank;
use qrtx::time::Monotonic;

use crate::world::{
    ATTEMPTS, Answer, Hand, JOBS, Mistake, SHOTS, Setting, World, device, executed, failed, token,
};

/// All jobs are one tenant's, and no time passes between decisions.
const TENANT: &str = "t";
const NOW: Monotonic = Monotonic(Duration::ZERO);
const AGE_STEP: Duration = Duration::from_secs(60);

impl Setting {
    pub(crate) fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// The one gate, and what the table does after it.
    pub(crate) fn record(&self, world: &mut World, job: usize, event: &Event) {
        let Some(after) = world.jobs[job].after(event, world.now()) else {
            world.refused_by_the_table = true;
            return;
        };
        let before = std::mem::replace(&mut world.jobs[job], after);
        let after = world.job(job);
        let picked = after.state == State::Queued && before.0.holds().is_none();
        let cancelled = matches!(event, Event::CancelRequested { .. });
        let too_early = self.makes(Mistake::SlotFreedAtCancel) && cancelled;
        let never = self.makes(Mistake::SlotNeverFreed);
        let free = (after.holds().is_none() && !picked || too_early) && !never;
        let (id, end) = (after.id, after.state.is_terminal().then_some(after.state));
        world.ends[job] = world.ends[job].or(end);
        if free {
            self.schedule(world, |scheduler| {
                scheduler.remove(id);
                scheduler.release(id, NOW);
            });
        }
        world.leave_closed_runs_to_themselves(job);
        // The report touches nothing else, so it need not come at every possible moment.
        if world.job(job).duty() == Some(Duty::Report) {
            self.record(world, job, &Event::Reported { written: true });
        }
    }

    /// Changes the schedule, and gives every free slot to whose turn it is.
    pub(crate) fn schedule(&self, world: &mut World, change: impl FnOnce(&mut Scheduler)) {
        let mut scheduler = Scheduler::new(Policy::default());
        let device = device();
        scheduler.set_device(&device, 1, true);
        for job in 0..JOBS {
            if world.held[job] {
                scheduler.hold(world.job(job).id, &device, TENANT, NOW);
            } else if world.waiting[job] {
                let rank = Rank::of(&Head::of(world.job(job)), AGE_STEP);
                scheduler.enqueue(world.job(job).id, &device, TENANT, rank);
            }
        }
        change(&mut scheduler);
        while scheduler.pick(NOW).is_some() {}
        for job in 0..JOBS {
            let id = world.job(job).id;
            world.held[job] = scheduler.held_by(id).is_some();
            world.waiting[job] = scheduler.is_waiting(id);
        }
    }

    pub(crate) fn enqueue(&self, world: &mut World, job: usize) {
        let (id, rank) = (
            world.job(job).id,
            Rank::of(&Head::of(world.job(job)), AGE_STEP),
        );
        self.schedule(world, |scheduler| {
            scheduler.enqueue(id, &device(), TENANT, rank)
        });
    }

    pub(crate) fn intend(&self, world: &mut World, job: usize) {
        let token = token(world.job(job).attempt() + 1);
        self.record(
            world,
            job,
            &Event::Intended {
                token,
                on_unknown: self.on_unknown,
            },
        );
        world.hands[job] = Hand::Ready;
    }

    /// The call leaves the kernel.
    pub(crate) fn fire(&self, world: &mut World, job: usize) {
        world.hands[job] = Hand::Out;
        world.asked_after_the_end |= world.job(job).state.is_terminal();
        if world.job(job).open_run().is_none() {
            world.asked_without_intent = true;
        } else {
            world.run(job).asked = true;
        }
    }

    /// Deals with an answer, as `execute::conclude` and `settle::late_answer` do. That it comes
    /// and that it is dealt with is one step, because an answer in hand is dealt with first.
    pub(crate) fn conclude(&self, world: &mut World, job: usize, answer: Answer) {
        world.hands[job] = Hand::Empty;
        let ended = world.job(job).state.is_terminal();
        let not_run = || Settlement::not_run(SHOTS, "");
        let event = match answer {
            Answer::Counts if ended => settled(Settlement::wasted(SHOTS, "")),
            Answer::NotSent | Answer::Busy | Answer::Refused if ended => settled(not_run()),
            Answer::Doubt if ended => return,
            Answer::Counts => executed(),
            Answer::NotSent | Answer::Busy => again(world, job, not_run()),
            Answer::Refused => failed(Some(not_run())),
            Answer::Doubt if self.makes(Mistake::DoubtIsFailure) => again(world, job, not_run()),
            Answer::Doubt => Event::Doubted {
                cause: String::new(),
                over: false,
            },
        };
        self.record(world, job, &event);
    }

    /// Reads what the driver said, with the rules of the kernel.
    pub(crate) fn read(
        &self,
        entry: &Entry,
        mut seen: Inspection,
        read: fn(&Entry, Inspection) -> Finding,
    ) -> Finding {
        if self.makes(Mistake::YoungMemoryIsProof) {
            seen.remembers_since = Some(qrtx::time::Timestamp(-1));
        }
        let finding = read(entry, seen);
        if self.makes(Mistake::AbsenceIsProof) && finding == Finding::Tombstone {
            return Finding::NotRun(Settlement::not_run(SHOTS, ""));
        }
        finding
    }

    /// What GetExecution tells now, of the execution that is open.
    pub(crate) fn look(&self, world: &World, job: usize) -> Finding {
        let entry = world
            .job(job)
            .open_run()
            .expect("only an open execution is asked after");
        self.read(entry, world.inspect(job), reconcile::inspected)
    }

    pub(crate) fn stop(&self, world: &mut World, job: usize) -> Finding {
        let seen = world.stop(job);
        let entry = world
            .job(job)
            .open_run()
            .expect("only an open execution is stopped");
        self.read(entry, seen, reconcile::stopped)
    }

    /// Acts on a finding, as `execute::look_back` and `settle::stopped` do.
    pub(crate) fn act_on(&self, world: &mut World, job: usize, finding: Finding) {
        let ended = world.job(job).state.is_terminal();
        let event = match finding {
            Finding::Wait | Finding::Tombstone => return,
            Finding::Answer(_) if ended => settled(Settlement::wasted(SHOTS, "")),
            Finding::Ended(known, _) | Finding::NotRun(known) if ended => settled(known),
            Finding::Unknown(_) if ended && self.makes(Mistake::UnknownTakenForAStop) => {
                settled(Settlement::stopped(SHOTS, 0, ""))
            }
            Finding::Unknown(_) if ended => {
                let (settlement, evidence) = (Settlement::unknown(SHOTS, ""), Evidence::None);
                Event::Settled {
                    settlement,
                    evidence,
                }
            }
            Finding::Answer(_) => executed(),
            Finding::Ended(known, _) => failed(Some(known)),
            Finding::NotRun(proof) => again(world, job, proof),
            Finding::Unknown(_) => self.unknown(world, job),
        };
        self.record(world, job, &event);
    }

    pub(crate) fn give_up(&self, world: &mut World, job: usize) {
        let event = self.unknown(world, job);
        self.record(world, job, &event);
    }

    fn unknown(&self, world: &World, job: usize) -> Event {
        match self.on_unknown {
            OnUnknown::Rerun => again(world, job, Settlement::unknown(SHOTS, "")),
            OnUnknown::Fail => failed(None),
        }
    }

    /// The process ends, and the next one goes on from the store: nobody listens any more for
    /// answers to calls of the old one.
    pub(crate) fn crash(&self, world: &mut World) {
        world.crashes += 1;
        world.hands = [Hand::Empty; JOBS];
        world.waiting = [false; JOBS];
        world.held = std::array::from_fn(|job| world.job(job).holds().is_some());
        for run in world.runs.as_flattened_mut() {
            run.answer = None;
        }
    }
}

fn settled(settlement: Settlement) -> Event {
    Event::Settled {
        settlement,
        evidence: Evidence::Driver,
    }
}

/// Another execution if the count allows it.
fn again(world: &World, job: usize, settlement: Settlement) -> Event {
    if world.job(job).attempt() as usize >= ATTEMPTS {
        return failed(Some(settlement));
    }
    let (not_before, cause) = (world.now(), String::new());
    Event::Retried {
        not_before,
        cause,
        settlement: Some(settlement),
        of_store: false,
    }
}
