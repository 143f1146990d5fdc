//! The trace a job belongs to (W3C Trace Context). The ids of its spans are derived, not drawn,
//! so that they are the same after a restart and need no place of their own in the store.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Sha256Sum;

/// The trace of one job: the caller's, or one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// Never 0.
    #[serde(with = "hex_u128")]
    pub trace_id: u128,
    /// The caller's span; 0 when the trace starts with the job.
    #[serde(with = "hex_u64")]
    pub parent_span: u64,
    /// Whether the caller records the trace; so does the kernel then.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` of version 00.. as W3C says; `None` when there is no valid one.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, len: usize| {
            text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let well_formed = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        if !well_formed || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent_span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self {
            trace_id,
            parent_span,
            sampled,
        })
    }

    /// A trace that starts with the job; `chance` is the trace id.
    pub fn new(chance: u128) -> Self {
        Self {
            trace_id: chance.max(1),
            parent_span: 0,
            sampled: true,
        }
    }

    /// The span of the job itself, below the caller's.
    pub fn job_span(&self, salt: &str) -> SpanRef {
        self.derive(salt, 0)
    }

    /// The span of the stage that the event number `seq` opened.
    pub fn stage_span(&self, salt: &str, seq: u64) -> SpanRef {
        self.derive(salt, seq)
    }

    fn derive(&self, salt: &str, seq: u64) -> SpanRef {
        let text = format!("{:032x}/{salt}/{seq}", self.trace_id);
        let span_id = Sha256Sum::of(text.as_bytes()).prefix().max(1);
        SpanRef {
            trace_id: self.trace_id,
            span_id,
            sampled: self.sampled,
        }
    }
}

/// One span, as it is told to others; prints as a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanRef {
    /// The trace it is in.
    pub trace_id: u128,
    /// Never 0.
    pub span_id: u64,
    /// Whether it is recorded.
    pub sampled: bool,
}

impl fmt::Display for SpanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(
            f,
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        )
    }
}

mod hex_u128 {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&crate::ids::Hex(&id.to_be_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(from)?, 16).map_err(serde::de::Error::custom)
    }
}

mod hex_u64 {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&crate::ids::Hex(&id.to_be_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(from)?, 16).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01";

    #[test]
    fn the_callers_trace_goes_on_under_a_span_of_our_own() {
        let trace = TraceContext::parse(PARENT).unwrap();
        let job = trace.job_span("job-1");
        assert_eq!(job.trace_id, trace.trace_id);
        assert_ne!(job.span_id, trace.parent_span);
        assert_ne!(job.span_id, trace.stage_span("job-1", 3).span_id);
        assert_ne!(
            job.span_id,
            trace.job_span("job-2").span_id,
            "two jobs of one trace"
        );
        assert!(TraceContext::parse(&job.to_string()).is_some());
    }

    #[test]
    fn a_trace_is_stored_with_all_its_digits_and_reads_back() {
        let trace = TraceContext::new(7);
        let stored = serde_json::to_string(&trace).unwrap();
        let zeros = "0".repeat(15);
        assert!(
            stored.contains(&format!("\"{zeros}{zeros}07\"")),
            "{stored}"
        );
        assert!(stored.contains(&format!("\"{zeros}0\"")), "{stored}");
        assert_eq!(
            serde_json::from_str::<TraceContext>(&stored).unwrap(),
            trace
        );
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "00",
            "00-xyz-abc-01",
            &PARENT.replace("00-e0", "ff-e0"),
            &format!("{PARENT}-extra"),
            &format!("00-{zeros}-6ea36324b6811d7b-01"),
            &PARENT.to_uppercase(),
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }
}
