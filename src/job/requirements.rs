//! What a client asks of the device that runs its job, beyond what its circuit needs.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::circuit::op_name;

/// What a device must tell that it has. As text, for example `qubits=20&ops=CX,RZ&formats=AQO`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Requirements {
    /// At least so many qubits.
    pub qubits: Option<u32>,
    /// These operations, by their names as of [`op_name`].
    pub ops: BTreeSet<String>,
    /// These languages of compiled circuits, in capitals; the stem of a name, as `AQO`, is enough.
    pub formats: BTreeSet<String>,
}

const EXAMPLE: &str = "qubits=20&ops=CX,RZ&formats=AQO";

/// What is separated by commas, without blanks.
pub fn names(told: &str) -> impl Iterator<Item = &str> {
    let each = told.split(',').map(str::trim);
    each.filter(|name| !name.is_empty())
}

impl FromStr for Requirements {
    type Err = String;

    /// The error is a sentence for a person, with the part that is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err(format!("nothing stands behind the ?; it may be {EXAMPLE}"));
        }
        let mut made = Self::default();
        for part in text.split('&') {
            let wrong = |why: &str| format!("{part:?} {why}; it may be {EXAMPLE}");
            let (key, value) = part.split_once('=').ok_or_else(|| wrong("has no ="))?;
            let is_new = match key.trim() {
                "qubits" => {
                    let qubits = value.trim().parse();
                    let qubits = qubits.map_err(|_| wrong("is no number up to 4294967295"))?;
                    made.qubits.replace(qubits).is_none()
                }
                "ops" | "formats" if names(value).next().is_none() => {
                    return Err(wrong("names nothing"));
                }
                "ops" => fill(&mut made.ops, names(value).map(op_name)),
                "formats" => fill(&mut made.formats, names(value).map(str::to_uppercase)),
                _ => return Err(wrong("is none of qubits, ops and formats")),
            };
            if !is_new {
                return Err(wrong("is said twice"));
            }
        }
        Ok(made)
    }
}

/// Whether something was put in where nothing was.
fn fill(set: &mut BTreeSet<String>, names: impl Iterator<Item = String>) -> bool {
    let was_empty = set.is_empty();
    set.extend(names);
    was_empty
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
    fn what_is_no_requirement_is_refused_with_the_part_that_is_wrong() {
        let wrong = |text: &str| text.parse::<Requirements>().unwrap_err();
        let told = [
            "",
            "qubits",
            "qubits=4294967296",
            "qubits=-1",
            "ops=,",
            "qubits=2&qubits=3",
            "ops=CX&ops=RZ",
            "qubits=2&error_rate=0.1",
            "qubits=2&",
        ]
        .map(wrong);
        insta::assert_snapshot!(told.join("\n"), @r#"
        nothing stands behind the ?; it may be qubits=20&ops=CX,RZ&formats=AQO
        "qubits" has no =; it may be qubits=20&ops=CX,RZ&formats=AQO
        "qubits=4294967296" is no number up to 4294967295; it may be qubits=20&ops=CX,RZ&formats=AQO
        "qubits=-1" is no number up to 4294967295; it may be qubits=20&ops=CX,RZ&formats=AQO
        "ops=," names nothing; it may be qubits=20&ops=CX,RZ&formats=AQO
        "qubits=3" is said twice; it may be qubits=20&ops=CX,RZ&formats=AQO
        "ops=RZ" is said twice; it may be qubits=20&ops=CX,RZ&formats=AQO
        "error_rate=0.1" is none of qubits, ops and formats; it may be qubits=20&ops=CX,RZ&formats=AQO
        "" has no =; it may be qubits=20&ops=CX,RZ&formats=AQO
        "#);
    }
}
