//! What a client asks of the device that runs its job, beyond what its circuit needs.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::circuit::Gate;
use crate::ids::BadId;

/// What a device must say that it has. As text, for example `qubits=20&ops=CX,RZ&formats=QASM3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Requirements {
    /// At least so many qubits.
    pub qubits: Option<u32>,
    /// These operations, by their names as of [`op_name`].
    pub ops: BTreeSet<String>,
    /// One of these languages of circuits, in capitals; the stem of a name, as `AQO`, is enough.
    pub formats: BTreeSet<String>,
}

/// The one name of an operation that is known by several, in any case: drivers and clients differ.
pub fn op_name(told: &str) -> String {
    let told = told.trim();
    let gate = Gate::named(told, 0.0);
    gate.map_or_else(|| told.to_uppercase(), |gate| gate.name().to_owned())
}

/// What is separated by commas, without blanks.
pub fn names(told: &str) -> impl Iterator<Item = &str> {
    let each = told.split(',').map(str::trim);
    each.filter(|name| !name.is_empty())
}

impl FromStr for Requirements {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || {
            let wanted = "what a device must have: qubits=20, ops=CX,RZ or formats=QASM3, each at \
                          most once and joined by &";
            BadId::new(text, wanted)
        };
        let mut made = Self::default();
        for part in text.split('&') {
            let (key, value) = part.split_once('=').ok_or_else(bad)?;
            let is_new = match key.trim() {
                "qubits" => {
                    let qubits = value.trim().parse().map_err(|_| bad())?;
                    made.qubits.replace(qubits).is_none()
                }
                "ops" => fill(&mut made.ops, names(value).map(op_name)),
                "formats" => fill(&mut made.formats, names(value).map(str::to_uppercase)),
                _ => false,
            };
            if !is_new {
                return Err(bad());
            }
        }
        Ok(made)
    }
}

/// Whether something was put in where nothing was.
fn fill(set: &mut BTreeSet<String>, names: impl Iterator<Item = String>) -> bool {
    let was_empty = set.is_empty();
    set.extend(names);
    was_empty && !set.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_in_any_case_and_order_and_gates_by_any_of_their_names() {
        let read: Requirements = "ops=cnot, rz&qubits=5".parse().unwrap();
        assert_eq!(read, "qubits=5&ops=RZ,CX".parse().unwrap());
        let formats: Requirements = "formats=qasm3".parse().unwrap();
        assert_eq!(formats.formats, ["QASM3".to_owned()].into());
    }

    #[test]
    fn what_is_no_requirement_is_refused_and_told_how_to_write_one() {
        for bad in [
            "",
            "qubits",
            "qubits=many",
            "qubits=-1",
            "ops=",
            "ops=,",
            "qubits=2&qubits=3",
            "ops=CX&ops=RZ",
            "error_rate=0.1",
            "qubits=2&",
        ] {
            let why = bad.parse::<Requirements>().unwrap_err().to_string();
            assert!(why.contains("qubits=20"), "{bad:?}: {why}");
        }
    }
}
