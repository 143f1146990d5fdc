//! What can be said of somebody else's AQO without knowing all its operations: whether it is a
//! circuit at all, and how wide the keys of its counts will be.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The outline of a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// How many qubits it has.
    pub qubits: u32,
    /// The widths that the keys of its counts may have: drivers differ on whether classical bits
    /// that nothing is read into are shown, those that are declared as well as those below the
    /// highest that is written.
    pub key_widths: BTreeSet<u32>,
    /// The operations it uses, in capitals.
    pub ops: BTreeSet<String>,
}

/// A text that is no circuit.
#[derive(Debug, thiserror::Error)]
pub enum OutlineError {
    /// It is not the JSON that AQO is.
    #[error("it is not AQO: {0}")]
    NotAqo(#[from] serde_json::Error),
    /// It has nothing to run on.
    #[error("it has no qubits or no version")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    version: String,
    qubits: u32,
    #[serde(default)]
    bits: Option<u32>,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    q: Vec<u32>,
    #[serde(default)]
    c: Option<Vec<u32>>,
    #[serde(default, rename = "params")]
    _parameters: IgnoredAny,
}

/// Reads the outline of a circuit.
///
/// # Errors
/// [`OutlineError`] when it is none.
pub fn outline(aqo: &[u8]) -> Result<Outline, OutlineError> {
    let Document {
        version,
        qubits,
        bits,
        operations,
    } = serde_json::from_slice(aqo)?;
    if version.is_empty() || qubits == 0 {
        return Err(OutlineError::Empty);
    }
    let ops = operations.iter();
    let ops = ops.map(|operation| operation.op.to_uppercase()).collect();
    let read_into: BTreeSet<u32> = operations
        .into_iter()
        .filter(|operation| operation.op.eq_ignore_ascii_case("MEASURE"))
        .flat_map(|operation| operation.c.unwrap_or(operation.q))
        .collect();
    let mut key_widths = match read_into.last() {
        // Without a measurement every qubit is read.
        None => BTreeSet::from([qubits]),
        Some(last) => {
            let read = u32::try_from(read_into.len()).unwrap_or(u32::MAX);
            BTreeSet::from([last.saturating_add(1), read])
        }
    };
    // The reference driver knows nothing of bits that are declared and never written.
    key_widths.extend(bits);
    Ok(Outline {
        qubits,
        key_widths,
        ops,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(aqo: &str) -> Vec<u32> {
        outline(aqo.as_bytes())
            .unwrap()
            .key_widths
            .into_iter()
            .collect()
    }

    #[test]
    fn keys_are_as_wide_as_what_is_measured() {
        let with = |operations: &str| {
            widths(&format!(
                r#"{{"version":"1.0.0","qubits":3,"operations":[{operations}]}}"#
            ))
        };
        assert_eq!(
            with(r#"{"op":"X","q":[0]}"#),
            [3],
            "nothing is measured, so everything is"
        );
        assert_eq!(with(r#"{"op":"MEASURE","q":[0,1],"c":[0,1]}"#), [2]);
        assert_eq!(
            with(r#"{"op":"MEASURE","q":[1]}"#),
            [1, 2],
            "bit 0 may be shown or not"
        );
        assert_eq!(
            widths(
                r#"{"version":"1.0.0","qubits":3,"bits":7,"operations":[{"op":"MEASURE","q":[1]}]}"#
            ),
            [1, 2, 7],
            "seven are declared"
        );
        assert_eq!(
            with(r#"{"op":"measure","q":[0],"c":[4]},{"op":"WARP","q":[9]}"#),
            [1, 5]
        );
    }

    #[test]
    fn what_is_no_circuit_has_no_outline() {
        for text in [
            "",
            "{}",
            "[]",
            "\u{0}",
            r#"{"version":"","qubits":1,"operations":[]}"#,
        ] {
            assert!(outline(text.as_bytes()).is_err(), "{text}");
        }
        assert!(outline(br#"{"version":"1","qubits":0,"operations":[]}"#).is_err());
        assert!(outline(br#"{"version":"1","qubits":-1,"operations":[]}"#).is_err());
    }
}
