//! Completed means that the results are there (D13): every artifact was written before the
//! commit that says so, still is what was stored, and the counts sum to the shots.

use std::collections::BTreeMap;

use qrtx::ids::Sha256Sum;
use qrtx::job::event::Counts;
use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News, Stored};

/// Says what is missing of completed jobs.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        if stored.job.state == State::Completed {
            let taken = |file: &str| history.taken.contains(&(*id, file.to_owned()));
            let missing = missing(stored, taken);
            broken.extend(
                missing
                    .into_iter()
                    .map(|what| format!("{id} is Completed: {what}").into()),
            );
        }
    }
    for told in &history.told {
        let News::Results {
            state: State::Completed,
            counts,
            ..
        } = &told.news
        else {
            continue;
        };
        let shots = history
            .stored
            .get(&told.job)
            .map(|stored| stored.job.spec.shots);
        let sum: i64 = counts.values().sum();
        if shots.map(i64::from) != Some(sum) {
            let (client, job) = (&told.client, told.job);
            let asked = shots.map_or_else(|| "nothing".to_owned(), |shots| shots.to_string());
            broken.push(Breach::at(
                told.at,
                format!("{client} got {sum} counts of {job}, which asked for {asked}"),
            ));
        }
    }
    broken
}

/// What a power failure took later is no broken promise: it can be made again (D13).
fn missing(stored: &Stored, taken: impl Fn(&str) -> bool) -> Vec<String> {
    let mut missing = Vec::new();
    let Some(manifest) = &stored.job.manifest else {
        return vec!["it has no manifest".to_owned()];
    };
    if let Some(before) = &stored.before_manifest {
        let named = stored.job.artifacts.iter();
        let late = named.filter(|wanted| !before.contains(&wanted.file));
        missing.extend(late.map(|late| format!("{} came after the manifest", late.file)));
    }
    let outcome = stored.job.outcome.as_ref();
    if let Some(Counts::Object(object)) = outcome.map(|outcome| &outcome.counts)
        && !stored.job.artifacts.contains(object)
    {
        missing.push(format!("its artifacts do not name {}", object.file));
    }
    let nothing = BTreeMap::new();
    let then = stored.at_completion.as_ref().unwrap_or(&nothing);
    for wanted in stored.job.artifacts.iter().chain([manifest]) {
        for (when, files) in [("then", then), ("now", &stored.artifacts)] {
            match files.get(&wanted.file) {
                _ if when == "now" && taken(&wanted.file) => {}
                None => missing.push(format!("{} was not there {when}", wanted.file)),
                Some(content) if Sha256Sum::of(content) != wanted.sha256 => {
                    missing.push(format!("{} was damaged {when}", wanted.file));
                }
                Some(_) => {}
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use qrtx::job::event::ArtifactRef;

    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn an_artifact_that_came_after_the_end_is_refused() {
        let mut history = good();
        history
            .stored
            .get_mut(&job())
            .unwrap()
            .at_completion
            .as_mut()
            .unwrap()
            .clear();
        assert_eq!(check(&history).len(), 2);
    }

    #[test]
    fn a_manifest_that_comes_before_what_it_names_is_refused() {
        let mut history = good();
        let stored = history.stored.get_mut(&job()).unwrap();
        stored.before_manifest = Some(Default::default());
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn counts_that_nothing_names_are_refused() {
        let mut history = good();
        let job = &mut history.stored.get_mut(&job()).unwrap().job;
        let object = ArtifactRef::of("counts-1.json", b"{}");
        let mut outcome = (**job.outcome.as_ref().unwrap()).clone();
        outcome.counts = Counts::Object(object);
        job.outcome = Some(outcome.into());
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_artifact_that_is_damaged_is_refused() {
        let mut history = good();
        let artifacts = &mut history.stored.get_mut(&job()).unwrap().artifacts;
        artifacts.get_mut("results.json").unwrap().push(b'!');
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn counts_that_do_not_sum_are_refused() {
        let mut history = good();
        for told in &mut history.told {
            if let News::Results { counts, .. } = &mut told.news {
                counts.insert("01".to_owned(), 1);
            }
        }
        assert_eq!(check(&history).len(), 1);
    }
}
