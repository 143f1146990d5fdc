//! One operation of a document, before its angle is known and its qubits are checked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::AqoError;
use crate::circuit::{Gate, Operation, Readout};

/// All keys that an operation may have.
const KEYS: [&str; 5] = ["op", "q", "params", "c", "basis"];

/// The operations in the order of the document, and what is still to be done to some of them.
#[derive(Default)]
pub(super) struct Drafts {
    /// Symbolic angles are 0 until they are bound.
    pub(super) operations: Vec<Operation>,
    /// Index of an operation and the text that stands for its angle, in ascending order.
    pub(super) symbols: Vec<(usize, String)>,
    /// For measurements that are not all in the Z basis: one basis per readout.
    pub(super) bases: BTreeMap<usize, Vec<Basis>>,
}

/// What is measured of a qubit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    X,
    Y,
    Z,
}

impl Drafts {
    /// Takes the next operation of the document.
    pub(super) fn add(&mut self, value: Value) -> Result<(), AqoError> {
        let place = Place(self.operations.len());
        let Value::Object(fields) = value else {
            return Err(place.wrong("", Some(&value), "an object"));
        };
        for key in fields.keys() {
            known(key, &KEYS, || format!("{}.", place.at("")), "an operation")?;
        }
        let name = match fields.get("op") {
            Some(Value::String(name)) => name.trim(),
            other => return Err(place.wrong(".op", other, "the name of an operation")),
        };
        let qubits = place.indices(".q", fields.get("q"))?;
        let operation = if name.eq_ignore_ascii_case("MEASURE") {
            let bits = match fields.get("c") {
                None | Some(Value::Null) => qubits.clone(),
                given => place.indices(".c", given)?,
            };
            if bits.len() != qubits.len() {
                return Err(place.wrong(".c", fields.get("c"), "as long as q"));
            }
            place.says_nothing_of(&fields, &["params"])?;
            self.set_bases(place, fields.get("basis"), qubits.len())?;
            let pairs = qubits.into_iter().zip(bits);
            Operation::Measure(pairs.map(|(qubit, bit)| Readout { qubit, bit }).collect())
        } else if name.eq_ignore_ascii_case("RESET") {
            place.says_nothing_of(&fields, &["params", "c", "basis"])?;
            Operation::Reset(qubits)
        } else {
            place.says_nothing_of(&fields, &["c", "basis"])?;
            let Some(gate) = Gate::named(name, 0.0) else {
                let name = name.chars().take(40).collect();
                return Err(AqoError::UnknownOperation {
                    operation: place.0,
                    name,
                });
            };
            Operation::Unitary {
                gate: self.with_angle(place, gate, &fields)?,
                qubits,
            }
        };
        self.operations.push(operation);
        Ok(())
    }

    /// The gate with its angle, or with 0 and a note of the symbol that stands for it.
    fn with_angle(
        &mut self,
        place: Place,
        gate: Gate,
        fields: &Map<String, Value>,
    ) -> Result<Gate, AqoError> {
        let theta = match fields.get("params") {
            None | Some(Value::Null) => None,
            Some(Value::Object(params)) => {
                for key in params.keys() {
                    let within = || format!("{}.", place.at(".params"));
                    known(key, &["theta"], within, "params")?;
                }
                params.get("theta").filter(|theta| !theta.is_null())
            }
            other => return Err(place.wrong(".params", other, "an object")),
        };
        if gate.theta().is_none() {
            // Dropped in silence, an angle meant for another gate would change the program.
            return match theta {
                None => Ok(gate),
                given => {
                    Err(place.wrong(".params.theta", given, "left out: the gate has no angle"))
                }
            };
        }
        match theta {
            Some(Value::String(symbol)) => self.symbols.push((place.0, symbol.clone())),
            Some(Value::Number(number)) => {
                return Ok(gate.with_theta(number.as_f64().unwrap_or(f64::NAN)));
            }
            other => {
                let must = "an angle in radians or the name of a parameter";
                return Err(place.wrong(".params.theta", other, must));
            }
        }
        Ok(gate)
    }

    fn set_bases(
        &mut self,
        place: Place,
        given: Option<&Value>,
        readouts: usize,
    ) -> Result<(), AqoError> {
        let bases: Option<Vec<Basis>> = match given {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(list)) if list.len() == readouts => list.iter().map(basis).collect(),
            Some(one) => basis(one).map(|basis| vec![basis; readouts]),
        };
        let must = "X, Y or Z, or a list with one of these per qubit";
        let bases = bases.ok_or_else(|| place.wrong(".basis", given, must))?;
        if bases.iter().any(|basis| *basis != Basis::Z) {
            self.bases.insert(place.0, bases);
        }
        Ok(())
    }
}

fn basis(value: &Value) -> Option<Basis> {
    match value.as_str()?.trim() {
        "X" | "x" => Some(Basis::X),
        "Y" | "y" => Some(Basis::Y),
        "Z" | "z" => Some(Basis::Z),
        _ => None,
    }
}

/// The index of an operation in the document.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    fn at(self, field: &str) -> String {
        format!("operations[{}]{field}", self.0)
    }

    fn wrong(self, field: &str, is: Option<&Value>, must: &'static str) -> AqoError {
        AqoError::Field {
            at: self.at(field),
            is: shown(is),
            must,
        }
    }

    /// What belongs to other operations may be there, but must say nothing.
    fn says_nothing_of(self, fields: &Map<String, Value>, others: &[&str]) -> Result<(), AqoError> {
        for key in others {
            let given = fields.get(*key);
            let says_nothing = match given {
                None | Some(Value::Null) => true,
                Some(Value::Array(list)) => list.is_empty(),
                Some(Value::Object(map)) => map.is_empty(),
                Some(_) => false,
            };
            if !says_nothing {
                let must = "left out: it belongs to other operations";
                return Err(self.wrong(&format!(".{key}"), given, must));
            }
        }
        Ok(())
    }

    fn indices(self, field: &str, list: Option<&Value>) -> Result<Vec<u32>, AqoError> {
        let Some(Value::Array(list)) = list else {
            return Err(self.wrong(field, list, "a list of indices"));
        };
        let index = |(entry, value): (usize, &Value)| {
            let index = value.as_u64().and_then(|index| u32::try_from(index).ok());
            let field = || format!("{field}[{entry}]");
            index.ok_or_else(|| self.wrong(&field(), Some(value), "an index from 0"))
        };
        list.iter().enumerate().map(index).collect()
    }
}

/// Whether a key is among these; if not, where it is and what there is.
pub(super) fn known(
    key: &str,
    keys: &[&str],
    within: impl FnOnce() -> String,
    place: &'static str,
) -> Result<(), AqoError> {
    if keys.contains(&key) {
        return Ok(());
    }
    let key: String = key.chars().take(40).map(harmless).collect();
    Err(AqoError::UnknownKey {
        at: within() + &key,
        place,
        known: keys.join(", "),
    })
}

fn harmless(letter: char) -> char {
    match letter.is_control() {
        true => '\u{fffd}',
        false => letter,
    }
}

/// A value for people to read, in at most some 40 characters.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::Array(list)) => format!("a list of {}", list.len()),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(Value::String(text)) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Some(scalar) => scalar.to_string(),
    }
}
