//! The circuit of a request: what driver-manager checks of it, and counts for it.

use std::collections::{BTreeMap, BTreeSet};

use qrtx::ids::Sha256Sum;
use serde_json::Value;
use tonic::{Code, Status};

use super::super::refusal;

/// What the shipped simulators take.
const QUBITS_MAX: u64 = 16;
/// Keys that a result has at most.
const OUTCOMES: usize = 4;

/// A circuit that a device would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Circuit {
    pub(super) version: String,
    pub(super) qubits: u64,
    /// Characters of a key: the highest classical bit that is measured, and one.
    pub(super) width: usize,
}

impl Circuit {
    pub(super) fn read(
        data: &[u8],
        capabilities: &BTreeMap<String, String>,
        job: &str,
    ) -> Result<Self, Status> {
        let bad = |what: &str| refusal::driver(Code::InvalidArgument, what, job);
        let text = std::str::from_utf8(data).map_err(|_| bad("AQO must be UTF-8"))?;
        let aqo: Value = serde_json::from_str(text).map_err(|_| bad("AQO must be valid JSON"))?;
        let version = aqo["version"]
            .as_str()
            .filter(|version| !version.is_empty());
        let version = version.ok_or_else(|| bad("AQO version must be a non-empty string"))?;
        let operations = aqo["operations"].as_array();
        let operations = operations.ok_or_else(|| bad("AQO operations must be a list"))?;
        let qubits = aqo["qubits"].as_u64().filter(|qubits| *qubits > 0);
        let qubits = qubits.ok_or_else(|| bad("AQO qubits must be a positive integer"))?;
        let most = capabilities
            .get("qubits")
            .and_then(|most| most.parse().ok());
        if qubits > most.unwrap_or(QUBITS_MAX) {
            let message = "qubit count exceeds simulator limit";
            return Err(refusal::driver(Code::ResourceExhausted, message, job));
        }
        let ops = capabilities.get("ops").map_or("", String::as_str);
        let mut bits = BTreeSet::new();
        for operation in operations {
            let op = operation["op"]
                .as_str()
                .ok_or_else(|| bad("op must be a string"))?;
            if !ops.split(',').any(|known| known == op) {
                let message = format!("Unsupported Op: {op}");
                return Err(refusal::driver(Code::Unimplemented, &message, job));
            }
            let list = |key: &str| indices(&operation[key]);
            let on = list("q").ok_or_else(|| bad("q must be a list of integers"))?;
            if on.iter().any(|qubit| *qubit >= qubits) {
                return Err(bad("qubit index out of range"));
            }
            if op == "MEASURE" {
                let into = if operation["c"].is_null() {
                    Some(on.clone())
                } else {
                    list("c")
                };
                let into = into.filter(|into| into.len() == on.len());
                let into = into.ok_or_else(|| bad("c must match q"))?;
                bits.extend(into);
            }
        }
        let measured = bits.last().map_or(qubits, |highest| highest + 1);
        let width = usize::try_from(measured).map_err(|_| bad("c is out of range"))?;
        if width > 4096 {
            return Err(bad("c is out of range"));
        }
        Ok(Self {
            version: version.to_owned(),
            qubits,
            width,
        })
    }
}

fn indices(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

/// Counts that depend on nothing but these, and sum to `shots`.
pub(super) fn draw(circuit: &[u8], width: usize, shots: i32, seed: i64) -> BTreeMap<String, i64> {
    let digest = Sha256Sum::of(circuit);
    let mut chance = Chance(Sha256Sum::of(format!("{digest}/{shots}/{seed}").as_bytes()).prefix());
    let mut left = i64::from(shots);
    let mut counts = BTreeMap::new();
    for outcome in 1..=OUTCOMES {
        let bits = (0..width).map(|_| if chance.next() & 1 == 0 { '0' } else { '1' });
        let key: String = bits.collect();
        let most = u64::try_from(left).expect("what is left is never negative");
        let drawn = i64::try_from(chance.next() % (most + 1)).expect("at most what is left");
        let part = if outcome == OUTCOMES { left } else { drawn };
        left -= part;
        if part > 0 {
            *counts.entry(key).or_default() += part;
        }
    }
    counts
}

/// SplitMix64: the same numbers on every machine and in every version of every crate.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
