//! The device `sim:local`: a state vector, off the async threads. It keeps the whole execution
//! contract (D8): an execution is run once by its id, can be asked after, and can be stopped.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::Notify;

use crate::circuit::{self, Gate, RunError as SimulationError};
use crate::embedded::offload::Offload;
use crate::ids::{DeviceId, ExecutionId, FencingToken, JobId, Sha256Sum};
use crate::job::event::CircuitFormat;
use crate::job::state::Phase;
use crate::ports::Clock;
use crate::ports::compiler::{CallContext, CallError};
use crate::ports::devices::{
    DeviceInfo, Devices, Fate, Hardware, Inspection, Run, RunError, RunResult,
};
use crate::time::{Monotonic, Timestamp};

/// The embedded device's id.
pub const SIM_LOCAL: &str = "sim:local";

/// Executions that are remembered after their end.
const REMEMBERED_MAX: usize = 4096;
/// Bytes of counts that are remembered; the last execution is, whatever its size.
const REMEMBERED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The embedded device.
#[derive(Debug)]
pub struct EmbeddedDevice<C> {
    shared: Arc<Shared<C>>,
}

#[derive(Debug)]
struct Shared<C> {
    clock: C,
    offload: Offload,
    slots: usize,
    memory: Mutex<Memory>,
    ended: Notify,
}

#[derive(Debug)]
struct Memory {
    executions: BTreeMap<ExecutionId, Execution>,
    /// Those that ended, oldest first.
    over: VecDeque<ExecutionId>,
    /// What they take.
    bytes: usize,
    since: Timestamp,
}

#[derive(Debug, Clone)]
struct Execution {
    started: Timestamp,
    token: FencingToken,
    stop: Arc<AtomicBool>,
    fate: Fate,
}

impl<C: Clock + Clone> EmbeddedDevice<C> {
    /// A device that works on `slots` executions at a time, where `offload` puts them.
    pub fn new(clock: C, offload: Offload, slots: usize) -> Self {
        let memory = Memory {
            executions: BTreeMap::new(),
            over: VecDeque::new(),
            bytes: 0,
            since: clock.now(),
        };
        let (memory, ended) = (Mutex::new(memory), Notify::new());
        Self {
            shared: Arc::new(Shared {
                clock,
                offload,
                slots,
                memory,
                ended,
            }),
        }
    }
}

fn info(slots: usize) -> DeviceInfo {
    let gates = Gate::ALL.iter().map(|gate| gate.name());
    let ops: Vec<_> = gates.chain(["MEASURE", "RESET"]).collect();
    let capabilities = [
        ("formats", "AQO_JSON".to_owned()),
        ("ops", ops.join(",")),
        ("qubits", circuit::SIMULATED_QUBITS_MAX.to_string()),
        ("slots", slots.to_string()),
        ("bitstring_order", "msb_first_by_classical_index".to_owned()),
    ];
    DeviceInfo {
        id: SIM_LOCAL.parse().expect("a constant id is valid"),
        name: "embedded state-vector simulator".to_owned(),
        backend_type: "simulator".to_owned(),
        hardware: Hardware::Online,
        queue_depth: 0,
        wait_seconds: 0,
        capabilities: capabilities
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    }
}

impl Memory {
    /// The newest token of a job, among its executions that are remembered.
    fn newest(&self, job: JobId) -> Option<FencingToken> {
        let of_job = |attempt| ExecutionId { job, attempt };
        let known = self.executions.range(of_job(0)..=of_job(u32::MAX));
        known.map(|(_, execution)| execution.token).max()
    }

    /// Forgets the oldest of those that are too many, or too large together.
    fn forget(&mut self) {
        while self.over.len() > REMEMBERED_MAX
            || (self.bytes > REMEMBERED_BYTES_MAX && self.over.len() > 1)
        {
            let oldest = self.over.pop_front();
            if let Some(forgotten) = oldest.and_then(|id| self.executions.remove(&id)) {
                self.bytes -= size(&forgotten.fate);
                // What is younger than the last one forgotten is still remembered.
                self.since = self.since.max(forgotten.started + Duration::from_micros(1));
            }
        }
    }
}

/// What a result takes, about.
fn size(fate: &Fate) -> usize {
    match fate {
        Fate::Done(result) => result.counts.keys().map(|bits| bits.len() + 64).sum(),
        _ => 0,
    }
}

/// Whoever asked is gone, and a simulation that goes on would hold up the end of the process.
impl<C> Drop for EmbeddedDevice<C> {
    fn drop(&mut self) {
        for execution in self.shared.memory().executions.values() {
            execution.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl<C> Shared<C> {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory
            .lock()
            .expect("no code panics while it holds the memory")
    }
}

impl<C: Clock> Shared<C> {
    /// Starts the work of a new execution; does nothing for one that is known.
    ///
    /// # Errors
    /// The refusal of one that is older than another of its job (D8).
    fn begin(self: &Arc<Self>, run: Run) -> Result<(), RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        let started = self.clock.now();
        let execution = Execution {
            started,
            token: run.token,
            stop: stop.clone(),
            fate: Fate::Running,
        };
        {
            let mut memory = self.memory();
            if memory.executions.contains_key(&run.id) {
                return Ok(());
            }
            if memory.newest(run.id.job) > Some(run.token) {
                let message = "its fencing token is older than one of the same job".to_owned();
                let retry = None;
                return Err(RunError::Refused { message, retry });
            }
            memory.executions.insert(run.id, execution);
        }
        let shared = self.clone();
        let begun = self.clock.monotonic();
        (self.offload)(Box::new(move || {
            // Whatever happens, somebody may wait for the end.
            let end = Ending { shared, id: run.id };
            let fate = simulate(&run, &stop, &end.shared.clock, begun);
            end.shared.over(run.id, fate);
        }));
        Ok(())
    }

    fn over(&self, id: ExecutionId, fate: Fate) {
        let mut memory = self.memory();
        if let Some(execution) = memory.executions.get_mut(&id)
            && execution.fate == Fate::Running
        {
            execution.fate = fate;
            let size = size(&execution.fate);
            memory.over.push_back(id);
            memory.bytes += size;
        }
        memory.forget();
        drop(memory);
        self.ended.notify_waiters();
    }

    /// What is remembered of an execution.
    fn recall(&self, id: ExecutionId) -> Inspection {
        let memory = self.memory();
        let fate = memory
            .executions
            .get(&id)
            .map_or(Fate::NotFound, |known| known.fate.clone());
        Inspection {
            fate,
            remembers_since: Some(memory.since),
        }
    }

    async fn end_of(&self, id: ExecutionId) -> Fate {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            match self.recall(id).fate {
                Fate::Running => ended.await,
                fate => return fate,
            }
        }
    }
}

/// Ends an execution whose work broke off.
struct Ending<C: Clock> {
    shared: Arc<Shared<C>>,
    id: ExecutionId,
}

impl<C: Clock> Drop for Ending<C> {
    fn drop(&mut self) {
        let message = "the simulation broke off; its log has the reason".to_owned();
        self.shared.over(
            self.id,
            Fate::Failed {
                shots_used: 0,
                message,
            },
        );
    }
}

fn simulate<C: Clock>(run: &Run, stop: &AtomicBool, clock: &C, begun: Monotonic) -> Fate {
    let failed = |shots_used: u32, message: String| Fate::Failed {
        shots_used: u64::from(shots_used),
        message,
    };
    if run.format != CircuitFormat::AqoJson {
        return failed(
            0,
            "the embedded device takes circuits as AQO JSON only".to_owned(),
        );
    }
    let circuit = match circuit::parse(&run.circuit, &run.options) {
        Ok(circuit) => circuit,
        Err(why) => return failed(0, format!("the circuit is not valid: {why}")),
    };
    // Without a seed, one that is told in the result makes the run repeatable.
    let given = run
        .options
        .get("seed")
        .and_then(|seed| seed.parse::<i64>().ok());
    let drawn = Sha256Sum::of(run.id.to_string().as_bytes()).prefix() >> 1;
    let seed = given.map_or(drawn, i64::cast_unsigned);
    match circuit::run(&circuit, run.shots, seed, stop) {
        Ok(counts) => Fate::Done(RunResult {
            counts: counts
                .into_iter()
                .map(|(bits, count)| (bits, i64::try_from(count).unwrap_or(i64::MAX)))
                .collect(),
            execution_seconds: clock.monotonic().since(begun).as_secs_f64(),
            metadata: metadata(run, &circuit, seed),
        }),
        Err(SimulationError::Stopped { shots_done }) => Fate::Cancelled {
            shots_used: u64::from(shots_done),
            never_started: false,
        },
        Err(why) => failed(0, why.to_string()),
    }
}

fn metadata(run: &Run, circuit: &circuit::Circuit, seed: u64) -> BTreeMap<String, String> {
    let notes = circuit.extra().get("metadata");
    let measured = notes.and_then(|notes| notes.get("measured")?.as_str());
    let measured = measured.map(|what| ("measured".to_owned(), what.to_owned()));
    let own = [
        ("driver", "qrtx embedded simulator".to_owned()),
        ("provider_profile", "simulator".to_owned()),
        ("aqo_version", circuit.version().to_owned()),
        ("qubits", circuit.qubits().to_string()),
        ("shots", run.shots.to_string()),
        ("seed", seed.cast_signed().to_string()),
        ("bitstring_order", "msb_first_by_classical_index".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    own.into_iter().chain(measured).collect()
}

fn answer(fate: Fate) -> Result<RunResult, RunError> {
    match fate {
        Fate::Done(result) => Ok(result),
        Fate::Failed { message, .. } => Err(RunError::Refused {
            message,
            retry: None,
        }),
        Fate::Cancelled {
            never_started: true,
            ..
        } => Err(RunError::Refused {
            message: "the execution was cancelled before it arrived".to_owned(),
            retry: None,
        }),
        Fate::Cancelled { .. } | Fate::NotFound | Fate::Running => Err(RunError::Doubt {
            cause: "the execution was stopped".to_owned(),
            over: true,
        }),
    }
}

impl<C: Clock + Clone> Devices for EmbeddedDevice<C> {
    async fn list(&self) -> Result<Vec<DeviceInfo>, CallError> {
        Ok(vec![info(self.shared.slots)])
    }

    async fn status(&self, _: CallContext<'_>, device: &DeviceId) -> Result<Hardware, CallError> {
        if device.as_str() == SIM_LOCAL {
            return Ok(Hardware::Online);
        }
        Err(CallError::Rejected(format!(
            "the embedded driver has {SIM_LOCAL}, not {device}"
        )))
    }

    fn execute(
        &self,
        call: CallContext<'_>,
        run: Run,
    ) -> impl Future<Output = Result<RunResult, RunError>> + Send + 'static {
        let (shared, id, deadline) = (self.shared.clone(), run.id, call.deadline);
        async move {
            shared.begin(run)?;
            let end = shared.clock.timeout(deadline, shared.end_of(id)).await;
            let seconds = deadline.as_secs_f64();
            let late = || RunError::Doubt {
                cause: format!("the simulation took longer than {seconds} s"),
                over: false,
            };
            end.map_or_else(|| Err(late()), answer)
        }
    }

    async fn inspect(
        &self,
        _: CallContext<'_>,
        run: ExecutionId,
    ) -> Result<Option<Inspection>, CallError> {
        Ok(Some(self.shared.recall(run)))
    }

    async fn stop(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
        token: FencingToken,
    ) -> Result<Option<Inspection>, CallError> {
        let shared = &self.shared;
        let started = shared.clock.now();
        {
            let mut memory = shared.memory();
            if !memory.executions.contains_key(&run) {
                memory.over.push_back(run);
            }
            let known = memory.executions.entry(run).or_insert_with(|| Execution {
                started,
                token,
                stop: Arc::default(),
                fate: Fate::Cancelled {
                    shots_used: 0,
                    never_started: true,
                },
            });
            known.stop.store(true, Ordering::Relaxed);
        }
        // The flag is looked at before every gate, so this takes no longer than one.
        let ended = shared
            .clock
            .timeout(call.deadline, shared.end_of(run))
            .await;
        let remembers_since = shared.recall(run).remembers_since;
        Ok(Some(Inspection {
            fate: ended.unwrap_or(Fate::Running),
            remembers_since,
        }))
    }

    fn phases(&self, _: CallContext<'_>, _: ExecutionId) -> BoxStream<'static, Phase> {
        stream::empty().boxed()
    }

    fn endpoint(&self) -> &str {
        "the embedded device"
    }
}
