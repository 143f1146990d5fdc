//! Allocating: the device itself says whether it is ready, the circuit is at hand and whole,
//! and the execution gets its name. Nothing is asked of the device yet.

use std::time::Duration;

use crate::ids::{Epoch, ExecutionId, FencingToken};
use crate::job::Job;
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::planted::{Bug, planted};
use crate::ports::compiler::CallError;
use crate::ports::devices::{Devices as _, Hardware, Run};
use crate::ports::{Clock as _, Env};
use crate::stages::{Context, Hand, Later, Setback, compile, execute};
use crate::store::artifacts::ArtifactError;

pub(super) async fn perform<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    hand: &mut Hand,
) -> Result<Event, Setback> {
    if let Some(over) = ctx.without_reservation(None) {
        return Err(over);
    }
    let device = job.device.clone().expect("Allocating has a device");
    let call = ctx.call(job, ctx.left(ctx.limits.allocate_ms));
    let asked = ctx.env.clock().monotonic();
    match ctx.env.devices().status(call, &device).await {
        Ok(hardware) => {
            let at = ctx.env.clock().moment();
            ctx.devices.heard(&device, hardware, asked, at);
            if hardware != Hardware::Online && !planted(Bug::DeviceNeedNotBeReady) {
                let cause = format!("{device} says that it is {}", hardware.name());
                return Err(not_now(cause, None));
            }
        }
        Err(CallError::Rejected(message)) => {
            let failure = Failure::new(Category::AllocationError, message);
            return Err(Setback::Never(failure, None));
        }
        Err(CallError::Unavailable {
            message,
            retry_after,
        }) => {
            ctx.devices.lost(&message, asked);
            return Err(not_now(message, retry_after));
        }
    }

    let circuit = job.circuit.clone().expect("Allocating has a circuit");
    let data = match ctx
        .artifacts
        .read(job.id, &compile::file_of(&circuit))
        .await
    {
        Ok(data) => data,
        // The store has the program, so nothing is lost but time.
        Err(lost @ (ArtifactError::Missing(_) | ArtifactError::Damaged { .. })) => {
            return Err(Setback::CircuitLost(lost.to_string()));
        }
        Err(away) => return Err(away.into()),
    };
    let attempt = job.attempt() + 1;
    let token = FencingToken::new(
        match planted(Bug::TokensOfOneEpoch) {
            true => Epoch(1),
            false => ctx.epoch,
        },
        if planted(Bug::TokensStand) {
            1
        } else {
            attempt
        },
    );
    let on_unknown = ctx.devices.on_unknown(&device);
    let run = Run {
        id: ExecutionId {
            job: job.id,
            attempt,
        },
        token,
        device,
        reservation: job.spec.reservation,
        format: circuit.format,
        circuit: data,
        shots: job.spec.shots,
        options: job.spec.device_options(),
    };
    *hand = match planted(Bug::FiresBeforeIntent) {
        true => Hand::Out(execute::fire(ctx, job, run)),
        false => Hand::Ready(Box::new(run)),
    };
    Ok(Event::Intended { token, on_unknown })
}

fn not_now(cause: String, retry_after: Option<Duration>) -> Setback {
    let category = Category::AllocationError;
    Setback::Later(Box::new(Later {
        category,
        cause,
        retry_after,
        settlement: None,
    }))
}
