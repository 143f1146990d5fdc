//! `shrink`: takes things out of a failing run as long as it still fails in the same way, and
//! writes what is left as a scenario. Any part of a log is a log, so nothing need be mended.

use std::path::PathBuf;

use clap::Args;
use qrtx_sim::planted;
use qrtx_sim::scenario::{self, LoadError, Scenario};
use qrtx_sim::smaller::{Smaller, smaller};
use qrtx_sim::verdict::{Verdict, code};
use qrtx_sim::world;
use serde_json::json;

use super::load;
use super::progress::Progress;

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
        let fails = |candidate: &Scenario, seed: u64| {
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
        let Smaller {
            scenario: mut left,
            seed: found,
            tries,
        } = smaller(&scenario, seed, fails);
        progress.end();
        let path = self.out.clone().unwrap_or_else(|| {
            PathBuf::from(format!("fault-scenarios/regressions/seed-{seed}.toml"))
        });
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        left.id = stem.unwrap_or_default();
        left.seed = Some(found.to_string());
        // What is told is of what is left.
        let verdict = Verdict::of(&left, &world::run(&left, found));
        let broken = verdict.first().cloned().unwrap_or(broken);
        left.story = format!(
            "Shrunk from {} with seed {seed}. {promise}: {}",
            self.scenario, broken.how
        );
        let with = super::with_bug();
        let head = format!("cargo sim shrink {} --seed {seed}{with}", self.scenario);
        scenario::write(&left, &path, &head)?;
        let faults = left.steps.iter().filter(|step| step.act.is_fault()).count();
        let jobs = left.planned().len();
        if self.json {
            let told = json!({
                "file": path, "invariant": promise, "faults": faults, "jobs": jobs,
                "steps": left.steps.len(), "tries": tries, "seed": found,
            });
            say!("{told}");
        } else {
            say!("{promise}: {}", broken.how);
            say!("{faults} faults and {jobs} jobs are left, after {tries} runs");
            say!("again: cargo sim run {}{with}", path.display());
        }
        Ok(verdict.exit_code())
    }
}

/// Whether a run goes well without the mistake: one that would fail anyhow shows nothing of it.
fn is_well_without(bug: &str, candidate: &Scenario, seed: u64) -> bool {
    planted::weed();
    let verdict = Verdict::of(candidate, &world::run(candidate, seed));
    super::plant(Some(bug));
    verdict.first().is_none()
}
