//! When every job is over, a kernel is as idle as when it started: no task waits for something
//! that will never come.

use super::Breach;
use crate::history::History;

/// The tasks of a kernel without jobs: its own three, its server, and a call that may be served.
const IDLE_MAX: usize = 8;

/// Says how much is left.
pub fn check(history: &History) -> Vec<Breach> {
    let over = history
        .stored
        .values()
        .all(|stored| stored.job.duty().is_none());
    match history.left_running {
        tasks if over && tasks > IDLE_MAX => {
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
    use crate::invariants::sample::good;

    #[test]
    fn tasks_that_never_end_are_refused() {
        let mut history = good();
        history.left_running = 100;
        assert_eq!(check(&history).len(), 1);
    }
}
