//! What is told of a job beside its state and counts is what is stored of it, and that is what the
//! device said and the client asked for: times, shots, the books, how counts are to be read.

use std::time::Duration;

use qrtx::ids::JobId;
use qrtx::job::Job;
use qrtx::job::event::{ArtifactRef, Event, Recorded};
use qrtx::job::state::State;
use qrtx::time::Timestamp;

use super::Breach;
use crate::history::{Details, History, News, Stored};

/// How keys of counts are to be read where the device says nothing of it.
const BITSTRING_ORDER: &str = "msb_first_by_classical_index";
/// Seconds are told as a floating-point number.
const EXACT: Duration = Duration::from_micros(10);

/// Says what is told or stored otherwise.
pub fn check(history: &History) -> Vec<Breach> {
    let told = history.told.iter().filter_map(|told| {
        let News::Details(details) = &told.news else {
            return None;
        };
        let so = as_stored(history.stored.get(&told.job)?);
        let wrong = details.iter().find(|(name, said)| match so.get(*name) {
            Some(kept) => kept != *said,
            None => !depends(name),
        });
        let (name, said) = wrong?;
        let (client, job) = (&told.client, told.job);
        let kept = so.get(name).map_or("nothing", String::as_str);
        let how = format!("{client} was told of {job} that {name} is {said:?}, and it is {kept:?}");
        Some(Breach::at(told.at, how))
    });
    let stored = history.stored.iter().filter_map(|(id, stored)| {
        let how = forgotten(history, &stored.job).or_else(|| reason(history, stored))?;
        Some(Breach::from(format!("{id}: {how}")))
    });
    told.chain(stored).collect()
}

/// Whether a detail is one that a later event may have changed.
fn depends(name: &str) -> bool {
    name.contains(".after.")
}

/// All that can be told of a job now.
fn as_stored(stored: &Stored) -> Details {
    let (job, mut all) = (&stored.job, Details::new());
    let mut put = |name: &str, so: String| {
        all.insert(name.to_owned(), so);
    };
    let spec = &job.spec;
    put("status.name", spec.name.clone());
    put("status.target", spec.target.to_string());
    put("status.priority", spec.priority.to_string());
    put("status.shots", spec.shots.to_string());
    put("status.tenant", spec.owner.tenant.clone());
    put("status.project", spec.owner.project.clone());
    put("status.created_at", job.created_at.0.to_string());
    put("status.expires_at", spec.expires_at.0.to_string());
    put("status.trace", format!("{:032x}", spec.trace.trace_id));
    let receipt = job.receipt.map(|receipt| format!("{receipt:?}"));
    let receipt = receipt.unwrap_or_default();
    let receipt = receipt.split_whitespace().next().unwrap_or_default();
    put(
        &format!("status.after.{}.receipt", job.seq),
        receipt.to_owned(),
    );
    put("results.shots", spec.shots.to_string());
    let outcome = job.outcome.as_deref();
    let seconds = outcome.map_or(0.0, |outcome| outcome.execution_seconds);
    put("results.execution_seconds", seconds.to_string());
    let beside = outcome.map(|outcome| outcome.metadata.clone());
    let beside = beside.unwrap_or_default();
    let order = beside.get("bitstring_order").map(String::as_str);
    let order = outcome.map_or("", |_| order.unwrap_or(BITSTRING_ORDER));
    put("results.bitstring_order", order.to_owned());
    put("results.metadata", format!("{beside:?}"));
    put("results.completed_at", job.state_since.0.to_string());
    let error = job.error().map(|error| error.code);
    let error = error.map_or(String::new(), |code| {
        format!("{code}, {}/error.json", job.id)
    });
    put("results.error", error);
    put("results.artifacts", files(job.id, &job.artifacts));
    put("results.manifest", files(job.id, job.manifest.as_slice()));
    put("results.stages", stages(&stored.events));
    for recorded in &stored.events {
        let phase = recorded.phase.map(|phase| format!("{phase:?}"));
        let (at, attempt, phase) = (recorded.at, recorded.attempt, phase.unwrap_or_default());
        let so = format!("at {at:?}, attempt {attempt}, {phase:?}");
        put(&format!("history.{}", recorded.seq), so);
    }
    put("ledger.attempts", job.ledger.len().to_string());
    for entry in &job.ledger {
        let (attempt, device, token) = (entry.attempt, &entry.device, entry.token.0);
        let execution = format!("{} shots on {device}, token {token}", entry.requested);
        put(&format!("ledger.{attempt}.execution"), execution);
        let books = &entry.settlement;
        let (delivered, wasted) = (books.delivered, books.wasted);
        let (not_run, unknown) = (books.not_run, books.unknown);
        let sums = format!("{delivered} delivered, {wasted} wasted, {not_run} not run, {unknown}?");
        put(&format!("ledger.after.{}.{attempt}", job.seq), sums);
        let (wasted, proof, unknown) = (
            &books.wasted_cause,
            &books.not_run_proof,
            &books.unknown_cause,
        );
        let causes = format!("wasted by {wasted:?}, not run by {proof:?}, unknown by {unknown:?}");
        put(
            &format!("ledger.after.{}.{attempt}.causes", job.seq),
            causes,
        );
    }
    all
}

fn files(job: JobId, artifacts: &[ArtifactRef]) -> String {
    let each = artifacts.iter().map(|artifact| {
        let (file, sum, bytes) = (&artifact.file, artifact.sha256, artifact.bytes);
        format!("{job}/{file} {sum} {bytes}")
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The stays of a job up to its end, each until the next begins.
fn stages(events: &[Recorded]) -> String {
    let mut begun: Vec<(State, Timestamp)> = Vec::new();
    for recorded in events {
        if begun
            .last()
            .is_none_or(|(state, _)| *state != recorded.state)
        {
            begun.push((recorded.state, recorded.at));
        }
    }
    let each = begun.windows(2).map(|pair| {
        let ((state, at), (_, until)) = (pair[0], pair[1]);
        let (name, seconds) = (state.name(), until.since(at).as_secs_f64());
        format!("{name} at {at:?} for {seconds} s")
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What a device said beside the counts, and is not kept.
fn forgotten(history: &History, job: &Job) -> Option<String> {
    let outcome = job.outcome.as_deref()?;
    let entry = job.ledger.last()?;
    let execution = format!("{}#{}", job.id, entry.attempt);
    let runs = history.runs.iter();
    let mut runs = runs
        .filter(|run| run.execution.as_ref() == Some(&execution))
        .peekable();
    runs.peek()?;
    let kept = Duration::try_from_secs_f64(outcome.execution_seconds).unwrap_or_default();
    let is_so = runs.any(|run| {
        let mut beside = run.beside.iter();
        run.took.abs_diff(kept) <= EXACT
            && beside.all(|(name, said)| outcome.metadata.get(name) == Some(said))
    });
    let (seconds, beside) = (outcome.execution_seconds, &outcome.metadata);
    (!is_so).then(|| format!("{seconds} s and {beside:?} are kept, and the device said otherwise"))
}

/// A reason for a cancel that no client gave.
fn reason(history: &History, stored: &Stored) -> Option<String> {
    let mut events = stored.events.iter();
    let kept = events.find_map(|recorded| match &recorded.event {
        Event::CancelRequested { reason } => Some(reason),
        _ => None,
    })?;
    let cancels = history.cancels.iter();
    let given: Vec<_> = cancels
        .filter(|cancel| cancel.job == stored.job.id)
        .map(|cancel| &cancel.reason)
        .collect();
    (!given.is_empty() && !given.contains(&kept))
        .then(|| format!("it was cancelled because {kept:?}, and clients said {given:?}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::history::Cancel;
    use crate::invariants::sample::{good, job, secs, tell};

    fn breaches(details: Details) -> usize {
        let mut history = good();
        tell(&mut history, News::Details(details));
        check(&history).len()
    }

    #[test]
    fn a_detail_that_is_not_what_is_stored_is_refused() {
        let all = as_stored(&good().stored[&job()]);
        assert_eq!(breaches(all.clone()), 0);
        for name in all.keys() {
            let mut told = all.clone();
            told.insert(name.clone(), "something else".to_owned());
            assert_eq!(breaches(told), 1, "{name}");
        }
    }

    #[test]
    fn what_a_later_event_changed_is_no_breach_and_what_never_was_is_one() {
        let told = |name: &str| breaches(BTreeMap::from([(name.to_owned(), "?".to_owned())]));
        assert_eq!(told("ledger.after.2.1"), 0);
        assert_eq!(told("ledger.9.execution"), 1);
    }

    #[test]
    fn what_a_device_said_and_is_not_kept_is_refused() {
        let mut history = good();
        history.runs[0].took += secs(1);
        assert_eq!(check(&history).len(), 1);
        let mut history = good();
        let said = ("driver".to_owned(), "simulator".to_owned());
        history.runs[0].beside.extend([said]);
        assert_eq!(check(&history).len(), 1);
        history.runs.clear();
        assert_eq!(check(&history), [""; 0], "nobody knows what it said");
    }

    #[test]
    fn a_reason_that_nobody_gave_is_refused() {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        let reason = "too late".to_owned();
        let event = Event::CancelRequested { reason };
        let recorded = stored.job.recorded(event);
        stored.events.push(recorded);
        let cancel = |reason: &str| Cancel {
            client: "client-0".to_owned(),
            job: job(),
            reason: reason.to_owned(),
            asked: secs(1),
            answered: None,
        };
        history.cancels = vec![cancel("too dear"), cancel("too late")];
        assert_eq!(check(&history), [""; 0]);
        history.cancels.pop();
        assert_eq!(check(&history).len(), 1);
    }
}
