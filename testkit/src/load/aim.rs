//! The same questions to a kernel that runs somewhere, beside an echo here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::act::{Enqueue, Gateway, Life, Program, Status};
use super::compare::{Plan, echo_of};
use super::echo::Echo;
use super::row::Row;
use super::slices::beside;
use super::{Broken, Progress};

/// A Bell pair in the format that no kernel needs a compiler for.
const BELL: &str = r#"{"version":"1.0.0","qubits":2,"operations":[{"op":"H","q":[0]},{"op":"CX","q":[0,1]},{"op":"MEASURE","q":[0,1],"c":[0,1]}]}"#;

/// Where its jobs are kept is not known from here.
const STORE: &str = "unknown";

/// Measures the kernel at `url` with jobs for the device `target`, which it will run.
///
/// # Errors
/// [`Broken`].
pub async fn aim(
    url: &str,
    target: &str,
    plan: &Plan,
    progress: Progress<'_>,
    done: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Broken> {
    let program = Program {
        text: BELL,
        format: "aqo_json",
        target: target.to_owned(),
    };
    let gateway = Gateway::at(url).await?;
    let enqueue = Arc::new(Enqueue::new(gateway.clone(), program.clone()));
    let echo = Arc::new(echo_of(&enqueue, program.clone()).await?);
    let life = Arc::new(Life::new(Enqueue::new(gateway.clone(), program)));
    for callers in plan.of("life", &plan.living) {
        progress(&format!("life, {callers} callers"));
        let before = (
            life.calls.load(Ordering::Relaxed),
            life.lives.load(Ordering::Relaxed),
        );
        let seen = beside(&life, &echo, *callers, plan.slices()).await?;
        let calls = life.calls.load(Ordering::Relaxed) - before.0;
        let rpcs = calls as f64 / (life.lives.load(Ordering::Relaxed) - before.1) as f64;
        done(Row {
            rpcs: Some(rpcs),
            ..Row::new(
                "life",
                STORE,
                *callers,
                seen,
                ("echo / clients' RPCs", rpcs),
            )
        });
    }
    let job = enqueue.enqueue(0).await?.job_id;
    let asked = Arc::new(Status::new(gateway, vec![job.clone()]));
    let echoed = Echo {
        status: asked.ask(0).await?,
        ..Echo::default()
    };
    let echoed = Status::new(Gateway::to(echoed.serve().await?).await?, vec![job]);
    let echoed = Arc::new(echoed);
    for callers in plan.of("status", &plan.callers) {
        progress(&format!("status, {callers} callers"));
        let seen = beside(&asked, &echoed, *callers, plan.slices()).await?;
        done(Row::new("status", STORE, *callers, seen, ("echo", 1.0)));
    }
    for callers in plan.of("enqueue", &plan.callers) {
        progress(&format!("enqueue, {callers} callers"));
        let seen = beside(&enqueue, &echo, *callers, plan.slices()).await?;
        done(Row::new("enqueue", STORE, *callers, seen, ("echo", 1.0)));
    }
    Ok(())
}
