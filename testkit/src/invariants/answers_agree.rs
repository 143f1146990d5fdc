//! Whichever way one asks about a job, the answer is what is stored (D10, D11): its history is all of
//! its events, its tenant's list has it, and what explains it knows where it is, and why it waits.

use std::time::Duration;

use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News, Stored, Told};
use crate::turns::SETTLED;

/// Says which answer is another than the store's.
pub fn check(history: &History) -> Vec<Breach> {
    let each = history.told.iter().filter_map(|told| {
        let stored = history.stored.get(&told.job)?;
        let wrong = match &told.news {
            News::History(events) => another_history(stored, events),
            News::Listed(listed) => {
                let end = stored.job.state;
                let named = listed.map_or("nothing", State::name);
                (*listed != Some(end))
                    .then(|| format!("was listed as {named}, and is {}", end.name()))
            }
            News::Beside(others) => {
                let tenant = |job| Some(&history.stored.get(job)?.job.spec.owner.tenant);
                let own = Some(&stored.job.spec.owner.tenant);
                let mut strangers = others.iter().filter(|job| tenant(job) != own);
                let stranger = strangers.next();
                stranger.map(|job| format!("is in one list with {job} of another tenant"))
            }
            News::Sifted {
                part,
                wanted,
                found,
            } if wanted != found => Some(match found {
                true => format!("is in a list of {part}"),
                false => format!("is not in a list of {part}"),
            }),
            News::Explained { state, reasons } => unexplained(history, told, *state, *reasons),
            _ => None,
        }?;
        let how = format!("{} {wrong}", told.job);
        Some(Breach::at(told.at, how))
    });
    each.collect()
}

fn another_history(stored: &Stored, told: &[(u64, String, State)]) -> Option<String> {
    let kept = stored.events.iter();
    let kept = kept.map(|event| (event.seq, event.event.name(), event.state));
    let told: Vec<_> = told
        .iter()
        .map(|(seq, kind, state)| (*seq, kind.as_str(), *state))
        .collect();
    let all = stored.events.len();
    let same = kept.take(told.len().max(1)).eq(told.iter().copied());
    // What comes after the end is told to nobody who asked before.
    let ends = told.last().is_some_and(|(.., state)| state.is_terminal());
    let count = told.len();
    (!same || !ends).then(|| format!("has {all} events, and others were told: {count}"))
}

fn unexplained(history: &History, told: &Told, state: State, reasons: usize) -> Option<String> {
    let commits = history.committed.iter();
    let mut known = commits.filter(|commit| commit.job == told.job && commit.at <= told.at);
    if !known.any(|commit| commit.state == state) {
        return Some(format!(
            "was explained as {}, which it was not",
            state.name()
        ));
    }
    // Its turn may have come: its device is asked, or that is on its way into the store.
    let stored = history.turns.get(&told.job).copied();
    let asked = history
        .asked
        .iter()
        .find(|call| call.job == Some(told.job) && call.what == "GetDeviceStatus")
        .map(|call| call.at);
    // So may its end, as long as the store takes for it.
    let mut troubles = history.store_troubles.iter();
    let until = |to: Duration| to + Duration::from_millis(history.limits.backoff_ms_max);
    if troubles.any(|&(from, to)| from <= told.at && told.at <= until(to)) {
        return None;
    }
    // And what was decided a moment ago was on its way into the store.
    let mut next = history
        .committed
        .iter()
        .filter(|commit| commit.job == told.job && commit.at.abs_diff(told.at) <= SETTLED);
    if next.any(|commit| commit.state != state) {
        return None;
    }
    let has_turn = stored.into_iter().chain(asked).any(|turn| turn <= told.at);
    (state == State::Queued && reasons == 0 && !has_turn)
        .then(|| "waits, and was explained by nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrtx::ids::JobId;

    use crate::invariants::sample::{good, job, secs, tell};

    #[test]
    fn a_list_without_the_job_is_refused() {
        let mut history = good();
        tell(&mut history, News::Listed(Some(State::Completed)));
        assert_eq!(check(&history), [""; 0]);
        tell(&mut history, News::Listed(None));
        tell(&mut history, News::Listed(Some(State::Failed)));
        assert_eq!(check(&history).len(), 2);
    }

    #[test]
    fn a_list_of_a_part_that_has_others_or_lacks_the_job_is_refused() {
        let sifted = |wanted, found| {
            let mut history = good();
            let part = "its state".to_owned();
            let news = News::Sifted {
                part,
                wanted,
                found,
            };
            tell(&mut history, news);
            check(&history).len()
        };
        assert_eq!((sifted(true, true), sifted(false, false)), (0, 0));
        assert_eq!((sifted(true, false), sifted(false, true)), (1, 1));
    }

    #[test]
    fn a_list_with_the_job_of_somebody_else_is_refused() {
        let mut history = good();
        let mut other = history.stored[&job()].clone();
        let mut spec = (*other.job.spec).clone();
        spec.owner.tenant = "another".into();
        other.job.spec = spec.into();
        let stranger = JobId::new(9, [9; 10]);
        history.stored.insert(stranger, other);
        tell(&mut history, News::Beside(vec![job()]));
        assert_eq!(check(&history), [""; 0]);
        tell(&mut history, News::Beside(vec![job(), stranger]));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_history_with_a_gap_is_refused() {
        let mut history = good();
        let stored = history.stored.values().next().unwrap();
        let events = stored.events.iter();
        let mut events: Vec<_> = events
            .map(|event| (event.seq, event.event.name().to_owned(), event.state))
            .collect();
        tell(&mut history, News::History(events.clone()));
        assert_eq!(check(&history), [""; 0]);
        events.remove(2);
        tell(&mut history, News::History(events));
        tell(&mut history, News::History(Vec::new()));
        assert_eq!(check(&history).len(), 2);
    }

    #[test]
    fn a_job_that_is_explained_as_what_it_never_was_is_refused() {
        let mut history = good();
        let mut explained = |state, reasons| {
            tell(&mut history, News::Explained { state, reasons });
            history.told.last_mut().unwrap().at = secs(4);
            check(&history).len()
        };
        assert_eq!(explained(State::Queued, 1), 0);
        assert_eq!(explained(State::Cancelled, 1), 1);
        assert_eq!(explained(State::Queued, 0), 2, "by nothing");
    }
}
