//! `qrtx fsck`: whether the job store and the artifacts are what they should be, and what of that
//! can be made again. It looks at the files of a kernel that is not running.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::problem::{Outcome, Problem};
use crate::cli::terminal;
use crate::ids::{Epoch, JobId, Sha256Sum};
use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Event, Recorded};
use crate::job::head::Head;
use crate::job::state::State;
use crate::kernel::{Mended, mend};
use crate::os::config::Options;
use crate::os::production::Production;
use crate::os::telemetry::{self, Logs};
use crate::os::{artifacts, jobs};
use crate::ports::store::{Filter, JobStore as _, ReadError, StoreError};
use crate::ports::{Clock as _, Env as _};
use crate::stages::documents;
use crate::store::artifacts::ArtifactError;
use crate::store::{Artifacts, RedbStore};

/// Jobs that are looked at before the next are read.
const PAGE: usize = 256;

/// Flags of `qrtx fsck`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  qrtx fsck
  qrtx fsck --data-dir /var/lib/eigen/jobs --qfs-root /srv/circuit_fs
  qrtx fsck --repair

The kernel must not be running. Exit codes: 0 all is well, or was repaired,
1 something is wrong and stays so, 2 wrong use, or a kernel is running.")]
pub(super) struct Arguments {
    /// Write anew what the job store can prove
    #[arg(long)]
    repair: bool,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    /// The directory of the job store [default: qrtx-data]
    #[arg(long, env = "QRTX_DATA_DIR", value_name = "DIR")]
    data_dir: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize)]
struct Finding {
    /// `None` if not even its name can be read.
    job_id: Option<JobId>,
    what: String,
    repaired: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    jobs: u64,
    artifacts: u64,
    findings: Vec<Finding>,
}

struct Check {
    env: Arc<Production<RedbStore>>,
    artifacts: Artifacts<Production<RedbStore>>,
    /// The writer's place, for whoever repairs.
    epoch: Option<Epoch>,
    report: Report,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    telemetry::start_logs(Logs::TextToStderr);
    let Arguments {
        repair,
        json,
        data_dir,
        options,
    } = arguments;
    let options = Options {
        data_dir,
        ..options
    };
    let config = options.resolve().map_err(Problem::usage)?;
    let file = Path::new(&config.data_dir).join(jobs::FILE);
    if !file.exists() {
        return Err(Problem::usage(format!(
            "there is no job store in {}; name it with --data-dir",
            config.data_dir
        )));
    }
    let store = jobs::open_cached(&config.data_dir, config.store_cache_mib);
    let store = store.map_err(|why| match why.is_in_use() {
        true => Problem::usage(why),
        false => Problem::failed(why),
    })?;
    if !config.qfs_root.contains("://") && !Path::new(&config.qfs_root).exists() {
        return Err(Problem::usage(format!(
            "there are no artifacts at {}; name their root with --qfs-root",
            config.qfs_root
        )));
    }
    let opened = artifacts::open(&config.qfs_root).map_err(Problem::failed)?;
    let env = Production::new(&config, store, opened).map_err(Problem::usage)?;
    let env = Arc::new(env);
    let bound = Duration::from_millis(config.limits.artifact_ms);
    let mut check = Check {
        artifacts: Artifacts::new(env.clone(), bound),
        env,
        epoch: None,
        report: Report::default(),
    };
    check.all(repair).await.map_err(Problem::failed)?;
    check.report.show(json)
}

impl Check {
    async fn all(&mut self, repair: bool) -> Result<(), StoreError> {
        let env = self.env.clone();
        if repair {
            self.epoch = Some(env.store().claim().await?);
        }
        let mut before = Some(u64::MAX);
        while let Some(below) = before {
            let page = env.store().list(&Filter::default(), below, PAGE).await?;
            for id in page.unreadable {
                self.report.jobs += 1;
                self.job(id).await?;
            }
            for submission in page.nameless {
                self.report.jobs += 1;
                let what = format!("submission {submission} has lost both its name and its head");
                self.report.note(None, what, false);
            }
            for head in page.jobs {
                self.report.jobs += 1;
                self.job(head.id).await?;
            }
            before = page.next;
        }
        self.reservations(env.store()).await?;
        self.whole(env.store()).await;
        Ok(())
    }

    /// A kernel takes over those that can be read, and the slot of another is free already.
    async fn reservations(&mut self, store: &RedbStore) -> Result<(), StoreError> {
        let unreadable = store.unreadable_reservations().await?;
        for id in &unreadable {
            let what = format!("reservation {id} cannot be read: its holder has lost it");
            self.report.note(None, what, self.epoch.is_some());
        }
        match self.epoch {
            Some(epoch) if !unreadable.is_empty() => {
                Ok(store.forget_reservations(epoch, unreadable).await?)
            }
            _ => Ok(()),
        }
    }

    /// What only the store as a whole can tell.
    async fn whole(&mut self, store: &RedbStore) {
        let counted = match store.count().await {
            Ok(counted) if counted == self.report.jobs => None,
            Ok(counted) => Some(format!(
                "{counted} jobs were stored and not forgotten, and {} are found: rows are lost, or \
                 the store's own numbers are wrong",
                self.report.jobs
            )),
            Err(why) => Some(why.to_string()),
        };
        let closed = (!store.close())
            .then(|| "a page of the file makes no sense: put a copy of it back".to_owned());
        for what in counted.into_iter().chain(closed) {
            self.report.note(None, what, false);
        }
    }

    /// A job: its head and its checkpoint against its history, and what is stored for it.
    async fn job(&mut self, id: JobId) -> Result<(), ReadError> {
        let Some((head, mut job)) = self.read(id).await? else {
            return Ok(());
        };
        let history = match self.env.store().events(id, 0, usize::MAX).await {
            Ok(history) if history.len() as u64 == job.seq => history,
            Ok(history) => {
                let reason = format!("event {} is missing", history.len() + 1);
                self.hole(&head, &job, &reason).await;
                Vec::new()
            }
            Err(ReadError::Corrupt { reason, .. }) => {
                self.hole(&head, &job, &reason).await;
                Vec::new()
            }
            Err(why) => return Err(why),
        };
        if !history.is_empty() {
            self.compare(&head, &job, &history).await;
        }
        // As it is now, also if it was just written anew.
        let read = self.env.store().job(id).await;
        if let Ok(Some(now)) = read {
            job = now;
        }
        self.beside(&job).await;
        if job.state == State::Completed {
            self.stored(&job, &history).await?;
        }
        Ok(())
    }

    /// A job and its head, made again if they cannot be read and that is wanted; `None` if that was
    /// said to be wrong.
    async fn read(&mut self, id: JobId) -> Result<Option<(Head, Job)>, ReadError> {
        let env = self.env.clone();
        let read = async || {
            let head = env.store().head(id).await?;
            let job = env.store().job(id).await?;
            Ok(head.zip(job))
        };
        let why = match read().await {
            Ok(Some(both)) => return Ok(Some(both)),
            Ok(None) => "it cannot be found by its name".to_owned(),
            Err(ReadError::Corrupt { reason, .. }) => reason,
            Err(why) => return Err(why),
        };
        match self.rewrite(id, why).await {
            true => Ok(read().await.ok().flatten()),
            false => Ok(None),
        }
    }

    /// What its checkpoint says is more than what can be made of a history with a hole.
    async fn hole(&mut self, head: &Head, job: &Job, reason: &str) {
        let what = format!("its history has a hole, {reason}; its checkpoint is whole");
        self.report.found(head.id, what, false);
        if !head.says_the_same_as(&Head::of(job)) {
            let why = "its head is not what its checkpoint says".to_owned();
            self.rewrite(head.id, why).await;
        }
    }

    /// A head and a checkpoint say what a whole history says.
    async fn compare(&mut self, head: &Head, job: &Job, history: &[Recorded]) {
        let folded = match Job::fold(head.id, history) {
            Ok(folded) => Job {
                submission: head.submission,
                ..folded
            },
            Err(why) => {
                let what = format!("its history is none: {why}");
                return self.report.found(head.id, what, false);
            }
        };
        let wrong = match (head.says_the_same_as(&Head::of(&folded)), folded == *job) {
            (true, true) => return,
            (false, _) => "its head is not what its history says",
            (true, false) => "its checkpoint is not what its history says",
        };
        self.rewrite(head.id, wrong.to_owned()).await;
    }

    /// What came with its submission and nothing can make again.
    async fn beside(&mut self, job: &Job) {
        let store = self.env.store();
        let head = Head::of(job);
        // What a job was to do whose first event is lost nobody knows.
        let known = job.spec.program_bytes > 0;
        let program = match store.program(job.id).await {
            Ok(Some(program)) if known && Sha256Sum::of(&program) != job.spec.program_sha256 => {
                Some("its program is not the one that it was submitted with".to_owned())
            }
            Ok(Some(_)) => None,
            Ok(None) => Some("its program is missing".to_owned()),
            Err(why) => Some(why.to_string()),
        };
        let key = match &head.key {
            None => None,
            Some(key) => match store.key_holder(key).await {
                Ok(Some(holder)) if holder.job == head.id => None,
                Ok(Some(holder)) => Some(format!("its idempotency key names {}", holder.job)),
                Ok(None) => Some("the row of its idempotency key is lost".to_owned()),
                Err(why) => Some(why.to_string()),
            },
        };
        for what in [program, key].into_iter().flatten() {
            self.report.found(head.id, what, false);
        }
    }

    /// Writes a job anew from what is whole of it, if that is wanted, and says whether it did.
    async fn rewrite(&mut self, id: JobId, why: String) -> bool {
        let mended = match self.epoch {
            None => Ok(None),
            Some(epoch) => {
                let now = self.env.clock().now();
                mend(self.env.store(), epoch, id, now).await
            }
        };
        let (what, repaired) = match mended {
            Ok(None) => (why, false),
            Ok(Some(Mended { lost: None, .. })) => (why, true),
            Ok(Some(Mended {
                job,
                lost: Some(lost),
            })) => {
                let what = format!("{why}; {lost}: it is {} now", job.state.name());
                (what, true)
            }
            Err(no) => (format!("{why}; {no}"), false),
        };
        self.report.found(id, what, repaired);
        repaired
    }

    /// Every artifact of a completed job.
    async fn stored(&mut self, job: &Job, history: &[Recorded]) -> Result<(), ReadError> {
        let mut missing = Vec::new();
        let counts = match job.outcome.as_ref().map(|outcome| &outcome.counts) {
            Some(Counts::Object(object)) if !job.artifacts.contains(object) => Some(object),
            _ => None,
        };
        for artifact in job.artifacts.iter().chain(counts).chain(&job.manifest) {
            self.report.artifacts += 1;
            if let Err(why) = self.artifacts.read(job.id, artifact).await {
                missing.push((artifact, why));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let program = self.env.store().program(job.id).await;
        let program = program.ok().flatten().unwrap_or_default();
        let until = history
            .iter()
            .take_while(|one| !matches!(one.event, Event::Stored { .. }));
        let until: Vec<_> = until.cloned().collect();
        let made: BTreeMap<String, Vec<u8>> = match Job::fold(job.id, &until) {
            Ok(completing) => documents::made_again(&completing, program, &job.artifacts)
                .into_iter()
                .collect(),
            Err(_) => BTreeMap::new(),
        };
        for (artifact, why) in missing {
            self.restore(job.id, artifact, &why, made.get(&artifact.file))
                .await;
        }
        Ok(())
    }

    /// Only what hashes to what was recorded is written.
    async fn restore(
        &mut self,
        id: JobId,
        artifact: &ArtifactRef,
        why: &ArtifactError,
        made: Option<&Vec<u8>>,
    ) {
        let made = made.filter(|made| ArtifactRef::of(&artifact.file, made) == *artifact);
        let what = match (made, self.epoch) {
            (None, _) => format!("{why}; the job store cannot make it again"),
            (Some(_), None) => format!("{why}; --repair makes it again"),
            (Some(content), Some(_)) => {
                match self.artifacts.keep(id, &artifact.file, content).await {
                    Ok(_) => return self.report.found(id, why.to_string(), true),
                    Err(no) => format!("{why}; {no}"),
                }
            }
        };
        self.report.found(id, what, false);
    }
}

impl Report {
    fn found(&mut self, job_id: JobId, what: String, repaired: bool) {
        self.note(Some(job_id), what, repaired);
    }

    fn note(&mut self, job_id: Option<JobId>, what: String, repaired: bool) {
        self.findings.push(Finding {
            job_id,
            what,
            repaired,
        });
    }

    fn show(&self, json: bool) -> Outcome {
        let wrong = self.findings.iter().filter(|one| !one.repaired).count();
        match json {
            true => terminal::print_document(self)?,
            false => terminal::print(&self.text(wrong))?,
        }
        Ok(if wrong == 0 { Exit::Done } else { Exit::Failed })
    }

    fn text(&self, wrong: usize) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let mark = if finding.repaired {
                "repaired  "
            } else {
                "wrong     "
            };
            let job = finding
                .job_id
                .map(|id| format!("{id}  "))
                .unwrap_or_default();
            text += &format!("{mark}{job}{}\n", finding.what);
        }
        let all = format!("{} jobs, {} artifacts", self.jobs, self.artifacts);
        let repaired = self.findings.len() - wrong;
        text + &match (wrong, repaired) {
            (0, 0) => format!("{all}: all is well\n"),
            _ => format!("{all}: {repaired} repaired, {wrong} wrong\n"),
        }
    }
}
