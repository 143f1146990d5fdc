//! A request for a job, and the rules that make a [`JobSpec`] of it or name what is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::ids::{ReservationId, Sha256Sum};
use crate::job::spec::{JobSpec, Owner, ProgramFormat};
use crate::job::target::Target;
use crate::job::trace::TraceContext;
use crate::limits;
use crate::time::Timestamp;

/// What a client asks for, as it came from either gateway.
#[derive(Debug, Clone, Default)]
pub struct JobRequest {
    /// For people.
    pub name: String,
    /// The program's bytes.
    pub program: Vec<u8>,
    /// One of [`ProgramFormat::ALL`] by name.
    pub program_format: String,
    /// A device id, or a class of devices.
    pub target: String,
    /// Metadata `reservation_id` when empty; empty there too means none.
    pub reservation: String,
    /// See [`limits::PRIORITY_DEFAULT`].
    pub priority: Option<i32>,
    /// Metadata `shots` when absent.
    pub shots: Option<i64>,
    /// Metadata `seed` when absent.
    pub seed: Option<i64>,
    /// For the compiler.
    pub compiler_options: BTreeMap<String, String>,
    /// The client's notes.
    pub metadata: BTreeMap<String, String>,
    /// Metadata `timeout_seconds` when absent; `Err` holds what is no span of time.
    pub timeout: Option<Result<Duration, String>>,
    /// Empty means none.
    pub idempotency_key: String,
    /// Empty means `tenant-default`.
    pub tenant: String,
    /// Empty means `project-default`.
    pub project: String,
    /// May be empty.
    pub subject: String,
    /// Empty means that one is made up.
    pub request_id: String,
    /// Empty or malformed means that the trace starts with the job.
    pub traceparent: String,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// A request that keeps every rule.
#[derive(Debug)]
pub struct Accepted {
    /// What the job shall do.
    pub spec: JobSpec,
    /// The program.
    pub program: Vec<u8>,
    /// Tells whether two requests with one key ask for the same (D21).
    pub fingerprint: Sha256Sum,
}

/// What the world adds to a request.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The wall time.
    pub now: Timestamp,
    /// Becomes the trace id if the request has none, and the request id likewise.
    pub chance: u128,
}

impl JobRequest {
    /// Checks everything that can be checked without the neighbours.
    ///
    /// # Errors
    /// Every violation, not only the first.
    pub fn accept(self, around: Circumstances) -> Result<Accepted, Vec<Violation>> {
        let mut wrong = Violations(Vec::new());
        let format = wrong.take("program_format", parse_format(&self.program_format));
        wrong.take("name", check_name(&self.name));
        wrong.take("program", check_program(&self.program, format));
        let target = wrong.take("target", parse_target(&self.target));
        let reservation = wrong.take(
            "reservation_id",
            parse_reservation(&self.reservation, &self.metadata),
        );
        let priority = wrong.take("priority", parse_priority(self.priority));
        let shots = wrong.take("shots", parse_shots(self.shots, &self.metadata));
        let timeout = wrong.take(
            "timeout",
            parse_timeout(self.timeout.clone(), &self.metadata),
        );
        wrong.take("metadata", check_map(&self.metadata));
        wrong.take("compiler_options", check_map(&self.compiler_options));
        for (field, text) in [
            ("idempotency_key", &self.idempotency_key),
            ("tenant_id", &self.tenant),
            ("project_id", &self.project),
            ("subject", &self.subject),
            ("request_id", &self.request_id),
        ] {
            wrong.take(field, check_key(text));
        }
        let (Some(format), Some(target), Some(priority), Some(shots), Some(timeout), true) =
            (format, target, priority, shots, timeout, wrong.0.is_empty())
        else {
            return Err(wrong.0);
        };
        let reservation = reservation.flatten();
        let program_sha256 = Sha256Sum::of(&self.program);
        let fingerprint = self.fingerprint(program_sha256, reservation, priority, shots, timeout);
        // A seed that is no number means nothing to any driver, so it is only a note.
        let noted_seed = || self.metadata.get("seed").and_then(|seed| seed.parse().ok());
        let spec = JobSpec {
            name: self.name,
            format,
            program_sha256,
            program_bytes: self.program.len() as u64,
            target,
            reservation,
            priority,
            shots,
            seed: self.seed.or_else(noted_seed),
            compiler_options: self.compiler_options,
            metadata: self.metadata,
            expires_at: around.now + timeout,
            owner: Owner {
                tenant: or_default(self.tenant, "tenant-default"),
                project: or_default(self.project, "project-default"),
                subject: self.subject,
            },
            idempotency_key: Some(self.idempotency_key).filter(|key| !key.is_empty()),
            request_id: or_default(self.request_id, &format!("req_{:032x}", around.chance)),
            trace: TraceContext::parse(&self.traceparent)
                .unwrap_or_else(|| TraceContext::new(around.chance)),
        };
        Ok(Accepted {
            spec,
            program: self.program,
            fingerprint,
        })
    }

    /// Everything that makes this job what it is; request id, trace and key left out (D21).
    fn fingerprint(
        &self,
        program_sha256: Sha256Sum,
        reservation: Option<ReservationId>,
        priority: u8,
        shots: u32,
        timeout: Duration,
    ) -> Sha256Sum {
        #[derive(Serialize)]
        struct Content<'a> {
            name: &'a str,
            program_sha256: Sha256Sum,
            program_format: &'a str,
            target: &'a str,
            // Left out where there is none: what was stored before there were any reads the same.
            #[serde(skip_serializing_if = "Option::is_none")]
            reservation: Option<ReservationId>,
            priority: u8,
            shots: u32,
            seed: Option<i64>,
            compiler_options: &'a BTreeMap<String, String>,
            metadata: &'a BTreeMap<String, String>,
            timeout_ms: u128,
        }
        let content = Content {
            name: &self.name,
            program_sha256,
            program_format: &self.program_format,
            target: &self.target,
            reservation,
            priority,
            shots,
            seed: self.seed,
            compiler_options: &self.compiler_options,
            metadata: &self.metadata,
            timeout_ms: timeout.as_millis(),
        };
        Sha256Sum::of(&serde_json::to_vec(&content).expect("plain data has a JSON form"))
    }
}

struct Violations(Vec<Violation>);

impl Violations {
    fn take<T>(&mut self, field: &'static str, checked: Result<T, String>) -> Option<T> {
        checked
            .map_err(|reason| self.0.push(Violation { field, reason }))
            .ok()
    }
}

pub(crate) fn or_default(text: String, default: &str) -> String {
    if text.is_empty() {
        default.to_owned()
    } else {
        text
    }
}

fn parse_format(name: &str) -> Result<ProgramFormat, String> {
    ProgramFormat::ALL
        .into_iter()
        .find(|format| format.name() == name)
        .ok_or_else(|| {
            let known = ProgramFormat::ALL.map(ProgramFormat::name).join(", ");
            let name: String = name.chars().take(64).collect();
            match name.as_str() {
                "" => format!("must be one of {known}"),
                _ => format!("{name:?} is not known; use one of {known}"),
            }
        })
}

fn check_name(name: &str) -> Result<(), String> {
    match name.chars().count() {
        0 => Err("must not be empty".to_owned()),
        long if long > limits::NAME_CHARS_MAX => Err(format!(
            "has {long} characters; at most {} are taken",
            limits::NAME_CHARS_MAX
        )),
        _ if name.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_program(program: &[u8], format: Option<ProgramFormat>) -> Result<(), String> {
    let most = match format {
        Some(ProgramFormat::EigenLangSource) => limits::SOURCE_BYTES_MAX,
        Some(ProgramFormat::AqoRef) => 1024,
        Some(ProgramFormat::AqoJson | ProgramFormat::QasmText | ProgramFormat::Qasm3) | None => {
            limits::CIRCUIT_BYTES_MAX
        }
    };
    if program.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if program.len() > most {
        let format = format.map_or("a program", ProgramFormat::name);
        return Err(format!(
            "is {} bytes; {format} may have at most {most}",
            program.len()
        ));
    }
    match std::str::from_utf8(program) {
        Ok(_) => Ok(()),
        Err(bad) => Err(format!("is not UTF-8 from byte {} on", bad.valid_up_to())),
    }
}

fn parse_target(target: &str) -> Result<Target, String> {
    if target.is_empty() {
        return Err("must name a device; ListDevices tells which there are".to_owned());
    }
    target
        .parse()
        .map_err(|bad: crate::job::target::BadTarget| bad.to_string())
}

fn parse_reservation(
    reservation: &str,
    metadata: &BTreeMap<String, String>,
) -> Result<Option<ReservationId>, String> {
    let noted = metadata.get("reservation_id").map_or("", String::as_str);
    let named = [reservation, noted].map(str::trim);
    let named = named.into_iter().find(|text| !text.is_empty());
    let named = named.map(str::parse).transpose();
    named.map_err(|bad: crate::ids::BadId| bad.to_string())
}

fn parse_priority(priority: Option<i32>) -> Result<u8, String> {
    let priority = priority.unwrap_or(limits::PRIORITY_DEFAULT);
    u8::try_from(priority)
        .ok()
        .filter(|_| priority <= limits::PRIORITY_MAX)
        .ok_or_else(|| format!("is {priority}; it must be 0 to {}", limits::PRIORITY_MAX))
}

fn parse_shots(shots: Option<i64>, metadata: &BTreeMap<String, String>) -> Result<u32, String> {
    let shots = match (shots, metadata.get("shots")) {
        (Some(shots), _) => shots,
        (None, None) => limits::SHOTS_DEFAULT,
        (None, Some(text)) => text
            .trim()
            .parse()
            .map_err(|_| format!("metadata \"shots\" is {text:?}, no number"))?,
    };
    u32::try_from(shots)
        .ok()
        .filter(|_| (1..=limits::SHOTS_MAX).contains(&shots))
        .ok_or_else(|| format!("is {shots}; it must be 1 to {}", limits::SHOTS_MAX))
}

fn parse_timeout(
    timeout: Option<Result<Duration, String>>,
    metadata: &BTreeMap<String, String>,
) -> Result<Duration, String> {
    let timeout = match (timeout, metadata.get("timeout_seconds")) {
        (Some(timeout), _) => timeout?,
        (None, None) => limits::JOB_TIMEOUT_DEFAULT,
        (None, Some(text)) => text
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| format!("metadata \"timeout_seconds\" is {text:?}, no span of time"))?,
    };
    let most = limits::JOB_TIMEOUT_MAX;
    if timeout.as_millis() == 0 || timeout > most {
        let seconds = timeout.as_secs_f64();
        return Err(format!(
            "is {seconds} s; it must be at least 0.001 s and at most {} s",
            most.as_secs()
        ));
    }
    Ok(timeout)
}

fn check_map(map: &BTreeMap<String, String>) -> Result<(), String> {
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    let (entries_max, bytes_max) = (limits::METADATA_ENTRIES_MAX, limits::METADATA_BYTES_MAX);
    if map.len() > entries_max || bytes > bytes_max {
        return Err(format!(
            "has {} entries of {bytes} bytes; at most {entries_max} of {bytes_max} are taken",
            map.len()
        ));
    }
    let steers = |text: &str, blanks: &[char]| {
        let mut letters = text.chars();
        letters.any(|letter| letter.is_control() && !blanks.contains(&letter))
    };
    for (key, value) in map {
        if steers(key, &[]) || steers(value, &['\n', '\t']) {
            let key: String = key.chars().take(64).collect();
            return Err(format!(
                "{key:?} has control characters; only a value may have lines and tabs"
            ));
        }
    }
    Ok(())
}

pub(crate) fn check_key(text: &str) -> Result<(), String> {
    let long = text.chars().count();
    if long > limits::KEY_CHARS_MAX {
        return Err(format!(
            "has {long} characters; at most {} are taken",
            limits::KEY_CHARS_MAX
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
