//! A reservation: one slot of one device for one tenant and a while. What is asked for is checked
//! here once; what is promised is a record that lies in the store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, ReservationId};
use crate::job::request::{Violation, check_key, or_default};
use crate::job::spec::Owner;
use crate::limits::Limits;
use crate::time::Timestamp;

/// A slot that is promised, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its name, and its token for the driver.
    pub id: ReservationId,
    /// Of which device.
    pub device: DeviceId,
    /// For whom. Only jobs of this tenant may use it.
    pub owner: Owner,
    /// What for, in the holder's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The key under which it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// From when.
    pub made_at: Timestamp,
    /// Until when, at most.
    pub expires_at: Timestamp,
    /// That it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

/// The end of a reservation. There is one only, and the first stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
}

/// Why a reservation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its holder gave it back.
    Released,
    /// Its time has passed.
    Expired,
    /// Its device was away for too long.
    DeviceLost,
}

impl Why {
    /// As programs are told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Expired => "expired",
            Self::DeviceLost => "device-lost",
        }
    }

    /// What became of a reservation that a job names, and what to do.
    pub fn told_of(self, id: ReservationId) -> String {
        let became = match self {
            Self::Released => "was released",
            Self::Expired => "has expired",
            Self::DeviceLost => "ended because its device was away for too long",
        };
        format!("{id} {became}: submit again without it, or with another")
    }
}

/// What a client asks for, as it came.
#[derive(Debug, Clone, Default)]
pub struct ReserveRequest {
    /// The device's id.
    pub device: String,
    /// For how long; `Err` holds what is no span of time.
    pub ttl: Option<Result<Duration, String>>,
    /// May be empty.
    pub purpose: String,
    /// Empty means that a repetition is another reservation.
    pub idempotency_key: String,
    /// Empty means `tenant-default`.
    pub tenant: String,
    /// Empty means `project-default`.
    pub project: String,
    /// May be empty.
    pub subject: String,
}

/// A request that keeps every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Of which device.
    pub device: DeviceId,
    /// For how long.
    pub ttl: Duration,
    /// For whom.
    pub owner: Owner,
    /// What for.
    pub purpose: String,
    /// Under which key.
    pub key: Option<String>,
}

impl ReserveRequest {
    /// Checks everything that can be checked without knowing the devices.
    ///
    /// # Errors
    /// Every violation, not only the first.
    pub fn accept(self, limits: &Limits) -> Result<Wish, Vec<Violation>> {
        let mut wrong = Vec::new();
        let mut refuse = |field, reason| wrong.push(Violation { field, reason });
        let device = self.device.parse();
        let device = device.map_err(|why| refuse("device_id", format!("is no id: {why}")));
        let ttl = parse_ttl(self.ttl, limits).map_err(|why| refuse("ttl", why));
        for (field, text) in [
            ("purpose", &self.purpose),
            ("idempotency_key", &self.idempotency_key),
            ("tenant_id", &self.tenant),
            ("project_id", &self.project),
            ("subject", &self.subject),
        ] {
            if let Err(why) = check_key(text) {
                refuse(field, why);
            }
        }
        match (device, ttl) {
            (Ok(device), Ok(ttl)) if wrong.is_empty() => Ok(Wish {
                device,
                ttl,
                owner: Owner {
                    tenant: or_default(self.tenant, "tenant-default"),
                    project: or_default(self.project, "project-default"),
                    subject: self.subject,
                },
                purpose: self.purpose,
                key: Some(self.idempotency_key).filter(|key| !key.is_empty()),
            }),
            _ => Err(wrong),
        }
    }
}

fn parse_ttl(ttl: Option<Result<Duration, String>>, limits: &Limits) -> Result<Duration, String> {
    let [least, most] = [limits.reservation_ms_min, limits.reservation_ms_max];
    let [least, most] = [least, most].map(Duration::from_millis);
    let bounds = || {
        let [least, most] = [least, most].map(|span| span.as_secs_f64());
        format!("it must be {least} s to {most} s")
    };
    match ttl {
        None => Err(format!("is not given: {}", bounds())),
        Some(Err(why)) => Err(why),
        Some(Ok(ttl)) if ttl < least || ttl > most => {
            Err(format!("is {} s; {}", ttl.as_secs_f64(), bounds()))
        }
        Some(Ok(ttl)) => Ok(ttl),
    }
}

impl Reservation {
    /// What a wish comes to.
    pub fn new(id: ReservationId, wish: Wish, now: Timestamp) -> Self {
        Self {
            id,
            device: wish.device,
            owner: wish.owner,
            purpose: wish.purpose,
            key: wish.key,
            made_at: now,
            expires_at: now + wish.ttl,
            over: None,
        }
    }

    /// How long it was asked for.
    pub fn ttl(&self) -> Duration {
        self.expires_at.since(self.made_at)
    }

    /// How much of its time is left by the wall clock. One that went back prolongs nothing.
    pub fn left(&self, now: Timestamp) -> Duration {
        self.expires_at.since(now.max(self.made_at))
    }

    /// Whether it is what is asked for with the same key.
    pub fn is_same(&self, wish: &Wish) -> bool {
        let Wish {
            device,
            ttl,
            owner,
            purpose,
            key,
        } = wish;
        (&self.device, self.ttl(), &self.owner) == (device, *ttl, owner)
            && (&self.purpose, &self.key) == (purpose, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    fn request() -> ReserveRequest {
        ReserveRequest {
            device: "sim:local".to_owned(),
            ttl: Some(Ok(Duration::from_secs(60))),
            idempotency_key: "k".to_owned(),
            ..ReserveRequest::default()
        }
    }

    fn refused(request: ReserveRequest) -> Vec<(&'static str, String)> {
        let wrong = request.accept(&Limits::default()).unwrap_err();
        let each = wrong.into_iter();
        each.map(|wrong| (wrong.field, wrong.reason)).collect()
    }

    #[test]
    fn a_request_is_told_all_that_is_wrong_with_it_and_what_would_be_right() {
        let wish = request().accept(&Limits::default()).unwrap();
        assert_eq!(wish.owner.tenant, "tenant-default");
        let all = refused(ReserveRequest {
            device: String::new(),
            ttl: Some(Ok(Duration::from_millis(999))),
            purpose: "a\u{1b}".to_owned(),
            ..request()
        });
        let fields: Vec<_> = all.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["device_id", "ttl", "purpose"]);
        assert_eq!(all[1].1, "is 0.999 s; it must be 1 s to 14400 s");
        let ttl = |ttl| refused(ReserveRequest { ttl, ..request() }).remove(0).1;
        assert!(ttl(None).starts_with("is not given"));
        assert!(ttl(Some(Ok(Duration::from_secs(14_401)))).contains("14400"));
        assert_eq!(ttl(Some(Err("is negative".to_owned()))), "is negative");
    }

    #[test]
    fn a_key_stands_for_all_that_was_asked_for_with_it() {
        let wish = request().accept(&Limits::default()).unwrap();
        let id = ReservationId::new(Epoch(1), 1).unwrap();
        let made = Reservation::new(id, wish.clone(), Timestamp(7));
        assert!(made.is_same(&wish));
        let ttl = Duration::from_secs(61);
        assert!(!made.is_same(&Wish { ttl, ..wish }));
    }

    #[test]
    fn a_clock_that_jumps_takes_time_away_and_never_gives_any() {
        let wish = request().accept(&Limits::default()).unwrap();
        let id = ReservationId::new(Epoch(1), 1).unwrap();
        let made = Reservation::new(id, wish, Timestamp(0));
        let left = |seconds: i64| made.left(Timestamp(seconds * 1_000_000)).as_secs();
        assert_eq!([-9, 0, 20, 60, 99].map(left), [60, 60, 40, 0, 0]);
    }
}
