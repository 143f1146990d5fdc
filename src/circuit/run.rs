//! Executing a circuit on the simulated register: one evolution if it can be, else one per shot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use num_complex::Complex64;

use super::limits::{DRAWS_SORTED_MAX, SIMULATED_QUBITS_MAX};
use super::sample::{Draws, fall};
use super::statevector::{Outcome, State};
use super::{Circuit, Gate, Operation, Readout};

/// Why a circuit was not simulated to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Do not try again here: the register does not fit the simulator's memory bound.
    #[error(
        "the circuit has {qubits} qubits, but at most {SIMULATED_QUBITS_MAX} are simulated: \
         choose another device"
    )]
    TooWide {
        /// Number of qubits of the circuit.
        qubits: u32,
    },
    /// Ask for at least one shot.
    #[error("shots is 0, but must be at least 1")]
    NoShots,
    /// Use [`run`]: amplitudes are defined only up to the first measurement or reset that matters.
    #[error("{name} in mid-circuit leaves no single state: run the circuit for counts instead")]
    NotUnitary {
        /// Name of the operation.
        name: &'static str,
    },
    /// The stop flag was seen; what was counted so far is dropped.
    #[error("stopped after {shots_done} shots")]
    Stopped {
        /// Shots that were complete by then.
        shots_done: u32,
    },
}

/// Simulates the circuit `shots` times and counts the outcomes.
///
/// In a key the leftmost character is the highest classical bit (`msb_first_by_classical_index`);
/// every key has [`Circuit::bits`] characters, and bits that are never written read 0. The same
/// circuit, `shots` and `seed` give the same counts everywhere. `stop` is looked at before every
/// gate, so the answer to it takes at most as long as one gate (some 0.1 s at 24 qubits).
///
/// # Errors
/// [`RunError::TooWide`], [`RunError::NoShots`], or [`RunError::Stopped`] once `stop` is true.
pub fn run(
    circuit: &Circuit,
    shots: u32,
    seed: u64,
    stop: &AtomicBool,
) -> Result<BTreeMap<String, u64>, RunError> {
    if shots == 0 {
        return Err(RunError::NoShots);
    }
    let plan = Plan::of(circuit)?;
    let state = plan.evolved(circuit.qubits(), stop)?;
    let run = Run {
        circuit,
        plan,
        shots,
        stop,
    };
    let mut draws = Draws::seeded(seed);
    if run.plan.per_shot.is_empty() {
        run.sampled(&state, &mut draws)
    } else {
        run.repeated(&state, &mut draws)
    }
}

/// The 2^n amplitudes at the end of the circuit; qubit `i` is bit `i` of the index.
///
/// Measurements at the end are left out: the amplitudes are those just before them.
///
/// # Errors
/// [`RunError::TooWide`], or [`RunError::NotUnitary`] if a qubit is used after its measurement, or
/// reset after its first use.
pub fn amplitudes(circuit: &Circuit) -> Result<Vec<Complex64>, RunError> {
    let plan = Plan::of(circuit)?;
    if let Some(step) = plan.per_shot.first() {
        let name = if matches!(step, Step::Reset(_)) {
            "RESET"
        } else {
            "MEASURE"
        };
        return Err(RunError::NotUnitary { name });
    }
    let never = AtomicBool::new(false);
    Ok(plan.evolved(circuit.qubits(), &never)?.into_amplitudes())
}

fn check(stop: &AtomicBool, shots_done: u32) -> Result<(), RunError> {
    if stop.load(Ordering::Relaxed) {
        return Err(RunError::Stopped { shots_done });
    }
    Ok(())
}

/// A step that is taken anew in every shot.
#[derive(Debug, Clone, Copy)]
enum Step<'c> {
    Gate(Gate, &'c [u32]),
    Measure(Readout),
    Reset(u32),
}

/// The circuit, sorted by how often its steps must be taken.
#[derive(Debug)]
struct Plan<'c> {
    /// Gates before the first step with chance in it; the same in all shots.
    once: Vec<(Gate, &'c [u32])>,
    /// From that step on; empty if chance enters only at the end.
    per_shot: Vec<Step<'c>>,
    /// Readouts of qubits that nothing touches any more; all of them take a single draw.
    at_end: Vec<Readout>,
}

impl<'c> Plan<'c> {
    fn of(circuit: &'c Circuit) -> Result<Self, RunError> {
        let qubits = circuit.qubits();
        if qubits > SIMULATED_QUBITS_MAX {
            return Err(RunError::TooWide { qubits });
        }
        let (mut steps, at_end) = without_final_readouts(steps_of(circuit));
        let fixed = steps
            .iter()
            .take_while(|step| matches!(step, Step::Gate(..)))
            .count();
        let per_shot = steps.split_off(fixed);
        let once = steps.into_iter().filter_map(|step| match step {
            Step::Gate(gate, qubits) => Some((gate, qubits)),
            Step::Measure(_) | Step::Reset(_) => None,
        });
        Ok(Self {
            once: once.collect(),
            per_shot,
            at_end,
        })
    }

    /// The state after the gates that are applied once, from all qubits zero.
    fn evolved(&self, qubits: u32, stop: &AtomicBool) -> Result<State, RunError> {
        let mut state = State::zero(qubits);
        for (gate, operands) in &self.once {
            check(stop, 0)?;
            state.apply(*gate, operands);
        }
        Ok(state)
    }
}

/// One step per gate, readout and reset; a reset before the first use of its qubit is none.
fn steps_of(circuit: &Circuit) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(circuit.operations().len());
    let mut used = 0_u32;
    for operation in circuit.operations() {
        match operation {
            Operation::Unitary { gate, qubits } => {
                used |= qubits.iter().fold(0, |mask, qubit| mask | 1 << qubit);
                steps.push(Step::Gate(*gate, qubits));
            }
            Operation::Measure(readouts) => {
                steps.extend(readouts.iter().copied().map(Step::Measure));
            }
            Operation::Reset(qubits) => steps.extend(
                qubits
                    .iter()
                    .filter(|qubit| used >> **qubit & 1 == 1)
                    .copied()
                    .map(Step::Reset),
            ),
        }
    }
    steps
}

/// Parts the readouts of qubits that are not used again from the other steps.
///
/// A bit may be written more than once. Of the final readouts only those are kept whose bit no
/// later step writes, so that they may be made last without changing what a bit holds in the end.
fn without_final_readouts(steps: Vec<Step<'_>>) -> (Vec<Step<'_>>, Vec<Readout>) {
    let mut used_later = 0_u32;
    let mut written_later = BTreeSet::new();
    let (mut others, mut at_end) = (Vec::with_capacity(steps.len()), Vec::new());
    for step in steps.into_iter().rev() {
        match step {
            Step::Gate(_, qubits) => {
                used_later |= qubits.iter().fold(0, |mask, qubit| mask | 1 << qubit);
            }
            Step::Reset(qubit) => used_later |= 1 << qubit,
            Step::Measure(readout) => {
                let last_write = written_later.insert(readout.bit);
                if used_later >> readout.qubit & 1 == 0 {
                    if last_write {
                        at_end.push(readout);
                    }
                    continue;
                }
            }
        }
        others.push(step);
    }
    others.reverse();
    (others, at_end)
}

/// What is left to do once the gates before the first chance have been applied.
struct Run<'c> {
    circuit: &'c Circuit,
    plan: Plan<'c>,
    shots: u32,
    stop: &'c AtomicBool,
}

impl Run<'_> {
    /// All shots from one final state.
    fn sampled(&self, state: &State, draws: &mut Draws) -> Result<Counts, RunError> {
        let measured = self
            .plan
            .at_end
            .iter()
            .fold(0, |mask, readout| mask | 1 << readout.qubit);
        let mut outcomes: BTreeMap<usize, u64> = BTreeMap::new();
        let mut done = 0;
        while done < self.shots {
            check(self.stop, done)?;
            let batch = DRAWS_SORTED_MAX.min(self.shots - done);
            fall(state.amplitudes(), &draws.sorted(batch), |index, count| {
                *outcomes.entry(index & measured).or_insert(0) += count;
            });
            done += batch;
        }
        let blank = vec![b'0'; self.circuit.bits() as usize];
        let keyed = outcomes.into_iter().map(|(index, count)| {
            let mut register = blank.clone();
            self.read(index, &mut register);
            (key_of(&register), count)
        });
        Ok(keyed.collect())
    }

    /// Every shot on its own, from a copy of the state before the first chance.
    fn repeated(&self, before: &State, draws: &mut Draws) -> Result<Counts, RunError> {
        let mut counts = Counts::new();
        let mut state = before.clone();
        // Every shot writes every bit of the circuit, so nothing is left over from the last one.
        let mut register = vec![b'0'; self.circuit.bits() as usize];
        for done in 0..self.shots {
            state.copy_from(before);
            for step in &self.plan.per_shot {
                check(self.stop, done)?;
                take(*step, &mut state, &mut register, draws);
            }
            if !self.plan.at_end.is_empty() {
                let draw = [draws.next()];
                fall(state.amplitudes(), &draw, |index, _| {
                    self.read(index, &mut register)
                });
            }
            *counts.entry(key_of(&register)).or_insert(0) += 1;
        }
        Ok(counts)
    }

    /// Writes the final readouts of one basis state.
    fn read(&self, index: usize, register: &mut [u8]) {
        for readout in &self.plan.at_end {
            register[readout.bit as usize] = b'0' + (index >> readout.qubit & 1) as u8;
        }
    }
}

type Counts = BTreeMap<String, u64>;

fn take(step: Step<'_>, state: &mut State, register: &mut [u8], draws: &mut Draws) {
    match step {
        Step::Gate(gate, qubits) => state.apply(gate, qubits),
        Step::Measure(Readout { qubit, bit }) => {
            register[bit as usize] = match found(qubit, state, draws) {
                Outcome::Zero => b'0',
                Outcome::One => b'1',
            };
        }
        Step::Reset(qubit) => {
            if found(qubit, state, draws) == Outcome::One {
                state.apply(Gate::X, &[qubit]);
            }
        }
    }
}

fn found(qubit: u32, state: &mut State, draws: &mut Draws) -> Outcome {
    let one = draws.next() < state.chance_of_one(qubit);
    let outcome = if one { Outcome::One } else { Outcome::Zero };
    state.collapse(qubit, outcome);
    outcome
}

/// The highest bit first.
fn key_of(register: &[u8]) -> String {
    register.iter().rev().map(|&bit| char::from(bit)).collect()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
