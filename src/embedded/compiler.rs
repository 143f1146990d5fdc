//! The embedded compiler: reads AQO and OpenQASM, and lowers them to what the device can do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::circuit;
use crate::embedded::offload::{self, BrokeOff, Offload};
use crate::job::event::CircuitFormat;
use crate::job::spec::ProgramFormat;
use crate::limits::CIRCUIT_BYTES_MAX;
use crate::ports::compiler::{
    CallContext, CallError, Capabilities, Circuit, Compiler, Program, Validity,
};

/// Compiles AQO and OpenQASM.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedCompiler {
    offload: Offload,
}

impl EmbeddedCompiler {
    /// A compiler that works where `offload` puts it.
    pub fn new(offload: Offload) -> Self {
        Self { offload }
    }

    async fn work<T: Send + 'static>(
        &self,
        parameters: BTreeMap<String, String>,
        program: Program<'_>,
        work: impl FnOnce(circuit::Circuit, &AtomicBool) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let read = front_end(program.format)?;
        let source = program.source.to_vec();
        let done = offload::run_while_awaited(self.offload, move |stop| {
            go_on(stop)?;
            let circuit = read(&source, &parameters, stop).map_err(CallError::Rejected)?;
            go_on(stop)?;
            work(circuit, stop)
        });
        done.await.unwrap_or_else(|BrokeOff| {
            let message = "the embedded compiler broke off; its log has the reason";
            Err(CallError::Rejected(message.to_owned()))
        })
    }
}

/// An end for work that nobody waits for any more.
fn go_on(stop: &AtomicBool) -> Result<(), CallError> {
    match stop.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(CallError::Rejected("nobody waits for this".to_owned())),
    }
}

type FrontEnd =
    fn(&[u8], &BTreeMap<String, String>, &AtomicBool) -> Result<circuit::Circuit, String>;

/// Who reads a program of this format.
fn front_end(format: ProgramFormat) -> Result<FrontEnd, CallError> {
    match format {
        ProgramFormat::AqoJson => Ok(|source, parameters, _| {
            circuit::parse_program(source, parameters)
                .map_err(|why| format!("the AQO is not valid: {why}"))
        }),
        ProgramFormat::QasmText | ProgramFormat::Qasm3 => Ok(|source, parameters, stop| {
            circuit::parse_qasm(source, parameters, stop)
                .map_err(|why| format!("the OpenQASM is not valid: {why}"))
        }),
        ProgramFormat::AqoRef | ProgramFormat::EigenLangSource => {
            Err(CallError::Rejected(format!(
                "the embedded compiler takes aqo_json, qasm3 and qasm_text, and the program is \
                 {}; start the kernel with EIGEN_COMPILER_ENDPOINT or --compiler to compile it",
                format.name()
            )))
        }
    }
}

/// The values of symbolic angles: the device would be given the same.
fn parameters(call: CallContext<'_>) -> BTreeMap<String, String> {
    call.spec.device_options()
}

fn fit(circuit: circuit::Circuit, device: &Capabilities) -> Result<circuit::Circuit, CallError> {
    // One that has too many qubits is refused by the kernel, which does so for every compiler.
    match &device.ops {
        None => Ok(circuit),
        Some(ops) => {
            circuit::lower(circuit, ops).map_err(|why| CallError::Rejected(why.to_string()))
        }
    }
}

impl Compiler for EmbeddedCompiler {
    async fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Validity, CallError> {
        self.work(parameters(call), program, |_, _| Ok(Validity::Valid))
            .await
    }

    async fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Circuit, CallError> {
        let device = program.device.cloned().unwrap_or_default();
        let compile = move |parsed, stop: &AtomicBool| {
            let fitted = fit(parsed, &device)?;
            go_on(stop)?;
            let data = circuit::render(&fitted);
            if data.len() > CIRCUIT_BYTES_MAX {
                return Err(CallError::Rejected(format!(
                    "the circuit has {} bytes once it is spelled out in the device's operations, \
                     and devices take at most {CIRCUIT_BYTES_MAX}; split it",
                    data.len()
                )));
            }
            Ok(Circuit {
                format: CircuitFormat::AqoJson,
                data,
            })
        };
        self.work(parameters(call), program, compile).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    thread_local! {
        static LATER: Cell<Option<Box<dyn FnOnce() + Send>>> = const { Cell::new(None) };
    }

    #[test]
    fn a_compile_that_was_given_up_while_it_waited_for_a_thread_is_not_begun() {
        let compiler = EmbeddedCompiler::new(|work| LATER.set(Some(work)));
        let program = Program {
            format: ProgramFormat::Qasm3,
            source: b"qubit q; reset q;",
            device: None,
        };
        for given_up in [false, true] {
            let (tell, told) = mpsc::channel();
            let mut compile = Box::pin(compiler.work(BTreeMap::new(), program, move |_, _| {
                tell.send("compiled").expect("the test looks later");
                Ok(())
            }));
            assert!((&mut compile).now_or_never().is_none());
            if given_up {
                drop(compile);
                (LATER.take().expect("it was put off"))();
            } else {
                (LATER.take().expect("it was put off"))();
                assert_eq!(compile.now_or_never(), Some(Ok(())));
            }
            assert_eq!(told.recv().is_ok(), !given_up);
        }
    }
}
