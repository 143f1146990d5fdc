//! `farm`: random seeds on all cores, a process per core. Each run is on a fresh OS thread, and
//! one in so many is repeated in a process of its own to prove that a seed alone goes the same
//! way as in a batch.

use std::collections::{BTreeMap, BTreeSet};
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
use qrtx_sim::rare;
use qrtx_sim::scenario::{self, KINDS};
use qrtx_sim::verdict::code;
use serde_json::{Value, json};

use super::progress::Progress;
use super::work::{Told, Work};

/// One in so many runs is repeated alone.
const ALONE_EVERY: u64 = 500;
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

/// What a farm has brought so far.
#[derive(Default)]
struct Harvest {
    runs: u64,
    failures: Vec<Told>,
    simulated: f64,
    /// By process: seconds of CPU.
    cpu: BTreeMap<u64, f64>,
    kinds: BTreeMap<String, u64>,
    rare: BTreeMap<String, u64>,
    without: BTreeMap<String, (u64, u64)>,
    jobs: Vec<usize>,
    rpcs: Vec<usize>,
    faults: Vec<usize>,
    alone: u64,
    different: u64,
}

impl Harvest {
    fn take(&mut self, told: Told) {
        self.runs += 1;
        self.simulated += told.simulated;
        self.jobs.push(told.jobs);
        self.rpcs.push(told.rpcs);
        self.faults.push(told.faults);
        for kind in told.kinds.iter().collect::<BTreeSet<_>>() {
            *self.kinds.entry(kind.clone()).or_default() += 1;
        }
        for state in &told.rare {
            *self.rare.entry(state.clone()).or_default() += 1;
        }
        if let Some((kind, changed)) = &told.without {
            let (all, other) = self.without.entry(kind.clone()).or_default();
            *all += 1;
            *other += u64::from(*changed);
        }
        let cpu = self.cpu.entry(told.number % 64).or_default();
        *cpu = cpu.max(told.cpu);
        if told.code != code::WELL {
            self.failures.push(told);
        }
    }

    /// Now and then a seed is run again, in a process of its own; whether it went the same way.
    fn repeats(&mut self, told: &Told) -> bool {
        let has_ended = !told.hash.is_empty();
        if told.number % ALONE_EVERY != ALONE_EVERY / 2 || !has_ended {
            return true;
        }
        self.alone += 1;
        let same = alone(told.seed).is_some_and(|hash| hash == told.hash);
        self.different += u64::from(!same);
        same
    }

    fn so_far(&self, elapsed: Duration) -> String {
        let rate = self.runs as f64 / elapsed.as_secs_f64() * 60.0;
        let reached = self.rare.len();
        format!(
            "{} seeds, {} failed, {rate:.0} a minute, {reached} of {} rare states",
            self.runs,
            self.failures.len(),
            rare::ALL.len()
        )
    }

    fn summary(
        &mut self,
        from: &str,
        elapsed: Duration,
        processes: usize,
        crashed: usize,
    ) -> Value {
        let seconds = elapsed.as_secs_f64();
        let runs = self.runs.max(1) as f64;
        let share = |count: u64| (count as f64 / runs * 10_000.0).round() / 10_000.0;
        let fired = |kind: &&str| self.kinds.get(*kind).copied().unwrap_or_default();
        let changes = |kind: &&str| {
            let (all, other) = self.without.get(*kind).copied().unwrap_or_default();
            (all > 0).then(|| share(fired(kind)) * other as f64 / all as f64)
        };
        let changes: BTreeMap<_, _> = KINDS
            .iter()
            .map(|kind| ((*kind).to_owned(), changes(kind)))
            .collect();
        let changed = self.without.iter().map(|(kind, (all, other))| {
            (kind.clone(), json!({"looked_at": all, "changed": other}))
        });
        let rare = rare::ALL.iter().map(|(state, _)| {
            (
                (*state).to_owned(),
                self.rare.get(*state).copied().unwrap_or_default(),
            )
        });
        let waiting = scenario::all().unwrap_or_default();
        let waiting = waiting.into_iter().filter(|one| one.waits_for.is_some());
        let waiting = waiting.map(|one| one.id);
        json!({
            "from": from,
            "seeds": self.runs,
            "failures": self.failures.iter().map(failure).collect::<Vec<_>>(),
            "processes_died": crashed,
            "seconds": seconds,
            "processes": processes,
            "seeds_per_minute_per_core": (self.runs as f64 / seconds * 60.0 / processes as f64).round(),
            "simulated_seconds_per_second": (self.simulated / seconds).round(),
            "median_jobs": median(&mut self.jobs),
            "median_rpcs": median(&mut self.rpcs),
            "median_faults": median(&mut self.faults),
            "faults_fired": KINDS.iter().map(|kind| ((*kind).to_owned(), share(fired(&kind))))
                .collect::<BTreeMap<_, _>>(),
            "faults_changed": changes,
            "decisions_taken_out": changed.collect::<serde_json::Map<_, _>>(),
            "rare_states": rare.collect::<BTreeMap<_, _>>(),
            "waiting": waiting.collect::<Vec<_>>(),
            "repeated_alone": self.alone,
            "went_another_way_alone": self.different,
        })
    }

    fn show(&self, summary: &Value) {
        say!(
            "{} seeds from {}, {} failed; a seed has {} jobs, {} RPCs and {} faults (medians)",
            summary["seeds"],
            summary["from"],
            self.failures.len(),
            summary["median_jobs"],
            summary["median_rpcs"],
            summary["median_faults"],
        );
        say!(
            "{} seeds a minute and core on {} processes, {} simulated seconds a second; {} were \
             repeated alone, {} of them went another way",
            summary["seeds_per_minute_per_core"],
            summary["processes"],
            summary["simulated_seconds_per_second"],
            summary["repeated_alone"],
            summary["went_another_way_alone"],
        );
        say!("faults: share of seeds in which they fired, and in which they changed the run:");
        say!("as many as of those that were taken out, to see");
        for kind in KINDS {
            let share = summary["faults_fired"][kind].as_f64().unwrap_or_default() * 100.0;
            let changed = summary["faults_changed"][kind]
                .as_f64()
                .map(|it| it * 100.0);
            let changed = changed.map_or_else(|| "-".to_owned(), |it| format!("{it:.1} %"));
            let (all, other) = self.without.get(kind).copied().unwrap_or_default();
            say!("  {kind:<24} {share:>5.1} % {changed:>7}   {other} of {all}");
        }
        say!("rare states: seeds that reached them");
        for (state, what) in rare::ALL {
            let seeds = self.rare.get(state).copied().unwrap_or_default();
            say!("  {state:<18} {seeds:>7}   {what}");
        }
        let waiting = summary["waiting"].as_array().map_or(0, Vec::len);
        say!("waiting: {waiting} (cargo sim list)");
        for told in &self.failures {
            say!("{}", failure_line(told));
        }
    }
}

fn median(numbers: &mut [usize]) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

fn command(seed: u64) -> String {
    format!("cargo sim run random --seed {seed}")
}

fn failure(told: &Told) -> Value {
    json!({
        "seed": told.seed,
        "scenario": "random",
        "invariant": told.promise,
        "complaint": told.complaint,
        "exit_code": told.code,
        "command": command(told.seed),
    })
}

fn failure_line(told: &Told) -> String {
    let Told {
        promise, complaint, ..
    } = told;
    format!("{promise}: {complaint}\n  again: {}", command(told.seed))
}

/// The hash of the trace of a seed that is run in a process of its own.
fn alone(seed: u64) -> Option<String> {
    let me = std::env::current_exe().ok()?;
    let seed = seed.to_string();
    let run = Command::new(me)
        .args(["run", "random", "--json", "--seed", &seed])
        .output()
        .ok()?;
    let told: Value = serde_json::from_slice(&run.stdout).ok()?;
    told["trace_sha256"].as_str().map(str::to_owned)
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
