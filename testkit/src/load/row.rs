//! One figure beside its reference, for programs and for people.

use serde::Serialize;

use super::slices::Seen;

/// What was measured, and beside what.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `enqueue`, `life` (artifacts in memory), `life_on_disk`, `status` or `recovery`.
    pub what: &'static str,
    /// `memory` or `redb`; `unknown` for a kernel that runs elsewhere.
    pub store: &'static str,
    /// How many asked at a time.
    pub callers: usize,
    /// Enqueued, lived, told or recovered, per second.
    pub per_second: f64,
    /// Half took no longer, in ms; for `recovery` that of all jobs together.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in ms; for `recovery` the longest.
    pub p99_ms: f64,
    /// What was measured in between.
    pub reference: String,
    /// How much of that there was per second.
    pub reference_per_second: f64,
    /// Ours to the reference.
    pub ratio: f64,
    /// What the processors worked for one of ours, in ms, callers and neighbours included; `None`
    /// where the kernel is another process.
    pub cpu_ms: Option<f64>,
    /// The same of the reference to ours: steadier than the ratio while others use the machine.
    pub cpu_ratio: Option<f64>,
    /// Jobs in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// RPCs that one of these takes, those to the neighbours included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpcs: Option<f64>,
    /// From the start of the process to its first answer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_seconds: Option<f64>,
    /// Resident memory when all jobs are in their queues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}

impl Row {
    /// A figure and its reference; `per` of the reference make one of ours.
    pub(super) fn new(
        what: &'static str,
        store: &'static str,
        callers: usize,
        (seen, reference): (Seen, Seen),
        (name, per): (&str, f64),
    ) -> Self {
        let reference_per_second = reference.per_second / per;
        let cpu = |seen: Seen| seen.cpu.map(|cpu| cpu.as_secs_f64());
        let (ours, theirs) = (cpu(seen), cpu(reference));
        Self {
            what,
            store,
            callers,
            per_second: seen.per_second,
            p50_ms: seen.p50.as_secs_f64() * 1e3,
            p99_ms: seen.p99.as_secs_f64() * 1e3,
            reference: name.to_owned(),
            reference_per_second,
            ratio: seen.per_second / reference_per_second,
            cpu_ms: ours.map(|ours| ours * 1e3),
            cpu_ratio: ours.zip(theirs).map(|(ours, theirs)| theirs * per / ours),
            jobs: None,
            rpcs: None,
            ready_seconds: None,
            resident_bytes: None,
        }
    }
}

/// The rows for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<13} {:<7} {:>7} {:>10} {:>9} {:>9}  {:<22} {:>10} {:>6} {:>9}\n",
        "what",
        "store",
        "callers",
        "per second",
        "p50 ms",
        "p99 ms",
        "reference",
        "per second",
        "ratio",
        "cpu ratio"
    );
    for row in rows {
        text += &format!(
            "{:<13} {:<7} {:>7} {:>10.0} {:>9.2} {:>9.2}  {:<22} {:>10.0} {:>6.2} {:>9}{}\n",
            row.what,
            row.store,
            row.callers,
            row.per_second,
            row.p50_ms,
            row.p99_ms,
            row.reference,
            row.reference_per_second,
            row.ratio,
            row.cpu_ratio
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            beside(row),
        );
    }
    text
}

/// What only some rows have.
fn beside(row: &Row) -> String {
    let mut text = String::new();
    if let Some(jobs) = row.jobs {
        text += &format!("  {jobs} jobs");
    }
    if let Some(rpcs) = row.rpcs {
        text += &format!("  {rpcs:.1} RPCs");
    }
    if let Some(seconds) = row.ready_seconds {
        text += &format!("  ready in {seconds:.2} s");
    }
    if let Some(bytes) = row.resident_bytes {
        text += &format!("  {} MiB resident", bytes >> 20);
    }
    text
}
