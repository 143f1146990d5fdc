//! What must hold in every world that can be reached.

use qrtx::job::Receipt;
use qrtx::job::event::OnUnknown;
use qrtx::job::state::State;
use stateright::{Model as _, Property};

use crate::world::{Setting, World};

pub(crate) const ONE_RUN: &str = "no execution runs twice on the device";
pub(crate) const INTENT_FIRST: &str = "no device is asked before the intent is stored";
pub(crate) const BRACKET: &str = "the ledger brackets the device's own count";
pub(crate) const SLOT_KEPT: &str = "what may run on the device holds the slot, alone";
pub(crate) const TRUE_RECEIPT: &str = "a receipt is true, and stays true";
pub(crate) const NO_JOB_STUCK: &str = "no job needs anybody else to end";

pub(crate) fn all(setting: &Setting) -> Vec<Property<Setting>> {
    let mut all = vec![
        Property::always(ONE_RUN, |_, world: &World| {
            world.runs.as_flattened().iter().all(|run| run.begun <= 1)
        }),
        Property::always(INTENT_FIRST, |_, world: &World| {
            let stored = |job: usize| world.job(job).ledger.len();
            !world.asked_without_intent
                && world.runs.iter().enumerate().all(|(job, runs)| {
                    runs.iter()
                        .skip(stored(job))
                        .all(|run| !run.asked && run.begun == 0)
                })
        }),
        Property::always(BRACKET, |_, world: &World| bracketed(world)),
        Property::always("every shot is accounted for", |_, world: &World| {
            let mut entries = world.jobs.iter().flat_map(|record| &record.0.ledger);
            entries.all(|entry| entry.settlement.total() == u64::from(entry.requested))
        }),
        Property::always(SLOT_KEPT, |_, world: &World| {
            let holders = world.held.iter().filter(|held| **held).count();
            let mut jobs = world.jobs.iter().zip(world.held);
            holders <= 1 && jobs.all(|(record, held)| held || record.0.holds().is_none())
        }),
        Property::always("ends are final", |_, world: &World| {
            let mut jobs = world.jobs.iter().zip(world.ends);
            jobs.all(|(record, end)| end.is_none_or(|end| end == record.0.state))
        }),
        Property::always(
            "no device is asked for a job that has ended",
            |_, world: &World| !world.asked_after_the_end,
        ),
        Property::always(
            "whatever the kernel records the table allows",
            |_, world: &World| !world.refused_by_the_table,
        ),
        Property::always("a completed job has all its shots", |_, world: &World| {
            world
                .jobs
                .iter()
                .filter(|record| record.0.state == State::Completed)
                .all(|record| {
                    let last = record.0.ledger.last();
                    last.is_some_and(|entry| entry.settlement.delivered == entry.requested)
                })
        }),
        Property::always(NO_JOB_STUCK, |setting: &Setting, world: &World| {
            if world.jobs.iter().all(|record| record.0.duty().is_none()) {
                return true;
            }
            let mut actions = Vec::new();
            setting.actions(world, &mut actions);
            actions.iter().any(|action| action.is_ours())
        }),
        Property::sometimes(
            "a job completes with its second execution",
            |_, world: &World| {
                world
                    .jobs
                    .iter()
                    .any(|record| record.0.state == State::Completed && record.0.attempt() == 2)
            },
        ),
        Property::sometimes(
            "a job completes though the kernel crashed twice",
            |_, world: &World| {
                world.crashes == 2
                    && world
                        .jobs
                        .iter()
                        .any(|record| record.0.state == State::Completed)
            },
        ),
        Property::sometimes("nobody knows what a job cost", |_, world: &World| {
            world.jobs.iter().zip(&world.runs).any(|(record, runs)| {
                let last = record.0.ledger.last();
                let unknown = last.is_some_and(|entry| !entry.open && entry.settlement.unknown > 0);
                record.0.duty().is_none() && unknown && runs.iter().any(|run| run.shots > 0)
            })
        }),
    ];
    all.push(Property::always(
        TRUE_RECEIPT,
        |setting: &Setting, world: &World| {
            let once = setting.on_unknown == OnUnknown::Fail;
            world.jobs.iter().zip(&world.runs).all(|(record, runs)| {
                let fired: u32 = runs.iter().map(|run| run.shots).sum();
                match record.0.receipt {
                    // Where running twice does no harm, this speaks of the last execution only.
                    Some(Receipt::StoppedOnDevice { shots_used }) => !once || fired == shots_used,
                    Some(Receipt::NotStarted) => fired == 0,
                    Some(Receipt::StopUnconfirmed) | None => true,
                }
            })
        },
    ));
    if setting.on_unknown == OnUnknown::Fail {
        all.push(Property::always(
            "shots are not bought twice",
            |_, world: &World| {
                world
                    .runs
                    .iter()
                    .all(|runs| runs.iter().filter(|run| run.shots > 0).count() <= 1)
            },
        ));
    }
    all
}

/// What is settled must fit what the device fired, from then on and whatever comes later.
fn bracketed(world: &World) -> bool {
    world.jobs.iter().zip(&world.runs).all(|(record, runs)| {
        record
            .0
            .ledger
            .iter()
            .zip(runs)
            .filter(|(entry, _)| !entry.open)
            .all(|(entry, run)| {
                let known = &entry.settlement;
                let least = known.delivered + known.wasted;
                (least..=least + known.unknown).contains(&run.shots)
            })
    })
}
