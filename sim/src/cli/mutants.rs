//! `mutants`: how many seeds it takes to find a mistake that somebody planted. What the simulation
//! cannot find when it is there, its silence proves nothing about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use qrtx_sim::planted::{self, CANARY, EQUIVALENT};
use qrtx_sim::verdict::code;
use serde_json::{Value, json};

use super::aside;
use super::farm::{self, Plan};
use super::work::Told;

#[derive(Args)]
pub(super) struct Mutants {
    /// Only these
    #[arg(value_parser = super::mistakes(), hide_possible_values = true)]
    ids: Vec<String>,
    /// Seeds for each that is caught early
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Seeds for each that is not
    #[arg(long, default_value_t = 1_000)]
    most: u64,
    /// What the seeds are derived from
    #[arg(long, default_value = "mutants")]
    from: String,
    /// A mistake as a patch: it is built aside, and measured like the others
    #[arg(long)]
    patch: Option<PathBuf>,
    /// So many mistakes made by a machine out of the rules, built aside one after the other
    #[arg(long, default_value_t = 0)]
    machine: usize,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

/// What was measured of one mistake.
#[derive(Debug, Default)]
struct Row {
    id: String,
    equivalent: Option<&'static str>,
    seeds: u64,
    caught: u64,
    /// Between one catch and the next: what somebody waits who begins anywhere.
    gaps: Vec<u64>,
    cpu: f64,
    by: BTreeMap<String, u64>,
    /// The first seed that finds it, to be looked at.
    seed: Option<u64>,
    /// Stories that find it, looked for where no seed does.
    stories: Vec<String>,
}

impl Mutants {
    /// Every mistake until it is caught, the canary among them: what the gate has time for.
    pub(super) fn quick(from: String, json: bool) -> Self {
        Self {
            ids: Vec::new(),
            seeds: 0,
            most: 4_000,
            from,
            patch: None,
            machine: 0,
            json,
        }
    }

    pub(super) fn go(self) -> u8 {
        let mut rows = Vec::new();
        if let Some(patch) = &self.patch {
            let row = aside::patched(patch)
                .map(|built| self.measure(&built.id, None, &built.program))
                .inspect(|row| self.tell(row));
            rows.extend(row);
        } else {
            let me = std::env::current_exe().expect("a process has a program");
            for id in planted::all() {
                if self.ids.is_empty() || self.ids.iter().any(|wanted| wanted == id) {
                    let row = self.measure(id, Some(id), &me);
                    self.tell(&row);
                    rows.push(row);
                }
            }
        }
        for built in aside::machine_made(self.machine) {
            let row = self.measure(&built.id, None, &built.program);
            self.tell(&row);
            rows.push(row);
        }
        if self.json {
            let told: Vec<_> = rows.iter().map(Row::told).collect();
            say!("{}", json!({"mutants": told, "canary": CANARY}));
        }
        let missed = rows
            .iter()
            .filter(|row| row.caught == 0 && row.stories.is_empty() && row.equivalent.is_none());
        let missed: Vec<_> = missed.map(|row| row.id.as_str()).collect();
        if rows.is_empty() {
            return super::WRONG_USE;
        }
        if missed.is_empty() {
            return code::WELL;
        }
        eprintln!("not caught: {}", missed.join(", "));
        code::VACUOUS
    }

    fn tell(&self, row: &Row) {
        if !self.json {
            say!("{}", row.line());
        }
    }

    fn measure(&self, id: &str, bug: Option<&str>, program: &Path) -> Row {
        let mut row = Row {
            id: id.to_owned(),
            equivalent: EQUIVALENT
                .into_iter()
                .find(|(known, _)| *known == id)
                .map(|(_, why)| why),
            ..Row::default()
        };
        let mut told: Vec<Told> = Vec::new();
        let plan = Plan {
            from: self.from.clone(),
            seeds: if row.equivalent.is_some() {
                self.seeds
            } else {
                self.most
            },
            millis: None,
            until_caught: false,
            bug: bug.map(str::to_owned),
            program: program.to_owned(),
        };
        let mut caught = false;
        let processes = std::thread::available_parallelism().map_or(1, usize::from);
        if plan.seeds > 0 {
            farm::run(&plan, processes, |one| {
                caught |= one.code != code::WELL;
                told.push(one);
                !(caught && told.len() as u64 >= self.seeds)
            });
        }
        told.sort_by_key(|one| one.number);
        row.seeds = told.len() as u64;
        let mut last = 0;
        for (number, one) in (1..).zip(&told) {
            if one.code != code::WELL {
                row.caught += 1;
                row.seed.get_or_insert(one.seed);
                row.gaps.push(number - last);
                last = number;
                *row.by.entry(one.promise.clone()).or_default() += 1;
            }
        }
        let mut cpu = BTreeMap::new();
        for one in &told {
            cpu.insert(one.number % processes as u64, one.cpu);
        }
        row.cpu = cpu.values().sum();
        row.gaps.sort_unstable();
        if row.caught == 0 && row.equivalent.is_none() {
            row.stories = stories(program, bug);
        }
        row
    }
}

/// Which of the scenarios and regressions fail with a mistake, each run once.
fn stories(program: &Path, bug: Option<&str>) -> Vec<String> {
    let mut run = Command::new(program);
    run.args(["run", "all", "--json"]);
    run.args(bug.into_iter().flat_map(|bug| ["--bug", bug]));
    let told = run.output().map(|ran| ran.stdout).unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let runs = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed = runs.filter(|run| run["exit_code"] != code::WELL);
    let mut failed: Vec<_> = failed
        .filter_map(|run| Some(run["scenario"].as_str()?.to_owned()))
        .collect();
    failed.dedup();
    failed
}

impl Row {
    fn share(&self) -> f64 {
        self.caught as f64 / self.seeds.max(1) as f64
    }

    fn percentile(&self, of_hundred: usize) -> Option<u64> {
        let at = (self.gaps.len() * of_hundred)
            .div_ceil(100)
            .saturating_sub(1);
        self.gaps.get(at).copied()
    }

    fn told(&self) -> Value {
        json!({
            "id": self.id,
            "equivalent": self.equivalent.is_some(),
            "reason": self.equivalent,
            "seeds": self.seeds,
            "caught": (self.share() * 10_000.0).round() / 10_000.0,
            "median_seeds": self.percentile(50),
            "p95_seeds": self.percentile(95),
            "cpu_seconds": self.cpu,
            "caught_by": self.by,
            "seed": self.seed,
            "stories": self.stories,
        })
    }

    fn line(&self) -> String {
        let number = |of| {
            self.percentile(of)
                .map_or_else(|| "-".to_owned(), |n| n.to_string())
        };
        let stories = self
            .stories
            .iter()
            .map(|story| format!("the story {story}"));
        let by: Vec<_> = self.by.keys().cloned().chain(stories).collect();
        let by = match self.equivalent {
            Some(why) => format!("equivalent: {why}"),
            None => by.join(", "),
        };
        format!(
            "| {} | {:.1} % of {} | {} | {} | {:.1} | {by} |",
            self.id,
            self.share() * 100.0,
            self.seeds,
            number(50),
            number(95),
            self.cpu,
        )
    }
}
