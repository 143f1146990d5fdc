//! When every job is over, a kernel is as idle as when it started: no task waits for something
//! that will never come.

use std::time::Duration;

use super::Breach;
use crate::history::{Asked, History};

/// The tasks of a kernel without jobs: its own three, its server, and a call that may be served.
const IDLE_MAX: usize = 8;

/// The tasks of a call that goes on, with its connection.
const OF_CALL: usize = 3;

/// Says how much is left.
pub fn check(history: &History) -> Vec<Breach> {
    // What was not taken for stored is stored again after a back-off.
    let back_off = Duration::from_millis(history.limits.backoff_ms_max);
    let mut troubles = history.store_troubles.iter();
    if troubles.any(|(_, until)| *until <= history.ended && history.ended <= *until + back_off) {
        return Vec::new();
    }
    // A request may be on its way for longer than anybody waits for it.
    let goes_on = |call: &&Asked| call.ended.is_none_or(|ended| ended > history.ended);
    let calls = history.asked.iter().filter(goes_on).count();
    let most = IDLE_MAX + OF_CALL * calls;
    let over = history
        .stored
        .values()
        .all(|stored| stored.job.duty().is_none());
    match history.left_running {
        tasks if over && tasks > most => {
            vec![Breach::at(
                history.ended,
                format!("every job is over, and {tasks} tasks of the kernel go on"),
            )]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good};

    #[test]
    fn tasks_that_never_end_are_refused() {
        let mut history = good();
        history.left_running = 100;
        assert_eq!(check(&history).len(), 1);
        let ended = history.ended;
        history.store_troubles = vec![(ended, ended)];
        assert_eq!(check(&history).len(), 0, "it is stored again soon");
        history.store_troubles.clear();
        history.left_running = IDLE_MAX + 1;
        let mut call = asked("ExecuteCircuit", 1, 2);
        call.ended = None;
        history.asked.push(call);
        assert_eq!(check(&history).len(), 0, "a request is on its way");
    }
}
