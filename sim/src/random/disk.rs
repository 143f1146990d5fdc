//! Draws what a disk suffers beside all the rest.

use super::faults::Draw;
use crate::chance::Chance;
use crate::scenario::{Act, Kill, Scenario, Step, StoreFault, StoreTrouble, SyncPoint, When};

/// Events for which a commit is made at once.
const COMMITTED: [&str; 7] = [
    "Submitted",
    "Compiled",
    "Intended",
    "Executed",
    "Stored",
    "Stored",
    "CancelRequested",
];

/// A crash in the middle of a commit, and syncs that fail or no room: in every run that has a disk,
/// because not every run has.
pub(super) fn draw(scenario: &Scenario, chance: &mut Chance) -> [Step; 3] {
    let mut draw = Draw { scenario, chance };
    let how = match draw.chance.percent(90) {
        true => StoreFault::SyncsFail,
        false => StoreFault::Full,
    };
    let lasts = Some(draw.millis(50, 4_000));
    let fails = Step {
        when: draw.moment(),
        act: Act::StoreFails(StoreTrouble { how, lasts }),
    };
    // Its key comes with a job, or another kernel makes two of it.
    let dies_in_submit = dies_in_commit(&mut draw, "Submitted");
    let event = *draw.chance.one_of(&COMMITTED);
    [dies_in_submit, dies_in_commit(&mut draw, event), fails]
}

/// A kernel that dies in the middle of a commit, or its machine with it. A commit has two syncs,
/// and more when the store has to be opened again in it.
fn dies_in_commit(draw: &mut Draw<'_>, event: &str) -> Step {
    let when = When::Sync(SyncPoint {
        job: draw.job(),
        event: event.to_owned(),
        sync: *draw.chance.one_of(&[1, 1, 1, 2, 2, 2, 3]),
        nth: 1,
    });
    let act = Act::Kill(Kill {
        node: "kernel".to_owned(),
        down: draw.millis(20, 5_000),
        power: draw.chance.percent(50),
    });
    Step { when, act }
}
