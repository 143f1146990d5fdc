//! Compiling: the program becomes a circuit, and the circuit an artifact, before the event
//! that mentions it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::circuit;
use crate::devices::Standing;
use crate::job::Job;
use crate::job::event::{ArtifactRef, CircuitFormat, CircuitRef, Event};
use crate::job::failure::{Category, Failure};
use crate::job::spec::ProgramFormat;
use crate::job::target::Target;
use crate::limits::{CIRCUIT_BYTES_MAX, COUNTS_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::ports::Env;
use crate::ports::compiler::{CallError, Circuit, Compiler as _, Program};
use crate::schedule::fit::{Needs, Want};
use crate::stages::{Context, Setback, documents};
use crate::store::artifacts::ArtifactError;

pub(super) async fn perform<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Event, Setback> {
    let program = ctx.program(job).await?;
    ctx.artifacts
        .keep(job.id, "input.job.json", &documents::request(job))
        .await?;
    ctx.artifacts
        .keep(job.id, job.spec.format.file_name(), &program)
        .await?;
    let circuit = circuit(ctx, job, &program).await?;
    let Plausible {
        qubits,
        key_widths,
        ops,
    } = plausible(&circuit)?;
    let needs = Needs {
        format: circuit.format,
        qubits,
        ops,
    };
    let needs = refuse_unfit(ctx, job, needs)?;
    refuse_boundless(&key_widths, job.spec.shots)?;
    let kept = ctx
        .artifacts
        .keep(job.id, circuit.format.file_name(), &circuit.data)
        .await?;
    let circuit = CircuitRef {
        format: circuit.format,
        sha256: kept.sha256,
        bytes: kept.bytes,
        key_widths,
        needs,
    };
    Ok(Event::Compiled { circuit })
}

/// Where a compiled circuit lies.
pub(super) fn file_of(circuit: &CircuitRef) -> ArtifactRef {
    let file = circuit.format.file_name().to_owned();
    ArtifactRef {
        file,
        sha256: circuit.sha256,
        bytes: circuit.bytes,
    }
}

/// The circuit of `program`, as the compiler answers.
pub(super) async fn circuit<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    program: &[u8],
) -> Result<Circuit, Setback> {
    let (format, source) = match job.spec.format {
        ProgramFormat::AqoRef => (ProgramFormat::AqoJson, resolve(ctx, program).await?.into()),
        format => (format, Cow::Borrowed(program)),
    };
    let mut grounds = ctx.devices.grounds(&job.spec.target).into_iter();
    let mut device = grounds.next();
    loop {
        let program = Program {
            format,
            source: &source,
            device: device.as_ref(),
        };
        let call = ctx.call(job, Duration::from_millis(ctx.limits.compile_ms));
        let error = match ctx.env.compiler().compile(call, program).await {
            Ok(circuit) => return Ok(circuit),
            Err(error) => error,
        };
        // What the devices of a class have in common may be too little, and what one of them has,
        // enough. If nothing is, it is told what the last one lacks: no device has just what they
        // have in common.
        device = grounds.next();
        if device.is_none() || !matches!(error, CallError::Rejected(_)) {
            return Err(Setback::of_call(Category::CompileError, error));
        }
    }
}

/// What no device that is asked for can ever run does not wait for one. What is still to be asked
/// when it gets its device: of a class, everything; of one that is named, nothing.
fn refuse_unfit<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    needs: Needs,
) -> Result<Option<Arc<Needs>>, Setback> {
    let refuse = |summary: String| {
        let failure = Failure::new(Category::AllocationError, summary);
        Err(Setback::Never(failure, None))
    };
    match &job.spec.target {
        Target::Device(target) => {
            // Its driver may know better which operations it has.
            let needs = Needs {
                ops: BTreeSet::new(),
                ..needs
            };
            let device = ctx.devices.capabilities(target);
            match device.and_then(|device| device.lacks(&needs)) {
                Some(lacks) => refuse(format!("{target} can not run it: {lacks}")),
                None => Ok(None),
            }
        }
        Target::Class(_) => {
            let needs = Arc::new(needs);
            let want = Want {
                target: job.spec.target.clone(),
                needs: Some(needs.clone()),
            };
            match ctx.devices.standing(&want) {
                Standing::Unknown => refuse(ctx.devices.unfit(&want)),
                Standing::Known | Standing::NeverReached => Ok(Some(needs)),
            }
        }
    }
}

/// What can be told of a circuit from outside.
#[derive(Debug, Default)]
struct Plausible {
    qubits: Option<u32>,
    key_widths: BTreeSet<u32>,
    ops: BTreeSet<String>,
}

/// What is no circuit must never reach a device, whoever made it. Of what is one, how many qubits
/// it has, how wide the keys of its counts may be, and which operations it uses, as far as that is
/// known.
fn plausible(circuit: &Circuit) -> Result<Plausible, Setback> {
    let refuse = |why: String| {
        let summary = format!("the compiled circuit cannot be run: {why}; look at the compiler");
        Err(Setback::Never(
            Failure::new(Category::CompileError, summary),
            None,
        ))
    };
    if planted(Bug::CircuitsUnchecked) {
        return Ok(Plausible::default());
    }
    let size = circuit.data.len();
    if size == 0 {
        return refuse("it is empty".to_owned());
    }
    if size > CIRCUIT_BYTES_MAX {
        return refuse(format!(
            "it has {size} bytes, and drivers take {CIRCUIT_BYTES_MAX}"
        ));
    }
    match circuit.format {
        CircuitFormat::Qasm3Text => Ok(Plausible::default()),
        CircuitFormat::AqoJson => match circuit::outline(&circuit.data) {
            Ok(outline) => Ok(Plausible {
                qubits: Some(outline.qubits),
                key_widths: outline.key_widths,
                ops: outline.ops,
            }),
            Err(why) => refuse(why.to_string()),
        },
    }
}

/// Counts that cannot be handed over must not be bought. As many keys as there may be, each with
/// its count, are what the answer may have to hold.
fn refuse_boundless(key_widths: &BTreeSet<u32>, shots: u32) -> Result<(), Setback> {
    let (Some(read), Some(width)) = (key_widths.first(), key_widths.last()) else {
        return Ok(());
    };
    let outcomes = 1_u64.checked_shl(*read).unwrap_or(u64::MAX);
    let keys = outcomes.min(u64::from(shots));
    let bytes = keys.saturating_mul(u64::from(*width) + 16);
    if bytes <= COUNTS_BYTES_MAX {
        return Ok(());
    }
    let summary = format!(
        "up to {keys} different results of {width} bits each are {bytes} bytes, and \
         {COUNTS_BYTES_MAX} are the limit; measure fewer qubits, or ask for fewer shots"
    );
    Err(Setback::Never(
        Failure::new(Category::ValidationError, summary),
        None,
    ))
}

/// The circuit that an `aqo_ref` names.
async fn resolve<E: Env>(ctx: &Context<'_, E>, program: &[u8]) -> Result<Vec<u8>, Setback> {
    let reference = String::from_utf8_lossy(program);
    let reference = reference.trim();
    let invalid = |why: &str| {
        let summary = format!("the program {reference:?} {why}");
        Setback::Never(Failure::new(Category::ValidationError, summary), None)
    };
    match ctx.artifacts.resolve(reference).await {
        None => Err(invalid(
            "is no reference; use qfs://<path below the artifact root>",
        )),
        Some(Err(ArtifactError::Missing(_))) => Err(invalid("names nothing that is stored")),
        Some(read) => Ok(read?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_foreseen_and_refused_above_the_limit() {
        let fits = |widths: &[u32], shots| {
            refuse_boundless(&widths.iter().copied().collect(), shots).is_ok()
        };
        assert!(fits(&[2], u32::MAX), "four keys at most");
        assert!(fits(&[24], 1_000_000));
        assert!(!fits(&[24], u32::MAX));
        assert!(
            !fits(&[15, 4096], 200_000),
            "few bits are read, but the keys are wide"
        );
        assert!(fits(&[4096], 1000));
        assert!(fits(&[], u32::MAX), "nothing is known of such a circuit");
    }
}
