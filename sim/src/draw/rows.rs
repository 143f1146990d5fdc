//! Where a time is in the picture.

use std::time::Duration;

use crate::verdict::{Outcome, Verdict};

const ROW: f64 = 15.0;
const TOP: f64 = 30.0;
/// Things closer together than this share a row's label.
const LABEL_EVERY: usize = 6;

/// Each time at which something happened, in order: a row each.
pub(super) struct Rows(Vec<Duration>);

impl Rows {
    pub(super) fn of(outcome: &Outcome, verdict: &Verdict) -> Self {
        let records = &outcome.records;
        let mut times = vec![Duration::ZERO, outcome.ended];
        for call in records
            .calls
            .iter()
            .filter(|call| !super::NOISE.contains(&call.method.as_str()))
        {
            times.push(call.sent);
            times.extend([call.arrived, call.left, call.ended].into_iter().flatten());
        }
        times.extend(records.commits.iter().map(|commit| commit.at));
        times.extend(records.artifacts.iter().map(|written| written.at));
        for fired in &records.fired {
            times.extend(
                [Some(fired.at), fired.lasts.map(|lasts| fired.at + lasts)]
                    .into_iter()
                    .flatten(),
            );
        }
        for life in &records.lives {
            times.extend([Some(life.began), life.ended].into_iter().flatten());
        }
        for run in &outcome.history.runs {
            times.push(run.started.0);
            times.extend(run.ended.map(|ended| ended.0));
        }
        times.extend(verdict.all().filter_map(|broken| broken.at));
        times.sort_unstable();
        // What happens within a tenth of a millisecond happens at once, for the eye.
        times.dedup_by(|later, earlier| *later < *earlier + Duration::from_micros(100));
        Self(times)
    }

    pub(super) fn y(&self, at: Duration) -> f64 {
        let after = self.0.partition_point(|row| *row <= at);
        let Some(before) = after.checked_sub(1) else {
            return TOP;
        };
        let part = match (self.0.get(before), self.0.get(after)) {
            (Some(from), Some(to)) => {
                at.saturating_sub(*from).as_secs_f64() / to.saturating_sub(*from).as_secs_f64()
            }
            _ => 0.0,
        };
        TOP + ROW * (before as f64 + part)
    }

    pub(super) fn height(&self) -> f64 {
        TOP + ROW * (self.0.len() as f64 + 2.0)
    }

    /// Times to write at the edge, and where: some of them, and those after a long silence.
    pub(super) fn labels(&self) -> Vec<(f64, Duration)> {
        let mut last = Duration::ZERO;
        let rows = self.0.iter().enumerate();
        let wanted = rows.filter(|(number, at)| {
            let silence = at.saturating_sub(last) > Duration::from_millis(100);
            last = **at;
            silence || number.is_multiple_of(LABEL_EVERY)
        });
        wanted.map(|(_, at)| (self.y(*at), *at)).collect()
    }
}
