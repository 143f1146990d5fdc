//! The client of eigen-compiler (`eigen.internal.v1.CompilationService`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tonic::Code;

use crate::grpc::Channel;
use crate::grpc::call::{Missed, Neighbour};
use crate::grpc::proto::internal as wire;
use crate::grpc::proto::internal::compilation_service_client::CompilationServiceClient;
use crate::ids::Sha256Sum;
use crate::job::event::CircuitFormat;
use crate::job::spec::ProgramFormat;
use crate::limits::ANSWER_BYTES_MAX;
use crate::planted::{Bug, planted};
use crate::ports::Clock;
use crate::ports::compiler::{CallContext, CallError, Circuit, Compiler, Program, Validity};

/// eigen-compiler, wherever it is.
#[derive(Debug)]
pub struct CompilerClient<C> {
    neighbour: Neighbour<C>,
    optimize: bool,
    // What is UNIMPLEMENTED once stays so for this endpoint, and is done without (D23).
    no_validate: AtomicBool,
    no_optimize: AtomicBool,
}

impl<C: Clock> CompilerClient<C> {
    /// A client of `neighbour`. With `optimize`, each circuit also goes through OptimizeCircuit.
    pub fn new(neighbour: Neighbour<C>, optimize: bool) -> Self {
        let (no_validate, no_optimize) = (AtomicBool::new(false), AtomicBool::new(false));
        Self {
            neighbour,
            optimize,
            no_validate,
            no_optimize,
        }
    }

    fn client(&self) -> CompilationServiceClient<Channel> {
        CompilationServiceClient::new(self.neighbour.channel.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    async fn optimize(
        &self,
        call: &CallContext<'_>,
        circuit: wire::CircuitPayload,
    ) -> Result<wire::CircuitPayload, CallError> {
        if !self.optimize || self.no_optimize.load(Ordering::Relaxed) {
            return Ok(circuit);
        }
        let message = wire::OptimizeCircuitRequest {
            circuit: Some(circuit.clone()),
            options: call.spec.compiler_options.clone(),
        };
        let mut client = self.client();
        let answer = client.optimize_circuit(self.neighbour.request(call, message));
        match self.neighbour.wait(call.deadline, answer).await {
            Ok(answer) => answer.circuit.ok_or_else(|| self.empty("OptimizeCircuit")),
            Err(missed) if unimplemented(&missed) => {
                self.no_optimize.store(true, Ordering::Relaxed);
                Ok(circuit)
            }
            Err(missed) => Err(self.neighbour.failed(missed)),
        }
    }

    /// The compiler tells the hash of what it compiled. An answer that is for something else is
    /// no answer, and asking again may bring one.
    fn is_for(
        &self,
        program: &Program<'_>,
        told: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let ours = Sha256Sum::of(program.source).to_string();
        match told.get("source_sha256") {
            Some(theirs) if *theirs != ours => {
                let Neighbour { name, endpoint, .. } = &self.neighbour;
                Err(CallError::unavailable(format!(
                    "{name} at {endpoint} answered for another program, whose SHA-256 is {theirs}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn empty(&self, method: &str) -> CallError {
        let Neighbour { name, endpoint, .. } = &self.neighbour;
        CallError::Rejected(format!(
            "{name} at {endpoint} answered {method} without a circuit; look at its log"
        ))
    }
}

fn unimplemented(missed: &Missed) -> bool {
    matches!(missed, Missed::Said(said) if said.code() == Code::Unimplemented)
}

/// The compiler knows one language, under another name than the programs' format has.
fn language(format: ProgramFormat) -> Result<&'static str, CallError> {
    match format {
        ProgramFormat::EigenLangSource => Ok("eigen-lang"),
        ProgramFormat::AqoJson
        | ProgramFormat::AqoRef
        | ProgramFormat::QasmText
        | ProgramFormat::Qasm3 => Err(CallError::Rejected(format!(
            "eigen-compiler takes eigen_lang_source, and the program is {}",
            format.name()
        ))),
    }
}

/// All seven fields that are mandatory once there is one. They depend on the job alone and on
/// no clock, so that compiling again gives the same bytes.
fn request_metadata(call: &CallContext<'_>) -> wire::RequestMetadata {
    let spec = call.spec;
    let job_span = spec.trace.job_span(&call.job.to_string());
    wire::RequestMetadata {
        contract_version: "1.0.0".to_owned(),
        request_id: spec.request_id.clone(),
        idempotency_key: spec.idempotency_key.clone().unwrap_or_default(),
        traceparent: job_span.to_string(),
        deadline: prost_types::Duration::try_from(Duration::from_secs(60)).ok(),
        tenant_id: spec.owner.tenant.clone(),
        project_id: spec.owner.project.clone(),
        subject: match spec.owner.subject.as_str() {
            "" => "qrtx".to_owned(),
            subject => subject.to_owned(),
        },
        role: "user".to_owned(),
        source_service: "qrtx".to_owned(),
        trace_id: format!("{:032x}", job_span.trace_id),
        retry_policy: "retry-none".to_owned(),
        security_context: "internal".to_owned(),
        workload: None,
    }
}

impl<C: Clock> Compiler for CompilerClient<C> {
    async fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Validity, CallError> {
        if self.no_validate.load(Ordering::Relaxed) {
            return Ok(Validity::NotChecked);
        }
        let message = wire::ValidateCircuitRequest {
            language: language(program.format)?.to_owned(),
            source: program.source.to_vec(),
            options: call.spec.compiler_options.clone(),
            request_metadata: Some(request_metadata(&call)),
        };
        let mut client = self.client();
        let answer = client.validate_circuit(self.neighbour.request(&call, message));
        match self.neighbour.wait(call.deadline, answer).await {
            Ok(answer) if answer.valid => Ok(Validity::Valid),
            Ok(_) => Err(CallError::Rejected(format!(
                "{} at {} says that the program is not valid, and not why; compile it by hand",
                self.neighbour.name, self.neighbour.endpoint
            ))),
            Err(missed) if unimplemented(&missed) => {
                self.no_validate.store(true, Ordering::Relaxed);
                Ok(Validity::NotChecked)
            }
            Err(missed) => Err(self.neighbour.failed(missed)),
        }
    }

    async fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Circuit, CallError> {
        let message = wire::CompileCircuitRequest {
            language: language(program.format)?.to_owned(),
            source: program.source.to_vec(),
            options: call.spec.compiler_options.clone(),
            source_ref: String::new(),
            request_metadata: Some(request_metadata(&call)),
        };
        let mut client = self.client();
        let answer = client.compile_circuit(self.neighbour.request(&call, message));
        let answer = self.neighbour.wait(call.deadline, answer).await;
        let answer = answer.map_err(|missed| self.neighbour.failed(missed))?;
        if !planted(Bug::CircuitOfAnother) {
            self.is_for(&program, &answer.metadata)?;
        }
        let payload = answer.circuit.ok_or_else(|| self.empty("CompileCircuit"))?;
        let payload = self.optimize(&call, payload).await?;
        let format = match payload.format() {
            wire::CircuitFormat::AqoJson => CircuitFormat::AqoJson,
            wire::CircuitFormat::Qasm3Text => CircuitFormat::Qasm3Text,
            other => {
                let Neighbour { name, endpoint, .. } = &self.neighbour;
                return Err(CallError::Rejected(format!(
                    "{name} at {endpoint} answered with a circuit as {}, which no device here takes",
                    other.as_str_name()
                )));
            }
        };
        Ok(Circuit {
            format,
            data: payload.data,
        })
    }
}
