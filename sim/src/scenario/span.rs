//! Spans of time as people write them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time: a number and `us`, `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl Span {
    pub(super) fn one_second() -> Self {
        Self(Duration::from_secs(1))
    }

    /// Longer than the kernel's bound on an execution of which nobody knows anything.
    pub(super) fn twenty_minutes() -> Self {
        Self(Duration::from_secs(1200))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is no span of time such as \"150ms\" or \"2s\"");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let micros = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        Ok(Self(Duration::from_micros(
            number.checked_mul(micros).ok_or_else(bad)?,
        )))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let micros = span.0.as_micros();
        let units = [(1_000_000, "s"), (1_000, "ms"), (1, "us")];
        let (size, unit) = units
            .into_iter()
            .find(|(size, _)| micros.is_multiple_of(*size))
            .expect("every number of microseconds is one");
        format!("{}{unit}", micros / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        let span = |text: &str| Span::try_from(text.to_owned());
        assert_eq!(span("150ms"), Ok(Span(Duration::from_millis(150))));
        assert_eq!(span("2h"), Ok(Span(Duration::from_secs(7200))));
        for text in ["", "5", "s", "-1s", "1.5s", "99999999999999999999h"] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in ["0s", "7us", "1500ms", "20s"] {
            assert_eq!(String::from(Span::try_from(text.to_owned()).unwrap()), text);
        }
    }
}
