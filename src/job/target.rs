//! Where a job may run, as its client says: on one device, or on any of a class.
//!
//! As text: a device's id; `backend:simulator`, all of that backend type; `sim:*`, all whose ids
//! begin so; `*`, all. Behind a `?` may stand what the device must have ([`Requirements`]), as in
//! `*?qubits=20&ops=CX,RZ`; `sim:a?qubits=20` is a class of one device at most.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{BadId, DeviceId};
use crate::job::requirements::Requirements;

/// A device, or a class of devices; on the wire and in the store a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// This one and no other.
    Device(DeviceId),
    /// Whichever of these can run the circuit and is free first.
    Class(Class),
}

/// A text that is no target, and why, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTarget(String);

/// A class of devices. Many records name one, so clones share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(Arc<Written>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    text: Box<str>,
    /// The bytes of `text` before the `?`.
    family_bytes: usize,
    requires: Requirements,
}

const BACKEND: &str = "backend:";
const EACH: char = '*';
const WITH: char = '?';

impl Target {
    /// The target as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Device(device) => device.as_str(),
            Self::Class(class) => &class.0.text,
        }
    }

    /// What a device must have, whatever the circuit is.
    pub fn requires(&self) -> Option<&Requirements> {
        match self {
            Self::Device(_) => None,
            Self::Class(class) => Some(&class.0.requires),
        }
    }

    /// Whether a device is the one that is named, or of the class; whether it has what is required
    /// and can run the circuit are other questions.
    pub fn names(&self, device: &DeviceId, backend_type: &str) -> bool {
        match self {
            Self::Device(named) => named == device,
            Self::Class(class) => class.has(device, backend_type),
        }
    }
}

impl Class {
    fn has(&self, device: &DeviceId, backend_type: &str) -> bool {
        let family = &self.0.text[..self.0.family_bytes];
        if let Some(wanted) = family.strip_prefix(BACKEND) {
            return wanted == backend_type;
        }
        match family.strip_suffix(EACH) {
            Some(start) => device.as_str().starts_with(start),
            None => device.as_str() == family,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        // A class keeps to the same letters and length.
        let device: DeviceId = text.parse().map_err(|_| {
            let start: String = text.chars().take(64).collect();
            let wanted = "a target has 1 to 128 characters, none of them control";
            BadTarget(format!("{start:?} is not one: {wanted}"))
        })?;
        let (family, requires) = match text.split_once(WITH) {
            Some(("", _)) => {
                let wanted = "before the ? stands a device's id, a class, or * for any";
                return Err(BadTarget(format!("{text:?} names no device: {wanted}")));
            }
            Some((family, requires)) => {
                let requires = requires.parse();
                let requires = requires.map_err(|why| BadTarget(format!("in {text:?}, {why}")))?;
                (family, Some(requires))
            }
            None => (text, None),
        };
        let is_class = family.starts_with(BACKEND) || family.ends_with(EACH);
        if !is_class && requires.is_none() {
            return Ok(Self::Device(device));
        }
        Ok(Self::Class(Class(Arc::new(Written {
            text: text.into(),
            family_bytes: family.len(),
            requires: requires.unwrap_or_default(),
        }))))
    }
}

impl From<DeviceId> for Target {
    fn from(device: DeviceId) -> Self {
        Self::Device(device)
    }
}

impl TryFrom<String> for Target {
    type Error = BadId;

    /// As it is stored: what was taken for a device's id before there were requirements is one.
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse().or_else(|_| text.parse().map(Self::Device))
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_names_its_devices_and_an_id_itself_alone() {
        let devices = [
            ("sim:local", "simulator"),
            ("sim:b", "gpu"),
            ("qpu-1", "ion"),
        ];
        let named = |target: &str| {
            let target: Target = target.parse().unwrap();
            assert_eq!(target.to_string().parse(), Ok(target.clone()));
            let names = |(id, kind): &(&str, &str)| target.names(&id.parse().unwrap(), kind);
            let named = devices.into_iter().filter(names);
            named.map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(named("sim:local"), ["sim:local"]);
        assert_eq!(named("sim:*"), ["sim:local", "sim:b"]);
        assert_eq!(named("*"), ["sim:local", "sim:b", "qpu-1"]);
        assert_eq!(named("backend:simulator"), ["sim:local"]);
        assert_eq!(named("backend:*"), [""; 0], "no backend is called so");
        assert_eq!(named("*?qubits=5"), ["sim:local", "sim:b", "qpu-1"]);
        assert_eq!(named("backend:ion?qubits=5"), ["qpu-1"]);
        assert_eq!(named("sim:b?ops=CX"), ["sim:b"]);
        assert_eq!(
            named("sim"),
            [""; 0],
            "no id is taken for the beginning of one"
        );
    }

    #[test]
    fn a_target_is_stored_as_its_text_and_what_is_no_id_is_no_class_either() {
        let class: Target = "sim:*".parse().unwrap();
        assert_eq!(serde_json::to_string(&class).unwrap(), r#""sim:*""#);
        assert_eq!(serde_json::from_str::<Target>(r#""sim:*""#).unwrap(), class);
        for bad in [
            "",
            "a\n*",
            &"x".repeat(129),
            "?qubits=5",
            "sim:*?",
            "*?qubits",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?}");
        }
    }
}
