//! The names of things. Each is a type of its own, so that none can be taken for another.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct BadId {
    text: String,
    wanted: &'static str,
}

impl BadId {
    fn new(text: &str, wanted: &'static str) -> Self {
        // The text comes from outside and may be huge.
        Self {
            text: text.chars().take(64).collect(),
            wanted,
        }
    }
}

/// At most 32 bytes, which print as hex digits. Records have several such numbers, and the formatter
/// is slow digit by digit.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        let text = &mut text[..2 * self.0.len()];
        for (byte, digits) in self.0.iter().zip(text.chunks_exact_mut(2)) {
            digits[0] = DIGITS[usize::from(byte >> 4)];
            digits[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(text).expect("hex digits are ASCII"))
    }
}

macro_rules! as_text {
    ($id:ident) => {
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Names a job: `job-` and 32 hex digits, a UUIDv7 made from the ports (D22).
///
/// In two halves, because a `u128` would be aligned to 16 bytes, and with it all that a million
/// waiting jobs are kept in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64, u64);

impl JobId {
    /// A new id from the wall time in ms and 10 bytes of chance.
    pub fn new(unix_ms: u64, chance: [u8; 10]) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(unix_ms, &chance).into_uuid();
        let (high, low) = uuid.as_u64_pair();
        Self(high, low)
    }

    /// The id as it is stored in keys: later ids sort later.
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.as_u128().to_be_bytes()
    }

    /// What [`JobId::to_be_bytes`] wrote.
    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        Self::from_u128(u128::from_be_bytes(bytes))
    }

    /// Its upper and its lower half, as numbers.
    pub(crate) fn halves(self) -> [u64; 2] {
        [self.0, self.1]
    }

    fn from_u128(number: u128) -> Self {
        Self((number >> 64) as u64, number as u64)
    }

    fn as_u128(self) -> u128 {
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("job-")?;
        fmt::Display::fmt(&Hex(&self.to_be_bytes()), f)
    }
}

impl FromStr for JobId {
    type Err = BadId;

    /// Accepts exactly what [`fmt::Display`] writes, so that an id is safe in a path.
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::new(text, "a job id (job- and 32 lower-case hex digits)");
        let hex = text.strip_prefix("job-").ok_or_else(bad)?;
        let plain = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(bad());
        }
        u128::from_str_radix(hex, 16)
            .map(Self::from_u128)
            .map_err(|_| bad())
    }
}

as_text!(JobId);

/// Names one execution of a job on a device: `job-…#2` is the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId {
    /// Whose execution.
    pub job: JobId,
    /// Which one, from 1.
    pub attempt: u32,
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.job, self.attempt)
    }
}

impl FromStr for ExecutionId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::new(text, "an execution id (job id, # and the attempt)");
        let (job, attempt) = text.split_once('#').ok_or_else(bad)?;
        let job = job.parse().map_err(|_| bad())?;
        Ok(Self {
            job,
            attempt: attempt.parse().map_err(|_| bad())?,
        })
    }
}

as_text!(ExecutionId);

/// Names a device, as the driver-manager does: 1 to 128 characters without control characters. Many
/// records name one, so clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeviceId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if !fits {
            return Err(BadId::new(
                text,
                "a device id (1 to 128 characters, none of them control)",
            ));
        }
        Ok(Self(text.into()))
    }
}

as_text!(DeviceId);

/// Counts the writers of a store: each that opens it gets a greater one, and older are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

/// Orders the executions of one job for the driver: greater is newer (D8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// A kernel that took over has a greater epoch, and within one an attempt follows another.
    pub fn new(epoch: Epoch, attempt: u32) -> Self {
        Self(u64::from(epoch.0) << 32 | u64::from(attempt))
    }

    /// Of the kernel that made it.
    pub fn epoch(self) -> Epoch {
        Epoch((self.0 >> 32) as u32)
    }
}

/// Names a reservation, `rsv-` and 16 hex digits, and fences it: the number is its token for the
/// driver, and of two reservations the later one has the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(NonZeroU64);

impl ReservationId {
    /// The reservation number `nth`, from 1, that the kernel of this epoch makes; `None` for one
    /// beyond what it can count.
    pub fn new(epoch: Epoch, nth: u64) -> Option<Self> {
        let nth = u32::try_from(nth).ok()?;
        NonZeroU64::new(u64::from(epoch.0) << 32 | u64::from(nth)).map(Self)
    }

    /// The reservation with that token; 0 is none's.
    pub(crate) fn of_token(token: FencingToken) -> Option<Self> {
        NonZeroU64::new(token.0).map(Self)
    }

    /// What the driver gets to tell an earlier holder from a later one.
    pub fn token(self) -> FencingToken {
        FencingToken(self.0.get())
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rsv-{:016x}", self.0)
    }
}

impl FromStr for ReservationId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::new(text, "a reservation id (rsv- and 16 lower-case hex digits)");
        let hex = text.strip_prefix("rsv-").ok_or_else(bad)?;
        let plain = hex.len() == 16 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(hex, 16).ok().filter(|_| plain);
        number.and_then(NonZeroU64::new).map(Self).ok_or_else(bad)
    }
}

as_text!(ReservationId);

/// The SHA-256 of some bytes; prints as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Sum([u8; 32]);

impl Sha256Sum {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The first 8 bytes as a number, for ids that are derived and not drawn.
    pub fn prefix(&self) -> u64 {
        self.0[..8]
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl FromStr for Sha256Sum {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::new(text, "a SHA-256 (64 hex digits)");
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut sum = [0; 32];
        for (byte, at) in sum.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(sum))
    }
}

as_text!(Sha256Sum);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_reads_back_and_nothing_else_is_one() {
        let id = JobId::new(1_700_000_000_000, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string(), format!("job-{:032x}", id.as_u128()));
        let hex = "0".repeat(32);
        for text in [
            "",
            "nope",
            "job-",
            "../../etc/passwd",
            "job-../x",
            &format!("job-{hex}0"),
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
        assert!(format!("job-+{}", &hex[1..]).parse::<JobId>().is_err());
        assert!(
            format!("job-{}", hex.replace('0', "A"))
                .parse::<JobId>()
                .is_err()
        );
    }

    #[test]
    fn later_ids_sort_later() {
        assert!(JobId::new(1, [255; 10]) < JobId::new(2, [0; 10]));
    }

    #[test]
    fn a_new_epoch_outranks_every_attempt_of_the_old_one() {
        assert!(FencingToken::new(Epoch(1), u32::MAX) < FencingToken::new(Epoch(2), 1));
    }

    #[test]
    fn a_reservation_id_reads_back_and_a_later_one_is_greater() {
        let made = |epoch, nth| ReservationId::new(Epoch(epoch), nth).unwrap();
        let id = made(3, 17);
        assert_eq!(id.to_string(), "rsv-0000000300000011");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(made(3, u64::from(u32::MAX)) < made(4, 1));
        assert!(id.token() < made(3, 18).token());
        assert_eq!(ReservationId::new(Epoch(3), 1 << 32), None);
        let zeros = format!("rsv-{}", "0".repeat(16));
        for text in [
            "",
            "rsv-",
            "rsv-3",
            "rsv-000000030000001G",
            "rsv-+000000300000011",
            &zeros,
        ] {
            assert!(text.parse::<ReservationId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_sum_reads_back() {
        let sum = Sha256Sum::of(b"abc");
        assert!(sum.to_string().starts_with("ba7816bf8f01cfea"));
        assert_eq!(sum.prefix(), 0xba78_16bf_8f01_cfea);
        assert_eq!(sum.to_string().parse(), Ok(sum));
    }
}
