//! Where a job may run, as its client says: on one device, or on any of a class.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{BadId, DeviceId};

/// A device, or a class of devices; on the wire and in the store a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// This one and no other.
    Device(DeviceId),
    /// Whichever of these can run the circuit and is free first.
    Class(Class),
}

/// A class of devices: `backend:simulator` are those of that backend type, `sim:*` those whose
/// ids begin so, and `*` are all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(Arc<str>);

const BACKEND: &str = "backend:";

impl Target {
    /// The target as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Device(device) => device.as_str(),
            Self::Class(class) => &class.0,
        }
    }

    /// Whether a device is the one that is named, or of the class; whether it can run the circuit
    /// is another question.
    pub fn names(&self, device: &DeviceId, backend_type: &str) -> bool {
        match self {
            Self::Device(named) => named == device,
            Self::Class(class) => class.has(device, backend_type),
        }
    }
}

impl Class {
    fn has(&self, device: &DeviceId, backend_type: &str) -> bool {
        if let Some(wanted) = self.0.strip_prefix(BACKEND) {
            return wanted == backend_type;
        }
        let start = self.0.strip_suffix('*');
        start.is_some_and(|start| device.as_str().starts_with(start))
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
        f.write_str(&self.0)
    }
}

impl FromStr for Target {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        // A class keeps to the same letters and length.
        let device: DeviceId = text.parse()?;
        match text.starts_with(BACKEND) || text.ends_with('*') {
            true => Ok(Self::Class(Class(text.into()))),
            false => Ok(Self::Device(device)),
        }
    }
}

impl From<DeviceId> for Target {
    fn from(device: DeviceId) -> Self {
        Self::Device(device)
    }
}

impl TryFrom<String> for Target {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
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
        for bad in ["", "a\n*", &"x".repeat(129)] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?}");
        }
    }
}
