//! Among jobs of one tenant that wait for the same device, the more urgent one gets it first,
//! each step of waiting being worth a point of priority (D9).

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::{JobId, ReservationId};
use qrtx::job::Job;
use qrtx::job::event::{Event, Recorded};
use qrtx::job::target::Target;
use qrtx::limits::TELL_WITHIN;
use qrtx::schedule::fit::Needs;
use qrtx::time::Timestamp;

use super::Breach;
use crate::history::{Committed, History};
use crate::turns::SETTLED;

/// How long a job waited for its device. The turn was given when it was first tried to be
/// recorded, or as long before as that may wait; a kernel that stands still in between does not
/// know that it does.
struct Wait<'a> {
    job: JobId,
    since: Duration,
    /// The earliest moment and the latest.
    until: (Duration, Duration),
    /// What it waited for, and whose it is: a reserved slot is not what others wait for.
    queue: (
        &'a Target,
        Option<&'a Needs>,
        Option<ReservationId>,
        &'a str,
    ),
    /// Told without the kernel's own rank, which may be what is wrong: priority with age, then the
    /// deadline, then the submission; less is more urgent.
    place: (i64, Timestamp, u64),
}

/// Says who was passed over.
pub fn check(history: &History) -> Vec<Breach> {
    let waits = waits(history);
    let mut broken = Vec::new();
    for picked in &waits {
        let (earliest, latest) = picked.until;
        // Others may have been picked in the same moment, and nothing came of it.
        let breaks_off = |when: &Duration| (earliest..latest + SETTLED).contains(when);
        if history.broke_off.iter().any(breaks_off) {
            continue;
        }
        let passed_over = waits.iter().find(|other| {
            let waited = other.since < history.lived_since(earliest, SETTLED)
                && other.until.0 > latest + SETTLED;
            waited && other.queue == picked.queue && other.place < picked.place
        });
        if let Some(Wait { job, .. }) = passed_over {
            let (first, at) = (picked.job, latest.as_secs_f64());
            broken.push(Breach::at(
                latest,
                format!("{job} is more urgent than {first}, which went first at {at:.3} s"),
            ));
        }
    }
    broken
}

/// The first time in the queue of each job; later ones begin with a back-off.
fn waits(history: &History) -> Vec<Wait<'_>> {
    let step = i64::try_from(history.limits.age_step_ms * 1000).expect("a step is short");
    let compiled = |commit: &&Committed| commit.confirmed && commit.events.contains(&"Compiled");
    let mut since: BTreeMap<JobId, Duration> = BTreeMap::new();
    for Committed { at, job, .. } in history.committed.iter().filter(compiled) {
        since.entry(*job).or_insert(*at);
    }
    let waits = since.into_iter().filter_map(|(job, since)| {
        let turn = *history.turns.get(&job)?;
        let Job {
            spec,
            created_at,
            submission,
            ..
        } = &history.stored.get(&job)?.job;
        let needs = first_needs(&history.stored[&job].events);
        let level = created_at.0.div_euclid(step) - i64::from(spec.priority);
        Some(Wait {
            job,
            since,
            until: (history.lived_since(turn, TELL_WITHIN), turn),
            queue: (&spec.target, needs, spec.reservation, &spec.owner.tenant),
            place: (level, spec.expires_at, *submission),
        })
    });
    waits.collect()
}

/// What its first circuit needed. One that was lost may have been made anew for other devices.
fn first_needs(events: &[Recorded]) -> Option<&Needs> {
    let first = events.iter().find_map(|recorded| match &recorded.event {
        Event::Compiled { circuit } => Some(circuit),
        _ => None,
    });
    first?.needs.as_deref()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use qrtx::job::event::CircuitFormat;

    use super::*;
    use crate::invariants::sample::{good, job};
    use qrtx::job::state::State;

    #[test]
    fn a_job_that_is_passed_over_is_missed() {
        assert_eq!(check(&passed_over_at(100)).len(), 1);
    }

    #[test]
    fn a_decision_that_the_store_took_late_passes_nobody_over() {
        let mut history = passed_over_at(100);
        history.turns.insert(other(), Duration::ZERO);
        assert_eq!(check(&history).len(), 0);
    }

    #[test]
    fn a_turn_given_just_before_a_pause_and_recorded_after_it_passes_nobody_over() {
        let mut history = passed_over_at(100);
        let at = history.turns[&job()];
        history.pauses.push((Duration::from_millis(10), at));
        assert_eq!(check(&history).len(), 0);
        history.pauses[0].0 = at - Duration::from_millis(10);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_decision_that_a_crash_cut_short_passes_nobody_over() {
        let mut history = passed_over_at(100);
        history.broke_off.push(history.turns[&job()]);
        assert_eq!(check(&history).len(), 0);
    }

    #[test]
    fn a_circuit_that_is_made_anew_for_other_devices_was_waited_with_as_the_first_was() {
        let needs = |qubits| {
            let format = CircuitFormat::AqoJson;
            let ops = BTreeSet::new();
            Some(Arc::new(Needs {
                format,
                qubits,
                ops,
            }))
        };
        let mut history = passed_over_at(100);
        let mut made = |job, qubits| {
            let events = &mut history.stored.get_mut(&job).unwrap().events;
            let mut compiled = events.iter_mut().filter_map(|one| match &mut one.event {
                Event::Compiled { circuit } => Some(circuit),
                _ => None,
            });
            compiled.next().unwrap().needs = needs(qubits);
            let mut again = events[3].clone();
            if let Event::Compiled { circuit } = &mut again.event {
                circuit.needs = needs(Some(7));
            }
            events.push(again);
        };
        made(job(), Some(3));
        made(other(), Some(5));
        assert_eq!(check(&history), [""; 0], "they did not wait for the same");
        let same = history.stored[&job()].events[3].clone();
        history.stored.get_mut(&other()).unwrap().events[3] = same;
        assert_eq!(check(&history).len(), 1);
    }

    fn other() -> JobId {
        JobId::new(9, [9; 10])
    }

    /// A more urgent job that waited from the start until `at` seconds.
    fn passed_over_at(at: u64) -> History {
        let mut history = good();
        let mut stored = history.stored[&job()].clone();
        let mut spec = (*stored.job.spec).clone();
        spec.priority = 99;
        stored.job.spec = spec.into();
        history.stored.insert(other(), stored);
        history.committed.insert(
            0,
            Committed {
                at: Duration::ZERO,
                confirmed: true,
                job: other(),
                seq: 4,
                events: vec!["Compiled"],
                state: State::Queued,
            },
        );
        history.turns.insert(other(), Duration::from_secs(at));
        history
    }
}
