//! Makes a failing run smaller: fewer steps, fewer jobs, a simpler deployment, as long as it
//! fails. Pure but for the question whether a candidate fails.

use std::collections::BTreeSet;

use crate::chance::mix;
use crate::less::{without_jobs, without_reservation};
use crate::random;
use crate::scenario::{
    Act, CallPoint, DevicePoint, Moment, ObjectPoint, Point, Scenario, Span, Step, StorePlan,
    SyncPoint, When,
};

/// Seeds that a candidate is tried with, when it no longer fails with its own: the order of what
/// happens at once is drawn by the seed, and a smaller run draws otherwise. Few while much can go,
/// more for what would be left.
const SEEDS: [u64; 2] = [4, 64];

/// Runs for which one fault is sought that does alone what several did: with a dozen jobs there are
/// more moments than anybody waits for.
const ALONE: usize = 4_000;

/// Limits that say how many jobs find a place somewhere.
const PLACES: [&str; 4] = [
    "compile_slots",
    "jobs_at_hand",
    "tenant_waiting",
    "jobs_waiting",
];

/// So many jobs are few enough, and so many steps.
const FEW_JOBS: usize = 3;
const FEW_STEPS: usize = 2;

/// What is left of a failing run.
#[derive(Debug)]
pub struct Smaller {
    /// The run.
    pub scenario: Scenario,
    /// The seed with which it fails.
    pub seed: u64,
}

/// The smallest run found that `fails` says yes to; `scenario` with `seed` is one.
pub fn smaller(
    scenario: &Scenario,
    seed: u64,
    fails: impl FnMut(&Scenario, u64) -> bool,
) -> Smaller {
    let mut search = Search {
        best: scenario.clone(),
        seed,
        tries: 0,
        seeds: 0,
        fails,
    };
    for seeds in SEEDS {
        search.seeds = seeds;
        loop {
            let before = (search.best.steps.len(), search.best.jobs.len());
            search.fewer_steps();
            search.fewer_jobs();
            if before == (search.best.steps.len(), search.best.jobs.len()) {
                break;
            }
        }
        search.narrower();
    }
    for seeds in [1, SEEDS[0]] {
        search.seeds = seeds;
        if seeds == 1 || search.best.steps.len() > FEW_STEPS {
            search.alone();
        }
    }
    search.seeds = SEEDS[1];
    search.simpler();
    // Of fewer slots, fewer jobs are too many.
    search.fewer_jobs();
    search.fewer_steps();
    search.with(|run| run.loose = false);
    Smaller {
        scenario: search.best,
        seed: search.seed,
    }
}

struct Search<F> {
    best: Scenario,
    seed: u64,
    tries: usize,
    seeds: u64,
    fails: F,
}

impl<F: FnMut(&Scenario, u64) -> bool> Search<F> {
    /// Takes a candidate over if it fails.
    fn accept(&mut self, candidate: Scenario) -> bool {
        let others = (1..self.seeds).map(|nth| mix(self.seed ^ nth) % 1_000_000);
        for seed in [self.seed].into_iter().chain(others) {
            self.tries += 1;
            if (self.fails)(&candidate, seed) {
                (self.best, self.seed) = (candidate, seed);
                return true;
            }
        }
        false
    }

    /// Halves first, then single steps (ddmin).
    fn fewer_steps(&mut self) {
        let mut chunk = self.best.steps.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < self.best.steps.len() {
                let mut candidate = self.best.clone();
                let end = (at + chunk).min(candidate.steps.len());
                candidate.steps.drain(at..end);
                if !self.accept(candidate) {
                    at += chunk;
                }
            }
            if chunk == 1 {
                return;
            }
            chunk /= 2;
        }
    }

    fn fewer_jobs(&mut self) {
        let mut chunk = self.best.jobs.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < self.best.jobs.len() && self.best.jobs.len() > 1 {
                let end = (at + chunk).min(self.best.jobs.len());
                let candidate = without_jobs(&self.best, at, end);
                if candidate.jobs.is_empty() || !self.accept(candidate) {
                    at += chunk;
                }
            }
            if chunk == 1 {
                break;
            }
            chunk /= 2;
        }
        for at in 0..self.best.jobs.len() {
            while self.best.jobs[at].count > 1 && self.with(|run| run.jobs[at].count /= 2) {}
        }
    }

    /// One fault may do at another moment what several brought about together, or what took many
    /// jobs: each is tried at the persisted points of one job, of two, and of all, for some spans,
    /// with nothing beside it.
    fn alone(&mut self) {
        let end = self.tries + ALONE;
        let several = self.best.clone();
        let acts: Vec<_> = several
            .steps
            .iter()
            .flat_map(|step| spans(&step.act))
            .collect();
        for crew in crews(&several) {
            let points: Vec<_> = crew
                .steps
                .iter()
                .map(|step| first(&step.when))
                .chain((0..crew.jobs.len()).flat_map(points))
                .collect();
            let each = acts
                .iter()
                .flat_map(|act| points.iter().map(move |when| (act, when)));
            for (act, when) in each {
                if self.tries >= end {
                    return;
                }
                let (when, act) = (when.clone(), act.clone());
                let mut candidate = crew.clone();
                candidate.steps = vec![Step { when, act }];
                if candidate.check().is_ok() && self.accept(candidate) {
                    return self.fewer_jobs();
                }
            }
        }
    }

    /// What is usual needs no line in the file.
    fn simpler(&mut self) {
        let changes: [fn(&mut Scenario); 13] = [
            |run| {
                run.reservations.clear();
                run.jobs.iter_mut().for_each(|job| job.reservation = None);
            },
            |run| {
                for job in &mut run.jobs {
                    (job.key, job.like, job.but) = (None, None, None);
                }
            },
            |run| run.limits.0.clear(),
            |run| run.store = StorePlan::Memory,
            |run| run.jobs.iter_mut().for_each(|job| job.tenant.clear()),
            |run| run.devices.iter_mut().for_each(|device| device.slots = 1),
            |run| run.unstoppable = false,
            |run| run.validates = false,
            |run| run.askable = true,
            |run| {
                let wanted: Vec<_> = run.jobs.iter().map(|job| job.device.clone()).collect();
                run.devices.retain(|device| wanted.contains(&device.id));
            },
            |run| run.jobs.iter_mut().for_each(|job| job.client = 0),
            |run| run.jobs.iter_mut().for_each(|job| job.priority = 50),
            |run| {
                run.jobs
                    .iter_mut()
                    .for_each(|job| job.at = Default::default())
            },
        ];
        for change in changes {
            self.with(change);
        }
        for slot in (0..self.best.reservations.len()).rev() {
            self.with(|run| without_reservation(run, slot));
        }
        for limit in self.best.limits.0.clone().into_keys() {
            let gone = self.with(|run| {
                run.limits.0.remove(&limit);
            });
            if !gone {
                self.with(|run| run.limits.set(&limit, 1));
            }
        }
    }

    /// Where places are many, it takes many jobs to fill them: fewer places are worth a line in the file
    /// if jobs go for it.
    fn narrower(&mut self) {
        for places in PLACES {
            if self.best.jobs.len() <= FEW_JOBS {
                return;
            }
            let before = (self.best.clone(), self.seed);
            if self.with(|run| run.limits.set(places, 1)) {
                self.fewer_jobs();
            }
            if self.best.jobs.len() >= before.0.jobs.len() {
                (self.best, self.seed) = before;
            }
        }
    }

    fn with(&mut self, change: impl FnOnce(&mut Scenario)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        candidate.check().is_ok() && self.accept(candidate)
    }
}

/// The run with one of its jobs, with two, and with all where that may leave fewer steps.
fn crews(scenario: &Scenario) -> Vec<Scenario> {
    let jobs = scenario.jobs.len();
    let alone = (0..jobs).map(|one| vec![one]);
    let pairs = (0..jobs).flat_map(|one| (one + 1..jobs).map(move |other| vec![one, other]));
    let mut crews: Vec<_> = alone
        .chain(pairs)
        .filter(|crew| crew.len() < jobs)
        .map(|crew| {
            let gone = (0..jobs).rev().filter(|job| !crew.contains(job));
            gone.fold(scenario.clone(), |run, job| {
                without_jobs(&run, job, job + 1)
            })
        })
        .collect();
    if scenario.steps.len() > 1 {
        crews.push(scenario.clone());
    }
    crews
}

/// The moment when it comes for the first time: of fewer jobs, there are fewer such moments.
fn first(when: &When) -> When {
    let mut when = when.clone();
    match &mut when {
        When::Point(Point { nth, .. })
        | When::Sync(SyncPoint { nth, .. })
        | When::Device(DevicePoint { nth, .. })
        | When::Call(CallPoint { nth, .. })
        | When::Object(ObjectPoint { nth, .. }) => *nth = 1,
        // Starts of the kernel are no fewer.
        When::Epoch(_) | When::At(_) | When::After(_) => {}
    }
    when
}

/// The persisted points of a job.
fn points(job: usize) -> Vec<When> {
    let events: BTreeSet<_> = random::EVENTS.into_iter().collect();
    let points = events.into_iter().flat_map(|event| {
        Moment::ALL.map(|moment| {
            When::Point(Point {
                job,
                event: event.to_owned(),
                moment,
                nth: 1,
            })
        })
    });
    points.collect()
}

/// What is done, and the same for less time.
fn spans(act: &Act) -> Vec<Act> {
    let Some(Span(whole)) = act.lasts() else {
        return vec![act.clone()];
    };
    let spans = [1, 5, 25, 125].map(|part| act.clone().lasting(Span(whole / part)));
    spans.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::kind;

    fn needs(run: &Scenario, what: &str) -> bool {
        run.steps
            .iter()
            .any(|step| kind(&step.when, &step.act) == what)
    }

    #[test]
    fn fewer_places_are_filled_by_fewer_jobs() {
        let run = random::scenario(1);
        assert!(run.jobs.len() > 6);
        let is_full = |run: &Scenario, _: u64| {
            let one = run.limits.0.get("compile_slots") == Some(&1.into());
            run.jobs.len() >= if one { 2 } else { 6 }
        };
        let left = smaller(&run, 1, is_full).scenario;
        assert_eq!(left.jobs.len(), 2);
    }

    #[test]
    fn what_a_failure_needs_is_all_that_is_left() {
        let (seed, run) = (0..)
            .map(|seed| (seed, random::scenario(seed)))
            .find(|(_, run)| needs(run, "zombie-kernel") && needs(run, "reorder"))
            .unwrap();
        let fails = |run: &Scenario, _| needs(run, "zombie-kernel") && needs(run, "reorder");
        let left = smaller(&run, seed, fails);
        assert_eq!(left.scenario.steps.len(), 2);
        assert!(
            left.scenario.jobs.len() <= 2,
            "only those that the steps name"
        );
        assert_eq!(left.scenario.check(), Ok(()));
    }

    #[test]
    fn one_fault_at_another_moment_stands_for_several() {
        let (seed, run) = (0..)
            .map(|seed| (seed, random::scenario(seed)))
            .find(|(_, run)| needs(run, "zombie-kernel") && needs(run, "reorder"))
            .unwrap();
        let short = |step: &Step| match (&step.when, &step.act) {
            (When::Point(point), Act::Replace(pause)) => {
                point.event == "Stored" && pause.lasts.0 < Duration::from_secs(1)
            }
            _ => false,
        };
        let fails = |run: &Scenario, _| match run.steps.as_slice() {
            [step] => short(step),
            _ => needs(run, "zombie-kernel") && needs(run, "reorder"),
        };
        let left = smaller(&run, seed, fails).scenario;
        assert!(matches!(left.steps.as_slice(), [step] if short(step)));
        assert_eq!(left.jobs.len(), 1);
    }

    #[test]
    fn jobs_keep_their_steps_when_others_go() {
        let run = random::scenario(5);
        let last = run.jobs.len() - 1;
        let about = |run: &Scenario, job: usize| {
            run.steps
                .iter()
                .filter(|step| step.when.job() == Some(job))
                .count()
        };
        let steps = about(&run, last);
        let less = without_jobs(&run, 0, 3);
        assert_eq!(about(&less, last - 3), steps);
        let events = |run: &Scenario| -> Vec<_> {
            let points = run.steps.iter().filter_map(|step| match &step.when {
                When::Point(Point { job, .. }) => Some(*job),
                _ => None,
            });
            points.collect()
        };
        assert!(events(&less).iter().all(|job| *job < less.jobs.len()));
    }
}
