//! The whole comparison, in the order in which it is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::os::jobs;
use tempfile::TempDir;

use super::act::{Enqueue, Gateway, Life, PATIENCE, Program, Status};
use super::bare::Bare;
use super::commits::Commits;
use super::echo::Echo;
use super::fill::{Kind, fill};
use super::ground::{self, Ground, Store, serve};
use super::instant::{DEVICE, Instant};
use super::recovery::recovery;
use super::row::Row;
use super::slices::{Slices, beside};
use super::{Broken, Progress, files};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Slices of each of the two sides.
    pub slices: usize,
    /// How long one is.
    pub slice: Duration,
    /// So many callers enqueue at a time.
    pub callers: Vec<usize>,
    /// So many have jobs live at a time.
    pub living: Vec<usize>,
    /// Ended jobs that are kept while others are asked after.
    pub retained: Vec<u64>,
    /// Jobs that wait when a kernel starts.
    pub waiting: Vec<u64>,
    /// Which rows.
    pub only: Vec<&'static str>,
}

/// Every row there is.
const ROWS: [&str; 5] = ["enqueue", "life", "life_on_disk", "status", "recovery"];

impl Plan {
    /// Everything, in a few minutes.
    pub fn whole() -> Self {
        Self {
            slices: 5,
            slice: Duration::from_millis(800),
            callers: vec![1, 16, 64, 256],
            living: vec![64, 256],
            retained: vec![1_000, 1_000_000],
            waiting: vec![100_000, 1_000_000],
            only: ROWS.to_vec(),
        }
    }

    /// The same with small numbers, in seconds: shows that it works, and nothing more.
    pub fn quick() -> Self {
        Self {
            slices: 1,
            slice: Duration::from_millis(100),
            callers: vec![1, 4],
            living: vec![4],
            retained: vec![100],
            waiting: vec![500],
            only: ROWS.to_vec(),
        }
    }

    /// The same for these rows alone; for all if none is named.
    ///
    /// # Errors
    /// A name that no row has.
    pub fn only(mut self, names: &[String]) -> Result<Self, Broken> {
        if let Some(unknown) = names.iter().find(|name| !ROWS.contains(&name.as_str())) {
            let known = ROWS.join(", ");
            return Err(Broken(format!(
                "there are no rows {unknown:?}, only {known}"
            )));
        }
        let wanted = |row: &&str| names.is_empty() || names.iter().any(|name| name == row);
        self.only.retain(wanted);
        Ok(self)
    }

    /// What is in `all`, if these rows are wanted; else nothing.
    pub(super) fn of<'a, T>(&self, row: &str, all: &'a [T]) -> &'a [T] {
        match self.only.contains(&row) {
            true => all,
            false => &[],
        }
    }

    pub(super) fn slices(&self) -> Slices {
        Slices {
            count: self.slices,
            span: self.slice,
        }
    }
}

/// Measures what a plan asks for; each row is given to `done` as soon as it is there.
///
/// # Errors
/// [`Broken`].
pub async fn compare(
    plan: &Plan,
    progress: Progress<'_>,
    done: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Broken> {
    for store in [Store::Memory, Store::Redb] {
        for callers in plan.of("enqueue", &plan.callers) {
            progress(&format!(
                "enqueue, {} store, {callers} callers",
                store.name()
            ));
            done(enqueue(plan, store, *callers).await?);
        }
    }
    for _ in plan.of("enqueue", &[()]) {
        progress("enqueue, beside bare commits of the engine");
        done(enqueue_beside_commits(plan).await?);
    }
    for store in [Store::Memory, Store::Redb] {
        for callers in plan.of("life", &plan.living) {
            progress(&format!("life, {} store, {callers} callers", store.name()));
            done(life(plan, store, *callers).await?);
        }
    }
    for callers in plan.of("life", &plan.living) {
        progress(&format!("life, beside a bare one, {callers} callers"));
        done(life_beside_bare(plan, *callers).await?);
    }
    for callers in plan.of("life_on_disk", &plan.living) {
        progress(&format!("life_on_disk, {callers} callers"));
        done(life_on_disk(plan, *callers).await?);
    }
    for retained in plan.of("status", &plan.retained) {
        progress(&format!("status, {retained} jobs retained"));
        done(status(plan, *retained, progress).await?);
    }
    for waiting in plan.of("recovery", &plan.waiting) {
        progress(&format!("recovery, {waiting} jobs waiting"));
        // Most of three, or the first would count as much as the others.
        let rounds = plan.slices.min(3);
        done(tokio::task::block_in_place(|| {
            recovery(*waiting, rounds, progress)
        })?);
    }
    Ok(())
}

fn folder() -> Result<TempDir, Broken> {
    TempDir::new().map_err(Broken::at("a folder"))
}

/// What is compiled by eigen-compiler, so that every neighbour there is takes part.
fn program() -> Program {
    Program {
        text: "qubits = 2\nh(0)\ncx(0, 1)\nmeasure([0, 1])\n",
        format: "eigen_lang_source",
        target: DEVICE.to_owned(),
    }
}

/// A kernel whose neighbours cannot be reached: jobs are taken in, and wait.
async fn taking_in(store: Store, folder: &TempDir) -> Result<(Ground, Enqueue), Broken> {
    let unserved = crate::neighbours::Unserved::new();
    let kernel = Ground::new(store, ground::Files::Memory, folder.path(), &unserved.url()).await?;
    let enqueue = Enqueue::new(Gateway::to(kernel.address()).await?, program());
    Ok((kernel, enqueue))
}

/// An echo that answers to an EnqueueJob as the kernel does.
pub(super) async fn echo_of(enqueue: &Enqueue, program: Program) -> Result<Enqueue, Broken> {
    let echo = Echo {
        enqueued: enqueue.enqueue(0).await?,
        ..Echo::default()
    };
    let gateway = Gateway::to(echo.serve().await?).await?;
    Ok(Enqueue::new(gateway, program))
}

async fn enqueue(plan: &Plan, store: Store, callers: usize) -> Result<Row, Broken> {
    let folder = folder()?;
    let (kernel, enqueue) = taking_in(store, &folder).await?;
    let echo = Arc::new(echo_of(&enqueue, program()).await?);
    let seen = beside(&Arc::new(enqueue), &echo, callers, plan.slices()).await?;
    kernel.stop().await;
    Ok(Row::new(
        "enqueue",
        store.name(),
        callers,
        seen,
        ("echo", 1.0),
    ))
}

async fn enqueue_beside_commits(plan: &Plan) -> Result<Row, Broken> {
    let folder = folder()?;
    let (kernel, enqueue) = taking_in(Store::Redb, &folder).await?;
    let commits = Arc::new(Commits::new(folder.path())?);
    let seen = beside(&Arc::new(enqueue), &commits, 1, plan.slices()).await?;
    kernel.stop().await;
    Ok(Row::new("enqueue", "redb", 1, seen, ("bare commit", 1.0)))
}

async fn life(plan: &Plan, store: Store, callers: usize) -> Result<Row, Broken> {
    let folder = folder()?;
    let neighbours = Instant::new(DeviceStatus::Online);
    let url = neighbours.serve().await?;
    let kernel = Ground::new(store, ground::Files::Memory, folder.path(), &url).await?;
    let enqueue = Enqueue::new(Gateway::to(kernel.address()).await?, program());
    let echo = Arc::new(echo_of(&enqueue, program()).await?);
    let life = Arc::new(Life::new(enqueue, PATIENCE));
    let seen = beside(&life, &echo, callers, plan.slices()).await?;
    kernel.stop().await;
    let calls = neighbours.calls() + life.calls.load(Ordering::Relaxed);
    let rpcs = calls as f64 / life.lives.load(Ordering::Relaxed) as f64;
    let row = Row::new("life", store.name(), callers, seen, ("echo / RPCs", rpcs));
    Ok(Row {
        rpcs: Some(rpcs),
        ..row
    })
}

/// What of a life is the kernel's, and not its calls'.
async fn life_beside_bare(plan: &Plan, callers: usize) -> Result<Row, Broken> {
    let folder = folder()?;
    let url = Instant::new(DeviceStatus::Online).serve().await?;
    let kernel = Ground::new(Store::Memory, ground::Files::Memory, folder.path(), &url).await?;
    let enqueue = Enqueue::new(Gateway::to(kernel.address()).await?, program());
    let enqueued = enqueue.enqueue(0).await?;
    let life = Arc::new(Life::new(enqueue, PATIENCE));
    let bare = Echo {
        enqueued,
        life: Some(Arc::new(Bare::like(&life, program(), url).await?)),
        ..Echo::default()
    };
    let enqueue = Enqueue::new(Gateway::to(bare.serve().await?).await?, program());
    let bare = Arc::new(Life::new(enqueue, PATIENCE));
    let seen = beside(&life, &bare, callers, plan.slices()).await?;
    kernel.stop().await;
    let store = Store::Memory.name();
    Ok(Row::new("life", store, callers, seen, ("bare life", 1.0)))
}

async fn life_on_disk(plan: &Plan, callers: usize) -> Result<Row, Broken> {
    let folder = folder()?;
    let url = Instant::new(DeviceStatus::Online).serve().await?;
    let kernel = Ground::new(Store::Redb, ground::Files::Disk, folder.path(), &url).await?;
    let enqueue = Enqueue::new(Gateway::to(kernel.address()).await?, program());
    let life = Arc::new(Life::new(enqueue, PATIENCE));
    super::slices::once(&life).await?;
    let bare = files::Files::like(&folder.path().join("qfs"), folder.path().join("bare"))?;
    let seen = beside(&life, &Arc::new(bare), callers, plan.slices()).await?;
    kernel.stop().await;
    Ok(Row::new(
        "life_on_disk",
        "redb",
        callers,
        seen,
        ("the same files", 1.0),
    ))
}

/// Asks after ended jobs, which only the store knows.
async fn status(plan: &Plan, retained: u64, progress: Progress<'_>) -> Result<Row, Broken> {
    let folder = folder()?;
    let store = jobs::open(folder.path()).map_err(Broken::at("the store"))?;
    let ids = fill(&store, Kind::Ended, retained, progress).await?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let unserved = crate::neighbours::Unserved::new();
    let kernel = serve(store, ground::Files::Memory, folder.path(), &unserved.url()).await?;
    let asked = Status::new(Gateway::to(kernel.grpc).await?, ids.clone());
    let echo = Echo {
        status: asked.ask(0).await?,
        ..Echo::default()
    };
    let echo = Arc::new(Status::new(Gateway::to(echo.serve().await?).await?, ids));
    let callers = plan.callers.get(2).copied().unwrap_or(4);
    let seen = beside(&Arc::new(asked), &echo, callers, plan.slices()).await?;
    kernel.stop().await;
    Ok(Row {
        jobs: Some(retained),
        ..Row::new("status", "redb", callers, seen, ("echo", 1.0))
    })
}
