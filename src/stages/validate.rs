//! Validating: is there such a device, and will the compiler take the program?

use crate::devices::Standing;
use crate::job::Job;
use crate::job::event::Event;
use crate::job::failure::{Category, Failure};
use crate::job::spec::ProgramFormat;
use crate::ports::compiler::{CallError, Compiler as _, Program, Validity};
use crate::ports::devices::Devices as _;
use crate::ports::{Clock as _, Env};
use crate::stages::{Context, Setback};

pub(super) async fn perform<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Event, Setback> {
    refuse_unknown_target(ctx, job).await?;
    let validity = match job.spec.format {
        // What a reference names is read where it is compiled.
        ProgramFormat::AqoRef => Validity::NotChecked,
        format => {
            let source = ctx.program(job).await?;
            let device = ctx.devices.grounds(&job.spec.target).into_iter().next();
            let program = Program {
                format,
                source: &source,
                device: device.as_ref(),
            };
            let call = ctx.call(job, ctx.left(ctx.limits.validate_ms));
            ctx.env
                .compiler()
                .validate(call, program)
                .await
                .map_err(blame)?
        }
    };
    let by = match validity {
        Validity::Valid => "compiler",
        Validity::NotChecked => "skipped",
    };
    Ok(Event::Validated { by: by.to_owned() })
}

/// Whoever must act is in the category: the client for a bad program, the operator for a
/// compiler that is not there.
fn blame(error: CallError) -> Setback {
    let category = match error {
        CallError::Rejected(_) => Category::ValidationError,
        CallError::Unavailable { .. } => Category::CompileError,
    };
    Setback::of_call(category, error)
}

/// A job for a device that nobody has heard of fails before anything is compiled for it; if the
/// driver-manager cannot be asked, the question waits until the job is queued.
async fn refuse_unknown_target<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<(), Setback> {
    let want = job.want();
    if ctx.devices.standing(&want) != Standing::Unknown {
        return Ok(());
    }
    let asked = ctx.env.clock().monotonic();
    let devices = match ctx.env.devices().list().await {
        Ok(devices) => devices,
        Err(why) => {
            ctx.devices.lost(&why.to_string(), asked);
            return Ok(());
        }
    };
    ctx.devices.listed(devices, asked, ctx.env.clock().moment());
    if ctx.devices.standing(&want) != Standing::Unknown {
        return Ok(());
    }
    let failure = Failure::new(Category::AllocationError, ctx.devices.unfit(&want));
    Err(Setback::Never(failure, None))
}
