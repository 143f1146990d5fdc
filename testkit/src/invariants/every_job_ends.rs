//! No job is stuck once the faults are over (D19): each has ended, owes nothing any more, and
//! whoever submitted it and stayed has been told of its end.

use qrtx::job::event::Event;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News};

/// Says which jobs did not end, or ended without anybody being told.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        if let Some(duty) = stored.job.duty() {
            let state = stored.job.state.name();
            broken.push(Breach::from(format!(
                "{id} is {state} and still has to {duty:?}"
            )));
        }
        let mut events = stored.events.iter();
        let unhappy = [State::Failed, State::Cancelled, State::Timeout];
        if unhappy.contains(&stored.job.state)
            && !events.any(|it| matches!(it.event, Event::Reported { .. }))
        {
            let why = format!("{id} ended, and it was never tried to write down why");
            broken.push(Breach::from(why));
        }
    }
    for ((client, job, _), told) in history.told_apart() {
        let told = told.iter().any(|told| match &told.news {
            News::Event { state, .. } | News::Results { state, .. } => state.is_terminal(),
            News::Accepted { .. }
            | News::Public(_)
            | News::Shown(_)
            | News::Details(_)
            | News::Update { .. }
            | News::Receipt { .. }
            | News::Explained { .. }
            | News::History(_)
            | News::Listed(_)
            | News::Sifted { .. }
            | News::Beside(_) => false,
        });
        if !told && !history.unwatched.contains(&job) {
            broken.push(Breach::from(format!(
                "{client} was never told the end of {job}"
            )));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{failed, good, job};
    use qrtx::job::failure::Category;

    #[test]
    fn a_job_that_is_stuck_is_refused() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().job.state = State::Executing;
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_end_without_a_word_why_is_refused() {
        let history = failed(Category::CompileError, State::Compiling, 10);
        let without = check(&history);
        assert!(without.iter().any(|it| it.how.contains("write down why")));
    }

    #[test]
    fn an_end_that_nobody_was_told_is_refused() {
        let mut history = good();
        history.told.truncate(3);
        assert_eq!(check(&history).len(), 1);
    }
}
