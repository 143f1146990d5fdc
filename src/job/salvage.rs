//! What remains of a job whose record cannot be read as a whole: its history up to the damage,
//! and an end that says so. A job is not guessed at, and not run again.

use crate::ids::JobId;
use crate::job::Job;
use crate::job::event::{Event, Recorded};
use crate::job::failure::{Category, Failure};
use crate::job::spec::JobSpec;
use crate::time::Timestamp;

/// A job and its whole history, to be written in place of what was there.
#[derive(Debug, Clone, PartialEq)]
pub struct Remains {
    /// The job now.
    pub job: Job,
    /// Its events from the first on.
    pub events: Vec<Recorded>,
    /// Why the history stops where it does; `None` if nothing of it is lost.
    pub lost: Option<String>,
}

/// The job that `events` make, as far as they go, at `now`. `broken` says what is wrong with the
/// event after them, if there is one. Whoever has no first event gets what `unknown` makes up: when
/// the job was accepted, and what it was to do. A job that had not ended by then ends as
/// Failed(PersistError).
pub fn remains(
    id: JobId,
    events: Vec<Recorded>,
    broken: Option<String>,
    unknown: impl FnOnce() -> (Timestamp, JobSpec),
    now: Timestamp,
) -> Remains {
    let mut lost = broken;
    let mut kept: Vec<Recorded> = Vec::with_capacity(events.len());
    let mut made: Option<Job> = None;
    for recorded in events {
        let wrong = match (&mut made, &recorded.event) {
            (None, Event::Submitted { spec }) => {
                made = Some(Job::submitted(id, spec.clone(), recorded.at));
                None
            }
            (None, other) => Some(format!("its history begins with {}", other.name())),
            (Some(job), event) => job.apply(event, recorded.at).err().map(|no| no.to_string()),
        };
        if wrong.is_some() {
            lost = wrong;
            break;
        }
        kept.push(recorded);
    }
    let mut job = made.unwrap_or_else(|| {
        let (accepted_at, spec) = unknown();
        let job = Job::submitted(id, spec, accepted_at);
        let spec = job.spec.clone();
        kept.push(job.recorded(Event::Submitted { spec }));
        lost.get_or_insert_with(|| "its first event is missing".to_owned());
        job
    });
    if let Some(lost) = &lost
        && !job.state.is_terminal()
    {
        let summary = format!(
            "the record of this job cannot be read further: {lost}; it was not run again, what \
             could not be read is set aside in the job store, and the job may be submitted anew"
        );
        let event = Event::Failed {
            failure: Failure::new(Category::PersistError, summary),
            settlement: None,
        };
        job.apply(&event, now)
            .expect("a job that has not ended may fail");
        kept.push(job.recorded(event));
    }
    Remains {
        job,
        events: kept,
        lost,
    }
}
