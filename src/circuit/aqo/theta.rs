//! Angles that are given by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::AqoError;
use super::draft::{Drafts, shown};
use crate::circuit::Operation;
use crate::circuit::parameters::{argument, cut};

/// Puts numbers in the place of all symbolic angles, and gives the names of all parameters.
pub(super) fn bind(
    drafts: &mut Drafts,
    extra: &Map<String, Value>,
    arguments: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, AqoError> {
    let document = extra.get("parameters").and_then(Value::as_object);
    let mut names: BTreeSet<String> = document.into_iter().flat_map(Map::keys).cloned().collect();
    for (operation, symbol) in &drafts.symbols {
        let theta = Lookup {
            operation: *operation,
            document,
            arguments,
            names: &mut names,
        }
        .angle(symbol)?;
        if let Operation::Unitary { gate, .. } = &mut drafts.operations[*operation] {
            *gate = gate.with_theta(theta);
        }
    }
    Ok(names)
}

struct Lookup<'a> {
    operation: usize,
    document: Option<&'a Map<String, Value>>,
    arguments: &'a BTreeMap<String, String>,
    names: &'a mut BTreeSet<String>,
}

impl Lookup<'_> {
    /// Follows the names until there is a number, which may still be infinite.
    fn angle(&mut self, text: &str) -> Result<f64, AqoError> {
        let mut text = text.trim();
        // The parameter that the job gave this text for.
        let mut given_to = None;
        let mut seen = BTreeSet::new();
        loop {
            if let Ok(number) = text.parse() {
                return Ok(number);
            }
            if !seen.insert(text) {
                let (operation, symbol) = (self.operation, cut(text));
                return Err(AqoError::Circular { operation, symbol });
            }
            let argument = argument(self.arguments, text);
            let document = self.document.and_then(|all| all.get(text));
            if let (Some(symbol), None, None) = (given_to, argument, document) {
                let (symbol, value) = (cut(symbol), cut(text));
                return Err(AqoError::NotANumber { symbol, value });
            }
            self.names.insert(text.to_owned());
            given_to = argument.and(Some(text));
            text = match (argument, document) {
                (Some(argument), _) => argument.trim(),
                (None, Some(Value::String(next))) => next.trim(),
                (None, Some(Value::Number(number))) => {
                    return Ok(number.as_f64().unwrap_or(f64::NAN));
                }
                (None, Some(other)) => {
                    let at = format!("parameters.{}", cut(text));
                    let must = "a number or the name of another parameter";
                    return Err(AqoError::Field {
                        at,
                        is: shown(Some(other)),
                        must,
                    });
                }
                (None, None) => {
                    let (operation, symbol) = (self.operation, cut(text));
                    return Err(AqoError::Unbound { operation, symbol });
                }
            };
        }
    }
}
