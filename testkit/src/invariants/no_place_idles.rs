//! A place to compile in is given on at once (D17): nobody waits for one while a job that waits out
//! a back-off, or has gone on, keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::job::event::Event;
use qrtx::job::state::State;
use qrtx::limits::TELL_WITHIN;

use super::Breach;
use crate::history::History;

/// A place that is free is taken at once, and that is told a little later.
const SOON: Duration = TELL_WITHIN.saturating_add(Duration::from_millis(50));

/// Says who waited beside a free place.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (nth, start) in history.starts.iter().enumerate() {
        let next = history.starts.get(nth + 1).map(|next| next.at);
        let over = start.ended.or(next).unwrap_or(history.ended);
        let until = next.map_or(over, |next| next.min(over));
        broken.extend(in_life(history, start.at, until));
    }
    broken
}

fn in_life(history: &History, from: Duration, until: Duration) -> Option<Breach> {
    let mut hall = Hall::default();
    // Before the first job is let in, all may wait for a first word of the devices.
    let mut knows_devices = false;
    let mut idle: Option<Duration> = None;
    for (at, what) in moments(history, until) {
        if let Some(since) = idle
            && at > since + SOON
            && !history.was_troubled(since, since + SOON)
        {
            let (from, at) = (since.as_secs_f64(), at.as_secs_f64());
            let how = format!(
                "a place to compile in was free from {from:.3} s to {at:.3} s, and jobs waited"
            );
            return Some(Breach::at(since, how));
        }
        let let_in = hall.note(history, at, what);
        knows_devices |= let_in && at >= from;
        let is_free = hall.has_room(at, history.limits.compile_slots);
        idle = (is_free && at >= from && knows_devices).then(|| idle.unwrap_or(at));
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// A back-off is over.
    BackOff,
    /// A commit, by its place.
    Commit(usize),
    /// A call to the compiler begins or ends.
    Call(JobId, isize),
    /// A job has a place, and that is told later: it takes long there, also without a call.
    Entered(JobId),
}

fn moments(history: &History, until: Duration) -> Vec<(Duration, Moment)> {
    let commits = history.committed.iter().enumerate();
    let mut moments: Vec<_> = commits
        .map(|(nth, commit)| (commit.at, Moment::Commit(nth)))
        .collect();
    moments.extend(back_offs(history).map(|at| (at, Moment::BackOff)));
    let told_late = history.committed.iter().filter(|commit| {
        let is_there = matches!(commit.state, State::Validating | State::Compiling);
        is_there && commit.events.contains(&"Admitted")
    });
    moments.extend(told_late.map(|commit| {
        let entered = commit.at.saturating_sub(TELL_WITHIN);
        (entered, Moment::Entered(commit.job))
    }));
    for call in &history.asked {
        let compiles = ["CompileCircuit", "ValidateCircuit"].contains(&call.what.as_str());
        if let Some(job) = call.job.filter(|_| compiles) {
            moments.push((call.at, Moment::Call(job, 1)));
            let ended = call.ended.unwrap_or(Duration::MAX);
            moments.push((ended, Moment::Call(job, -1)));
        }
    }
    moments.push((until, Moment::BackOff));
    moments.retain(|(at, _)| *at <= until);
    moments.sort_unstable();
    moments
}

/// All jobs, as far as they have to do with places to compile in.
#[derive(Default)]
struct Hall(BTreeMap<JobId, Where>);

#[derive(Default)]
struct Where {
    waits: bool,
    entered: bool,
    compiles: bool,
    calls: isize,
    not_before: Option<Duration>,
}

impl Hall {
    /// What is so from now on; whether a job was let in.
    fn note(&mut self, history: &History, at: Duration, what: Moment) -> bool {
        match what {
            Moment::BackOff => false,
            Moment::Call(job, more) => {
                self.0.entry(job).or_default().calls += more;
                false
            }
            Moment::Entered(job) => {
                self.0.entry(job).or_default().entered = true;
                false
            }
            Moment::Commit(nth) => {
                let commit = &history.committed[nth];
                let place = self.0.entry(commit.job).or_default();
                place.entered = false;
                place.waits = commit.state == State::Pending && may_wait(history, commit.job);
                place.compiles = matches!(commit.state, State::Validating | State::Compiling);
                place.not_before = not_before(history, commit.job, commit.seq, at);
                commit.events.contains(&"Admitted")
            }
        }
    }

    /// Whether a place is free, and somebody waits for one.
    fn has_room(&self, at: Duration, places: u32) -> bool {
        let busy = self.0.values().filter(|job| job.is_busy(at)).count();
        let waits = |job: &Where| job.waits && job.calls == 0 && !job.entered;
        busy < places as usize && self.0.values().any(waits)
    }
}

impl Where {
    fn is_busy(&self, at: Duration) -> bool {
        let waits = self.not_before.is_some_and(|until| until > at);
        self.calls > 0 || self.entered || (self.compiles && !waits)
    }
}

/// A job whose cancel is under way, or which waits for what is reserved, has other reasons.
fn may_wait(history: &History, job: JobId) -> bool {
    let stored = history.stored.get(&job);
    stored.is_some_and(|stored| stored.job.spec.reservation.is_none())
}

/// When a back-off that begins with this commit is over.
fn not_before(history: &History, job: JobId, seq: u64, at: Duration) -> Option<Duration> {
    let events = &history.stored.get(&job)?.events;
    let last = events.iter().find(|event| event.seq == seq)?;
    match &last.event {
        Event::Retried { not_before, .. } => Some(at + not_before.since(last.at)),
        _ => None,
    }
}

fn back_offs(history: &History) -> impl Iterator<Item = Duration> {
    let commits = history.committed.iter();
    commits.filter_map(|commit| not_before(history, commit.job, commit.seq, commit.at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Start;
    use crate::invariants::sample::{backlog, commit, good, job, secs};

    #[test]
    fn a_place_that_a_back_off_keeps_is_missed() {
        let mut history = backlog();
        let (at, ready, ended) = (secs(0), Some(secs(0)), None);
        history.starts = vec![Start { at, ready, ended }];
        history.limits.compile_slots = 2;
        assert_eq!(check(&history).len(), 1);
        history.limits.compile_slots = 1;
        assert_eq!(
            check(&history),
            [""; 0],
            "there is but one, and it is taken"
        );
        history.limits.compile_slots = 2;
        history.troubles = vec![(secs(0), secs(100))];
        assert_eq!(check(&history), [""; 0], "a fault may be the reason");
    }

    /// Three jobs and one place: the first leaves it at 20 s, the next is told to be there at `told`,
    /// and the last waits all that time.
    fn given_on(told: Duration) -> History {
        let sample = good();
        let mut history = History {
            ended: secs(100),
            ..History::default()
        };
        history.limits.compile_slots = 1;
        let (at, ready, ended) = (secs(0), Some(secs(0)), None);
        history.starts = vec![Start { at, ready, ended }];
        let [first, next, last] = [1, 2, 3].map(|number| JobId::new(number, [9; 10]));
        for id in [first, next, last] {
            history.stored.insert(id, sample.stored[&job()].clone());
            commit(&mut history, id, (secs(1), 1, "Submitted", State::Pending));
        }
        let leaves = (secs(20), 3, "Compiled", State::Queued);
        for (id, happens) in [
            (first, (secs(1), 2, "Admitted", State::Compiling)),
            (first, leaves),
            (next, (told, 2, "Admitted", State::Compiling)),
            (last, (secs(90), 2, "Admitted", State::Compiling)),
        ] {
            commit(&mut history, id, happens);
        }
        history
    }

    #[test]
    fn a_job_that_is_told_late_to_be_there_was_there_before() {
        let told_after = |ms| check(&given_on(secs(20) + Duration::from_millis(ms)));
        assert_eq!(told_after(160), [""; 0], "it may have come after 60 ms");
        assert_eq!(told_after(400).len(), 1, "nobody was there for 300 ms");
    }
}
