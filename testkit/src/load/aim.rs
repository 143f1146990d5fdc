//! The same questions to a kernel that runs somewhere, beside an echo here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::act::{Enqueue, Gateway, Life, Program, Status};
use super::compare::{Plan, echo_of};
use super::echo::Echo;
use super::row::Row;
use super::slices::{self, Seen, beside};
use super::{Broken, Progress};

/// A Bell pair in the format that no kernel needs a compiler for.
const BELL: &str = r#"{"version":"1.0.0","qubits":2,"operations":[{"op":"H","q":[0]},{"op":"CX","q":[0,1]},{"op":"MEASURE","q":[0,1],"c":[0,1]}]}"#;

/// Where its jobs are kept is not known from here.
const STORE: &str = "unknown";

/// What needs no store and no files of the tool's own.
const ROWS: [&str; 3] = ["life", "status", "enqueue"];

/// The kernel to be measured.
#[derive(Debug, Clone)]
pub struct Aim {
    /// Where it listens, with or without `http://`.
    pub endpoint: String,
    /// The device that runs the jobs.
    pub target: String,
    /// How long a call, or one job, may take.
    pub patience: Duration,
}

/// Whether these rows can be measured at a kernel that runs elsewhere.
///
/// # Errors
/// Those that cannot.
pub fn can_aim(only: &[String]) -> Result<(), Broken> {
    let other = only.iter().find(|row| !ROWS.contains(&row.as_str()));
    let Some(other) = other else { return Ok(()) };
    let rows = ROWS.join(", ");
    Err(Broken(format!(
        "{other:?} needs a kernel of the tool's own: with --endpoint only these rows can be \
         measured: {rows}"
    )))
}

/// Measures a kernel with jobs that it will run.
///
/// # Errors
/// [`Broken`].
pub async fn aim(
    kernel: &Aim,
    plan: &Plan,
    progress: Progress<'_>,
    done: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Broken> {
    let program = Program {
        text: BELL,
        format: "aqo_json",
        target: kernel.target.clone(),
    };
    let gateway = Gateway::elsewhere(&kernel.endpoint, kernel.patience).await?;
    let living = Enqueue::new(gateway.clone(), program.clone());
    let life = Arc::new(Life::new(living, kernel.patience));
    for _ in plan.of("life", &[()]) {
        progress("one job, to see that jobs end");
        slices::once(&life).await?;
    }
    let enqueue = Arc::new(Enqueue::new(gateway.clone(), program.clone()));
    let echo = Arc::new(echo_of(&enqueue, program).await?);
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
            ..row("life", *callers, seen, ("echo / clients' RPCs", rpcs))
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
        done(row("status", *callers, seen, ("echo", 1.0)));
    }
    for callers in plan.of("enqueue", &plan.callers) {
        progress(&format!("enqueue, {callers} callers"));
        let seen = beside(&enqueue, &echo, *callers, plan.slices()).await?;
        done(row("enqueue", *callers, seen, ("echo", 1.0)));
    }
    Ok(())
}

/// A row without the work of the processors: that of the kernel is not seen from here.
fn row(what: &'static str, callers: usize, seen: (Seen, Seen), reference: (&str, f64)) -> Row {
    Row {
        cpu_ms: None,
        cpu_ratio: None,
        ..Row::new(what, STORE, callers, seen, reference)
    }
}
