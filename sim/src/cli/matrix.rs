//! `matrix`: a run without faults is recorded, and with it every point at which something is
//! written. Then the kernel is killed at each of them, before the write, between the write and
//! its acknowledgement, and after; and again at each point that such a run still reaches, the
//! start of the next kernel among them. Where the jobs are on a disk, it dies at every sync within
//! a commit as well, and its machine loses power at each of these points.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use qrtx_sim::scenario::{
    Act, EpochPoint, Kill, Moment, Point, Scenario, Span, Step, StorePlan, SyncPoint, When,
};
use qrtx_sim::verdict::{Outcome, Verdict, code};
use qrtx_sim::world;
use serde_json::json;

use super::run::brief;

/// The runs that are recorded: `fault-scenarios/matrix-*.toml`.
const RECORDED: &str = "matrix-";

#[derive(Args)]
pub(super) struct Matrix {
    /// Only one crash per run
    #[arg(long)]
    once: bool,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

impl Matrix {
    /// Each of them, crashing once and twice.
    pub(super) fn whole(json: bool) -> Self {
        Self { once: false, json }
    }

    pub(super) fn go(self) -> u8 {
        let all = qrtx_sim::scenario::all().unwrap_or_default();
        let recorded = all.into_iter().filter(|one| one.id.starts_with(RECORDED));
        let mut told = Vec::new();
        let mut codes = Vec::new();
        for scenario in recorded {
            let mut sweep = Sweep::new(&scenario);
            sweep.once(!self.once);
            told.push(json!({
                "scenario": scenario.id,
                "points": sweep.points,
                "runs": sweep.runs,
                "runs_with_two_crashes": sweep.twice,
                "failed": sweep.failed,
            }));
            codes.extend(sweep.codes);
        }
        if told.is_empty() {
            say!("there is no {RECORDED}*.toml to record");
            codes.push(code::VACUOUS);
        }
        let told = json!(told);
        match self.json {
            true => say!("{told}"),
            false => say!("crashes at every persisted point: {told}"),
        }
        code::worst(codes)
    }
}

struct Sweep<'a> {
    scenario: &'a Scenario,
    points: usize,
    runs: usize,
    twice: usize,
    failed: usize,
    codes: Vec<u8>,
}

impl<'a> Sweep<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            points: 0,
            runs: 0,
            twice: 0,
            failed: 0,
            codes: Vec::new(),
        }
    }

    fn once(&mut self, twice: bool) {
        let recorded = self.run(Vec::new(), false);
        let points = points(&recorded, Duration::ZERO);
        self.points = points.len();
        let ways: &[bool] = match self.scenario.store {
            StorePlan::Memory => &[false],
            StorePlan::Disk => &[false, true],
        };
        for (first, power) in points
            .iter()
            .flat_map(|at| ways.iter().map(move |way| (at, *way)))
        {
            let outcome = self.run(vec![first.clone()], power);
            if !twice {
                continue;
            }
            let crash = outcome.records.fired.first().map(|fired| fired.at);
            let after = crash.unwrap_or(Duration::MAX);
            for second in self::points(&outcome, after) {
                self.twice += 1;
                self.run(vec![first.clone(), second], power);
            }
        }
    }

    /// Runs with a kernel that is killed at those points, or whose machine loses power.
    fn run(&mut self, at: Vec<When>, power: bool) -> Outcome {
        let mut scenario = self.scenario.clone();
        let kill = |when| Step {
            when,
            act: Act::Kill(Kill {
                node: "kernel".to_owned(),
                down: Span(Duration::from_millis(500)),
                power,
            }),
        };
        let crashes = at.len();
        scenario.steps.extend(at.into_iter().map(kill));
        let seed = scenario.seed();
        let outcome = world::run(&scenario, seed);
        let mut verdict = Verdict::of(&scenario, &outcome);
        if crashes == 2 && verdict.exit_code() == code::VACUOUS {
            // The first crash may move the second point away; that both were there is recorded.
            verdict.vacuous.clear();
        }
        self.runs += 1;
        self.codes.push(verdict.exit_code());
        if verdict.exit_code() != code::WELL {
            self.failed += 1;
            brief(&scenario, seed, &verdict);
            let with = if power { " of the machine" } else { "" };
            for step in &scenario.steps {
                let (site, nth) = (step.when.site(), step.when.ordinal());
                say!("    with a crash{with}: {site}, number {nth}");
            }
        }
        outcome
    }
}

/// Every point of a run at which something is written, after that time.
fn points(outcome: &Outcome, after: Duration) -> Vec<When> {
    let mut seen: BTreeSet<Point> = BTreeSet::new();
    let mut times = BTreeMap::new();
    let mut points = Vec::new();
    for commit in &outcome.records.commits {
        let Some(job) = commit.ordinal else { continue };
        for event in commit.events.iter().collect::<BTreeSet<_>>() {
            let nth: &mut u32 = times.entry((job, *event)).or_default();
            *nth += 1;
            if commit.at <= after {
                continue;
            }
            for moment in Moment::ALL {
                let event = (*event).to_owned();
                let point = Point {
                    job,
                    event,
                    moment,
                    nth: *nth,
                };
                if seen.insert(point.clone()) {
                    points.push(When::Point(point));
                }
            }
        }
    }
    points.extend(syncs(outcome, after));
    for (number, (at, _)) in (1..).zip(&outcome.records.epochs) {
        if *at > after {
            let claims = Moment::ALL.map(|moment| {
                When::Epoch(EpochPoint {
                    moment,
                    nth: number,
                })
            });
            points.extend(claims);
        }
    }
    points
}

/// Every sync within a commit, after that time.
fn syncs(outcome: &Outcome, after: Duration) -> Vec<When> {
    let mut times = BTreeMap::new();
    let mut points = Vec::new();
    for record in &outcome.records.syncs {
        for event in record.events.iter().collect::<BTreeSet<_>>() {
            let (job, sync) = (record.job, record.sync);
            let nth: &mut u32 = times.entry((job, *event, sync)).or_default();
            *nth += 1;
            if record.at > after {
                points.push(When::Sync(SyncPoint {
                    job,
                    event: (*event).to_owned(),
                    sync,
                    nth: *nth,
                }));
            }
        }
    }
    points
}
