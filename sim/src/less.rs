//! A scenario without some of what is in it: what is named by its place is named anew.

use crate::scenario::{Act, JobRef, Scenario, When};

/// Jobs are named by their place, so those behind move up; steps about what is gone go, too.
pub(crate) fn without_jobs(scenario: &Scenario, from: usize, end: usize) -> Scenario {
    let mut less = scenario.clone();
    less.jobs.drain(from..end);
    let gone = |job: usize| (from..end).contains(&job);
    let moved = |job: usize| if job >= end { job - (end - from) } else { job };
    for job in &mut less.jobs {
        match job.like {
            Some(like) if gone(like) => (job.like, job.but) = (None, None),
            like => job.like = like.map(moved),
        }
    }
    less.steps.retain_mut(|step| {
        if let Act::Cancel(JobRef { job }) = &mut step.act {
            if gone(*job) {
                return false;
            }
            *job = moved(*job);
        }
        let job = match &mut step.when {
            When::Point(point) => Some(&mut point.job),
            When::Sync(point) => Some(&mut point.job),
            When::Device(point) => Some(&mut point.job),
            When::Object(point) => Some(&mut point.job),
            When::Call(point) => point.job.as_mut(),
            When::At(_) | When::After(_) | When::Epoch(_) => None,
        };
        match job {
            Some(job) if gone(*job) => false,
            Some(job) => {
                *job = moved(*job);
                true
            }
            None => true,
        }
    });
    less
}

/// Reservations are named by their place, too.
pub(crate) fn without_reservation(run: &mut Scenario, slot: usize) {
    run.reservations.remove(slot);
    for job in &mut run.jobs {
        job.reservation = match job.reservation {
            Some(named) if named == slot => None,
            Some(named) if named > slot => Some(named - 1),
            named => named,
        };
    }
}
