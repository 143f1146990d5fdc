//! Executing: the one call of this execution, or, without it, the question what became of it.
//! There is no way from here to a second call under the same intent (D14).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{BoxStream, Fuse};
use futures::{StreamExt as _, future};
use tokio::sync::oneshot;

use crate::job::Job;
use crate::job::event::{ArtifactRef, Counts, Event, OnUnknown, Outcome};
use crate::job::failure::{Category, Failure};
use crate::job::ledger::{Entry, Settlement};
use crate::job::state::Phase;
use crate::planted::{Bug, planted};
use crate::ports::devices::{Devices as _, Run, RunError, RunResult};
use crate::ports::{Clock as _, Env};
use crate::reconcile::{self, Finding};
use crate::stages::{Call, Context, Hand, Later, Setback, lost_call};

/// Pauses between two questions after a running execution.
const ASK_AGAIN: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1_500),
    Duration::from_secs(5),
];

pub(super) async fn perform<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    hand: &mut Hand,
) -> Result<Vec<Event>, Setback> {
    let proof = || Settlement::not_run(job.spec.shots, "the request never left the kernel");
    // The last moment at which it can be held back: afterwards it runs to its end.
    if let Hand::Ready(_) = hand
        && let Some(over) = ctx.without_reservation(Some(proof()))
    {
        *hand = Hand::Empty;
        return Err(over);
    }
    match hand {
        // Who has stood still until the time was over could only give the answer up.
        Hand::Ready(_) if ctx.execution_left().is_zero() => {
            *hand = Hand::Empty;
            let cause = "the kernel stood still before it could ask the device".to_owned();
            Err(again(cause, None, proof()))
        }
        Hand::Ready(run) => {
            *hand = Hand::Out(fire(ctx, job, (**run).clone()));
            Ok(vec![Event::PhaseReached {
                phase: Phase::QuantumRunning,
            }])
        }
        Hand::Out(call) => {
            let known = job.phase.expect("Executing has a phase");
            let answered = tokio::select! {
                biased;
                answered = &mut call.answer => answered,
                Some(phase) = next_phase(&mut call.phases, known) => {
                    return Ok(vec![Event::PhaseReached { phase }]);
                }
            };
            *hand = Hand::Answered(Box::new(answered.unwrap_or_else(|_| Err(lost_call()))));
            Ok(Vec::new())
        }
        Hand::Answered(answer) => {
            // The answer stays in hand until it is dealt with: this may be dropped and repeated.
            let done = conclude(ctx, job, (**answer).clone()).await;
            let more_to_do = matches!(&done, Ok(events) if events.iter().all(is_phase));
            if !more_to_do {
                *hand = Hand::Empty;
            }
            done
        }
        Hand::Empty if lost_on_the_way(job) => Ok(vec![Event::Doubted {
            cause: "the kernel was restarted before the counts were stored".to_owned(),
            over: true,
        }]),
        Hand::Empty => look_back(ctx, job, hand).await,
    }
}

/// Asks the device, in a task of its own: whoever stops waiting for the answer, the call goes
/// on to its end or its bound, so that the answer can still settle the ledger.
pub(super) fn fire<E: Env>(ctx: &Context<'_, E>, job: &Job, run: Run) -> Call {
    let (tell, answer) = oneshot::channel();
    let call = ctx.call(job, ctx.left(ctx.limits.execute_ms));
    let phases = ctx.env.devices().phases(call, run.id).fuse();
    let running = ctx.env.devices().execute(call, run);
    ctx.env.spawn(async move {
        // Nobody listens any more when the kernel has stopped; then the ledger is reconciled.
        let _ = tell.send(running.await);
    });
    Call { answer, phases }
}

/// The next phase that can follow `known`. What else a device reports is not worth a record.
async fn next_phase(phases: &mut Fuse<BoxStream<'static, Phase>>, known: Phase) -> Option<Phase> {
    let reported = |phase: &Phase| {
        // That the answer is back is ours to say.
        future::ready(known.may_become(*phase) && *phase != Phase::PostProcessing)
    };
    phases.filter(reported).next().await
}

async fn conclude<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    answered: Result<RunResult, RunError>,
) -> Result<Vec<Event>, Setback> {
    let shots = job.spec.shots;
    match answered {
        Ok(result) => deliver(ctx, job, result).await,
        Err(RunError::NotSent(cause)) => {
            ctx.devices.lost(&cause, ctx.env.clock().monotonic());
            let proof = Settlement::not_run(shots, "the request never left the kernel");
            Err(again(cause, None, proof))
        }
        Err(RunError::Refused { message, retry }) => {
            let proof = Settlement::not_run(shots, format!("the driver refused: {message}"));
            match retry {
                Some(_) if planted(Bug::BusyIsFinal) => Err(never(message, Some(proof))),
                Some(after) => Err(again(message, Some(after), proof)),
                None => Err(never(message, Some(proof))),
            }
        }
        Err(RunError::Doubt { cause, .. }) if planted(Bug::DoubtIsNoRun) => {
            let proof = Settlement::not_run(shots, "no answer came");
            Err(again(cause, None, proof))
        }
        Err(RunError::Doubt { cause, over }) => Ok(vec![Event::Doubted { cause, over }]),
    }
}

/// The answer is back: check it, and put what is too large for an event where it is safe.
async fn deliver<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    result: RunResult,
) -> Result<Vec<Event>, Setback> {
    let shots = job.spec.shots;
    let device = job.device.as_ref().expect("Executing has a device");
    let circuit = job.circuit.as_ref().expect("Executing has a circuit");
    let counts = match checked(&result.counts, shots, &circuit.key_widths) {
        Ok(counts) => counts,
        Err(flaw) => {
            keep_rejected(ctx, job, &result).await;
            let wasted = Settlement::wasted(shots, format!("the answer was rejected: {flaw}"));
            let message = format!("{device} answered with counts that cannot be right: {flaw}");
            return Err(match planted(Bug::NonsenseRunsAgain) {
                true => again(message, None, wasted),
                false => never(message, Some(wasted)),
            });
        }
    };
    let encoded = serde_json::to_vec(&counts).expect("counts have a JSON form");
    let answered = Event::PhaseReached {
        phase: Phase::PostProcessing,
    };
    let untold = job
        .phase
        .is_some_and(|phase| phase.may_become(Phase::PostProcessing));
    let counts = if encoded.len() <= ctx.limits.counts_bytes_inline_max {
        Counts::Inline(counts)
    } else if untold {
        // Keeping them may take a while, and neither the device nor a cancel waits for that.
        return Ok(vec![answered]);
    } else {
        Counts::Object(keep_large(ctx, job, &encoded).await?)
    };
    let outcome = Box::new(Outcome {
        circuit_sha256: circuit.sha256,
        counts,
        execution_seconds: seconds(result.execution_seconds),
        metadata: match planted(Bug::MetadataIsDropped) {
            true => BTreeMap::new(),
            false => result.metadata,
        },
    });
    let executed = Event::Executed { outcome };
    Ok(match untold {
        true => vec![answered, executed],
        false => vec![executed],
    })
}

/// A time that is none has no stored form, and is worth no more than none.
fn seconds(told: f64) -> f64 {
    if told.is_finite() { told.max(0.0) } else { 0.0 }
}

/// Counts as they must be: bit strings of one width that fits the circuit, no negative number,
/// the sum as asked.
fn checked(
    counts: &BTreeMap<String, i64>,
    shots: u32,
    key_widths: &BTreeSet<u32>,
) -> Result<BTreeMap<String, u64>, String> {
    let width = counts.keys().next().map_or(0, String::len);
    let fits = |wanted: &u32| usize::try_from(*wanted) == Ok(width);
    if !counts.is_empty() && !key_widths.is_empty() && !key_widths.iter().any(fits) {
        return Err(format!(
            "the keys have {width} bits, the circuit measures {key_widths:?}"
        ));
    }
    let mut sum = 0_u64;
    let mut good = BTreeMap::new();
    for (key, &count) in counts {
        if key.len() != width || !key.bytes().all(|bit| matches!(bit, b'0' | b'1')) {
            let key: String = key.chars().take(64).collect();
            return Err(format!("{key:?} is not a bit string of width {width}"));
        }
        let count = u64::try_from(count).map_err(|_| format!("{key} was counted {count} times"))?;
        sum = sum.saturating_add(count);
        good.insert(key.clone(), count);
    }
    if sum != u64::from(shots) && !planted(Bug::CountsUnchecked) {
        return Err(format!("they sum to {sum}, {shots} shots were asked for"));
    }
    Ok(good)
}

/// Whether the answer was here, but in a process that is gone.
fn lost_on_the_way(job: &Job) -> bool {
    job.phase == Some(Phase::PostProcessing) && job.doubt.is_none()
}

fn is_phase(event: &Event) -> bool {
    matches!(event, Event::PhaseReached { .. })
}

/// The counts are paid for and exist nowhere else: this waits as long as anything is stored for.
async fn keep_large<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    encoded: &[u8],
) -> Result<ArtifactRef, Setback> {
    let file = format!("counts-{}.json", job.attempt());
    let clock = ctx.env.clock();
    let begun = clock.monotonic();
    let mut pauses = ASK_AGAIN.into_iter().chain(std::iter::repeat(ASK_AGAIN[3]));
    loop {
        let kept = match planted(Bug::LargeCountsUnsynced) {
            true => ctx.artifacts.keep(job.id, &file, encoded).await,
            false => ctx.artifacts.keep_synced(job.id, &file, encoded).await,
        };
        let why = match kept {
            Ok(kept) => return Ok(kept),
            Err(why) => why,
        };
        tracing::warn!(job_id = %job.id, "the counts cannot be kept yet: {why}");
        if clock.monotonic().since(begun) >= Duration::from_millis(ctx.limits.persist_ms) {
            let cause = "the counts could not be stored";
            let failure = Failure::new(Category::PersistError, format!("{cause}: {why}"));
            let wasted = Settlement::wasted(job.spec.shots, cause);
            return Err(Setback::Never(failure, Some(wasted)));
        }
        clock.sleep(pauses.next().unwrap_or(ASK_AGAIN[3])).await;
    }
}

/// What a device said must be there to be looked at; that it was rejected counts without it.
async fn keep_rejected<E: Env>(ctx: &Context<'_, E>, job: &Job, result: &RunResult) {
    let content = serde_json::to_vec(&result.counts).expect("counts have a JSON form");
    let file = format!("rejected-{}.json", job.attempt());
    if let Err(why) = ctx.artifacts.keep(job.id, &file, &content).await {
        tracing::warn!(job_id = %job.id, "the rejected answer could not be kept: {why}");
    }
}

/// Asks the driver what became of the execution until it says so or the bound has passed.
async fn look_back<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    hand: &mut Hand,
) -> Result<Vec<Event>, Setback> {
    let entry = job.open_run().expect("Executing has an open execution");
    let mut pauses = ASK_AGAIN.into_iter().chain(std::iter::repeat(ASK_AGAIN[3]));
    let mut last = "the driver says that it is still running".to_owned();
    let bound = ctx.limits.execute_ms;
    loop {
        let left = ctx.left(bound);
        match ask(ctx, job, entry).await {
            Ok(Finding::Answer(result)) => {
                *hand = Hand::Answered(Box::new(Ok(result)));
                return Ok(Vec::new());
            }
            Ok(Finding::NotRun(proof)) => {
                return Err(again(
                    "the execution never reached the device".into(),
                    None,
                    proof,
                ));
            }
            Ok(Finding::Ended(settlement, message)) => {
                return Err(never(message, Some(settlement)));
            }
            Ok(Finding::Unknown(why)) => return Err(unknown(job, entry, &why)),
            Ok(Finding::Wait | Finding::Tombstone) => {}
            Err(why) => last = why,
        }
        // What is given up at its bound must still be stopped: a driver that is too busy just then,
        // or does not hear it, is asked again.
        let (patience, pause) = match left.is_zero() {
            true => (
                ctx.left(bound.saturating_add(ctx.last_word_ms())),
                ASK_AGAIN[2],
            ),
            false => (left, pauses.next().unwrap_or(ASK_AGAIN[3])),
        };
        if patience.is_zero() {
            return Err(unknown(job, entry, &last));
        }
        let pause = pause.min(patience);
        ctx.env.clock().sleep(pause).await;
    }
}

async fn ask<E: Env>(ctx: &Context<'_, E>, job: &Job, entry: &Entry) -> Result<Finding, String> {
    let devices = ctx.env.devices();
    let cannot = || Finding::Unknown(format!("{} cannot be asked", devices.endpoint()));
    let call = ctx.call(job, Duration::from_millis(ctx.limits.call_ms));
    let seen = devices
        .inspect(call, job.execution_id())
        .await
        .map_err(|why| why.to_string())?;
    let finding = seen.map_or_else(cannot, |seen| reconcile::inspected(entry, seen));
    // At the bound a running execution is given up, and that needs a tombstone as well.
    let given_up = !planted(Bug::GivenUpAndNotStopped)
        && finding == Finding::Wait
        && ctx.left(ctx.limits.execute_ms).is_zero();
    if finding != Finding::Tombstone && !given_up {
        return Ok(finding);
    }
    let stopped = devices.stop(call, job.execution_id(), entry.token).await;
    let stopped = stopped.map_err(|why| why.to_string())?;
    Ok(stopped.map_or_else(cannot, |seen| reconcile::stopped(entry, seen)))
}

/// Nobody can say whether the device ran: its policy, as it was at the intent, decides.
fn unknown(job: &Job, entry: &Entry, why: &str) -> Setback {
    let first = match &job.doubt {
        Some(doubt) => doubt.cause.as_str(),
        None => "the kernel was restarted meanwhile",
    };
    let cause = format!(
        "whether {} ran the job is unknown: {first}; {why}",
        entry.device
    );
    if planted(Bug::UnknownIsNoRun) {
        return again(
            cause.clone(),
            None,
            Settlement::not_run(entry.requested, cause),
        );
    }
    match entry.on_unknown {
        OnUnknown::Rerun => again(
            cause.clone(),
            None,
            Settlement::unknown(entry.requested, cause),
        ),
        OnUnknown::Fail => {
            let message = format!(
                "{cause}. It is not run again, because its shots are paid for; ask the device's \
                 operator for execution {}, and submit again if it did not run",
                job.execution_id()
            );
            // Unless the driver has spoken, the execution stays open: its slot is free when that
            // is over, not when we give up.
            let over = job.doubt.as_ref().is_some_and(|doubt| doubt.over);
            never(
                message,
                over.then(|| Settlement::unknown(entry.requested, cause)),
            )
        }
    }
}

fn again(cause: String, retry_after: Option<Duration>, settlement: Settlement) -> Setback {
    let category = Category::ExecuteError;
    Setback::Later(Box::new(Later {
        category,
        cause,
        retry_after,
        settlement: Some(settlement),
    }))
}

fn never(message: String, settlement: Option<Settlement>) -> Setback {
    Setback::Never(Failure::new(Category::ExecuteError, message), settlement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, i64)]) -> BTreeMap<String, i64> {
        rows.iter()
            .map(|(key, count)| ((*key).to_owned(), *count))
            .collect()
    }

    #[test]
    fn counts_that_cannot_be_right_are_told_why() {
        let flaw = |rows: &[(&str, i64)]| checked(&counts(rows), 10, &BTreeSet::new()).unwrap_err();
        assert_eq!(
            flaw(&[("00", 4), ("11", 5)]),
            "they sum to 9, 10 shots were asked for"
        );
        assert_eq!(flaw(&[]), "they sum to 0, 10 shots were asked for");
        assert_eq!(flaw(&[("0", -1), ("1", 11)]), "0 was counted -1 times");
        assert_eq!(
            flaw(&[("00", 5), ("111", 5)]),
            "\"111\" is not a bit string of width 2"
        );
        assert_eq!(flaw(&[("0x", 10)]), "\"0x\" is not a bit string of width 2");
        assert_eq!(
            flaw(&[("0", i64::MAX), ("1", i64::MAX)]).split(',').count(),
            2
        );
        let good = counts(&[("00", 4), ("11", 6)]);
        assert!(checked(&good, 10, &BTreeSet::from([2])).is_ok());
        assert_eq!(
            checked(&good, 10, &BTreeSet::from([1, 3])).unwrap_err(),
            "the keys have 2 bits, the circuit measures {1, 3}"
        );
    }
}
