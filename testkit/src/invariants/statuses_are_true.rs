//! A status says what the job's events say up to the last one that it names (proto JobStatus), and a
//! job that failed is blamed on what its stage depends on (RFC 0007).

use qrtx::job::event::{Event, Recorded};
use qrtx::job::failure::{CANCELLED_CODE, Category, TIMEOUT_CODE};
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News, Shown};

/// Says which status is not so, and which failure has a code that cannot be.
pub fn check(history: &History) -> Vec<Breach> {
    let statuses = history.told.iter().filter_map(|told| {
        let News::Shown(shown) = &told.news else {
            return None;
        };
        let events = &history.stored.get(&told.job)?.events;
        let wrong = match as_recorded(events, shown.seq) {
            None => "there is no such event".to_owned(),
            Some(so) if so == **shown => return None,
            Some(so) => differences(shown, &so),
        };
        let (client, job, seq) = (&told.client, told.job, shown.seq);
        let how = format!("{client} was shown {job} after event {seq}: {wrong}");
        Some(Breach::at(told.at, how))
    });
    let ends = history.stored.iter().filter_map(|(id, stored)| {
        let (from, category) = failed(&stored.events)?;
        let (state, code) = (from.name(), category.code());
        let how = || format!("{id} failed in {state} as {code}, which it cannot");
        // A reserved slot may be gone when its device is about to be asked.
        let unreserved = from == State::Executing
            && category == Category::AllocationError
            && stored.job.spec.reservation.is_some();
        let blamed = unreserved || is_to_blame(from, category);
        let mut commits = history.committed.iter();
        let end = commits.find(|commit| commit.job == *id && commit.events.contains(&"Failed"));
        (!blamed).then(|| Breach {
            at: end.map(|commit| commit.at),
            how: how(),
        })
    });
    statuses.chain(ends).collect()
}

/// What was shown and is not so.
fn differences(shown: &Shown, so: &Shown) -> String {
    let tell = |told: &Shown| {
        [
            format!("state {}", told.state.name()),
            format!("attempt {}", told.attempt),
            format!("tries {}", told.tries),
            format!("device {:?}", told.device),
            format!("phase {:?}", told.phase),
            format!("updated {:?}", told.updated_at),
            format!("not before {:?}", told.not_before),
            format!("code {:?}", told.code),
        ]
    };
    let both = tell(shown).into_iter().zip(tell(so));
    let wrong = both.filter(|(shown, so)| shown != so);
    let wrong: Vec<_> = wrong
        .map(|(shown, so)| format!("{shown}, and it is {so}"))
        .collect();
    wrong.join("; ")
}

/// What is to be shown of a job when event `seq` is its last; `None` if there is none.
fn as_recorded(events: &[Recorded], seq: u64) -> Option<Shown> {
    let so_far = events.get(..usize::try_from(seq).ok()?)?;
    let last = so_far.last()?;
    let (mut attempt, mut tries, mut device) = (0, 0, String::new());
    let (mut code, mut before) = (String::new(), State::Pending);
    for recorded in so_far {
        match &recorded.event {
            Event::Intended { .. } => attempt += 1,
            Event::Retried { .. } => tries += 1,
            Event::Admitted
            | Event::Validated { .. }
            | Event::Compiled { .. }
            | Event::Executed { .. } => tries = 0,
            Event::Assigned { device: given, .. } => device = given.to_string(),
            Event::Failed { failure, .. } => code = failure.category.code().to_owned(),
            Event::CancelRequested { .. } => code = CANCELLED_CODE.to_owned(),
            Event::DeadlinePassed { .. } => code = TIMEOUT_CODE.to_owned(),
            _ => {}
        }
        // Who waits for a turn, or for a circuit, has no device.
        if recorded.state != before && matches!(recorded.state, State::Queued | State::Compiling) {
            device.clear();
        }
        before = recorded.state;
    }
    Some(Shown {
        seq,
        state: last.state,
        attempt,
        tries,
        device,
        phase: last
            .phase
            .map_or(String::new(), |phase| format!("{phase:?}")),
        updated_at: last.at,
        not_before: match &last.event {
            Event::Retried { not_before, .. } => Some(*not_before),
            Event::CircuitLost { not_before, .. } => *not_before,
            _ => None,
        },
        code,
    })
}

/// Where a job failed, and as what.
fn failed(events: &[Recorded]) -> Option<(State, Category)> {
    let mut pairs = events.windows(2);
    pairs.find_map(|pair| match &pair[1].event {
        Event::Failed { failure, .. } => Some((pair[0].state, failure.category)),
        _ => None,
    })
}

/// Whether what a job needs in this state can be what it failed by.
fn is_to_blame(state: State, category: Category) -> bool {
    use Category::*;
    match state {
        State::Pending | State::Validating | State::Compiling => category != ExecuteError,
        State::Queued | State::Allocating => matches!(category, AllocationError | PersistError),
        State::Executing => matches!(category, ExecuteError | PersistError),
        _ => category == PersistError,
    }
}

#[cfg(test)]
mod tests {
    use qrtx::time::Timestamp;

    use super::*;
    use crate::invariants::sample::{failed as failed_as, good, tell};

    fn shown() -> Shown {
        Shown {
            seq: 6,
            state: State::Executing,
            attempt: 1,
            tries: 0,
            device: "qpu".to_owned(),
            phase: "QuantumInitializing".to_owned(),
            updated_at: Timestamp(5),
            not_before: None,
            code: String::new(),
        }
    }

    /// How many breaches there are when a client was shown this.
    fn breaches(shown: Shown) -> usize {
        let mut history = good();
        tell(&mut history, News::Shown(shown.into()));
        check(&history).len()
    }

    #[test]
    fn a_status_that_is_not_what_is_stored_is_refused() {
        assert_eq!(breaches(shown()), 0);
        let elsewhere = |change: fn(&mut Shown)| {
            let mut told = shown();
            change(&mut told);
            breaches(told)
        };
        assert_eq!(elsewhere(|told| told.seq = 5), 1);
        assert_eq!(elsewhere(|told| told.seq = 99), 1, "there is no such event");
        assert_eq!(elsewhere(|told| told.state = State::Completed), 1);
        assert_eq!(elsewhere(|told| told.attempt = 2), 1);
        assert_eq!(elsewhere(|told| told.tries = 1), 1);
        let tries = Shown {
            tries: 1,
            ..shown()
        };
        let told = differences(&tries, &shown());
        assert_eq!(told, "tries 1, and it is tries 0");
        assert_eq!(elsewhere(|told| told.device.clear()), 1);
        assert_eq!(elsewhere(|told| told.phase.clear()), 1);
        assert_eq!(elsewhere(|told| told.updated_at.0 += 1), 1);
        assert_eq!(elsewhere(|told| told.not_before = Some(Timestamp(9))), 1);
        assert_eq!(elsewhere(|told| told.code = "CANCELLED".to_owned()), 1);
    }

    #[test]
    fn a_job_that_waits_for_its_turn_has_no_device() {
        let queued = Shown {
            seq: 4,
            state: State::Queued,
            attempt: 0,
            device: String::new(),
            phase: String::new(),
            ..shown()
        };
        assert_eq!(breaches(queued.clone()), 0);
        let device = "qpu".to_owned();
        assert_eq!(breaches(Shown { device, ..queued }), 1);
    }

    #[test]
    fn a_failure_that_is_blamed_on_another_stage_is_refused() {
        let blamed = |state, category| check(&failed_as(category, state, 1)).len();
        assert_eq!(blamed(State::Compiling, Category::CompileError), 0);
        assert_eq!(blamed(State::Compiling, Category::ExecuteError), 1);
        assert_eq!(blamed(State::Queued, Category::CompileError), 1);
        assert_eq!(blamed(State::Executing, Category::AllocationError), 1);
        assert_eq!(blamed(State::Completing, Category::ExecuteError), 1);
    }
}
