//! `shrink`: takes things out of a failing run as long as it still fails in the same way, and
//! writes what is left as a scenario. Any part of a log is a log, so nothing need be mended.

use std::path::PathBuf;

use clap::Args;
use qrtx_sim::chance::seed_of;
use qrtx_sim::planted;
use qrtx_sim::random;
use qrtx_sim::scenario::{self, LoadError, Scenario};
use qrtx_sim::smaller::{Smaller, smaller};
use qrtx_sim::verdict::{Verdict, code};
use qrtx_sim::world;
use serde_json::json;

use super::load;
use super::progress::Progress;

/// So many faults are few enough for a picture.
const FEW_FAULTS: usize = 2;
/// Where more are left of a planted mistake, so many other seeds are run in search of it, and so many
/// of those that find it are made smaller as well: there is but one reason for all of them to fail.
const OTHER_SEEDS: u64 = 600;
const OTHERS: usize = 3;

#[derive(Args)]
pub(super) struct Shrink {
    /// A name as `list` tells it, a path, `random`, or `workload`
    scenario: String,
    /// The seed that fails
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write it; else `fault-scenarios/regressions/`, under a name made of the seed
    #[arg(long)]
    out: Option<PathBuf>,
    /// The planted mistake, one of those in `sim/README.md`
    #[arg(long, value_parser = super::mistakes(), hide_possible_values = true)]
    bug: Option<String>,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

impl Shrink {
    pub(super) fn go(self) -> Result<u8, LoadError> {
        super::plant(self.bug.as_deref());
        let (scenario, seed) = load(&self.scenario, self.seed)?;
        let ours = || scenario::regression(&format!("seed-{seed}"));
        let path = self.out.clone().unwrap_or_else(ours);
        scenario::make_room(&path)?;
        let verdict = Verdict::of(&scenario, &world::run(&scenario, seed));
        let Some(broken) = verdict.first().cloned() else {
            match self.json {
                true => say!("{}", json!({"file": null, "invariant": null, "tries": 1})),
                false => say!(
                    "{}, seed {seed}: all is well, there is nothing to shrink",
                    scenario.id
                ),
            }
            return Ok(code::WELL);
        };
        let promise = broken.promise;
        let bug = self.bug.as_deref();
        let bug = bug.filter(|bug| is_well_without(bug, &scenario, seed));
        let (mut progress, mut runs) = (Progress::new(), 0);
        let mut least = (scenario.steps.len(), scenario.planned().len());
        let mut fails = |candidate: &Scenario, seed: u64| {
            let verdict = Verdict::of(candidate, &world::run(candidate, seed));
            let first = verdict.first();
            let fails = first.is_some_and(|broken| broken.promise == promise)
                && bug.is_none_or(|bug| is_well_without(bug, candidate, seed));
            runs += 1;
            if fails {
                least = (candidate.steps.len(), candidate.planned().len());
            }
            let (steps, jobs) = least;
            progress.tell(|| format!("{runs} runs: {steps} steps and {jobs} jobs are left"));
            fails
        };
        let mut from = seed;
        let mut best = smaller(&scenario, seed, &mut fails);
        if bug.is_some() && scenario.id == random::NAME {
            let base = seed.to_string();
            let mut others = (0..OTHER_SEEDS).map(|nth| seed_of(&base, nth));
            for _ in 0..OTHERS {
                if faults(&best.scenario) <= FEW_FAULTS {
                    break;
                }
                let Some(other) = others.find(|seed| fails(&random::scenario(*seed), *seed)) else {
                    break;
                };
                let less = smaller(&random::scenario(other), other, &mut fails);
                if size(&less.scenario) < size(&best.scenario) {
                    (best, from) = (less, other);
                }
            }
        }
        progress.end();
        let Smaller {
            scenario: mut left,
            seed: found,
        } = best;
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        left.id = stem.unwrap_or_default();
        left.seed = Some(found.to_string());
        // What is told is of what is left.
        let verdict = Verdict::of(&left, &world::run(&left, found));
        let broken = verdict.first().cloned().unwrap_or(broken);
        left.story = format!(
            "Shrunk from {} with seed {from}. {promise}: {}",
            self.scenario, broken.how
        );
        let with = super::with_bug();
        let head = format!("cargo sim shrink {} --seed {seed}{with}", self.scenario);
        scenario::write(&left, &path, &head)?;
        let faults = faults(&left);
        let jobs = left.planned().len();
        if self.json {
            let told = json!({
                "file": path, "invariant": promise, "faults": faults, "jobs": jobs,
                "steps": left.steps.len(), "tries": runs, "seed": found,
            });
            say!("{told}");
        } else {
            say!("{promise}: {}", broken.how);
            say!("{faults} faults and {jobs} jobs are left, after {runs} runs");
            say!("again: cargo sim run {}{with}", path.display());
        }
        Ok(verdict.exit_code())
    }
}

fn faults(scenario: &Scenario) -> usize {
    let steps = scenario.steps.iter();
    steps.filter(|step| step.act.is_fault()).count()
}

/// How much there is to look at.
fn size(scenario: &Scenario) -> usize {
    faults(scenario) + scenario.planned().len()
}

/// Whether a run goes well without the mistake: one that would fail anyhow shows nothing of it.
fn is_well_without(bug: &str, candidate: &Scenario, seed: u64) -> bool {
    planted::weed();
    let verdict = Verdict::of(candidate, &world::run(candidate, seed));
    super::plant(Some(bug));
    verdict.first().is_none()
}
