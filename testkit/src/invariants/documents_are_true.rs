//! Whoever finds a job's folder reads in it what is so: the counts and where they come from, what each
//! file hashes to, why the job ended (D13). And its history tells times that never go back.

use std::collections::BTreeMap;

use qrtx::ids::{JobId, Sha256Sum};
use qrtx::job::event::Event;
use qrtx::job::state::State;
use serde_json::{Value, json};

use super::Breach;
use crate::history::{History, Stored};

/// Says which document tells something else.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken: Vec<Breach> = Vec::new();
    for (id, stored) in &history.stored {
        let mut wrong = Vec::new();
        if stored.job.state == State::Completed {
            wrong.extend(results(history, *id, stored));
            wrong.extend(manifest(history, *id, stored));
            wrong.extend(request(history, *id, stored));
        }
        wrong.extend(report(history, *id, stored));
        let mut times = stored.events.windows(2);
        if let Some(pair) = times.find(|pair| pair[1].at < pair[0].at) {
            wrong.push(format!("event {} comes before the one before", pair[1].seq));
        }
        let wrong = wrong.into_iter();
        broken.extend(wrong.map(|what| Breach::from(format!("{id}: {what}"))));
    }
    broken
}

/// A document of a job; `None` where a fault took or spoilt it when nobody could have noticed, or where
/// it is missing, which `result_before_done` says.
fn read(history: &History, id: JobId, stored: &Stored, file: &str) -> Option<Value> {
    if history.taken.contains(&(id, file.to_owned())) {
        return None;
    }
    let content = stored.artifacts.get(file)?;
    Some(serde_json::from_slice(content).unwrap_or(Value::Null))
}

fn results(history: &History, id: JobId, stored: &Stored) -> Vec<String> {
    let Some(told) = read(history, id, stored, "results.json") else {
        return Vec::new();
    };
    let counts = told["counts"].as_object().map(|counts| {
        let each = counts.iter();
        each.map(|(key, count)| (key.clone(), count.as_u64().unwrap_or_default()))
            .collect::<BTreeMap<_, _>>()
    });
    let mut wrong = Vec::new();
    if let Some(stored) = stored.counts()
        && counts.as_ref() != Some(&stored)
    {
        wrong.push("results.json has other counts than are stored".to_owned());
    }
    let job = &stored.job;
    let outcome = job.outcome.as_deref();
    wrong.extend(differences(
        ("results.json", &told),
        [
            (
                "/device_id",
                json!(job.ledger.last().map(|entry| &entry.device)),
            ),
            ("/execution_id", json!(format!("{id}#{}", job.ledger.len()))),
            ("/shots", json!(job.spec.shots)),
            (
                "/circuit_sha256",
                json!(outcome.map(|it| it.circuit_sha256)),
            ),
            (
                "/execution_time_sec",
                json!(outcome.map(|it| it.execution_seconds)),
            ),
            ("/metadata", json!(outcome.map(|it| &it.metadata))),
        ],
    ));
    wrong
}

/// What a document says at these places that is otherwise.
fn differences<const PLACES: usize>(
    (file, told): (&str, &Value),
    so: [(&str, Value); PLACES],
) -> Vec<String> {
    let wrong = so.into_iter().filter_map(|(place, so)| {
        let said = told.pointer(place).unwrap_or(&Value::Null);
        (*said != so).then(|| format!("{file} says {said} at {place}, and it is {so}"))
    });
    wrong.collect()
}

fn manifest(history: &History, id: JobId, stored: &Stored) -> Vec<String> {
    let Some(told) = read(history, id, stored, "meta.json") else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let listed = told["artifacts"].as_array().cloned().unwrap_or_default();
    let described = |one: &Value| {
        Some((
            one["sha256"].as_str()?.to_owned(),
            one["size_bytes"].as_u64()?,
        ))
    };
    let listed: BTreeMap<_, _> = listed
        .iter()
        .filter_map(|one| Some((one["path"].as_str()?, described(one)?)))
        .collect();
    let hash = |sum: Sha256Sum| sum.to_string();
    for artifact in &stored.job.artifacts {
        let sum = hash(artifact.sha256);
        let then = stored.at_completion.as_ref();
        let content = then.and_then(|files| files.get(&artifact.file));
        // One that was never there is `result_before_done`'s to miss.
        let size = content.map_or(artifact.bytes, |content| content.len() as u64);
        if listed.get(artifact.file.as_str()) != Some(&(sum.clone(), size)) {
            wrong.push(format!(
                "meta.json does not list {} as it is",
                artifact.file
            ));
        }
        let own = artifact.file == "results.json";
        if own && told["hashes"]["results_sha256"].as_str() != Some(&sum) {
            wrong.push("meta.json has another hash of the results".to_owned());
        }
    }
    let job = &stored.job;
    let mut events = stored.events.iter();
    let executed = events.find(|recorded| matches!(recorded.event, Event::Executed { .. }));
    wrong.extend(differences(
        ("meta.json", &told),
        [
            ("/name", json!(job.spec.name)),
            ("/tenant_id", json!(job.spec.owner.tenant)),
            ("/project_id", json!(job.spec.owner.project)),
            ("/created_at_unix_us", json!(job.created_at)),
            ("/executed_at_unix_us", json!(executed.map(|it| it.at))),
            ("/hashes/program_sha256", json!(job.spec.program_sha256)),
            ("/hashes/circuit_sha256", json!(job.circuit_sha256())),
        ],
    ));
    wrong
}

/// What is said to be written about an end without success.
fn report(history: &History, id: JobId, stored: &Stored) -> Vec<String> {
    let mut events = stored.events.iter().map(|recorded| &recorded.event);
    let is_written = events.any(|event| matches!(event, Event::Reported { written: true }));
    let is_taken = history.taken.contains(&(id, "error.json".to_owned()));
    if !is_written || is_taken {
        return Vec::new();
    }
    let Some(told) = read(history, id, stored, "error.json") else {
        return vec!["error.json was reported as written, and is not there".to_owned()];
    };
    let job = &stored.job;
    let error = job.error();
    differences(
        ("error.json", &told),
        [
            ("/state", json!(job.state)),
            ("/error_code", json!(error.as_ref().map(|it| &it.code))),
            (
                "/error_summary",
                json!(error.as_ref().map(|it| &it.summary)),
            ),
            ("/attempts", json!(job.ledger.len())),
            ("/ended_at_unix_us", json!(job.state_since)),
        ],
    )
}

/// What a client asked for, as it was taken.
fn request(history: &History, id: JobId, stored: &Stored) -> Option<String> {
    let told = read(history, id, stored, "input.job.json")?;
    let same = told == json!(*stored.job.spec);
    (!same).then(|| "input.job.json is not what was accepted".to_owned())
}

#[cfg(test)]
mod tests {
    use qrtx::job::failure::Category;

    use super::*;
    use crate::invariants::sample::{failed, good, job};

    /// What is wrong when a document of the one job says this.
    fn says(file: &str, document: &Value) -> usize {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        let content = serde_json::to_vec(document).unwrap();
        stored.artifacts.insert(file.to_owned(), content);
        check(&history).len()
    }

    /// The same when it says what it should, but for this.
    fn says_at(file: &str, place: &str, value: Value) -> usize {
        let stored = &good().stored[&job()];
        let mut document = serde_json::from_slice::<Value>(&stored.artifacts[file]).unwrap();
        *document.pointer_mut(place).unwrap() = value;
        says(file, &document)
    }

    #[test]
    fn results_that_say_something_else_are_refused() {
        assert_eq!(check(&good()), [""; 0]);
        for place in [
            "/counts",
            "/device_id",
            "/execution_id",
            "/shots",
            "/circuit_sha256",
            "/execution_time_sec",
            "/metadata",
        ] {
            let told = says_at("results.json", place, json!({ "another": 1 }));
            assert_eq!(told, 1, "{place}");
        }
        assert_eq!(says("results.json", &Value::Null), 7);
    }

    #[test]
    fn a_manifest_that_says_something_else_is_refused() {
        for place in [
            "/name",
            "/tenant_id",
            "/project_id",
            "/created_at_unix_us",
            "/executed_at_unix_us",
            "/artifacts/0/sha256",
            "/artifacts/0/size_bytes",
            "/hashes/results_sha256",
            "/hashes/program_sha256",
            "/hashes/circuit_sha256",
        ] {
            assert_eq!(says_at("meta.json", place, json!("another")), 1, "{place}");
        }
    }

    #[test]
    fn a_request_that_was_not_made_is_refused() {
        let spec = json!(*good().stored[&job()].job.spec);
        assert_eq!(says("input.job.json", &spec), 0);
        assert_eq!(says("input.job.json", &json!({ "shots": 10 })), 1);
    }

    #[test]
    fn a_report_that_says_something_else_is_refused() {
        let mut history = failed(Category::CompileError, State::Compiling, 1);
        let stored = history.stored.get_mut(&job()).unwrap();
        let reported = stored.job.recorded(Event::Reported { written: true });
        stored.events.push(reported);
        let error = stored.job.error().unwrap();
        let report = json!({
            "state": "Failed", "error_code": error.code, "error_summary": error.summary,
            "attempts": stored.job.ledger.len(), "ended_at_unix_us": stored.job.state_since,
        });
        let mut says = |report: &Value| {
            let content = serde_json::to_vec(report).unwrap();
            let stored = history.stored.get_mut(&job()).unwrap();
            stored.artifacts.insert("error.json".to_owned(), content);
            check(&history).len()
        };
        assert_eq!(says(&report), 0);
        for place in report.as_object().unwrap().keys() {
            let mut other = report.clone();
            other[place] = json!("another");
            assert_eq!(says(&other), 1, "{place}");
        }
    }

    #[test]
    fn a_report_that_is_nowhere_is_refused() {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        stored.events.last_mut().unwrap().event = Event::Reported { written: true };
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn times_that_go_back_are_refused() {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        stored.events[3].at.0 += 1;
        assert_eq!(check(&history).len(), 1);
    }
}
