//! `farm`: random seeds on all cores, a process per core. Each run is on a fresh OS thread, and
//! one in so many is repeated in a process of its own to prove that a seed alone goes the same
//! way as in a batch.

use std::io::{BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::Args;
use qrtx_sim::chance::seed_of;
use qrtx_sim::verdict::code;

use super::harvest::{Harvest, failure_line};
use super::progress::Progress;
use super::work::{Told, Work};

/// What a process is given for its last run when the time is over.
const MERCY: Duration = Duration::from_secs(60);
/// What shells say of a process that was interrupted; a seed that went two ways says the same, but
/// with a summary.
const INTERRUPTED: i32 = 130;

#[derive(Args)]
pub(super) struct Farm {
    /// How many seeds
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// For how long
    #[arg(long, value_parser = minutes)]
    minutes: Option<f64>,
    /// What the seeds are derived from, such as a commit; else the present time
    #[arg(long)]
    from: Option<String>,
    /// Processes; else one for each core
    #[arg(long)]
    processes: Option<NonZeroUsize>,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "that is no number".to_owned())?;
    let makes_sense = minutes > 0.0 && minutes.is_finite();
    makes_sense
        .then_some(minutes)
        .ok_or_else(|| "more than 0, and an end".to_owned())
}

impl Farm {
    /// A farm of so many seeds for the gate.
    pub(super) fn of(seeds: u64, from: String, json: bool) -> Self {
        Self {
            seeds: Some(seeds),
            minutes: None,
            from: Some(from),
            processes: None,
            json,
        }
    }

    pub(super) fn go(self) -> u8 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let processes = self.processes.map_or(cores, NonZeroUsize::get);
        let from = self.from.clone().unwrap_or_else(now);
        let seeds = match (self.seeds, self.minutes) {
            (Some(seeds), _) => seeds,
            (None, Some(_)) => u64::MAX,
            (None, None) => 1_000,
        };
        let millis = self.minutes.map(|minutes| (minutes * 60_000.0) as u64);
        let plan = Plan {
            from: from.clone(),
            seeds,
            millis,
            until_caught: false,
            bug: None,
            program: std::env::current_exe().expect("a process has a program"),
        };
        #[expect(clippy::disallowed_methods, reason = "real time is what a farm has")]
        let begun = Instant::now();
        let mut harvest = Harvest::default();
        let mut progress = Progress::new();
        let interrupted = interruption();
        progress.say(format!(
            "seeds from {from}; Ctrl-C stops, and sums up what was seen"
        ));
        let crashed = run(&plan, processes, |told| {
            if told.code != code::WELL {
                progress.say(failure_line(&told));
            }
            if !harvest.repeats(&told) {
                let seed = told.seed;
                progress.say(format!(
                    "seed {seed} goes another way alone than in a batch"
                ));
            }
            harvest.take(told);
            progress.tell(|| harvest.so_far(begun.elapsed()));
            !interrupted.load(Ordering::Relaxed)
        });
        progress.end();
        let mut summary = harvest.summary(&from, begun.elapsed(), processes, crashed);
        summary["interrupted"] = interrupted.load(Ordering::Relaxed).into();
        match self.json {
            true => say!("{summary}"),
            false => harvest.show(&summary),
        }
        let different = harvest.different;
        let nondeterminism = (different > 0).then_some(code::NONDETERMINISM);
        let crash = (crashed > 0).then_some(code::CRASH);
        let codes = harvest.failures.iter().map(|told| told.code);
        code::worst(codes.chain(nondeterminism).chain(crash))
    }
}

/// Becomes true when somebody interrupts this process; whoever does it twice does not want to wait.
fn interruption() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let heard = interrupted.clone();
    let handled = ctrlc::set_handler(move || {
        if heard.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    });
    handled.expect("nobody else handles signals here");
    interrupted
}

/// Which seeds to run, and how.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) from: String,
    pub(super) seeds: u64,
    pub(super) millis: Option<u64>,
    pub(super) until_caught: bool,
    pub(super) bug: Option<String>,
    pub(super) program: PathBuf,
}

/// Runs seeds in so many processes, and hands over what they tell; stops when that returns
/// `false`. A run at which a process died, or which does not end, is told as such. Says how many
/// processes that were.
pub(super) fn run(plan: &Plan, processes: usize, mut take: impl FnMut(Told) -> bool) -> usize {
    let (tell, told) = mpsc::channel();
    let mut children: Vec<Child> = (0..processes as u64)
        .map(|first| {
            let mut child = worker(plan, first, processes as u64);
            let lines = BufReader::new(child.stdout.take().expect("its output is a pipe"));
            let tell = tell.clone();
            #[expect(clippy::disallowed_methods, reason = "a farm is on real threads")]
            std::thread::spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    let Ok(told) = serde_json::from_str::<Told>(&line) else {
                        continue;
                    };
                    if tell.send(told).is_err() {
                        break;
                    }
                }
            });
            child
        })
        .collect();
    drop(tell);
    let (mut stopped, mut silent) = (false, false);
    // Each process takes every so-manieth seed, one after the other.
    let mut next: Vec<u64> = (0..processes as u64).collect();
    let patience = MERCY + Duration::from_millis(plan.millis.unwrap_or(0));
    loop {
        match told.recv_timeout(patience) {
            Ok(told) => {
                let process = told.number as usize % processes;
                next[process] = told.number + processes as u64;
                if !take(told) {
                    stopped = true;
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                silent = true;
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(told);
    let mut died = 0;
    for (child, number) in children.iter_mut().zip(next) {
        if stopped || silent {
            // One that has ended by itself need not be told.
            let _ = child.kill();
        }
        let ended = child.wait().ok().and_then(|status| status.code());
        let known = [
            code::WELL,
            code::SAFETY,
            code::LIVENESS,
            code::CRASH,
            code::VACUOUS,
        ];
        if !stopped && !known.iter().any(|code| ended == Some((*code).into())) {
            died += 1;
            take(Told::lost(number, seed_of(&plan.from, number)));
        }
    }
    died
}

fn worker(plan: &Plan, first: u64, step: u64) -> Child {
    let mut command = Command::new(&plan.program);
    let work = Work {
        from: plan.from.clone(),
        first,
        step,
        end: plan.seeds,
        millis: plan.millis,
        until_caught: plan.until_caught,
        bug: plan.bug.clone(),
    };
    command.args(work.arguments());
    // Messages of panics are told with the verdict.
    let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
    // What a terminal interrupts is the farm, which then lets go of its processes.
    let command = command.process_group(0);
    command.spawn().expect("what runs can be run again")
}

/// What the seeds are derived from when nobody says.
fn now() -> String {
    #[expect(clippy::disallowed_methods, reason = "every farm shall see new seeds")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map(|now| now.as_millis().to_string())
        .unwrap_or_default()
}

/// The seeds that stand for a text, for commands that need a few of their own.
pub(super) fn seeds(from: &str, most: u64) -> impl Iterator<Item = u64> + use<'_> {
    (0..most).map(move |number| seed_of(from, number))
}
