//! What can happen next, and what comes of it.

use qrtx::job::Duty;
use qrtx::job::event::{Event, Evidence};
use qrtx::job::ledger::Settlement;
use qrtx::job::state::State;
use qrtx::reconcile::Finding;
use stateright::{Model, Property};

use crate::properties;
use crate::world::{ATTEMPTS, Answer, Hand, JOBS, Memory, Mistake, SHOTS, Setting, World, device};

/// One thing that happens; the first number is the job, the second its execution from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Enqueue(usize),
    Assign(usize),
    DeviceIsAway(usize),
    Intend(usize),
    Fire(usize),
    FireFails(usize),
    TakeAnswer(usize),
    CallEndsInDoubt(usize),
    LookBack(usize),
    Stop(usize),
    StopIsDoneButNotHeardOf(usize),
    GiveUp(usize),
    Store(usize),
    SettleNeverAsked(usize),
    GiveReceipt(usize),
    BoundPasses(usize),
    Cancel(usize),
    Deadline(usize),
    Crash,
    DriverForgets,
    Arrive(usize, usize),
    RequestIsLost(usize, usize),
    TurnAway(usize, usize),
    Finish(usize, usize),
    Fail(usize, usize),
}

impl Action {
    /// Whether the kernel does it by itself. No job may depend on anything else: a request or an
    /// answer that never comes is one that was lost.
    pub(crate) fn is_ours(self) -> bool {
        use Action::*;
        !matches!(
            self,
            TakeAnswer(_)
                | Cancel(_)
                | Deadline(_)
                | Crash
                | DriverForgets
                | Arrive(..)
                | RequestIsLost(..)
                | TurnAway(..)
                | Finish(..)
                | Fail(..)
        )
    }
}

impl Model for Setting {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::start()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for job in 0..JOBS {
            self.actions_of_loop(world, job, actions);
            self.actions_of_clients(world, job, actions);
            for attempt in 0..ATTEMPTS {
                actions_of_device(world, job, attempt, actions);
            }
        }
        let busy = world.jobs.iter().any(|record| record.0.duty().is_some());
        if busy && world.crashes < self.crashes {
            actions.push(Action::Crash);
        }
        let known = |memory| memory != Memory::Nothing;
        let memories = world
            .runs
            .as_flattened()
            .iter()
            .any(|run| known(run.memory));
        if busy && self.askable && world.forgot == 0 && memories {
            actions.push(Action::DriverForgets);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        world.forget_what_is_over();
        self.act(&mut world, action);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl Setting {
    fn actions_of_loop(&self, world: &World, job: usize, actions: &mut Vec<Action>) {
        let record = world.job(job);
        let Some(duty) = record.duty() else { return };
        match duty {
            Duty::Assign if world.held[job] => actions.push(Action::Assign(job)),
            Duty::Assign if !world.waiting[job] => actions.push(Action::Enqueue(job)),
            Duty::Assign => {}
            Duty::Allocate => {
                actions.push(Action::Intend(job));
                if world.away == 0 {
                    actions.push(Action::DeviceIsAway(job));
                }
                if self.makes(Mistake::AskBeforeTheIntent) {
                    actions.push(Action::Fire(job));
                }
            }
            Duty::Execute => self.actions_of_execution(world, job, actions),
            Duty::Settle => self.actions_of_settling(world, job, actions),
            Duty::Complete => actions.push(Action::Store(job)),
            Duty::Admit | Duty::Validate | Duty::Compile | Duty::Report => {
                unreachable!("the jobs are compiled, and reported at once")
            }
        }
    }

    fn actions_of_execution(&self, world: &World, job: usize, actions: &mut Vec<Action>) {
        match world.hands[job] {
            Hand::Ready => actions.extend([Action::Fire(job), Action::FireFails(job)]),
            Hand::Out => actions_of_call(world, job, actions),
            Hand::Empty => {
                actions.push(Action::GiveUp(job));
                if self.makes(Mistake::AskAgainAfterACrash) {
                    actions.push(Action::Fire(job));
                }
                if self.askable {
                    match self.look(world, job) {
                        // At the bound a running execution is stopped, too.
                        Finding::Wait | Finding::Tombstone => {
                            actions.push(Action::Stop(job));
                            actions.push(Action::StopIsDoneButNotHeardOf(job));
                        }
                        _ => actions.push(Action::LookBack(job)),
                    }
                }
            }
        }
    }

    fn actions_of_settling(&self, world: &World, job: usize, actions: &mut Vec<Action>) {
        match world.hands[job] {
            Hand::Ready => return actions.push(Action::SettleNeverAsked(job)),
            Hand::Out => actions_of_call(world, job, actions),
            Hand::Empty => {}
        }
        let record = world.job(job);
        if record.state == State::Cancelled && record.receipt.is_none() {
            actions.push(Action::GiveReceipt(job));
        }
        actions.push(Action::BoundPasses(job));
        if self.askable {
            actions.push(Action::Stop(job));
            let memory = world.runs[job][record.attempt() as usize - 1].memory;
            if matches!(memory, Memory::Nothing | Memory::Running) {
                actions.push(Action::StopIsDoneButNotHeardOf(job));
            }
        }
    }

    fn actions_of_clients(&self, world: &World, job: usize, actions: &mut Vec<Action>) {
        let state = world.job(job).state;
        if state.is_terminal() {
            return;
        }
        actions.push(Action::Deadline(job));
        if state != State::Completing {
            actions.push(Action::Cancel(job));
        }
    }

    fn act(&self, world: &mut World, action: Action) {
        use Action::*;
        match action {
            Enqueue(job) => self.enqueue(world, job),
            Assign(job) => {
                let event = Event::Assigned {
                    device: device(),
                    left_waiting: 0,
                    passed_over: Vec::new(),
                };
                self.record(world, job, &event);
            }
            DeviceIsAway(job) => {
                world.away += 1;
                let (not_before, cause) = (world.now(), String::new());
                let event = Event::Retried {
                    not_before,
                    cause,
                    settlement: None,
                    of_store: false,
                };
                self.record(world, job, &event);
            }
            Intend(job) => self.intend(world, job),
            Fire(job) => self.fire(world, job),
            FireFails(job) => self.conclude(world, job, Answer::NotSent),
            TakeAnswer(job) => {
                let answer = world.run(job).answer.take().expect("it has come");
                self.conclude(world, job, answer);
            }
            CallEndsInDoubt(job) => {
                world.run(job).answer = None;
                self.conclude(world, job, Answer::Doubt);
            }
            LookBack(job) => {
                let finding = self.look(world, job);
                self.act_on(world, job, finding);
            }
            Stop(job) => {
                let finding = self.stop(world, job);
                self.act_on(world, job, finding);
            }
            StopIsDoneButNotHeardOf(job) => drop(self.stop(world, job)),
            GiveUp(job) => self.give_up(world, job),
            Store(job) => {
                let manifest = qrtx::job::event::ArtifactRef::of("meta.json", b"{}");
                self.record(
                    world,
                    job,
                    &Event::Stored {
                        artifacts: Vec::new(),
                        manifest,
                    },
                );
            }
            SettleNeverAsked(job) => {
                world.hands[job] = Hand::Empty;
                let settlement = Settlement::not_run(SHOTS, "");
                let evidence = Evidence::NeverAsked;
                self.record(
                    world,
                    job,
                    &Event::Settled {
                        settlement,
                        evidence,
                    },
                );
            }
            GiveReceipt(job) => self.record(world, job, &Event::ReceiptGiven),
            BoundPasses(job) => {
                let settlement = Settlement::unknown(SHOTS, "");
                let evidence = Evidence::None;
                self.record(
                    world,
                    job,
                    &Event::Settled {
                        settlement,
                        evidence,
                    },
                );
            }
            Cancel(job) => {
                self.record(
                    world,
                    job,
                    &Event::CancelRequested {
                        reason: String::new(),
                    },
                );
            }
            Deadline(job) => self.record(
                world,
                job,
                &Event::DeadlinePassed {
                    waited_for: String::new(),
                },
            ),
            Crash => self.crash(world),
            DriverForgets => world.forget(),
            Arrive(job, attempt) => world.arrive(job, attempt),
            RequestIsLost(job, attempt) => world.runs[job][attempt].asked = false,
            TurnAway(job, attempt) => world.turn_away(job, attempt),
            Finish(job, attempt) => world.finish(job, attempt),
            Fail(job, attempt) => world.fail(job, attempt),
        }
    }
}

fn actions_of_call(world: &World, job: usize, actions: &mut Vec<Action>) {
    actions.push(Action::CallEndsInDoubt(job));
    let run = world.runs[job].get((world.job(job).attempt() as usize).wrapping_sub(1));
    if run.is_some_and(|run| run.answer.is_some()) {
        actions.push(Action::TakeAnswer(job));
    }
}

fn actions_of_device(world: &World, job: usize, attempt: usize, actions: &mut Vec<Action>) {
    let run = &world.runs[job][attempt];
    if run.asked {
        actions.push(Action::Arrive(job, attempt));
        actions.push(Action::RequestIsLost(job, attempt));
        actions.push(Action::TurnAway(job, attempt));
    }
    if run.memory == Memory::Running {
        actions.push(Action::Finish(job, attempt));
        actions.push(Action::Fail(job, attempt));
    }
}
