//! After an end that left an execution open: stop it if the driver can, take its late answer if
//! one comes, and otherwise wait until nothing can come any more. Its slot is taken until then.

use std::time::Duration;

use crate::job::event::{Event, Evidence};
use crate::job::ledger::{Entry, Settlement};
use crate::job::state::State;
use crate::job::{Doubt, Job};
use crate::planted::{Bug, planted};
use crate::ports::devices::{Devices as _, RunError};
use crate::ports::{Clock as _, Env};
use crate::reconcile::{self, Finding};
use crate::stages::{Context, Hand};

pub(super) async fn perform<E: Env>(ctx: &Context<'_, E>, job: &Job, hand: &mut Hand) -> Event {
    let entry = job
        .open_run()
        .expect("there is an open execution to settle");
    // However late it is, the driver is asked: what it still runs has the slot.
    let left = ctx.execution_left();
    let patience = match planted(Bug::SettledWithoutAsking) {
        true => left,
        false => left.max(Duration::from_millis(ctx.last_word_ms())),
    };
    tokio::select! {
        biased;
        event = late_answer(ctx, job, entry, hand), if !planted(Bug::LateAnswerUnheard) => event,
        event = stopped(ctx, job, entry) => event,
        () = ctx.env.clock().sleep(patience) => {
            let cause = format!("{} never said what became of the execution", entry.device);
            let settlement = Settlement::unknown(entry.requested, cause);
            Event::Settled { settlement, evidence: Evidence::None }
        }
    }
}

/// What this process knows or learns of its own call; never returns if that is nothing.
async fn late_answer<E: Env>(
    ctx: &Context<'_, E>,
    job: &Job,
    entry: &Entry,
    hand: &mut Hand,
) -> Event {
    let in_hand = matches!(hand, Hand::Answered(_));
    let answered = match hand {
        Hand::Ready(_) => {
            let settlement = Settlement::not_run(entry.requested, "the device was never asked");
            let evidence = Evidence::NeverAsked;
            return Event::Settled {
                settlement,
                evidence,
            };
        }
        Hand::Out(call) => (&mut call.answer).await.ok(),
        Hand::Answered(answer) => Some((**answer).clone()),
        Hand::Empty => {
            let known = job.doubt.clone().filter(|doubt| doubt.over);
            known.map(|Doubt { cause, over }| Err(RunError::Doubt { cause, over }))
        }
    };
    *hand = Hand::Empty;
    let shots = entry.requested;
    let settlement = match answered {
        Some(Ok(_)) if in_hand => Settlement::wasted(
            shots,
            "the counts were in hand, but could not be stored in time",
        ),
        Some(Ok(_)) if planted(Bug::LateAnswerIsNoRun) => Settlement::not_run(shots, too_late(job)),
        Some(Ok(_)) => Settlement::wasted(shots, too_late(job)),
        Some(Err(RunError::NotSent(_))) => {
            Settlement::not_run(shots, "the request never left the kernel")
        }
        Some(Err(RunError::Refused { message, .. })) => {
            Settlement::not_run(shots, format!("the driver refused: {message}"))
        }
        Some(Err(RunError::Doubt { cause, over: true })) => {
            return last_word(ctx, job, entry, cause).await;
        }
        Some(Err(RunError::Doubt { over: false, .. })) | None => {
            return std::future::pending().await;
        }
    };
    let evidence = Evidence::Driver;
    Event::Settled {
        settlement,
        evidence,
    }
}

/// The driver has said that the execution is over, but not what it cost: it is asked once more.
async fn last_word<E: Env>(ctx: &Context<'_, E>, job: &Job, entry: &Entry, cause: String) -> Event {
    let call = ctx.call(job, Duration::from_millis(ctx.limits.call_ms));
    let stopped = ctx
        .env
        .devices()
        .stop(call, job.execution_id(), entry.token);
    let found = match stopped.await {
        Ok(Some(seen)) => reconcile::stopped(entry, seen),
        Ok(None) | Err(_) => Finding::Wait,
    };
    match found {
        Finding::Wait | Finding::Tombstone => settled(job, entry, Finding::Unknown(cause)),
        found => settled(job, entry, found),
    }
}

fn too_late(job: &Job) -> &'static str {
    match job.state {
        State::Cancelled => "the job was cancelled before the device answered",
        State::Timeout => "the deadline passed before the device answered",
        _ => "the job had failed before the device answered",
    }
}

/// Asks the driver to stop until it confirms; never returns if it cannot be asked, but for a
/// cancel that is waiting for its receipt.
async fn stopped<E: Env>(ctx: &Context<'_, E>, job: &Job, entry: &Entry) -> Event {
    let devices = ctx.env.devices();
    let mut pause = Duration::from_millis(100);
    loop {
        let call = ctx.call(job, Duration::from_millis(ctx.limits.call_ms));
        match devices.stop(call, job.execution_id(), entry.token).await {
            Ok(Some(seen)) => match reconcile::stopped(entry, seen) {
                Finding::Wait | Finding::Tombstone => {}
                // A driver that has forgotten cannot say that the device is free.
                Finding::Unknown(_) => return no_word(job).await,
                found => return settled(job, entry, found),
            },
            Ok(None) => return no_word(job).await,
            Err(why) => tracing::warn!(job_id = %job.id, "the stop is not confirmed yet: {why}"),
        }
        ctx.env.clock().sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(ctx.limits.backoff_ms_max));
    }
}

/// The driver will not say more: a cancel that waits for its receipt gets it, and what is left is
/// the bound on the execution.
async fn no_word(job: &Job) -> Event {
    if job.state == State::Cancelled && job.receipt.is_none() {
        return Event::ReceiptGiven;
    }
    std::future::pending().await
}

/// What the driver's word settles, and whether it is one.
fn settled(job: &Job, entry: &Entry, found: Finding) -> Event {
    let (settlement, evidence) = match found {
        Finding::Answer(_) => (
            Settlement::wasted(entry.requested, too_late(job)),
            Evidence::Driver,
        ),
        Finding::Ended(settlement, _) | Finding::NotRun(settlement) => {
            (settlement, Evidence::Driver)
        }
        Finding::Unknown(why) => (Settlement::unknown(entry.requested, why), Evidence::None),
        Finding::Wait | Finding::Tombstone => unreachable!("these settle nothing"),
    };
    Event::Settled {
        settlement,
        evidence,
    }
}
