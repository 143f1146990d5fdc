//! The ledgers of all jobs beside what devices really did: each execution a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::page::escaped;
use crate::verdict::Outcome;

/// The table; a line in which the two do not agree stands out.
pub(super) fn table(outcome: &Outcome) -> String {
    let history = &outcome.history;
    let mut fired: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for run in &history.runs {
        let execution = run.execution.as_ref().unwrap_or(&run.job).clone();
        let (runs, shots) = fired.entry(execution).or_default();
        *runs += 1;
        *shots += run.shots_fired;
    }
    let by_place: BTreeSet<_> = outcome
        .ordinals
        .iter()
        .map(|(id, nth)| (*nth, *id))
        .collect();
    let mut lines = String::new();
    for (ordinal, id) in by_place {
        let Some(stored) = history.stored.get(&id) else {
            continue;
        };
        for entry in &stored.job.ledger {
            let (runs, shots) = fired
                .remove(&format!("{id}#{}", entry.attempt))
                .unwrap_or_default();
            let kept = &entry.settlement;
            let least = i64::from(kept.delivered) + i64::from(kept.wasted);
            let agrees = (least..=least + i64::from(kept.unknown)).contains(&shots) && runs <= 1;
            let class = if agrees { "" } else { "off" };
            let (attempt, asked, device) = (entry.attempt, entry.requested, &entry.device);
            let causes = [&kept.wasted_cause, &kept.not_run_proof, &kept.unknown_cause];
            let cause = causes.into_iter().find(|cause| !cause.is_empty());
            let cause = cause.map_or("", String::as_str);
            let (device, cause) = (escaped(device.as_str()), escaped(cause));
            let (delivered, wasted) = (kept.delivered, kept.wasted);
            let (unknown, not_run) = (kept.unknown, kept.not_run);
            line(
                &mut lines,
                format_args!(
                    "<tr class=\"{class}\"><td class=\"words\">job {ordinal}#{attempt}</td>\
                     <td class=\"words\">{device}</td><td>{asked}</td><td>{delivered}</td>\
                     <td>{wasted}</td><td>{unknown}</td><td>{not_run}</td>\
                     <td>{runs}</td><td>{shots}</td><td class=\"words\">{cause}</td></tr>"
                ),
            );
        }
    }
    for (execution, (runs, shots)) in fired {
        let execution = escaped(&execution);
        line(
            &mut lines,
            format_args!(
                "<tr class=\"off\"><td class=\"words\">{execution}</td><td colspan=\"6\" \
                 class=\"words\">in no ledger</td><td>{runs}</td><td>{shots}</td><td></td></tr>"
            ),
        );
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "<table><caption>The ledger, and what devices did</caption><tr><th>execution<th>device\
         <th>asked for<th>delivered<th>wasted<th>unknown<th>not run<th>really: runs<th>shots\
         <th>as the ledger has it</tr>{lines}</table>"
    )
}

fn line(lines: &mut String, text: std::fmt::Arguments<'_>) {
    lines.write_fmt(text).expect("a string takes everything");
    lines.push('\n');
}
