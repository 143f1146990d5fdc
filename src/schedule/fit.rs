//! Which devices a job may run on: those that its target names and that can run its circuit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::circuit::op_name;
use crate::ids::DeviceId;
use crate::job::event::CircuitFormat;
use crate::job::requirements::{Requirements, names};
use crate::job::target::Target;
use crate::planted::{Bug, planted};

/// What a device must have to run a circuit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Needs {
    /// It must take this language.
    pub format: CircuitFormat,
    /// So many qubits; `None` when that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qubits: Option<u32>,
    /// These operations, by their AQO names; empty when that cannot be told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ops: BTreeSet<String>,
}

/// What a job asks of the device that runs it. Jobs that ask for the same wait together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    /// The device, or the class.
    pub target: Target,
    /// What its circuit needs, for a job of a class: of another it is checked once, when it is
    /// compiled for its device.
    pub needs: Option<Arc<Needs>>,
}

/// What is known of a device that matters for who fits it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// For example `simulator`.
    pub backend_type: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// What a device can do, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Capabilities {
    /// Operations by their AQO names; `None` when it does not say.
    pub ops: Option<BTreeSet<String>>,
    /// Qubits; `None` when it does not say.
    pub qubits: Option<u32>,
    /// Languages of circuits, as `AQO_JSON`; `None` when it does not say.
    pub formats: Option<BTreeSet<String>>,
}

impl Profile {
    /// Takes in what a device tells anew of itself; what it leaves out stands as it was.
    pub fn hear(&mut self, backend_type: &str, capabilities: &BTreeMap<String, String>) {
        backend_type.clone_into(&mut self.backend_type);
        let told = Capabilities::parse(capabilities);
        let known = std::mem::take(&mut self.capabilities);
        self.capabilities = Capabilities {
            ops: told.ops.or(known.ops),
            qubits: told.qubits.or(known.qubits),
            formats: told.formats.or(known.formats),
        };
    }
}

impl Want {
    /// Whether the job may run on a device of which so much is known. The device that a target
    /// names by its id fits, known or not.
    pub fn fits(&self, device: &DeviceId, profile: Option<&Profile>) -> bool {
        match (&self.target, profile) {
            (Target::Device(named), _) => named == device,
            (Target::Class(_), None) => false,
            (Target::Class(_), Some(profile)) => {
                let named = self.target.names(device, &profile.backend_type);
                (named || planted(Bug::ClassForgotten)) && self.lacks(profile).is_none()
            }
        }
    }

    /// What a device that the target names lacks of what is required, or for the circuit.
    pub fn lacks(&self, profile: &Profile) -> Option<String> {
        let device = &profile.capabilities;
        let required = self.target.requires();
        let required = required.filter(|_| !planted(Bug::RequirementsForgotten));
        let required = required.and_then(|required| device.lacks_required(required));
        required.or_else(|| device.lacks(self.needs.as_ref()?))
    }
}

impl<T: Into<Target>> From<T> for Want {
    fn from(target: T) -> Self {
        Self {
            target: target.into(),
            needs: None,
        }
    }
}

impl Capabilities {
    /// Reads `ops`, `qubits` and `formats` out of a device's capability map; what is not there or
    /// makes no sense is not known.
    pub fn parse(map: &BTreeMap<String, String>) -> Self {
        let set = |key: &str, name: fn(&str) -> String| {
            let told = map.get(key)?;
            Some(names(told).map(name).collect())
        };
        let number = |key| map.get(key)?.trim().parse().ok();
        Self {
            ops: set("ops", op_name),
            qubits: number("qubits").or_else(|| number("max_qubits")),
            formats: set("formats", str::to_uppercase),
        }
    }

    /// What the device lacks for such a circuit, whenever it is asked; `None` if it may take it.
    /// What is not known is not missing.
    pub fn lacks(&self, needs: &Needs) -> Option<String> {
        if let (Some(needed), Some(most)) = (needs.qubits, self.qubits)
            && needed > most
        {
            return Some(format!(
                "the circuit has {needed} qubits, and the device has {most}: use fewer, or \
                 another device"
            ));
        }
        self.lacks_format(needs.format)
            .or_else(|| self.lacks_ops(&needs.ops))
    }

    /// What the device lacks of what a client requires; `None` if it has all. Here what it does not
    /// tell is missing: who asks for something wants to be sure of it.
    pub fn lacks_required(&self, required: &Requirements) -> Option<String> {
        if let Some(wanted) = required.qubits
            && self.qubits.is_none_or(|most| most < wanted)
        {
            let has = match self.qubits {
                Some(most) => format!("has {most}"),
                None => "does not tell a number".to_owned(),
            };
            return Some(format!(
                "the job asks for {wanted} qubits, and the device {has}"
            ));
        }
        let lacks = |what: &str, missing: Vec<&str>, told: bool| {
            let has = match told {
                true => "does not have",
                false => "does not tell that it has",
            };
            let missing = (!missing.is_empty()).then(|| missing.join(", "))?;
            Some(format!(
                "the job asks for the {what} {missing}, which the device {has}"
            ))
        };
        let has_op = |op: &String| self.ops.as_ref().is_some_and(|ops| ops.contains(op));
        let ops = required
            .ops
            .iter()
            .filter(|op| !has_op(op))
            .map(String::as_str);
        let takes = |wanted: &str| {
            let told = self.formats.iter().flatten();
            told.into_iter().any(|told| is_format(told, wanted))
        };
        let formats = required.formats.iter().map(String::as_str);
        let formats = formats.filter(|wanted| !takes(wanted));
        lacks("operations", ops.collect(), self.ops.is_some())
            .or_else(|| lacks("formats", formats.collect(), self.formats.is_some()))
    }

    fn lacks_format(&self, format: CircuitFormat) -> Option<String> {
        let name = match format {
            CircuitFormat::AqoJson => "AQO_JSON",
            CircuitFormat::Qasm3Text => "QASM3_TEXT",
        };
        let formats = self.formats.as_ref()?;
        if formats.is_empty() || formats.iter().any(|told| is_format(told, name)) {
            return None;
        }
        let formats: Vec<_> = formats.iter().map(String::as_str).collect();
        Some(format!(
            "the circuit is {name}, and the device takes {}: use another device",
            formats.join(", ")
        ))
    }

    fn lacks_ops(&self, needed: &BTreeSet<String>) -> Option<String> {
        let ops = self.ops.as_ref().filter(|ops| !ops.is_empty())?;
        let missing = needed.difference(ops).map(String::as_str);
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return None;
        }
        Some(format!(
            "the circuit needs {}, which the device does not have: use another device",
            missing.join(", ")
        ))
    }

    /// What a circuit may use that is to run on any of these devices, as far as they say: the
    /// operations and languages that all have, and the qubits of the largest.
    pub fn common<'a>(devices: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let both =
            |one: &Option<BTreeSet<String>>, other: &Option<BTreeSet<String>>| match (one, other) {
                (Some(one), Some(other)) => Some(one & other),
                (one, other) => one.clone().or_else(|| other.clone()),
            };
        devices.into_iter().cloned().reduce(|common, device| Self {
            ops: both(&common.ops, &device.ops),
            qubits: common
                .qubits
                .zip(device.qubits)
                .map(|(one, other)| one.max(other)),
            formats: both(&common.formats, &device.formats),
        })
    }
}

/// Whether a format of circuits that a device tells is the one that is wanted: drivers and clients
/// differ on how much of the name they tell (`QASM3`, `QASM3_TEXT`), and the stem is enough.
fn is_format(told: &str, wanted: &str) -> bool {
    let is_stem = |stem: &str, name: &str| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    is_stem(told, wanted) || is_stem(wanted, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(map: &[(&str, &str)]) -> Capabilities {
        let map = map
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        Capabilities::parse(&map.collect())
    }

    fn needs(format: CircuitFormat, qubits: Option<u32>, ops: &[&str]) -> Needs {
        Needs {
            format,
            qubits,
            ops: ops.iter().map(|op| (*op).to_owned()).collect(),
        }
    }

    #[test]
    fn what_a_device_lacks_is_named_and_what_it_does_not_tell_is_not_missing() {
        let (aqo, qasm) = (CircuitFormat::AqoJson, CircuitFormat::Qasm3Text);
        let told = device(&[
            ("qubits", " 24 "),
            ("formats", "aqo_json, QIR"),
            ("ops", "rx,cx"),
        ]);
        assert_eq!(told.lacks(&needs(aqo, Some(24), &["RX"])), None);
        assert_eq!(told.lacks(&needs(aqo, None, &[])), None);
        let short = device(&[("formats", "qasm3")]);
        assert_eq!(short.lacks(&needs(qasm, None, &["H"])), None);
        let many = told.lacks(&needs(aqo, Some(25), &[])).unwrap();
        assert!(many.starts_with("the circuit has 25 qubits, and the device has 24"));
        let other = told.lacks(&needs(qasm, Some(2), &[])).unwrap();
        assert!(other.contains("QASM3_TEXT, and the device takes AQO_JSON, QIR"));
        let gates = told
            .lacks(&needs(aqo, Some(2), &["CCX", "CX", "H"]))
            .unwrap();
        assert!(gates.starts_with("the circuit needs CCX, H, which the device does not have"));
        for silent in [&[][..], &[("qubits", "many"), ("formats", ""), ("ops", "")]] {
            let anything = needs(qasm, Some(1_000), &["H"]);
            assert_eq!(device(silent).lacks(&anything), None);
        }
    }

    #[test]
    fn what_is_required_must_be_told_and_what_a_device_lacks_of_it_is_named() {
        let told = device(&[
            ("qubits", "5"),
            ("ops", "cnot,RZ"),
            ("formats", "QASM3_TEXT"),
        ]);
        let lacks = |device: &Capabilities, required: &str| {
            device.lacks_required(&required.parse().unwrap())
        };
        assert_eq!(lacks(&told, "qubits=5&ops=CX&formats=QASM3"), None);
        insta::assert_snapshot!(lacks(&told, "qubits=6").unwrap(), @"the job asks for 6 qubits, and the device has 5");
        insta::assert_snapshot!(lacks(&told, "ops=CX,CZ,H").unwrap(), @"the job asks for the operations CZ, H, which the device does not have");
        insta::assert_snapshot!(lacks(&told, "formats=AQO").unwrap(), @"the job asks for the formats AQO, which the device does not have");
        let near = device(&[("ops", "CX_ECHO"), ("formats", "AQOX")]);
        assert!(
            lacks(&near, "ops=CX").is_some(),
            "that is another operation"
        );
        assert!(lacks(&near, "formats=AQO").is_some(), "and another format");
        let both = device(&[("formats", "AQO_JSON,QASM3_TEXT")]);
        assert_eq!(lacks(&both, "formats=AQO,QASM3_TEXT"), None);
        assert!(lacks(&told, "formats=AQO,QASM3").is_some());
        let silent = device(&[]);
        insta::assert_snapshot!(lacks(&silent, "qubits=1").unwrap(), @"the job asks for 1 qubits, and the device does not tell a number");
        insta::assert_snapshot!(lacks(&silent, "ops=CX").unwrap(), @"the job asks for the operations CX, which the device does not tell that it has");
    }

    #[test]
    fn what_a_device_leaves_out_stands_as_it_was() {
        let tell = |profile: &mut Profile, told: &[(&str, &str)]| {
            let told = told
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            profile.hear("ion", &told.collect());
        };
        let mut profile = Profile::default();
        tell(&mut profile, &[("qubits", "20"), ("ops", "RX")]);
        tell(
            &mut profile,
            &[("ops", "RX,CX"), ("qubits", "many"), ("max_qubits", "9")],
        );
        assert_eq!(
            profile.capabilities,
            device(&[("qubits", "9"), ("ops", "RX,CX")])
        );
        tell(&mut profile, &[]);
        assert_eq!(
            profile.capabilities,
            device(&[("qubits", "9"), ("ops", "RX,CX")])
        );
    }

    #[test]
    fn devices_have_in_common_what_all_can_do_and_the_qubits_of_the_largest() {
        let devices = [
            device(&[("qubits", "5"), ("ops", "RX,CX,H")]),
            device(&[("qubits", "9"), ("ops", "RX,CX,CZ")]),
            device(&[("qubits", "2")]),
        ];
        let common = Capabilities::common(&devices).unwrap();
        assert_eq!(common, device(&[("qubits", "9"), ("ops", "CX,RX")]));
        assert_eq!(Capabilities::common([]), None);
    }

    #[test]
    fn a_job_fits_where_its_target_names_the_device_and_the_device_can_run_it() {
        let profile = |qubits: &str| Profile {
            backend_type: "simulator".to_owned(),
            capabilities: device(&[("qubits", qubits)]),
        };
        let want = |target: &str| Want {
            target: target.parse().unwrap(),
            needs: Some(Arc::new(needs(CircuitFormat::AqoJson, Some(5), &[]))),
        };
        let sim: DeviceId = "sim:a".parse().unwrap();
        assert!(want("backend:simulator").fits(&sim, Some(&profile("5"))));
        assert!(!want("backend:simulator").fits(&sim, Some(&profile("4"))));
        assert!(!want("qpu:*").fits(&sim, Some(&profile("5"))));
        assert!(!want("*").fits(&sim, None), "nothing is known of it");
        let named = Want::from(sim.clone());
        assert!(named.fits(&sim, None), "it was asked for by its name");
    }
}
