//! Completing: the results become artifacts, the manifest comes last, and everything is read
//! back before anybody is told that the job is complete (D13).

use std::collections::BTreeMap;

use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Event};
use crate::job::failure::{Category, Failure};
use crate::planted::{Bug, planted};
use crate::ports::Env;
use crate::ports::store::JobStore as _;
use crate::stages::{Context, Setback, compile, documents};
use crate::store::artifacts::ArtifactError;

pub(super) async fn perform<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Event, Setback> {
    let outcome = job.outcome.as_ref().expect("Completing has an outcome");
    let counts = match &outcome.counts {
        Counts::Inline(counts) => counts.clone(),
        Counts::Object(object) => large_counts(ctx, job, object).await?,
    };
    let results = documents::results(job, outcome, &counts);
    let mut artifacts = inputs(ctx, job).await?;
    if let Counts::Object(object) = &outcome.counts {
        artifacts.push(object.clone());
    }
    if planted(Bug::ResultsLater) {
        artifacts.push(ArtifactRef::of("results.json", &results));
        let manifest = documents::manifest(job, &artifacts);
        let manifest = ctx.artifacts.keep(job.id, "meta.json", &manifest).await?;
        return Ok(Event::Stored {
            artifacts,
            manifest,
        });
    }
    artifacts.push(ctx.artifacts.keep(job.id, "results.json", &results).await?);
    for artifact in artifacts.iter().filter(|_| !planted(Bug::NotReadBack)) {
        ctx.artifacts
            .read(job.id, artifact)
            .await
            .map_err(Setback::from_damage)?;
    }
    let manifest = documents::manifest(job, &artifacts);
    let manifest = ctx.artifacts.keep(job.id, "meta.json", &manifest).await?;
    ctx.artifacts
        .read(job.id, &manifest)
        .await
        .map_err(Setback::from_damage)?;
    Ok(Event::Stored {
        artifacts,
        manifest,
    })
}

impl Setback {
    /// What was just written and does not read back is written again: the next try sets the
    /// damaged object aside.
    fn from_damage(error: ArtifactError) -> Self {
        Self::persist(error.to_string())
    }
}

async fn large_counts<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    object: &ArtifactRef,
) -> Result<BTreeMap<String, u64>, Setback> {
    let encoded = ctx
        .artifacts
        .read(job.id, object)
        .await
        .map_err(|error| match error {
            away @ ArtifactError::Unavailable { .. } => Setback::from(away),
            lost => Setback::Never(Failure::new(Category::PersistError, lost.to_string()), None),
        })?;
    serde_json::from_slice(&encoded).map_err(|why| {
        let summary = format!("{} holds no counts: {why}", object.file);
        Setback::Never(Failure::new(Category::PersistError, summary), None)
    })
}

/// What the earlier stages kept. The store can make the request and the program again.
async fn inputs<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Vec<ArtifactRef>, Setback> {
    let request = documents::request(job);
    let program = ctx.env.store().program(job.id).await?.unwrap_or_default();
    let circuit = compile::file_of(job.circuit.as_ref().expect("Completing has a circuit"));
    if let Err(ArtifactError::Missing(_) | ArtifactError::Damaged { .. }) =
        ctx.artifacts.read(job.id, &circuit).await
    {
        // The same program and request make the same circuit again; the read-back will tell.
        let again = compile::circuit(ctx, job, &program).await;
        // Whatever stands in the way, what is missing is something stored.
        let again = again.map_err(|_| {
            Setback::persist(format!(
                "{} is lost and cannot be compiled again",
                circuit.file
            ))
        })?;
        ctx.artifacts
            .keep(job.id, &circuit.file, &again.data)
            .await?;
    }
    Ok(vec![
        ctx.artifacts
            .keep(job.id, "input.job.json", &request)
            .await?,
        ctx.artifacts
            .keep(job.id, job.spec.format.file_name(), &program)
            .await?,
        circuit,
    ])
}
