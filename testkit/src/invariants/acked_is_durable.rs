//! What a client was told is in the store (D11), and one key stands for one job (D21).

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::job::Job;

use super::Breach;
use crate::history::{History, News, Wish};

/// What the store has of what a client asked for. How long it may take is told if the client did
/// say.
fn kept(job: &Job, timed: bool) -> Wish {
    let spec = &job.spec;
    let allowed = spec.expires_at.since(job.created_at);
    Wish {
        name: spec.name.clone(),
        tenant: spec.owner.tenant.clone(),
        program: spec.program_sha256,
        target: spec.target.as_str().to_owned(),
        shots: spec.shots,
        seed: spec.seed,
        options: spec.compiler_options.clone(),
        priority: spec.priority,
        timeout: timed.then_some(allowed),
    }
}

/// The same with whole milliseconds: requests that differ by less are one.
fn whole(wish: &Wish) -> Wish {
    let whole = |timeout: Duration| {
        let nanos = timeout.subsec_nanos() % 1_000_000;
        timeout - Duration::from_nanos(nanos.into())
    };
    Wish {
        timeout: wish.timeout.map(whole),
        ..wish.clone()
    }
}

/// Says what was told and is not kept.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut keys = BTreeMap::new();
    for told in &history.told {
        let Some(stored) = history.stored.get(&told.job) else {
            broken.push(Breach::at(
                told.at,
                format!(
                    "{} was told of {}, which is not stored",
                    told.client, told.job
                ),
            ));
            continue;
        };
        match &told.news {
            News::Accepted { key, wish, .. } => {
                let first = *keys.entry((&wish.tenant, key)).or_insert(told.job);
                if first != told.job {
                    broken.push(Breach::at(
                        told.at,
                        format!("key {key:?} is {first} and {}", told.job),
                    ));
                }
                if whole(wish) != whole(&kept(&stored.job, wish.timeout.is_some())) {
                    let (client, job) = (&told.client, told.job);
                    broken.push(Breach::at(
                        told.at,
                        format!("{client} asked for another job than {job}, which it was told"),
                    ));
                }
            }
            News::Event { seq, kind, state } => {
                let kept = stored.events.iter().find(|recorded| recorded.seq == *seq);
                let same = |kept: &&qrtx::job::event::Recorded| {
                    kept.event.name() == kind && kept.state == *state
                };
                if kept.filter(same).is_none() {
                    let (client, job) = (&told.client, told.job);
                    broken.push(Breach::at(
                        told.at,
                        format!("{client} was told event {seq} of {job}, {kind}: not stored"),
                    ));
                }
            }
            News::Update { seq, stage, .. } => {
                let mut kept = stored.events.iter();
                let same = kept.any(|kept| {
                    let of_state = kept.state.name();
                    kept.seq == *seq && kept.phase.map_or(of_state, |phase| phase.name()) == stage
                });
                if !same {
                    let (client, job) = (&told.client, told.job);
                    broken.push(Breach::at(
                        told.at,
                        format!("{client} was told update {seq} of {job}, {stage}: not stored"),
                    ));
                }
            }
            News::Public(_)
            | News::Shown(_)
            | News::Details(_)
            | News::Results { .. }
            | News::Receipt { .. }
            | News::Explained { .. }
            | News::History(_)
            | News::Listed(_)
            | News::Sifted { .. }
            | News::Beside(_) => {}
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job, tell};
    use qrtx::job::state::State;

    #[test]
    fn a_job_that_was_acknowledged_and_is_gone_is_refused() {
        let mut history = good();
        history.stored.clear();
        assert_eq!(check(&history).len(), history.told.len());
    }

    #[test]
    fn an_event_that_was_told_and_is_gone_is_refused() {
        let mut history = good();
        history.stored.get_mut(&job()).unwrap().events.pop();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_event_that_is_stored_otherwise_is_refused() {
        let mut history = good();
        let kind = "Failed".to_owned();
        tell(
            &mut history,
            News::Event {
                seq: 8,
                kind,
                state: State::Failed,
            },
        );
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn two_jobs_of_one_key_are_refused() {
        let mut history = good();
        let other = qrtx::ids::JobId::new(2, [8; 10]);
        history.stored.insert(other, history.stored[&job()].clone());
        let again = history.told[0].news.clone();
        tell(&mut history, again);
        history.told.last_mut().unwrap().job = other;
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn the_job_of_somebody_else_is_refused() {
        let mut history = good();
        let News::Accepted { wish, .. } = &mut history.told[0].news else {
            panic!("a client is told first that its job is accepted");
        };
        wish.program = qrtx::ids::Sha256Sum::of(b"another program");
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_bound_that_is_another_by_less_than_a_millisecond_is_the_same() {
        let mut history = good();
        let stored = &history.stored[&job()].job;
        let allowed = stored.spec.expires_at.since(stored.created_at);
        let mut bounded_by = |timeout| {
            let News::Accepted { wish, .. } = &mut history.told[0].news else {
                panic!("a client is told first that its job is accepted");
            };
            wish.timeout = Some(timeout);
            check(&history).len()
        };
        assert_eq!(bounded_by(allowed), 0);
        let begun = allowed.subsec_micros() % 1_000;
        assert_eq!(bounded_by(allowed - Duration::from_micros(begun.into())), 0);
        assert_eq!(bounded_by(allowed + Duration::from_millis(1)), 1);
    }
}
