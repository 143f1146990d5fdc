//! Measuring two things beside one another: slices of time that alternate, and their medians.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::Broken;

/// Something that callers do again and again.
pub(super) trait Act: Send + Sync + 'static {
    /// Once, by one of the callers.
    fn once(&self, caller: usize) -> impl Future<Output = Result<(), Broken>> + Send;
}

/// How long it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slices {
    /// Of each of the two.
    pub(super) count: usize,
    pub(super) span: Duration,
}

/// What was seen of one of the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The median of the slices.
    pub(super) per_second: f64,
    /// Of all that was done in any slice.
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// What the processors of this process worked for one, callers included; where it can be told.
    pub(super) cpu: Option<Duration>,
}

/// The slices of one of the two, so far.
#[derive(Default)]
struct Taken {
    rates: Vec<f64>,
    spans: Vec<Duration>,
    cpu: Duration,
}

impl Taken {
    fn seen(mut self) -> Seen {
        self.rates.sort_by(f64::total_cmp);
        self.spans.sort_unstable();
        let at = |share: f64| {
            let last = self.spans.len().saturating_sub(1);
            let at = (last as f64 * share).round() as usize;
            self.spans.get(at).copied().unwrap_or_default()
        };
        Seen {
            per_second: median(&self.rates),
            p50: at(0.5),
            p99: at(0.99),
            cpu: Some(self.cpu.div_f64(self.spans.len().max(1) as f64))
                .filter(|cpu| !cpu.is_zero()),
        }
    }
}

/// The middle of sorted numbers; 0 of none.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        many if many % 2 == 1 => sorted[many / 2],
        many => (sorted[many / 2 - 1] + sorted[many / 2]) / 2.0,
    }
}

/// Once, by one caller.
pub(super) async fn once<A: Act>(act: &Arc<A>) -> Result<(), Broken> {
    act.once(0).await
}

/// Looks at both in turn; the first slice of each warms up and does not count.
pub(super) async fn beside<A: Act, B: Act>(
    ours: &Arc<A>,
    reference: &Arc<B>,
    callers: usize,
    slices: Slices,
) -> Result<(Seen, Seen), Broken> {
    let (mut first, mut second) = (Taken::default(), Taken::default());
    let warm_up = slices.span / 4;
    slice(ours, callers, warm_up, &mut Taken::default()).await?;
    slice(reference, callers, warm_up, &mut Taken::default()).await?;
    for _ in 0..slices.count {
        slice(ours, callers, slices.span, &mut first).await?;
        slice(reference, callers, slices.span, &mut second).await?;
    }
    Ok((first.seen(), second.seen()))
}

/// Each caller acts one time after another until the span is over; what is under way then ends.
async fn slice<A: Act>(
    act: &Arc<A>,
    callers: usize,
    span: Duration,
    taken: &mut Taken,
) -> Result<(), Broken> {
    let (began, worked) = (Instant::now(), worked());
    let all = (0..callers).map(|caller| {
        let act = act.clone();
        tokio::spawn(async move {
            let mut spans = Vec::new();
            while began.elapsed() < span {
                let asked = Instant::now();
                act.once(caller).await?;
                spans.push(asked.elapsed());
            }
            Ok(spans)
        })
    });
    let each = try_join_all(all).await.map_err(Broken::at("a caller"))?;
    let took = began.elapsed();
    taken.cpu += self::worked().saturating_sub(worked);
    let mut done = 0;
    for spans in each {
        let spans = spans?;
        done += spans.len();
        taken.spans.extend(spans);
    }
    taken.rates.push(done as f64 / took.as_secs_f64());
    Ok(())
}

/// What the processors have worked for this process so far; nothing where that is not told. While
/// others use them too, it is steadier than the time that has passed.
fn worked() -> Duration {
    /// Linux counts in hundredths of a second.
    const TICK: Duration = Duration::from_millis(10);
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program comes before, in parentheses, and may hold anything.
    let fields = told.rsplit(')').next().unwrap_or_default();
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|ticks| ticks.parse().ok());
    let (user, system): (u32, u32) = (ticks().unwrap_or(0), ticks().unwrap_or(0));
    TICK * user.saturating_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }

    #[test]
    fn percentiles_are_those_of_all_that_was_done() {
        let taken = Taken {
            rates: vec![3.0, 1.0, 2.0],
            spans: (1..=101).rev().map(Duration::from_millis).collect(),
            cpu: Duration::from_millis(1010),
        };
        let seen = taken.seen();
        assert_eq!(seen.per_second, 2.0);
        assert_eq!(seen.p50, Duration::from_millis(51));
        assert_eq!(seen.p99, Duration::from_millis(100));
        assert_eq!(seen.cpu, Some(Duration::from_millis(10)));
    }
}
