//! ExecutionControl (D8).

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use qrtx::grpc::proto::kernel::execution_control_server::ExecutionControl;
use qrtx::grpc::proto::kernel::{
    CancelExecutionRequest, CancelExecutionResponse, ExecutionOutcome, ExecutionResult,
    GetExecutionRequest, GetExecutionResponse, WatchExecutionRequest, WatchExecutionResponse,
};
use qrtx::ports::Clock;
use qrtx::time::{Monotonic, Timestamp};
use tonic::{Request, Response, Status};

use super::super::call::{Method, job_of};
use super::super::whims::after;
use super::ledger::{Deviation, Row, Verdict};
use super::{DriverDouble, Stops};

/// Phases, and the percentage of a run after which each begins.
const PHASES: [(&str, u32); 3] = [
    ("QUANTUM_INITIALIZING", 0),
    ("QUANTUM_RUNNING", 10),
    ("MEASURING", 80),
];

fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos: i32::try_from(at.0.rem_euclid(1_000_000) * 1000).expect("less than a second"),
    }
}

/// Leaves as many shots, one of which was measured otherwise.
fn move_a_shot(counts: &mut BTreeMap<String, i64>) {
    let Some(mut first) = counts.first_entry() else {
        return;
    };
    *first.get_mut() -= 1;
    let bits = first.key().chars();
    let other = bits.map(|bit| if bit == '0' { '1' } else { '0' }).collect();
    *counts.entry(other).or_default() += 1;
}

/// What is told of a run at `now`.
struct Told {
    outcome: ExecutionOutcome,
    result: Option<ExecutionResult>,
    shots_used: i64,
    message: &'static str,
}

impl Told {
    fn of(row: &Row, now: Monotonic) -> Self {
        let (outcome, message) = match (row.ended(now), &row.verdict) {
            (None, _) => (ExecutionOutcome::Running, ""),
            (Some(_), Verdict::Done(_)) => (ExecutionOutcome::Done, ""),
            (Some(_), Verdict::Failed(..)) => {
                (ExecutionOutcome::Failed, "execution failed on the device")
            }
            (Some(_), Verdict::Stopped) => (ExecutionOutcome::Cancelled, "execution was stopped"),
        };
        let result = match &row.verdict {
            Verdict::Done(answer) if outcome == ExecutionOutcome::Done => Some(ExecutionResult {
                counts: answer.counts.clone(),
                execution_time_sec: answer.execution_time_sec,
                metadata: answer.metadata.clone(),
            }),
            _ => None,
        };
        Self {
            outcome,
            result,
            shots_used: row.fired(now),
            message,
        }
    }

    fn without_run(outcome: ExecutionOutcome) -> Self {
        Self {
            outcome,
            result: None,
            shots_used: 0,
            message: "",
        }
    }
}

impl<C: Clock + Clone> DriverDouble<C> {
    fn find(&self, execution: &str) -> GetExecutionResponse {
        let now = self.clock.monotonic();
        let state = self.state();
        let shown = state.memory.has_tombstone(execution)
            && state.memory.deviation != Some(Deviation::HidesTombstones);
        let mut told = match state.memory.executions.get(execution) {
            Some(number) => Told::of(state.ledger.row(*number), now),
            None if shown => Told::without_run(ExecutionOutcome::Cancelled),
            None => Told::without_run(ExecutionOutcome::NotFound),
        };
        if let Some(result) = told.result.as_mut()
            && state.memory.tells_other_counts
        {
            move_a_shot(&mut result.counts);
        }
        GetExecutionResponse {
            outcome: told.outcome.into(),
            result: told.result,
            shots_used: told.shots_used,
            remembers_since: Some(stamp(state.memory.since)),
            message: told.message.to_owned(),
        }
    }

    fn bury(&self, execution: &str, token: u64) -> CancelExecutionResponse {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let deviation = state.memory.deviation;
        let mistaken = deviation == Some(Deviation::KnowsWhatItBuried)
            && state.memory.has_tombstone(execution);
        state.memory.bury(execution, token);
        let known = state.memory.executions.get(execution).copied();
        let told = match known {
            None => Told::without_run(ExecutionOutcome::Cancelled),
            Some(number) => {
                if self.stops == Stops::AtOnce {
                    state.ledger.row_mut(number).stop(now);
                }
                Told::of(state.ledger.row(number), now)
            }
        };
        CancelExecutionResponse {
            outcome: told.outcome.into(),
            shots_used: told.shots_used,
            result: told.result,
            remembers_since: (deviation != Some(Deviation::CancelsWithoutSince))
                .then(|| stamp(state.memory.since)),
            never_started: known.is_none() && !mistaken,
        }
    }

    /// The phase number `step` as soon as the run has reached it; `None` if it ends before.
    async fn phase(&self, number: usize, step: usize) -> Option<WatchExecutionResponse> {
        let (phase, percent) = *PHASES.get(step)?;
        loop {
            // Before the look: a change between the two must not be missed.
            let stopped = self.shared.stopped.notified();
            let now = self.clock.monotonic();
            let begins = {
                let state = self.state();
                let row = state.ledger.row(number);
                let ended = row.ended(now);
                let into = row.due.since(row.run.started) * percent / 100;
                let begins = row.run.started + into;
                if begins <= now && ended.is_none_or(|ended| begins < ended) {
                    let at = Some(stamp(row.run.started_wall + into));
                    let shots_used = row.fired(now);
                    return Some(WatchExecutionResponse {
                        phase: phase.to_owned(),
                        at,
                        shots_used,
                    });
                }
                if ended.is_some() {
                    return None;
                }
                begins
            };
            tokio::select! {
                biased;
                () = stopped => {}
                () = self.clock.sleep_until(begins) => {}
            }
        }
    }

    /// Returns when a run is over.
    async fn over(&self, number: usize) {
        loop {
            let stopped = self.shared.stopped.notified();
            let now = self.clock.monotonic();
            let due = {
                let state = self.state();
                let row = state.ledger.row(number);
                if row.ended(now).is_some() {
                    return;
                }
                row.due
            };
            tokio::select! {
                biased;
                () = stopped => {}
                () = self.clock.sleep_until(due) => {}
            }
        }
    }
}

#[tonic::async_trait]
impl<C: Clock + Clone> ExecutionControl for DriverDouble<C> {
    type WatchExecutionStream = BoxStream<'static, Result<WatchExecutionResponse, Status>>;

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Result<Response<GetExecutionResponse>, Status> {
        let id = &request.get_ref().execution_id;
        let none = BTreeMap::new();
        let whim = self
            .enter(Method::GetExecution, request.metadata(), job_of(id), &none)
            .await?;
        after(whim.as_ref(), self.find(id)).await
    }

    async fn cancel_execution(
        &self,
        request: Request<CancelExecutionRequest>,
    ) -> Result<Response<CancelExecutionResponse>, Status> {
        let CancelExecutionRequest {
            execution_id: id,
            fencing_token,
        } = request.get_ref();
        let none = BTreeMap::new();
        let whim = self
            .enter(
                Method::CancelExecution,
                request.metadata(),
                job_of(id),
                &none,
            )
            .await?;
        let answer = self.bury(id, *fencing_token);
        self.shared.stopped.notify_waiters();
        after(whim.as_ref(), answer).await
    }

    async fn watch_execution(
        &self,
        request: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        let id = &request.get_ref().execution_id;
        let none = BTreeMap::new();
        let whim = self
            .enter(
                Method::WatchExecution,
                request.metadata(),
                job_of(id),
                &none,
            )
            .await?;
        let known = self.state().memory.executions.get(id).copied();
        let number = known.ok_or_else(|| Status::not_found("execution is not known"))?;
        let double = self.clone();
        let phases = stream::unfold(0, move |step| {
            let double = double.clone();
            async move {
                if let Some(phase) = double.phase(number, step).await {
                    return Some((Ok(phase), step + 1));
                }
                // The last phase lasts until the end of the run, and the stream with it.
                double.over(number).await;
                None
            }
        });
        after(whim.as_ref(), phases.boxed()).await
    }
}
