//! No execution runs twice (D14), each is of a recorded intent (D8), and no slot of a device is
//! given to two runs at a moment of the device's own time (D15).

use std::collections::BTreeSet;

use qrtx::time::Monotonic;

use crate::history::History;
use crate::neighbours::Run;

/// Says what ran that should not have.
pub fn check(history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for run in &history.runs {
        match &run.execution {
            None => broken.push(format!("a run of {} has no execution id", run.job)),
            Some(id) if !seen.insert(id) => broken.push(format!("{id} ran twice")),
            Some(_) => {}
        }
    }
    for (device, slots) in &history.slots {
        let most = most_at_once(history.runs.iter().filter(|run| run.device == *device));
        if most > *slots {
            broken.push(format!(
                "{device} has {slots} slots and was at {most} runs at once"
            ));
        }
    }
    broken
}

fn most_at_once<'a>(runs: impl Iterator<Item = &'a Run>) -> usize {
    let mut turns: Vec<(Monotonic, i32)> = Vec::new();
    for run in runs {
        turns.push((run.started, 1));
        turns.extend(run.ended.map(|ended| (ended, -1)));
    }
    // Ends before starts: a slot may be taken in the moment in which it is given back.
    turns.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, turn) in turns {
        now += turn;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_second_run_of_an_execution_is_refused() {
        let mut history = good();
        let mut again = history.runs[0].clone();
        again.started = Monotonic(again.started.0 * 100);
        again.ended = None;
        history.runs.push(again);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn two_runs_in_one_slot_are_refused() {
        let mut history = good();
        let mut beside = history.runs[0].clone();
        beside.execution = Some("another".to_owned());
        history.runs.push(beside);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_run_without_an_execution_id_is_refused() {
        let mut history = good();
        history.runs[0].execution = None;
        assert_eq!(check(&history).len(), 1);
    }
}
