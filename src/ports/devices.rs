//! What runs circuits: asked once per execution, and asked after it when the answer is lost.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::stream::BoxStream;

use crate::ids::{DeviceId, ExecutionId, FencingToken, ReservationId};
use crate::job::event::CircuitFormat;
use crate::job::state::Phase;
use crate::ports::compiler::{CallContext, CallError};
use crate::time::Timestamp;

/// What the hardware says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hardware {
    /// Takes executions.
    Online,
    /// Away.
    Offline,
    /// Busy with itself.
    Calibrating,
    /// Busy with its keepers.
    Maintenance,
    /// Broken.
    Error,
}

impl Hardware {
    /// The status by name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
            Self::Calibrating => "CALIBRATING",
            Self::Maintenance => "MAINTENANCE",
            Self::Error => "ERROR",
        }
    }
}

/// A device as the driver-manager lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name for us.
    pub id: DeviceId,
    /// Its name for people.
    pub name: String,
    /// For example `simulator`.
    pub backend_type: String,
    /// Whether it takes executions.
    pub hardware: Hardware,
    /// Executions of everybody that wait for it.
    pub queue_depth: u32,
    /// Seconds a new one would wait.
    pub wait_seconds: u32,
    /// What it can do, as it says.
    pub capabilities: BTreeMap<String, String>,
}

/// An execution to be asked for.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name: a driver that knows it does not run it twice (D8).
    pub id: ExecutionId,
    /// Greater is newer among the executions of one job (D8).
    pub token: FencingToken,
    /// Where.
    pub device: DeviceId,
    /// The reserved slot in which it runs; its number fences earlier holders of that slot.
    pub reservation: Option<ReservationId>,
    /// The circuit's language.
    pub format: CircuitFormat,
    /// The circuit.
    pub circuit: Vec<u8>,
    /// How often.
    pub shots: u32,
    /// The seed and the values of parameters.
    pub options: BTreeMap<String, String>,
}

/// What a device answered to an execution. Nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Bit string to shots; what is negative or does not sum is still in here.
    pub counts: BTreeMap<String, i64>,
    /// Seconds, as the device measured them.
    pub execution_seconds: f64,
    /// What it told beside the counts.
    pub metadata: BTreeMap<String, String>,
}

/// Why an execution brought no result. The three differ in what is known of the shots (D18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The request never left: nothing ran.
    #[error("{0}")]
    NotSent(String),
    /// The driver says that it did not run it.
    #[error("{message}")]
    Refused {
        /// What the driver said.
        message: String,
        /// Whether another try may help, and when the driver wants it.
        retry: Option<Duration>,
    },
    /// Nobody knows whether it ran.
    #[error("{cause}")]
    Doubt {
        /// What happened to the call.
        cause: String,
        /// The driver itself has spoken: whatever ran, it is over.
        over: bool,
    },
}

/// What a driver remembers of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// What became of it.
    pub fate: Fate,
    /// Executions since this moment are remembered; `None` when the driver does not say.
    pub remembers_since: Option<Timestamp>,
}

/// What became of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// The device is at it.
    Running,
    /// It ended well.
    Done(RunResult),
    /// It ended badly, after so many shots.
    Failed {
        /// Shots fired.
        shots_used: u64,
        /// The driver's reason.
        message: String,
    },
    /// Never heard of.
    NotFound,
    /// A tombstone is in place, after so many shots.
    Cancelled {
        /// Shots fired.
        shots_used: u64,
        /// The tombstone came before the execution: none was fired, if the memory is old enough.
        never_started: bool,
    },
}

/// The devices. Every method but [`Devices::execute`] may be repeated and dropped at any time.
pub trait Devices: Send + Sync + 'static {
    /// All devices.
    ///
    /// # Errors
    /// [`CallError`], naming the endpoint.
    fn list(&self) -> impl Future<Output = Result<Vec<DeviceInfo>, CallError>> + Send;

    /// Whether one device takes executions now.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when the driver-manager does not know the device.
    fn status(
        &self,
        call: CallContext<'_>,
        device: &DeviceId,
    ) -> impl Future<Output = Result<Hardware, CallError>> + Send;

    /// Runs a circuit. The future owns the call: dropping it gives the answer up, not the run.
    ///
    /// # Errors
    /// [`RunError`].
    fn execute(
        &self,
        call: CallContext<'_>,
        run: Run,
    ) -> impl Future<Output = Result<RunResult, RunError>> + Send + 'static;

    /// What the driver remembers of an execution; `None` when it cannot be asked (D8).
    ///
    /// # Errors
    /// [`CallError`], naming the endpoint.
    fn inspect(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
    ) -> impl Future<Output = Result<Option<Inspection>, CallError>> + Send;

    /// Stops an execution and leaves a tombstone; `None` when the driver has no such call (D8).
    ///
    /// # Errors
    /// [`CallError`], naming the endpoint.
    fn stop(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
        token: FencingToken,
    ) -> impl Future<Output = Result<Option<Inspection>, CallError>> + Send;

    /// The phases that an execution goes through, from its first on, as the device reports
    /// them; ends at once for a device that reports none (D16).
    fn phases(&self, call: CallContext<'_>, run: ExecutionId) -> BoxStream<'static, Phase>;

    /// Where the devices are, for messages: an address, or "embedded".
    fn endpoint(&self) -> &str;
}
