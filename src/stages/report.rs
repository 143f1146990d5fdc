//! After an end that is no success: `error.json` tells whoever finds the folder what happened.

use crate::job::Job;
use crate::job::event::Event;
use crate::ports::Env;
use crate::stages::{Context, Setback, documents};

pub(super) async fn perform<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Event, Setback> {
    let report = documents::error(job);
    ctx.artifacts.keep(job.id, "error.json", &report).await?;
    Ok(Event::Reported { written: true })
}
