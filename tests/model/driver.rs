//! The network and the driver: what they do to one execution.

use qrtx::ports::devices::{Fate, Inspection, RunResult};

use crate::world::{Answer, Hand, Memory, Run, SHOTS, World};

/// Shots that are fired before an execution breaks or is stopped.
const FIRED_BEFORE_A_STOP: u32 = 1;

impl World {
    /// The request reaches the driver. It starts whatever is asked for: that nothing is asked
    /// for twice is the kernel's affair. Only a tombstone keeps it from that.
    pub(crate) fn arrive(&mut self, job: usize, attempt: usize) {
        let run = &mut self.runs[job][attempt];
        run.asked = false;
        if matches!(run.memory, Memory::Tombstone | Memory::Stopped) {
            self.answer(job, attempt, Answer::Refused);
        } else {
            run.begun += 1;
            run.memory = Memory::Running;
        }
    }

    pub(crate) fn turn_away(&mut self, job: usize, attempt: usize) {
        self.runs[job][attempt].asked = false;
        self.answer(job, attempt, Answer::Busy);
    }

    pub(crate) fn finish(&mut self, job: usize, attempt: usize) {
        let run = &mut self.runs[job][attempt];
        run.memory = Memory::Done;
        run.shots += SHOTS;
        self.answer(job, attempt, Answer::Counts);
    }

    pub(crate) fn fail(&mut self, job: usize, attempt: usize) {
        let run = &mut self.runs[job][attempt];
        run.memory = Memory::Failed;
        run.shots += FIRED_BEFORE_A_STOP;
        self.answer(job, attempt, Answer::Doubt);
    }

    /// The driver starts anew: it has forgotten everything but its tombstones.
    pub(crate) fn forget(&mut self) {
        self.forgot += 1;
        for run in self.runs.as_flattened_mut() {
            if run.memory == Memory::Running {
                run.shots += FIRED_BEFORE_A_STOP;
            }
            if !matches!(run.memory, Memory::Tombstone | Memory::Stopped) {
                run.memory = Memory::Nothing;
            }
        }
    }

    /// CancelExecution.
    pub(crate) fn stop(&mut self, job: usize) -> Inspection {
        let attempt = self.job(job).attempt() as usize - 1;
        let run = &mut self.runs[job][attempt];
        match run.memory {
            Memory::Nothing => run.memory = Memory::Tombstone,
            Memory::Running => {
                run.memory = Memory::Stopped;
                run.shots += FIRED_BEFORE_A_STOP;
                self.answer(job, attempt, Answer::Doubt);
            }
            _ => {}
        }
        self.inspect(job)
    }

    /// GetExecution.
    pub(crate) fn inspect(&self, job: usize) -> Inspection {
        let run = &self.runs[job][self.job(job).attempt() as usize - 1];
        let shots_used = u64::from(run.shots);
        let fate = match run.memory {
            Memory::Nothing => Fate::NotFound,
            Memory::Running => Fate::Running,
            Memory::Done => Fate::Done(RunResult {
                counts: [("0".to_owned(), i64::from(SHOTS))].into(),
                execution_seconds: 0.5,
                metadata: [].into(),
            }),
            Memory::Failed => Fate::Failed {
                shots_used,
                message: String::new(),
            },
            Memory::Stopped => Fate::Cancelled {
                shots_used,
                never_started: false,
            },
            Memory::Tombstone => Fate::Cancelled {
                shots_used: 0,
                never_started: true,
            },
        };
        Inspection {
            fate,
            remembers_since: Some(self.remembers_since()),
        }
    }

    /// Nobody will ask after a closed execution again. What may still come of it is taken to come
    /// at once and at its worst, so that the moment makes no difference.
    pub(crate) fn leave_closed_runs_to_themselves(&mut self, job: usize) {
        let ledger = &self.jobs[job].0.ledger;
        for (entry, run) in ledger.iter().zip(&mut self.runs[job]) {
            if entry.open {
                continue;
            }
            if run.asked && !matches!(run.memory, Memory::Tombstone | Memory::Stopped) {
                run.begun += 1;
                run.shots += SHOTS;
            } else if run.memory == Memory::Running {
                run.shots += SHOTS;
            }
            *run = Run {
                begun: run.begun,
                shots: run.shots,
                ..Run::default()
            };
        }
    }

    /// An answer goes out only if somebody waits for it: the call dies with its caller.
    fn answer(&mut self, job: usize, attempt: usize, answer: Answer) {
        let awaited =
            self.hands[job] == Hand::Out && self.job(job).attempt() as usize == attempt + 1;
        self.runs[job][attempt].answer = awaited.then_some(answer);
    }
}
