//! The bounds on jobs and calls in one place, each with its reason.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Characters of a job's name.
pub const NAME_CHARS_MAX: usize = 256;
/// eigen-compiler refuses more inline source than this.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// The neighbours take messages of 4 MiB, and a circuit does not travel alone.
pub const CIRCUIT_BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;
/// Programs above their own limit must still be read, to be refused with a reason.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Answers of the compiler carry metadata several times the size of the circuit.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Counts above this size, as far as they can be foreseen, are refused before anything runs: they
/// would have to fit into one answer, and into memory several times over.
pub const COUNTS_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// Entries of a job's metadata, and of its compiler options.
pub const METADATA_ENTRIES_MAX: usize = 128;
/// Keys and values of a job's metadata together; the same for its compiler options.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Characters of an idempotency key, a tenant, a project, a subject or a request id.
pub const KEY_CHARS_MAX: usize = 256;
/// Priorities are 0 to this, higher is more urgent (D9).
pub const PRIORITY_MAX: i32 = 100;
/// The priority of a job that names none (D9).
pub const PRIORITY_DEFAULT: i32 = 50;
/// The shots of a job that names none; what the upstream kernel assumes.
pub const SHOTS_DEFAULT: i64 = 1024;
/// The driver contract carries shots as int32.
pub const SHOTS_MAX: i64 = i32::MAX as i64;
/// The deadline of a job that names none (D19).
pub const JOB_TIMEOUT_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// Nobody waits longer, and sums of times stay far from overflow.
pub const JOB_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// No bound of an operator's is longer, for the same reason.
pub const LIMIT_MS_MAX: u64 = JOB_TIMEOUT_MAX.as_secs() * 1000;
/// Nothing is kept for longer but what is kept for ever: a hundred years.
pub const LIMIT_HOURS_MAX: u64 = 100 * 366 * 24;
/// How long a CancelJob waits for the driver before it answers `STOP_UNCONFIRMED` (D15).
pub const CANCEL_WAIT: Duration = Duration::from_secs(2);
/// How long an idempotency key is kept at least (D21); its job is, too.
pub const KEY_KEPT_MIN: Duration = Duration::from_secs(72 * 3600);
/// Reservations that are over and still told of, the latest; for as long as their keys are kept.
pub const RESERVATIONS_OVER_MAX: usize = 10_000;
/// How long an event that may wait for the next one waits at most: nobody sees that it is told later.
pub const TELL_WITHIN: Duration = Duration::from_millis(100);
/// Events read from the store at once by a watcher.
pub const WATCH_PAGE: usize = 256;
/// Jobs on a page of ListJobs when the request does not say, and at most.
pub const PAGE_JOBS_DEFAULT: usize = 100;
/// See [`PAGE_JOBS_DEFAULT`].
pub const PAGE_JOBS_MAX: usize = 1000;

/// The bounds that an operator may change. Times are in milliseconds; none reaches beyond a
/// job's own deadline (D19).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Validating as a whole, and each call in it.
    pub validate_ms: u64,
    /// One compile call.
    pub compile_ms: u64,
    /// Compile calls before the job fails.
    pub compile_tries: u32,
    /// Allocating as a whole, and each call in it.
    pub allocate_ms: u64,
    /// One execution, from its intent to the end of all hope for its answer.
    pub execute_ms: u64,
    /// Executions of one job that may be tried.
    pub execute_attempts: u32,
    /// Completing as a whole; also how long large counts, and `error.json`, are tried to be kept.
    pub persist_ms: u64,
    /// How long jobs wait for a driver-manager that was never reached since start.
    pub first_contact_ms: u64,
    /// One object written to or read from QFS.
    pub artifact_ms: u64,
    /// Any other call to a neighbour: devices, inspect, stop.
    pub call_ms: u64,
    /// How often the devices are asked for.
    pub device_poll_ms: u64,
    /// Jobs that may validate and compile at a time.
    pub compile_slots: u32,
    /// Jobs that may write artifacts at a time.
    pub store_slots: u32,
    /// Jobs on a device at a time when it does not tell its `slots`: for simulators.
    pub simulator_slots: u32,
    /// The same for everything that is not a simulator.
    pub device_slots: u32,
    /// A device that was lost (offline, broken or gone) so often within `device_losses_ms` gets no
    /// work after its return until it has stayed for `device_hold_ms`; 0 for never.
    pub device_losses: usize,
    /// See `device_losses`.
    pub device_losses_ms: u64,
    /// See `device_losses`.
    pub device_hold_ms: u64,
    /// So much waiting is worth one point of priority: a job of priority p is behind none that
    /// was accepted more than 101 - p of these after it.
    pub age_step_ms: u64,
    /// Jobs of one tenant that hold device slots at a time, on all devices together.
    pub tenant_running: usize,
    /// How much of a device a tenant gets beside others; 1 for those that are not named.
    pub tenant_weights: BTreeMap<String, u32>,
    /// Jobs that have not ended; beyond, EnqueueJob answers RESOURCE_EXHAUSTED (D17).
    pub jobs_waiting: usize,
    /// The same for the jobs of one tenant.
    pub tenant_waiting: usize,
    /// The shortest time for which a slot can be reserved.
    pub reservation_ms_min: u64,
    /// The longest.
    pub reservation_ms_max: u64,
    /// Slots that one tenant has reserved at a time, on all devices together.
    pub tenant_reservations: usize,
    /// A reservation ends when its device was offline, broken or gone for so long.
    pub device_lost_ms: u64,
    /// Counts up to this size travel in the event; above it the event names a synced object (D13).
    pub counts_bytes_inline_max: usize,
    /// Jobs that wait and are kept in memory whole, the latest, because their turn may come at
    /// once. Of all others only the gist is, and they are read from the store (D17).
    pub jobs_at_hand: usize,
    /// Hours for which an ended job is kept, artifacts included; 0 for ever. A job with an
    /// idempotency key is kept for 72 h at least (D21).
    pub retain_hours: u64,
    /// Ended jobs that are kept, the latest; 0 for all. The same exception holds.
    pub retain_jobs: u64,
    /// How often it is looked for ended jobs that need not be kept.
    pub retain_poll_ms: u64,
    /// First back-off; doubles with each try (D18).
    pub backoff_ms_base: u64,
    /// The longest back-off (D18).
    pub backoff_ms_max: u64,
}

impl Limits {
    /// Whether all of them can be kept.
    ///
    /// # Errors
    /// The first that cannot, in words.
    pub fn check(&self) -> Result<(), String> {
        let all = serde_json::to_value(self).expect("limits have a JSON form");
        let named = all.as_object().into_iter().flatten();
        for (name, value) in named {
            let (most, whole) = match name {
                name if name.contains("_ms") => (LIMIT_MS_MAX, "30 days"),
                name if name.ends_with("_hours") => (LIMIT_HOURS_MAX, "a hundred years"),
                _ => continue,
            };
            if value.as_u64().is_some_and(|value| value > most) {
                return Err(format!(
                    "{name} = {value} is too long: at most {most}, {whole}"
                ));
            }
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            validate_ms: 10_000,
            compile_ms: 120_000,
            compile_tries: 5,
            allocate_ms: 30_000,
            execute_ms: 600_000,
            execute_attempts: 3,
            persist_ms: 3_600_000,
            first_contact_ms: 300_000,
            artifact_ms: 30_000,
            call_ms: 5_000,
            device_poll_ms: 2_000,
            compile_slots: 16,
            store_slots: 64,
            simulator_slots: 4,
            device_slots: 1,
            device_losses: 3,
            device_losses_ms: 600_000,
            device_hold_ms: 30_000,
            age_step_ms: 60_000,
            tenant_running: 1_000_000,
            tenant_weights: BTreeMap::new(),
            jobs_waiting: 1_000_000,
            tenant_waiting: 1_000_000,
            reservation_ms_min: 1_000,
            reservation_ms_max: 14_400_000,
            tenant_reservations: 4,
            device_lost_ms: 60_000,
            counts_bytes_inline_max: 1024 * 1024,
            jobs_at_hand: 1_024,
            retain_hours: 0,
            retain_jobs: 0,
            retain_poll_ms: 60_000,
            backoff_ms_base: 100,
            backoff_ms_max: 32_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_longer_than_anything_can_wait() {
        assert_eq!(Limits::default().check(), Ok(()));
        let mut limits = Limits {
            call_ms: LIMIT_MS_MAX,
            retain_hours: LIMIT_HOURS_MAX,
            ..Limits::default()
        };
        assert_eq!(limits.check(), Ok(()));
        limits.call_ms += 1;
        let why = limits.check().unwrap_err();
        assert!(why.starts_with("call_ms = 2592000001 is too long"), "{why}");
        (limits.call_ms, limits.retain_hours) = (5_000, u64::MAX);
        assert!(limits.check().unwrap_err().contains("retain_hours"));
        (limits.retain_hours, limits.backoff_ms_max) = (0, u64::MAX);
        assert!(limits.check().unwrap_err().contains("backoff_ms_max"));
    }
}
