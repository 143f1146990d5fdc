//! Completing: the results become artifacts, the manifest comes last, and everything is read
//! back before anybody is told that the job is complete (D13).

use std::collections::BTreeMap;

use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Event};
use crate::job::failure::{Category, Failure};
use crate::planted::{Bug, planted};
use crate::ports::Env;
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
    if let Counts::Object(object) = &outcome.counts
        && !planted(Bug::LargeCountsUnlisted)
    {
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
    let early = planted(Bug::ManifestBeforeResults);
    if early {
        let named = [&artifacts[..], &[ArtifactRef::of("results.json", &results)]].concat();
        write(ctx, job, "meta.json", &documents::manifest(job, &named)).await?;
    }
    artifacts.push(write(ctx, job, "results.json", &results).await?);
    let manifest = documents::manifest(job, &artifacts);
    let manifest = write(ctx, job, "meta.json", &manifest).await?;
    Ok(Event::Stored {
        artifacts,
        manifest,
    })
}

/// Keeps a file and reads it back.
async fn write<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    file: &str,
    content: &[u8],
) -> Result<ArtifactRef, Setback> {
    let kept = ctx.artifacts.keep(job.id, file, content).await?;
    if !planted(Bug::NotReadBack) {
        let read = ctx.artifacts.read(job.id, &kept).await;
        read.map_err(Setback::from_damage)?;
    }
    Ok(kept)
}

/// Reads back what an earlier stage has kept, and writes it again if it is not that any more.
async fn read_back<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    file: &str,
    content: &[u8],
) -> Result<ArtifactRef, Setback> {
    let wanted = ArtifactRef::of(file, content);
    match ctx.artifacts.read(job.id, &wanted).await {
        Ok(_) => Ok(wanted),
        Err(ArtifactError::Missing(_) | ArtifactError::Damaged { .. }) => {
            write(ctx, job, file, content).await
        }
        Err(away) => Err(away.into()),
    }
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

/// What the earlier stages kept, read back. The store can make the request and the program again.
async fn inputs<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<Vec<ArtifactRef>, Setback> {
    let request = documents::request(job);
    let circuit = compile::file_of(job.circuit.as_ref().expect("Completing has a circuit"));
    match ctx.artifacts.read(job.id, &circuit).await {
        Ok(_) => {}
        Err(_) if planted(Bug::DamagedCircuitAccepted) => {}
        Err(ArtifactError::Missing(_) | ArtifactError::Damaged { .. }) => {
            compile_again(ctx, job, &circuit).await?;
        }
        Err(away) => return Err(away.into()),
    }
    Ok(vec![
        read_back(ctx, job, "input.job.json", &request).await?,
        program(ctx, job).await?,
        circuit,
    ])
}

/// The program as it was accepted, read back, or written again out of the store.
async fn program<E: Env>(ctx: &Context<'_, E>, job: &Job) -> Result<ArtifactRef, Setback> {
    let file = job.spec.format.file_name();
    let wanted = ArtifactRef {
        file: file.to_owned(),
        sha256: job.spec.program_sha256,
        bytes: job.spec.program_bytes,
    };
    match ctx.artifacts.read(job.id, &wanted).await {
        Ok(_) => Ok(wanted),
        Err(ArtifactError::Missing(_) | ArtifactError::Damaged { .. }) => {
            write(ctx, job, file, &ctx.program(job).await?).await
        }
        Err(away) => Err(away.into()),
    }
}

/// Whatever stands in the way, what is missing is something stored; and a compiler that is busy is asked
/// when it wants to be.
fn cannot_be_made_again(circuit: &ArtifactRef, why: Setback) -> Setback {
    let (why, retry_after) = match why {
        Setback::Later(later) => (later.cause, later.retry_after),
        Setback::Never(failure, _) => (failure.summary, None),
        Setback::CircuitLost(cause) => (cause, None),
    };
    let file = &circuit.file;
    let mut setback = Setback::persist(format!(
        "{file} is lost and cannot be compiled again: {why}"
    ));
    if let Setback::Later(later) = &mut setback {
        later.retry_after = retry_after;
    }
    setback
}

/// The same program and request make the same circuit again; the read-back tells.
async fn compile_again<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    circuit: &ArtifactRef,
) -> Result<(), Setback> {
    let program = ctx.program(job).await?;
    let again = compile::circuit(ctx, job, &program).await;
    let again = again.map_err(|why| cannot_be_made_again(circuit, why))?;
    let kept = ctx.artifacts.keep(job.id, &circuit.file, &again.data);
    kept.await?;
    let read = ctx.artifacts.read(job.id, circuit).await;
    read.map(drop).map_err(Setback::from_damage)
}
