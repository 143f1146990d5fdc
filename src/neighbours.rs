//! The compiler and the devices as they are configured: the embedded ones, or those behind an
//! endpoint. Circuits need no remote compiler, whichever is configured.

use std::future::Future;

use futures::future::Either;
use futures::stream::BoxStream;

use crate::embedded::{EmbeddedCompiler, EmbeddedDevice};
use crate::grpc::{CompilerClient, DriverClient};
use crate::ids::{DeviceId, ExecutionId, FencingToken};
use crate::job::spec::ProgramFormat;
use crate::job::state::Phase;
use crate::ports::compiler::{CallContext, CallError, Circuit, Compiler, Program, Validity};
use crate::ports::devices::{DeviceInfo, Hardware, Inspection, Run, RunError, RunResult};
use crate::ports::{Clock, Devices};

/// Each program goes to the compiler that knows its language.
#[derive(Debug)]
pub struct Compilers<C> {
    /// For AQO and OpenQASM, always; for everything else it says what is missing.
    pub embedded: EmbeddedCompiler,
    /// eigen-compiler, if one is configured.
    pub remote: Option<CompilerClient<C>>,
}

impl<C: Clock> Compilers<C> {
    fn remote_for(&self, format: ProgramFormat) -> Option<&CompilerClient<C>> {
        match format {
            ProgramFormat::AqoJson | ProgramFormat::AqoRef => None,
            // eigen-compiler takes no other language than its own.
            ProgramFormat::QasmText | ProgramFormat::Qasm3 => None,
            ProgramFormat::EigenLangSource => self.remote.as_ref(),
        }
    }
}

impl<C: Clock> Compiler for Compilers<C> {
    async fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Validity, CallError> {
        match self.remote_for(program.format) {
            Some(remote) => remote.validate(call, program).await,
            None => self.embedded.validate(call, program).await,
        }
    }

    async fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Circuit, CallError> {
        match self.remote_for(program.format) {
            Some(remote) => remote.compile(call, program).await,
            None => self.embedded.compile(call, program).await,
        }
    }
}

/// The devices of one driver.
#[derive(Debug)]
pub enum AnyDevices<C> {
    /// `sim:local`, in this process.
    Embedded(EmbeddedDevice<C>),
    /// Those of a driver-manager.
    Remote(DriverClient<C>),
}

impl<C: Clock + Clone> Devices for AnyDevices<C> {
    async fn list(&self) -> Result<Vec<DeviceInfo>, CallError> {
        match self {
            Self::Embedded(device) => device.list().await,
            Self::Remote(driver) => driver.list().await,
        }
    }

    async fn status(
        &self,
        call: CallContext<'_>,
        device: &DeviceId,
    ) -> Result<Hardware, CallError> {
        match self {
            Self::Embedded(embedded) => embedded.status(call, device).await,
            Self::Remote(driver) => driver.status(call, device).await,
        }
    }

    fn execute(
        &self,
        call: CallContext<'_>,
        run: Run,
    ) -> impl Future<Output = Result<RunResult, RunError>> + Send + 'static {
        match self {
            Self::Embedded(device) => Either::Left(device.execute(call, run)),
            Self::Remote(driver) => Either::Right(driver.execute(call, run)),
        }
    }

    async fn inspect(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
    ) -> Result<Option<Inspection>, CallError> {
        match self {
            Self::Embedded(device) => device.inspect(call, run).await,
            Self::Remote(driver) => driver.inspect(call, run).await,
        }
    }

    async fn stop(
        &self,
        call: CallContext<'_>,
        run: ExecutionId,
        token: FencingToken,
    ) -> Result<Option<Inspection>, CallError> {
        match self {
            Self::Embedded(device) => device.stop(call, run, token).await,
            Self::Remote(driver) => driver.stop(call, run, token).await,
        }
    }

    fn phases(&self, call: CallContext<'_>, run: ExecutionId) -> BoxStream<'static, Phase> {
        match self {
            Self::Embedded(device) => device.phases(call, run),
            Self::Remote(driver) => driver.phases(call, run),
        }
    }

    fn endpoint(&self) -> &str {
        match self {
            Self::Embedded(device) => device.endpoint(),
            Self::Remote(driver) => driver.endpoint(),
        }
    }
}
