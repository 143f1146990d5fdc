//! The client of driver-manager: `eigen.internal.v1.DriverManagerService`, and
//! `eigen.kernel.v1.ExecutionControl` where it has that (D8).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, future};
use tonic::{Code, Extensions, Request, Streaming};

use crate::grpc::call::{Missed, Neighbour};
use crate::grpc::proto::internal as wire;
use crate::grpc::proto::internal::driver_manager_service_client::DriverManagerServiceClient;
use crate::grpc::proto::kernel as control;
use crate::grpc::proto::kernel::execution_control_client::ExecutionControlClient;
use crate::grpc::{Channel, context, convert};
use crate::ids::{DeviceId, ExecutionId, FencingToken};
use crate::job::event::CircuitFormat;
use crate::job::state::Phase;
use crate::limits::ANSWER_BYTES_MAX;
use crate::ports::Clock;
use crate::ports::compiler::{CallContext, CallError};
use crate::ports::devices::{
    DeviceInfo, Devices, Fate, Hardware, Inspection, Run, RunError, RunResult,
};

/// driver-manager, wherever it is.
#[derive(Debug)]
pub struct DriverClient<C> {
    neighbour: Neighbour<C>,
    /// How long listing the devices may take.
    list_span: Duration,
    // What is UNIMPLEMENTED once stays so for this endpoint, and is done without (D8). Who does not
    // report phases may still be asked what became of an execution.
    no_control: Arc<AtomicBool>,
    no_phases: Arc<AtomicBool>,
}

impl<C: Clock + Clone> DriverClient<C> {
    /// A client of `neighbour`, which gets `list_span` to list its devices.
    pub fn new(neighbour: Neighbour<C>, list_span: Duration) -> Self {
        Self {
            neighbour,
            list_span,
            no_control: Arc::default(),
            no_phases: Arc::default(),
        }
    }

    fn client(&self) -> DriverManagerServiceClient<Channel> {
        DriverManagerServiceClient::new(self.neighbour.channel.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn control(&self) -> Option<ExecutionControlClient<Channel>> {
        let there = !self.no_control.load(Ordering::Relaxed);
        there.then(|| {
            ExecutionControlClient::new(self.neighbour.channel.clone())
                .max_decoding_message_size(ANSWER_BYTES_MAX)
        })
    }

    /// `None` for a driver-manager without ExecutionControl, which is remembered.
    fn or_without<T>(&self, asked: Result<T, Missed>) -> Result<Option<T>, CallError> {
        match asked {
            Ok(answer) => Ok(Some(answer)),
            Err(Missed::Said(said)) if said.code() == Code::Unimplemented => {
                self.no_control.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Err(missed) => Err(self.neighbour.failed(missed)),
        }
    }
}

fn hardware(status: wire::DeviceStatus) -> Hardware {
    match status {
        wire::DeviceStatus::Online => Hardware::Online,
        wire::DeviceStatus::Calibrating => Hardware::Calibrating,
        wire::DeviceStatus::Maintenance => Hardware::Maintenance,
        wire::DeviceStatus::ErrorStatus => Hardware::Error,
        // A device that does not say how it is does not take jobs.
        wire::DeviceStatus::Offline | wire::DeviceStatus::Unspecified => Hardware::Offline,
    }
}

/// A listed device; one whose id is none cannot be named by any job.
fn device(listed: wire::DeviceInfo) -> Option<DeviceInfo> {
    Some(DeviceInfo {
        id: listed.device_id.parse().ok()?,
        hardware: hardware(listed.status()),
        name: listed.name,
        backend_type: listed.backend_type,
        queue_depth: u32::try_from(listed.queue_depth).unwrap_or(0),
        wait_seconds: u32::try_from(listed.estimated_wait_sec).unwrap_or(0),
        capabilities: listed.capabilities,
    })
}

/// What the driver told of an execution, as far as it makes sense; `None` if it does not.
fn inspection(
    outcome: control::ExecutionOutcome,
    result: Option<control::ExecutionResult>,
    told: Told,
) -> Option<Inspection> {
    let shots_used = u64::try_from(told.shots_used).unwrap_or(0);
    let fate = match outcome {
        control::ExecutionOutcome::Running => Fate::Running,
        control::ExecutionOutcome::Done => {
            let result = result?;
            Fate::Done(RunResult {
                counts: result.counts,
                execution_seconds: result.execution_time_sec,
                metadata: result.metadata,
            })
        }
        control::ExecutionOutcome::Failed => Fate::Failed {
            shots_used,
            message: told.message,
        },
        control::ExecutionOutcome::NotFound => Fate::NotFound,
        control::ExecutionOutcome::Cancelled => Fate::Cancelled {
            shots_used,
            never_started: told.never_started,
        },
        control::ExecutionOutcome::Unspecified => return None,
    };
    let remembers_since = told.remembers_since.and_then(convert::moment);
    Some(Inspection {
        fate,
        remembers_since,
    })
}

struct Told {
    shots_used: i64,
    message: String,
    never_started: bool,
    remembers_since: Option<prost_types::Timestamp>,
}

fn senseless(endpoint: &str) -> CallError {
    CallError::unavailable(format!(
        "driver-manager at {endpoint} told nothing of use about an execution; look at its log"
    ))
}

/// The execution may be known a moment after its request left, so this asks a few times.
async fn watch(
    mut client: ExecutionControlClient<Channel>,
    request: Request<control::WatchExecutionRequest>,
    clock: impl Clock,
    no_phases: Arc<AtomicBool>,
) -> Option<Streaming<control::WatchExecutionResponse>> {
    let (headers, _, message) = request.into_parts();
    for pause_ms in [50, 200, 1_000] {
        let again = Request::from_parts(headers.clone(), Extensions::default(), message.clone());
        match client.watch_execution(again).await {
            Ok(answer) => return Some(answer.into_inner()),
            Err(said) if said.code() == Code::Unimplemented => {
                no_phases.store(true, Ordering::Relaxed);
                return None;
            }
            Err(_) => clock.sleep(Duration::from_millis(pause_ms)).await,
        }
    }
    None
}

/// A phase by the name that ExecutionControl tells.
fn phase(name: &str) -> Option<Phase> {
    let wanted = name.replace('_', "").to_lowercase();
    Phase::ALL
        .into_iter()
        .find(|phase| phase.name().to_lowercase() == wanted)
}

impl<C: Clock + Clone> Devices for DriverClient<C> {
    async fn list(&self) -> Result<Vec<DeviceInfo>, CallError> {
        let mut request = Request::new(wire::ListDevicesRequest {});
        request.set_timeout(self.list_span);
        let mut client = self.client();
        let answer = self
            .neighbour
            .wait(self.list_span, client.list_devices(request))
            .await;
        let answer = answer.map_err(|missed| self.neighbour.failed(missed))?;
        Ok(answer.devices.into_iter().filter_map(device).collect())
    }

    async fn status(
        &self,
        call: CallContext<'_>,
        device: &DeviceId,
    ) -> Result<Hardware, CallError> {
        let message = wire::GetDeviceStatusRequest {
            device_id: device.to_string(),
        };
        let mut client = self.client();
        let answer = client.get_device_status(self.neighbour.request(&call, message));
        let answer = self.neighbour.wait(call.deadline, answer).await;
        let answer = answer.map_err(|missed| self.neighbour.failed(missed))?;
        Ok(hardware(answer.status()))
    }

    fn execute(
        &self,
        call: CallContext<'_>,
        run: Run,
    ) -> impl Future<Output = Result<RunResult, RunError>> + Send + 'static {
        let format = match run.format {
            CircuitFormat::AqoJson => wire::CircuitFormat::AqoJson,
            CircuitFormat::Qasm3Text => wire::CircuitFormat::Qasm3Text,
        };
        let message = wire::ExecuteCircuitRequest {
            job_id: run.id.job.to_string(),
            device_id: run.device.to_string(),
            payload: Some(wire::CircuitPayload {
                format: format as i32,
                data: run.circuit,
            }),
            shots: i32::try_from(run.shots).expect("shots are at most what the driver takes"),
            options: run.options,
        };
        let mut request = self.neighbour.request(&call, message);
        context::send_execution(request.metadata_mut(), run.id, run.token);
        if let Some(reservation) = run.reservation {
            context::send_reservation(request.metadata_mut(), reservation);
        }
        let (mut client, neighbour) = (self.client(), self.neighbour.clone());
        let deadline = call.deadline;
        async move {
            let answer = neighbour
                .wait(deadline, client.execute_circuit(request))
                .await;
            let answer = answer.map_err(|missed| neighbour.run_failed(missed))?;
            Ok(RunResult {
                counts: answer.counts,
                execution_seconds: answer.execution_time_sec,
                metadata: answer.metadata,
            })
        }
    }

    async fn inspect(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
    ) -> Result<Option<Inspection>, CallError> {
        let Some(mut client) = self.control() else {
            return Ok(None);
        };
        let message = control::GetExecutionRequest {
            execution_id: run.to_string(),
        };
        let answer = client.get_execution(self.neighbour.request(&call, message));
        let answer = self.neighbour.wait(call.deadline, answer).await;
        let Some(answer) = self.or_without(answer)? else {
            return Ok(None);
        };
        let outcome = answer.outcome();
        let told = Told {
            shots_used: answer.shots_used,
            message: answer.message,
            never_started: false,
            remembers_since: answer.remembers_since,
        };
        let seen = inspection(outcome, answer.result, told);
        seen.map(Some)
            .ok_or_else(|| senseless(&self.neighbour.endpoint))
    }

    async fn stop(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
        token: FencingToken,
    ) -> Result<Option<Inspection>, CallError> {
        let Some(mut client) = self.control() else {
            return Ok(None);
        };
        let message = control::CancelExecutionRequest {
            execution_id: run.to_string(),
            fencing_token: token.0,
        };
        let answer = client.cancel_execution(self.neighbour.request(&call, message));
        let answer = self.neighbour.wait(call.deadline, answer).await;
        let Some(answer) = self.or_without(answer)? else {
            return Ok(None);
        };
        let outcome = answer.outcome();
        let told = Told {
            shots_used: answer.shots_used,
            message: String::new(),
            never_started: answer.never_started,
            remembers_since: answer.remembers_since,
        };
        let seen = inspection(outcome, answer.result, told);
        seen.map(Some)
            .ok_or_else(|| senseless(&self.neighbour.endpoint))
    }

    fn phases(&self, call: CallContext<'_>, run: ExecutionId) -> BoxStream<'static, Phase> {
        let told = !self.no_phases.load(Ordering::Relaxed);
        let Some(client) = self.control().filter(|_| told) else {
            return stream::empty().boxed();
        };
        // The stream lives as long as the execution, so no deadline goes along with it.
        let execution_id = run.to_string();
        let mut request = Request::new(control::WatchExecutionRequest { execution_id });
        context::send(request.metadata_mut(), &call);
        let (clock, no_phases) = (self.neighbour.clock.clone(), self.no_phases.clone());
        let opened = stream::once(watch(client, request, clock, no_phases));
        let told = opened.filter_map(future::ready).flatten();
        told.take_while(|told| future::ready(told.is_ok()))
            .filter_map(|told| future::ready(told.ok().and_then(|told| phase(&told.phase))))
            .boxed()
    }

    fn endpoint(&self) -> &str {
        &self.neighbour.endpoint
    }
}
