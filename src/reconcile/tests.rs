use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::ids::{Epoch, FencingToken};
use crate::job::event::OnUnknown;
use crate::time::Timestamp;

const INTENDED: i64 = 100;

fn entry() -> Entry {
    Entry {
        attempt: 1,
        device: "sim-1".parse().unwrap(),
        token: FencingToken::new(Epoch(1), 1),
        intended_at: Timestamp(INTENDED),
        on_unknown: OnUnknown::Fail,
        requested: 10,
        settlement: Settlement::unknown(10, "the execution is open"),
        open: true,
    }
}

fn every_fate() -> [(&'static str, Fate); 7] {
    let result = RunResult {
        counts: BTreeMap::new(),
        execution_seconds: 0.5,
        metadata: BTreeMap::new(),
    };
    [
        ("running", Fate::Running),
        ("done", Fate::Done(result)),
        (
            "failed after 3",
            Fate::Failed {
                shots_used: 3,
                message: "quench".into(),
            },
        ),
        (
            "failed after 99",
            Fate::Failed {
                shots_used: 99,
                message: "quench".into(),
            },
        ),
        ("not found", Fate::NotFound),
        (
            "cancelled after 3",
            Fate::Cancelled {
                shots_used: 3,
                never_started: false,
            },
        ),
        (
            "cancelled, never started",
            Fate::Cancelled {
                shots_used: 0,
                never_started: true,
            },
        ),
    ]
}

const MEMORIES: [(&str, Option<Timestamp>); 4] = [
    ("older", Some(Timestamp(INTENDED - 1))),
    ("same time", Some(Timestamp(INTENDED))),
    ("younger", Some(Timestamp(INTENDED + 1))),
    ("not told", None),
];

fn told(finding: &Finding) -> String {
    match finding {
        Finding::Wait => "wait".into(),
        Finding::Answer(_) => "answer".into(),
        Finding::Ended(settlement, _) => format!("ended: {}", shots(settlement)),
        Finding::NotRun(settlement) => format!("not run: {}", shots(settlement)),
        Finding::Tombstone => "leave a tombstone".into(),
        Finding::Unknown(why) => format!("unknown: {why}"),
    }
}

fn shots(settlement: &Settlement) -> String {
    let Settlement {
        wasted,
        not_run,
        unknown,
        ..
    } = settlement;
    format!("{wasted} wasted, {not_run} not run, {unknown} unknown")
}

#[test]
fn this_is_what_an_answer_of_the_driver_proves() {
    let mut table = String::new();
    type Read = fn(&Entry, Inspection) -> Finding;
    for (call, read) in [
        ("GetExecution", inspected as Read),
        ("CancelExecution", stopped),
    ] {
        for (fate, seen) in every_fate() {
            let mut findings = MEMORIES.map(|(memory, remembers_since)| {
                let finding = read(
                    &entry(),
                    Inspection {
                        fate: seen.clone(),
                        remembers_since,
                    },
                );
                (memory, told(&finding))
            });
            // Where the memory's age makes no difference, one line says it.
            if findings
                .iter()
                .all(|(_, finding)| *finding == findings[0].1)
            {
                findings[0].0 = "of any age";
                writeln!(
                    table,
                    "{call:<15} {fate:<24} memory {:<10} {}",
                    "of any age", findings[0].1
                )
                .unwrap();
                continue;
            }
            for (memory, finding) in findings {
                writeln!(table, "{call:<15} {fate:<24} memory {memory:<10} {finding}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

proptest! {
    #[test]
    fn nothing_but_a_tombstone_and_an_old_memory_proves_that_nothing_ran(
        number in 0usize..7, since in proptest::option::of(0i64..200), by_stop: bool
    ) {
        let (_, fate) = every_fate()[number].clone();
        let remembers_since = since.map(Timestamp);
        let seen = Inspection { fate: fate.clone(), remembers_since };
        let finding = if by_stop { stopped(&entry(), seen) } else { inspected(&entry(), seen) };
        // An answered stop is a tombstone; what is buried already is asked about by another one.
        let tombstone = match fate {
            Fate::Cancelled { never_started, .. } => never_started && by_stop,
            Fate::NotFound => by_stop,
            _ => false,
        };
        let proved = tombstone && since.is_some_and(|since| since < INTENDED);
        prop_assert_eq!(matches!(finding, Finding::NotRun(_)), proved);
        if let Finding::NotRun(settlement) | Finding::Ended(settlement, _) = finding {
            prop_assert_eq!(settlement.total(), 10);
        }
    }
}
