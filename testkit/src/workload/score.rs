//! How good an order of turns was, and how true what it told of waits.

use std::time::Duration;

use serde::Serialize;

use super::fairness::fairness;
use super::replay::{Replay, Told};

/// How good an order of turns was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Seconds a job waited, on the mean.
    pub wait_mean_seconds: f64,
    /// Seconds that one job in two waited at most.
    pub wait_p50_seconds: f64,
    /// Seconds that 99 of 100 jobs waited at most.
    pub wait_p99_seconds: f64,
    /// The longest wait.
    pub wait_max_seconds: f64,
    /// See [`fairness`]; 1 is the most.
    pub fairness: f64,
    /// The time in which devices worked, over that in which they could, until the last job came.
    pub utilisation: f64,
}

/// How true what was told of waits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Truth {
    /// The part of all jobs to which something was told; none is while a device calibrates.
    pub told: f64,
    /// The part of those that started no later than the told p50.
    pub within_p50: f64,
    /// The part that started no later than the told p90.
    pub within_p90: f64,
    /// The same of those that had to wait at all.
    pub waiting_within_p50: f64,
    /// The same of those that had to wait at all.
    pub waiting_within_p90: f64,
    /// The mean pinball loss at one half and nine tenths, in seconds; the less the better.
    pub pinball_seconds: f64,
    /// The same for jobs here already, times what executions took on the mean.
    pub pinball_naive_seconds: f64,
}

impl Score {
    /// Of a replay.
    #[must_use]
    pub fn of(replay: &Replay<'_>) -> Self {
        let mut waits: Vec<_> = replay.waits().map(|wait| wait.as_secs_f64()).collect();
        waits.sort_by(f64::total_cmp);
        let quantile = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
        Self {
            wait_mean_seconds: waits.iter().sum::<f64>() / waits.len() as f64,
            wait_p50_seconds: quantile(0.5),
            wait_p99_seconds: quantile(0.99),
            wait_max_seconds: quantile(1.0),
            fairness: fairness(replay),
            utilisation: utilisation(replay),
        }
    }
}

fn utilisation(replay: &Replay<'_>) -> f64 {
    let trace = replay.trace;
    let until = trace.span;
    let worked: Duration = replay
        .starts
        .iter()
        .zip(&trace.arrivals)
        .map(|(start, arrival)| (*start + arrival.takes).min(until) - (*start).min(until))
        .sum();
    let windows = trace.calibrations.iter();
    let closed: Duration = windows.map(|window| window.until - window.from).sum();
    let open = trace.span * u32::try_from(trace.devices()).unwrap_or(u32::MAX) - closed;
    worked.as_secs_f64() / open.as_secs_f64()
}

impl Truth {
    /// Of a replay; `None` if nothing was told.
    #[must_use]
    pub fn of(replay: &Replay<'_>) -> Option<Self> {
        let told = replay.told.iter().zip(replay.waits());
        let told: Vec<(Told, Duration)> = told
            .filter_map(|(told, wait)| Some(((*told)?, wait)))
            .collect();
        if told.is_empty() {
            return None;
        }
        let waiting: Vec<_> = told
            .iter()
            .filter(|(_, wait)| !wait.is_zero())
            .copied()
            .collect();
        let p50 = |it: &(Told, Duration)| it.1 <= it.0.interval.p50;
        let p90 = |it: &(Told, Duration)| it.1 <= it.0.interval.p90;
        let losses = told.iter().map(|(told, wait)| {
            let Told { interval, naive } = told;
            let ours = pinball(0.5, interval.p50, *wait) + pinball(0.9, interval.p90, *wait);
            (
                ours,
                pinball(0.5, *naive, *wait) + pinball(0.9, *naive, *wait),
            )
        });
        let count = told.len() as f64;
        let (ours, naive) = losses.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        Some(Self {
            told: count / replay.told.len() as f64,
            within_p50: part(&told, p50),
            within_p90: part(&told, p90),
            waiting_within_p50: part(&waiting, p50),
            waiting_within_p90: part(&waiting, p90),
            pinball_seconds: ours / 2.0 / count,
            pinball_naive_seconds: naive / 2.0 / count,
        })
    }
}

fn part(of: &[(Told, Duration)], which: impl Fn(&(Told, Duration)) -> bool) -> f64 {
    of.iter().filter(|it| which(it)).count() as f64 / of.len().max(1) as f64
}

/// What it costs to have told a quantile, in seconds.
fn pinball(quantile: f64, told: Duration, came: Duration) -> f64 {
    let more = came.as_secs_f64() - told.as_secs_f64();
    (quantile * more).max((quantile - 1.0) * more)
}
