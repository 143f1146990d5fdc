//! eigen-compiler: one language, strict about its metadata, and nothing remembered.
//!
//! It does not parse. The source says what shall come out: `qubits=3` makes a GHZ circuit over
//! three qubits (two, a Bell pair, when it says nothing; 1 to 64), `gate=H` puts in an operation
//! that simulators do not have, and `syntax error` is one.

mod program;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qrtx::grpc::proto::internal::compilation_service_server::{
    CompilationService, CompilationServiceServer,
};
use qrtx::grpc::proto::internal::{
    CircuitFormat, CircuitPayload, CompileCircuitRequest, CompileCircuitResponse,
    CompileJobRequest, CompileJobResponse, OptimizeCircuitRequest, OptimizeCircuitResponse,
    ValidateCircuitRequest, ValidateCircuitResponse,
};
use qrtx::ids::Sha256Sum;
use qrtx::ports::Clock;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_types::FieldViolation;

use super::call::{Call, Method, headers};
use super::damage::Damaged;
use super::refusal;
use super::whims::{Whim, Whims, after, before};
use program::{Program, compiled};

/// The double of eigen-compiler. Clones share everything, and outlive a simulated node.
#[derive(Clone)]
pub struct CompilerDouble<C> {
    clock: C,
    whims: Whims,
    calls: Arc<Mutex<Vec<Call>>>,
    stored: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    made: Arc<Mutex<Vec<(Sha256Sum, Sha256Sum)>>>,
    takes: Duration,
    validates: bool,
    optimizes: bool,
}

impl<C> fmt::Debug for CompilerDouble<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompilerDouble")
            .field("whims", &self.whims)
            .finish_non_exhaustive()
    }
}

impl<C: Clock + Clone> CompilerDouble<C> {
    /// A compiler as it is shipped: it neither validates nor optimizes, and is done at once.
    pub fn new(clock: C) -> Self {
        Self {
            clock,
            whims: Whims::default(),
            calls: Arc::default(),
            stored: Arc::default(),
            made: Arc::default(),
            takes: Duration::ZERO,
            validates: false,
            optimizes: false,
        }
    }

    /// Lets it answer ValidateCircuit.
    pub fn with_validate(self) -> Self {
        Self {
            validates: true,
            ..self
        }
    }

    /// Lets it answer OptimizeCircuit, with the circuit it was sent.
    pub fn with_optimize(self) -> Self {
        Self {
            optimizes: true,
            ..self
        }
    }

    /// Lets each compilation take `span` on its clock.
    pub fn takes(self, span: Duration) -> Self {
        Self {
            takes: span,
            ..self
        }
    }

    /// Puts a source where `source_ref` finds it; `path` is without `qfs://`.
    pub fn store(&self, path: &str, source: &[u8]) {
        let mut stored = self.stored.lock().expect("no holder panics");
        stored.insert(path.to_owned(), source.to_vec());
    }

    /// What it does wrong; to be changed at any time.
    pub fn whims(&self) -> &Whims {
        &self.whims
    }

    /// Every circuit that it made, and the program that it was made of, by their hashes.
    pub fn made(&self) -> Vec<(Sha256Sum, Sha256Sum)> {
        self.made.lock().expect("no holder panics").clone()
    }

    /// Every call so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no holder panics").clone()
    }

    /// The service, to be served any number of times.
    pub fn routes(&self) -> Routes {
        Routes::new(Damaged(CompilationServiceServer::new(self.clone())))
    }

    /// Writes the call down, and does what its whim does before the work.
    async fn enter(
        &self,
        method: Method,
        sent: &MetadataMap,
        program: Program<'_>,
    ) -> Result<Option<Whim>, Status> {
        let call = Call {
            method,
            job: program.job.to_owned(),
            headers: headers(sent),
            options: program.options.clone(),
            at: self.clock.monotonic(),
            at_wall: self.clock.now(),
        };
        self.calls.lock().expect("no holder panics").push(call);
        let whim = self.whims.take(method, |job| program.is_for(job));
        before(whim.as_ref(), &self.clock, |code, message, retry| {
            refusal::compiler(code, message, retry, "unknown", Vec::new())
        })
        .await?;
        Ok(whim)
    }

    async fn compile(
        &self,
        program: Program<'_>,
        whim: Option<&Whim>,
    ) -> Result<(Option<CircuitPayload>, BTreeMap<String, String>), Status> {
        let source = self.check(&program)?;
        self.clock.sleep(self.takes).await;
        let source = match whim {
            Some(Whim::AnswerForAnotherJob) => b"qubits=5".to_vec(),
            _ => source,
        };
        let (mut circuit, mut metadata) = compiled(&program, &source);
        let of = (Sha256Sum::of(&circuit), Sha256Sum::of(&source));
        self.made.lock().expect("no holder panics").push(of);
        if whim == Some(&Whim::EmptyCircuit) {
            circuit.clear();
        }
        if whim == Some(&Whim::AnswerForAnotherJob) {
            metadata.insert("request_id".to_owned(), ANOTHER.to_owned());
        }
        Ok((Some(payload(circuit)), metadata))
    }

    /// The source, or everything that is wrong with the request.
    fn check(&self, program: &Program<'_>) -> Result<Vec<u8>, Status> {
        let mut wrong = program.wrong_fields();
        let mut stage = "request_validation";
        let source = if program.source.is_empty() {
            let path = program.path();
            let stored = self
                .stored
                .lock()
                .expect("no holder panics")
                .get(path)
                .cloned();
            if path.is_empty() {
                wrong.push(FieldViolation::new(
                    "source",
                    "source or source_ref is required",
                ));
            } else if stored.is_none() {
                wrong.push(FieldViolation::new("source_ref", "source_ref not found"));
            }
            stored.unwrap_or_default()
        } else {
            program.source.to_vec()
        };
        if wrong.is_empty() {
            match std::str::from_utf8(&source) {
                Err(_) => wrong.push(FieldViolation::new("source", "must be UTF-8")),
                Ok(text) if text.contains("syntax error") => {
                    stage = "parse";
                    wrong.push(FieldViolation::new("source", "invalid syntax"));
                }
                Ok(_) => return Ok(source),
            }
        }
        Err(refusal::compiler(
            Code::InvalidArgument,
            "validation failed",
            None,
            stage,
            wrong,
        ))
    }
}

const ANOTHER: &str = "job-00000000000000000000000000000bad";

fn payload(data: Vec<u8>) -> CircuitPayload {
    CircuitPayload {
        format: CircuitFormat::AqoJson.into(),
        data,
    }
}

#[tonic::async_trait]
impl<C: Clock + Clone> CompilationService for CompilerDouble<C> {
    async fn compile_circuit(
        &self,
        request: Request<CompileCircuitRequest>,
    ) -> Result<Response<CompileCircuitResponse>, Status> {
        let (sent, _, request) = request.into_parts();
        let program = Program::of_circuit(&request);
        let whim = self.enter(Method::CompileCircuit, &sent, program).await?;
        let (circuit, metadata) = self.compile(program, whim.as_ref()).await?;
        after(whim.as_ref(), CompileCircuitResponse { circuit, metadata }).await
    }

    async fn compile_job(
        &self,
        request: Request<CompileJobRequest>,
    ) -> Result<Response<CompileJobResponse>, Status> {
        let (sent, _, request) = request.into_parts();
        let program = Program::of_job(&request);
        let whim = self.enter(Method::CompileJob, &sent, program).await?;
        let (circuit, metadata) = self.compile(program, whim.as_ref()).await?;
        let job_id = match whim {
            Some(Whim::AnswerForAnotherJob) => ANOTHER.to_owned(),
            _ => request.job_id,
        };
        after(
            whim.as_ref(),
            CompileJobResponse {
                job_id,
                circuit,
                metadata,
            },
        )
        .await
    }

    async fn optimize_circuit(
        &self,
        request: Request<OptimizeCircuitRequest>,
    ) -> Result<Response<OptimizeCircuitResponse>, Status> {
        let (sent, _, request) = request.into_parts();
        let program = Program::of_circuit_to_improve(&request);
        let whim = self.enter(Method::OptimizeCircuit, &sent, program).await?;
        if !self.optimizes {
            return Err(Status::unimplemented("Method not implemented!"));
        }
        let circuit = match whim {
            Some(Whim::EmptyCircuit) => Some(payload(Vec::new())),
            _ => request.circuit,
        };
        let metrics = BTreeMap::new();
        after(whim.as_ref(), OptimizeCircuitResponse { circuit, metrics }).await
    }

    async fn validate_circuit(
        &self,
        request: Request<ValidateCircuitRequest>,
    ) -> Result<Response<ValidateCircuitResponse>, Status> {
        let (sent, _, request) = request.into_parts();
        let program = Program::of_check(&request);
        let whim = self.enter(Method::ValidateCircuit, &sent, program).await?;
        if !self.validates {
            return Err(Status::unimplemented("Method not implemented!"));
        }
        let valid = self.check(&program).is_ok();
        after(whim.as_ref(), ValidateCircuitResponse { valid }).await
    }
}
