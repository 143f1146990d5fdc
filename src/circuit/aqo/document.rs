//! The document around the operations, read as a stream.
//!
//! Each operation becomes its compact form as soon as it is read: a tree of JSON values for a
//! million operations would take a gigabyte.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::AqoError;
use super::draft::{Drafts, known, shown};
use super::unique::Unique;

/// All keys that a document may have. The last four mean nothing here and pass through.
const KEYS: [&str; 9] = [
    "version",
    "qubits",
    "bits",
    "operations",
    "parameters",
    "metadata",
    "checksums",
    "annotations",
    "topology",
];

/// A document whose operations have the right shape, but are not checked against `qubits` yet.
pub(super) struct Document {
    pub(super) version: String,
    pub(super) qubits: u32,
    pub(super) bits: Option<u32>,
    pub(super) drafts: Drafts,
    /// All other top-level keys.
    pub(super) extra: Map<String, Value>,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self, AqoError> {
        let mut trail = Trail {
            reached: Reached::Nothing,
            failure: None,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = TopLevel(&mut trail).deserialize(&mut reader);
        let (mut fields, drafts) = match read.and_then(|found| reader.end().map(|()| found)) {
            Ok(found) => found,
            Err(source) => return Err(trail.explain(source, text)),
        };
        let drafts = drafts.ok_or_else(|| field("operations", None, "a list"))?;
        let version = match fields.remove("version") {
            Some(Value::String(version)) if !version.trim().is_empty() => version,
            other => return Err(field("version", other.as_ref(), "a non-empty string")),
        };
        let major = version.trim().split('.').next();
        if !matches!(major, Some("0" | "1")) {
            let version = version.chars().take(40).collect();
            return Err(AqoError::Version { version });
        }
        let given = fields.remove("qubits");
        let qubits = given
            .as_ref()
            .and_then(count)
            .ok_or_else(|| field("qubits", given.as_ref(), "an integer from 1 to 1024"))?;
        let bits = match fields.remove("bits") {
            None | Some(Value::Null) => None,
            Some(given) => Some(
                count(&given)
                    .ok_or_else(|| field("bits", Some(&given), "an integer from 0 to 4096"))?,
            ),
        };
        Ok(Self {
            version,
            qubits,
            bits,
            drafts,
            extra: fields,
        })
    }
}

fn count(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn field(at: &str, is: Option<&Value>, must: &'static str) -> AqoError {
    AqoError::Field {
        at: at.to_owned(),
        is: shown(is),
        must,
    }
}

/// How far the reader got, and what of ours stopped it: a reader's own error can not carry that.
struct Trail {
    reached: Reached,
    failure: Option<AqoError>,
}

enum Reached {
    Nothing,
    Operations,
    Within,
}

impl Trail {
    fn explain(self, source: serde_json::Error, text: &str) -> AqoError {
        let (line, column) = (source.line(), source.column());
        match (self.failure, self.reached) {
            (Some(failure), _) => failure,
            (None, Reached::Nothing) if source.is_data() => AqoError::Field {
                at: "the document".to_owned(),
                is: "another JSON value".to_owned(),
                must: "an object",
            },
            (None, Reached::Operations) if source.is_data() => AqoError::Field {
                at: "operations".to_owned(),
                is: "another JSON value".to_owned(),
                must: "a list",
            },
            _ => AqoError::NotJson {
                line,
                column,
                why: why(&source, text),
                source,
            },
        }
    }

    /// What was read; of a key that was there twice it is told where.
    fn unique<T, E: serde::de::Error>(
        &mut self,
        read: Result<T, E>,
        twice: Option<String>,
        within: impl FnOnce() -> String,
    ) -> Result<T, E> {
        match twice {
            Some(key) => Err(self.stop(repeats(&key, within()))),
            None => read,
        }
    }

    /// Keeps `failure` and gives the reader something to stop with.
    fn stop<E: serde::de::Error>(&mut self, failure: AqoError) -> E {
        self.failure = Some(failure);
        E::custom("stopped")
    }
}

fn repeats(key: &str, within: String) -> AqoError {
    let key = key.chars().take(40).collect();
    AqoError::RepeatedKey { key, within }
}

/// The reader's own words without the place, or better ones.
fn why(source: &serde_json::Error, text: &str) -> String {
    let begins = |word| text.trim_start().starts_with(word);
    if ["OPENQASM", "include", "//", "/*", "qubit", "qreg"]
        .into_iter()
        .any(begins)
    {
        return "it looks like OpenQASM; give its format as qasm3 or qasm_text".to_owned();
    }
    let told = source.to_string();
    let told = told.split(" at line ").next().unwrap_or(&told);
    match told {
        "recursion limit exceeded" => "it is nested too deep; 127 levels are read".to_owned(),
        "expected value" | "EOF while parsing a value" if text.trim().is_empty() => {
            "the document is empty".to_owned()
        }
        "number out of range" => "the number is too large; the largest is about 1.8e308".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads the top-level object: the operations apart, all else as JSON values.
struct TopLevel<'t>(&'t mut Trail);

type Found = (Map<String, Value>, Option<Drafts>);

impl<'de> DeserializeSeed<'de> for TopLevel<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TopLevel<'_> {
    type Value = Found;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut fields = Map::new();
        let mut drafts = None;
        self.0.reached = Reached::Within;
        while let Some(key) = map.next_key::<String>()? {
            if let Err(failure) = known(&key, &KEYS, String::new, "the document") {
                return Err(self.0.stop(failure));
            }
            let repeated = if key == "operations" {
                self.0.reached = Reached::Operations;
                drafts.replace(map.next_value_seed(List(self.0))?).is_some()
            } else {
                let mut twice = None;
                let value = map.next_value_seed(Unique(&mut twice));
                let value = self.0.unique(value, twice, || format!(" in {key}"))?;
                fields.insert(key.clone(), value).is_some()
            };
            if repeated {
                return Err(self.0.stop(repeats(&key, String::new())));
            }
        }
        Ok((fields, drafts))
    }
}

/// Reads the list of operations, one at a time.
struct List<'t>(&'t mut Trail);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Drafts;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Drafts, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Drafts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Drafts, A::Error> {
        self.0.reached = Reached::Within;
        let mut drafts = Drafts::default();
        loop {
            let mut twice = None;
            let value = list.next_element_seed(Unique(&mut twice));
            let within = || format!(" in operations[{}]", drafts.operations.len());
            let Some(value) = self.0.unique(value, twice, within)? else {
                break;
            };
            if let Err(failure) = drafts.add(value) {
                return Err(self.0.stop(failure));
            }
        }
        Ok(drafts)
    }
}
