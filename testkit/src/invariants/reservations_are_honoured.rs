//! A slot that is promised is its holder's until the promise is over, and not a moment longer: no
//! other job is given it, one job at a time runs there, each under the holder's own token, and none
//! is asked for afterwards (issue 6; the token as in D8).

use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::time::Monotonic;

use super::Breach;
use super::one_device_one_run::{held, most_at_once};
use crate::history::{Given, History, Intents, Promise};
use crate::neighbours::Run;
use crate::turns::SETTLED;

/// Says which promise was broken, and by what.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let intents = history.intents();
    for promise in &history.promises {
        broken.extend(strangers(history, promise));
        let runs = history.runs.iter().filter(|run| names(run, promise));
        let (most, at) = most_at_once(runs.filter_map(|run| held(history, &intents, run)));
        if most > 1 {
            broken.push(Breach::at(
                at,
                format!("{} was at {most} runs at once", promise.id),
            ));
        }
        // A kernel that is started anew has the wall clock alone to go by.
        if !history.wall_moved {
            broken.extend(too_late(history, promise));
        }
    }
    for (job, stored) in &history.stored {
        let Some(id) = stored.job.spec.reservation else {
            continue;
        };
        let own = Some((id.to_string(), id.token().0));
        let runs = history.runs.iter().filter(|run| is_of(run, *job));
        let without = runs.filter(|run| run.reservation != own);
        broken.extend(without.map(|run| {
            let had = &run.reservation;
            let how = format!("{job} has {id}, and the driver was told {had:?}");
            Breach::at(run.started.0, how)
        }));
    }
    if !history.wall_moved && !history.promises.is_empty() {
        broken.extend(intruders(history, &intents));
    }
    broken
}

fn is_of(run: &Run, job: JobId) -> bool {
    run.job.parse() == Ok(job)
}

fn names(run: &Run, promise: &Promise) -> bool {
    let told = run.reservation.as_ref();
    told.is_some_and(|(id, _)| *id == promise.id)
}

/// Runs in the slot that are none of its holder's, or elsewhere.
fn strangers(history: &History, promise: &Promise) -> Vec<Breach> {
    let runs = history.runs.iter().filter(|run| names(run, promise));
    let strange = runs.filter(|run| {
        let job = run.job.parse().ok();
        let stored = job.and_then(|job: JobId| history.stored.get(&job));
        let tenant = stored.map(|stored| stored.job.spec.owner.tenant.as_str());
        let token = run.reservation.as_ref().map(|(_, token)| *token);
        tenant != Some(&promise.tenant)
            || run.device != promise.device
            || token != Some(promise.token)
    });
    let each = strange.map(|run| {
        let how = format!("{} ran as {}, which it has not", run.job, promise.id);
        Breach::at(run.started.0, how)
    });
    each.collect()
}

/// Runs that were asked for when the promise was over.
fn too_late(history: &History, promise: &Promise) -> Vec<Breach> {
    let calls = history.asked.iter().filter(|call| {
        let job = call.job.and_then(|job| history.stored.get(&job));
        let named = job.and_then(|stored| stored.job.spec.reservation);
        call.what == "ExecuteCircuit" && named.is_some_and(|id| id.to_string() == promise.id)
    });
    let late = calls.filter(|call| {
        let since = history.lived_since(call.at, SETTLED);
        since > promise.over + history.stood_still
    });
    let each = late.map(|call| {
        let (at, over) = (call.at.as_secs_f64(), promise.over.as_secs_f64());
        let how = format!(
            "{} was over at {over:.3} s, and used at {at:.3} s",
            promise.id
        );
        Breach::at(call.at, how)
    });
    each.collect()
}

/// Jobs without a reservation that were given a slot when all that were not in use were promised.
fn intruders(history: &History, intents: &Intents) -> Vec<Breach> {
    let mut broken = Vec::new();
    for Given {
        at, job, device, ..
    } in &history.given
    {
        let stored = history.stored.get(job);
        if stored.is_none_or(|stored| stored.job.spec.reservation.is_some()) {
            continue;
        }
        let Some(&slots) = history.slots.get(device) else {
            continue;
        };
        let at = *at;
        // By then the turn may have been given.
        let since = history.lived_since(at, SETTLED);
        let promised = history.promises.iter().filter(|promise| {
            let (from, until) = promise.certain;
            promise.device == *device && from <= since && at < until
        });
        let promised = promised.count();
        let ordinary = history.runs.iter().filter(|run| {
            let own = run.device == *device && run.reservation.is_none();
            own && !is_of(run, *job) && goes_on((history, intents), run, (since, at))
        });
        let in_use = ordinary.count();
        if promised > 0 && promised + in_use >= slots {
            let seconds = at.as_secs_f64();
            broken.push(Breach::at(at, format!(
                "{job} was given a slot of {device} at {seconds:.3} s, where of {slots} slots {in_use} \
                 were in use and {promised} promised to others"
            )));
        }
    }
    broken
}

/// Whether a run had its slot for the whole of a span.
fn goes_on(
    (history, intents): (&History, &Intents),
    run: &Run,
    (from, until): (Duration, Duration),
) -> bool {
    let until = Monotonic(until);
    held(history, intents, run).is_some_and(|(began, ended)| {
        began <= Monotonic(from) && ended.is_none_or(|ended| ended > until)
    })
}

#[cfg(test)]
mod tests {
    use qrtx::ids::{Epoch, ReservationId};

    use super::*;
    use crate::history::Asked;
    use crate::invariants::sample::{asked, good};

    fn id() -> ReservationId {
        ReservationId::new(Epoch(1), 1).unwrap()
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// The good history, in which the one slot of the device is promised to its job's tenant.
    fn promised(own: bool) -> (History, JobId) {
        let mut history = good();
        let (job, stored) = history.stored.iter_mut().next().unwrap();
        let job = *job;
        let mut spec = (*stored.job.spec).clone();
        spec.reservation = own.then(id);
        let tenant = spec.owner.tenant.clone();
        stored.job.spec = spec.into();
        history.runs[0].reservation = own.then(|| (id().to_string(), id().token().0));
        let device = history.runs[0].device.clone();
        history.slots.insert(device.clone(), 1);
        history.given = vec![Given {
            at: second(1),
            life: 1,
            job,
            device: device.clone(),
        }];
        history.promises.push(Promise {
            id: id().to_string(),
            token: id().token().0,
            device,
            tenant,
            certain: (Duration::from_millis(200), second(60)),
            over: second(61),
        });
        (history, job)
    }

    #[test]
    fn the_holders_own_run_is_fine() {
        assert_eq!(check(&promised(true).0), [""; 0]);
    }

    #[test]
    fn a_job_that_is_given_what_is_promised_to_others_is_refused() {
        let (mut history, _) = promised(false);
        let broken = check(&history);
        assert!(
            broken.len() == 1 && broken[0].how.contains("promised to others"),
            "{broken:?}"
        );
        // Before the client knew of it, or when it may have been over, it may have been.
        history.given[0].at = Duration::from_millis(400);
        assert_eq!(check(&history), [""; 0]);
        history.given[0].at = second(60);
        assert_eq!(check(&history), [""; 0]);
        // A turn elsewhere, of which nothing was stored before the one that was.
        history.given[0].at = second(1);
        history.given[0].device = "another".to_owned();
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_driver_that_is_told_nothing_or_another_token_is_refused() {
        let (mut history, _) = promised(true);
        history.runs[0].reservation = None;
        assert_eq!(check(&history).len(), 1);
        history.runs[0].reservation = Some((id().to_string(), 7));
        assert_eq!(check(&history).len(), 2);
    }

    #[test]
    fn another_tenants_run_is_refused() {
        let (mut history, _) = promised(true);
        history.promises[0].tenant = "somebody else".to_owned();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn two_runs_in_one_slot_are_refused() {
        let (mut history, _) = promised(true);
        let mut beside = history.runs[0].clone();
        beside.execution = Some("another".to_owned());
        history.runs.push(beside);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn when_a_kernel_was_started_with_a_clock_that_had_jumped_nobody_knows_the_end() {
        let (mut history, _) = promised(false);
        history.wall_moved = true;
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_run_that_is_asked_for_after_the_end_is_refused() {
        let (mut history, job) = promised(true);
        let mut call = |at| {
            history.asked = vec![Asked {
                at,
                job: Some(job),
                ..asked("ExecuteCircuit", 0, 0)
            }];
            check(&history).len()
        };
        assert_eq!(call(second(61)), 0);
        assert_eq!(call(second(62)), 1);
    }
}
