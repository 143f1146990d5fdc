//! What a farm has brought: how often each fault fired and each rare state was reached, and what failed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use qrtx_sim::rare;
use qrtx_sim::scenario::{self, KINDS};
use qrtx_sim::verdict::code;
use serde_json::{Value, json};

use super::work::Told;

/// One in so many runs is repeated alone.
const ALONE_EVERY: u64 = 500;

/// What a farm has brought so far.
#[derive(Default)]
pub(super) struct Harvest {
    runs: u64,
    pub(super) failures: Vec<Told>,
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
    pub(super) different: u64,
}

impl Harvest {
    pub(super) fn take(&mut self, told: Told) {
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
    pub(super) fn repeats(&mut self, told: &Told) -> bool {
        let has_ended = !told.hash.is_empty();
        if told.number % ALONE_EVERY != ALONE_EVERY / 2 || !has_ended {
            return true;
        }
        self.alone += 1;
        let same = alone(told.seed).is_some_and(|hash| hash == told.hash);
        self.different += u64::from(!same);
        same
    }

    pub(super) fn so_far(&self, elapsed: Duration) -> String {
        let rate = self.runs as f64 / elapsed.as_secs_f64() * 60.0;
        let reached = self.rare.len();
        format!(
            "{} seeds, {} failed, {rate:.0} a minute, {reached} of {} rare states",
            self.runs,
            self.failures.len(),
            rare::ALL.len()
        )
    }

    pub(super) fn summary(
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

    pub(super) fn show(&self, summary: &Value) {
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

pub(super) fn failure_line(told: &Told) -> String {
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
