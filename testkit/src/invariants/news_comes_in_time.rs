//! Who watches a job hears of what happens when it happens: a watch is no poll (proto WatchJob).

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::ids::JobId;

use super::Breach;
use crate::history::{History, News};

/// From a commit to whoever watches, when all is well. Between two events this client looks at
/// other things, so a few that come at once take their time.
const SOON: Duration = Duration::from_secs(2);

/// Says who heard of something late.
pub fn check(history: &History) -> Vec<Breach> {
    let mut since: BTreeMap<(&str, JobId), Duration> = BTreeMap::new();
    let mut heard: BTreeMap<(&str, JobId, u64), Duration> = BTreeMap::new();
    for told in &history.told {
        let who = told.client.as_str();
        since.entry((who, told.job)).or_insert(told.at);
        if let News::Event { seq, .. } | News::Update { seq, .. } = told.news {
            heard.entry((who, told.job, seq)).or_insert(told.at);
        }
    }
    let mut broken = Vec::new();
    for ((client, job), since) in since {
        let commits = history.committed.iter();
        let commits = commits.filter(|commit| commit.job == job && commit.confirmed);
        let late = commits
            .filter_map(|commit| {
                let due = commit.at.max(since) + SOON;
                let at = heard.get(&(client, job, commit.seq))?;
                let late = *at > due && !history.was_troubled(commit.at.max(since), due);
                late.then_some((commit, due, *at))
            })
            .next();
        broken.extend(late.map(|(commit, due, at)| {
            let (happened, at) = (commit.at.as_secs_f64(), at.as_secs_f64());
            let what = commit.events.join(", ");
            let how = format!(
                "{client} heard at {at:.3} s of {what} of {job}, which was at {happened:.3} s"
            );
            Breach::at(due, how)
        }));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, secs};

    #[test]
    fn news_that_come_late_are_refused_but_for_a_reason() {
        let mut history = good();
        assert_eq!(check(&history), [""; 0]);
        for told in &mut history.told {
            if !matches!(told.news, News::Accepted { .. }) {
                told.at += secs(20);
            }
        }
        assert_eq!(check(&history).len(), 1);
        history.troubles = vec![(secs(0), secs(10))];
        assert_eq!(check(&history), [""; 0]);
    }
}
