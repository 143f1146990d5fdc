//! DriverManagerService.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::grpc::proto::internal::driver_manager_service_server::DriverManagerService;
use qrtx::grpc::proto::internal::{
    CalibrateDeviceRequest, CalibrateDeviceResponse, DeviceInfo, DeviceStatus,
    ExecuteCircuitRequest, ExecuteCircuitResponse, GetDeviceStatusRequest, GetDeviceStatusResponse,
    ListDevicesRequest, ListDevicesResponse,
};
use qrtx::ports::Clock;
use qrtx::time::{Monotonic, Timestamp};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use tonic_types::FieldViolation;

use super::super::call::{Method, job_of};
use super::super::refusal;
use super::super::whims::{Evidence, Whim, after, before};
use super::circuit::{Circuit, draw};
use super::fields::{check_fields, data_of, fail_if_asked_to, seed_of};
use super::ledger::{Deviation, End, Row, Run, Verdict};
use super::{Control, DriverDouble, State};

/// Names the execution (D8).
const EXECUTION: &str = "x-eigen-execution-id";
/// Orders the executions of a job (D8).
const TOKEN: &str = "x-eigen-fencing-token";

/// Where a client of the driver names the reserved slot, and orders its holders.
const RESERVATION: &str = "x-eigen-reservation-id";
const RESERVATION_TOKEN: &str = "x-eigen-reservation-token";

/// The headers of an execution; both `None` for a driver that does not know them.
#[derive(Clone, Default)]
struct Name {
    execution: Option<String>,
    token: Option<u64>,
    /// Which reserved slot, and its token; whoever serves writes that down.
    reservation: Option<(String, u64)>,
}

impl Name {
    fn of(sent: &MetadataMap) -> Self {
        let text = |key| sent.get(key).and_then(|value| value.to_str().ok());
        Self {
            execution: text(EXECUTION).map(str::to_owned),
            token: text(TOKEN).and_then(|token| token.parse().ok()),
            reservation: text(RESERVATION)
                .map(str::to_owned)
                .zip(text(RESERVATION_TOKEN).and_then(|token| token.parse().ok())),
        }
    }
}

impl<C: Clock + Clone> DriverDouble<C> {
    /// Writes the call down, and does what its whim does before the work.
    pub(super) async fn enter(
        &self,
        method: Method,
        sent: &MetadataMap,
        job: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Option<Whim>, Status> {
        self.note(method, job, sent, options);
        let whim = self.whims.take(method, |wanted| wanted == job);
        before(
            whim.as_ref(),
            &self.clock,
            |code, message, retry| match retry {
                None => refusal::driver(code, message, job),
                retry => refusal::driver_in(code, message, job, retry),
            },
        )
        .await?;
        Ok(whim)
    }

    /// Admits an execution, unless its whim or a rule says no.
    async fn begin(
        &self,
        sent: &MetadataMap,
        request: &ExecuteCircuitRequest,
        name: Name,
    ) -> Result<(usize, Option<Whim>), Status> {
        let (job, options) = (&request.job_id, &request.options);
        let entered = self.enter(Method::ExecuteCircuit, sent, job, options).await;
        let now = (self.clock.monotonic(), self.clock.now());
        let heeded = self.control;
        let mut state = self.state();
        let known = name
            .execution
            .as_deref()
            .filter(|_| heeded == Control::Served);
        let known = known.and_then(|execution| state.memory.recognised(execution));
        let whim = match (entered, known) {
            // What runs is not refused when its request arrives again.
            (Err(_), Some(number)) => return Ok((number, None)),
            (entered, _) => entered?,
        };
        let number = state.admit(request, name, heeded, whim.as_ref(), now)?;
        Ok((number, whim))
    }

    /// What was refused has not run and never will: a second copy of the request may be under way.
    fn stand_by_the_refusal(&self, name: &Name) {
        if let (Control::Served, Some(execution)) = (self.control, &name.execution) {
            self.state().memory.refuse(execution);
        }
    }

    fn device(&self, id: &str, job: &str) -> Result<DeviceInfo, Status> {
        if id.is_empty() {
            let wrong = FieldViolation::new("device_id", "field is required");
            return Err(refusal::driver_fields(vec![wrong], job));
        }
        self.state().device(id, job).cloned()
    }

    /// Waits for the end of a run, and tells it as every caller is told.
    async fn end_of(&self, number: usize) -> Result<ExecuteCircuitResponse, Status> {
        loop {
            // Before the look: a change between the two must not be missed.
            let stopped = self.shared.stopped.notified();
            let now = self.clock.monotonic();
            let due = {
                let state = self.state();
                let row = state.ledger.row(number);
                if row.ended(now).is_some() {
                    return row.verdict.told(&row.run.job);
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

impl Verdict {
    fn told(&self, job: &str) -> Result<ExecuteCircuitResponse, Status> {
        match self {
            Self::Done(answer) => Ok(answer.clone()),
            Self::Failed(code, Evidence::ErrorInfo) => Err(refusal::driver(
                *code,
                "execution failed on the device",
                job,
            )),
            Self::Failed(code, Evidence::Nothing) => {
                Err(Status::new(*code, "execution failed on the device"))
            }
            Self::Stopped => Err(refusal::driver(
                Code::Cancelled,
                "execution was stopped",
                job,
            )),
        }
    }
}

impl State {
    fn device(&self, id: &str, job: &str) -> Result<&DeviceInfo, Status> {
        let message = format!("device not registered: {id}");
        let unknown = || refusal::driver(Code::InvalidArgument, &message, job);
        let listed = self.devices.get(id).filter(|_| !self.unlisted.contains(id));
        listed.ok_or_else(unknown)
    }

    /// The number of the run that answers this request: a new one, or the one of that name.
    fn admit(
        &mut self,
        request: &ExecuteCircuitRequest,
        sent: Name,
        heeded: Control,
        whim: Option<&Whim>,
        now: (Monotonic, Timestamp),
    ) -> Result<usize, Status> {
        let job = request.job_id.as_str();
        check_fields(request)?;
        // Before anything that may have changed since: its device may be gone by now.
        if heeded == Control::Served
            && let Some(known) = self.recognise(&sent, job)?
        {
            return Ok(known);
        }
        let device = self.device(&request.device_id, job)?.clone();
        if device.status() != DeviceStatus::Online {
            let message = format!("device is not online: {}", device.device_id);
            return Err(refusal::driver(Code::FailedPrecondition, &message, job));
        }
        let circuit = Circuit::read(data_of(request), &device.capabilities, job);
        let circuit = circuit.inspect_err(|why| {
            // A circuit with an operation that the device has not is one.
            if why.code() != Code::Unimplemented {
                self.unreadable.push(job.to_owned());
            }
        })?;
        let seed = seed_of(&request.options)?;
        fail_if_asked_to(request)?;

        let execution = sent.execution.clone();
        let row = self.row(request, sent, &circuit, seed, whim, now);
        let number = self.ledger.start(row);
        if let (Control::Served, Some(execution)) = (heeded, execution) {
            self.memory.begins(execution, number);
        }
        Ok(number)
    }

    /// What a run of a job takes.
    pub(super) fn takes_of(&self, job: &str) -> Duration {
        self.takes_of.get(job).copied().unwrap_or(self.takes)
    }

    /// A run that starts now, and what will be said of it.
    fn row(
        &self,
        request: &ExecuteCircuitRequest,
        sent: Name,
        circuit: &Circuit,
        seed: i64,
        whim: Option<&Whim>,
        (started, started_wall): (Monotonic, Timestamp),
    ) -> Row {
        let data = data_of(request);
        let counts = draw(data, circuit.width, request.shots, seed);
        let (end, verdict) = match whim {
            Some(Whim::RunThenFail(code, evidence)) => {
                (End::SaidToHaveFailed, Verdict::Failed(*code, *evidence))
            }
            _ => {
                let seconds = self.takes_of(&request.job_id).as_secs_f64();
                let told = self.answered(request, data, circuit, seed, counts.clone(), whim);
                (
                    End::Measured,
                    Verdict::Done(answer(told, seconds, circuit, request)),
                )
            }
        };
        let (took, beside) = match &verdict {
            Verdict::Done(answer) => (self.takes_of(&request.job_id), answer.metadata.clone()),
            Verdict::Failed(..) | Verdict::Stopped => (Duration::ZERO, BTreeMap::new()),
        };
        let run = Run {
            took,
            beside,
            execution: sent.execution,
            token: sent.token,
            reservation: sent.reservation,
            job: request.job_id.clone(),
            device: request.device_id.clone(),
            shots: request.shots,
            shots_fired: 0,
            started,
            started_wall,
            ended: None,
            end,
            counts,
            circuit: data.to_vec(),
            options: request.options.clone(),
        };
        Row {
            run,
            due: started + self.takes_of(&request.job_id),
            verdict,
        }
    }

    /// The run of that name, if it is remembered; refuses what is buried or stale.
    fn recognise(&mut self, sent: &Name, job: &str) -> Result<Option<usize>, Status> {
        // The tombstone of an execution knows its job by the execution's id alone.
        let fenced = sent.execution.as_deref().map_or(job, job_of);
        let bare = self.memory.deviation == Some(Deviation::RefusesBarely);
        let refuse = |message: &str| match bare {
            true => Err(Status::failed_precondition(message)),
            false => Err(refusal::driver(Code::FailedPrecondition, message, job)),
        };
        if let Some(execution) = &sent.execution {
            // First of all: a refusal would say that it did not run.
            if let Some(known) = self.memory.recognised(execution) {
                return Ok(Some(known));
            }
            if self.memory.is_buried(execution) {
                return refuse("execution was cancelled before it arrived");
            }
        }
        if let Some(token) = sent.token {
            if self.memory.is_stale(fenced, token) {
                return refuse("fencing token is older than one seen for this job");
            }
            self.memory.saw(fenced, token);
        }
        Ok(None)
    }

    /// What is told of the counts, which a whim may make another thing than the truth.
    fn answered(
        &self,
        request: &ExecuteCircuitRequest,
        data: &[u8],
        circuit: &Circuit,
        seed: i64,
        mut counts: BTreeMap<String, i64>,
        whim: Option<&Whim>,
    ) -> BTreeMap<String, i64> {
        match whim {
            Some(Whim::WrongSum) => {
                if let Some(shots) = counts.values_mut().next() {
                    *shots += 1;
                }
                counts
            }
            Some(Whim::NegativeCounts) => {
                let shots = i64::from(request.shots);
                let (zeros, ones) = ("0".repeat(circuit.width), "1".repeat(circuit.width));
                BTreeMap::from([(zeros, -1), (ones, shots + 1)])
            }
            Some(Whim::WrongWidth) => counts
                .into_iter()
                .map(|(key, shots)| (format!("0{key}"), shots))
                .collect(),
            Some(Whim::AnswerForAnotherJob) => {
                let another = self.ledger.counts_of_another(&request.job_id);
                let seed = seed.wrapping_add(1);
                another.unwrap_or_else(|| draw(data, circuit.width, request.shots, seed))
            }
            _ => counts,
        }
    }
}

fn answer(
    counts: BTreeMap<String, i64>,
    seconds: f64,
    circuit: &Circuit,
    request: &ExecuteCircuitRequest,
) -> ExecuteCircuitResponse {
    let metadata = [
        ("provider_profile", "simulator".to_owned()),
        ("driver", "simulator".to_owned()),
        ("aqo_version", circuit.version.clone()),
        ("qubits", circuit.qubits.to_string()),
        ("shots", request.shots.to_string()),
        ("bitstring_order", "msb_first_by_classical_index".to_owned()),
    ];
    ExecuteCircuitResponse {
        counts,
        execution_time_sec: (seconds * 1e6).round() / 1e6,
        metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

#[tonic::async_trait]
impl<C: Clock + Clone> DriverManagerService for DriverDouble<C> {
    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let none = BTreeMap::new();
        let whim = self
            .enter(Method::ListDevices, request.metadata(), "", &none)
            .await?;
        let devices = {
            let state = self.state();
            let listed = |device: &&DeviceInfo| !state.unlisted.contains(&device.device_id);
            state.devices.values().filter(listed).cloned().collect()
        };
        after(whim.as_ref(), ListDevicesResponse { devices }).await
    }

    async fn get_device_status(
        &self,
        request: Request<GetDeviceStatusRequest>,
    ) -> Result<Response<GetDeviceStatusResponse>, Status> {
        let none = BTreeMap::new();
        let whim = self
            .enter(Method::GetDeviceStatus, request.metadata(), "", &none)
            .await?;
        let device = self.device(&request.get_ref().device_id, "")?;
        let seen = GetDeviceStatusResponse {
            device_id: device.device_id,
            status: device.status,
            queue_depth: device.queue_depth,
            estimated_wait_sec: device.estimated_wait_sec,
            metadata: BTreeMap::from([("driver".to_owned(), device.backend_type)]),
        };
        after(whim.as_ref(), seen).await
    }

    async fn execute_circuit(
        &self,
        request: Request<ExecuteCircuitRequest>,
    ) -> Result<Response<ExecuteCircuitResponse>, Status> {
        let (sent, _, request) = request.into_parts();
        let name = Name::of(&sent);
        let begun = self.begin(&sent, &request, name.clone()).await;
        let (number, whim) = begun.inspect_err(|_| self.stand_by_the_refusal(&name))?;
        self.shared.arrived.notify_waiters();
        let answer = self.end_of(number).await?;
        if let (Control::Served, Some(execution)) = (self.control, &name.execution) {
            self.state().memory.ends(execution, number);
        }
        after(whim.as_ref(), answer).await
    }

    async fn calibrate_device(
        &self,
        request: Request<CalibrateDeviceRequest>,
    ) -> Result<Response<CalibrateDeviceResponse>, Status> {
        let options = &request.get_ref().options;
        self.enter(Method::CalibrateDevice, request.metadata(), "", options)
            .await?;
        self.device(&request.get_ref().device_id, "")?;
        Err(refusal::exception(
            "Protocol message CalibrateDeviceResponse has no \"success\" field.",
        ))
    }
}
