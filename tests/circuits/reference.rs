//! What Qiskit says of generated circuits: `tests/reference/`, or where `QRTX_REFERENCE` points.

use std::path::Path;

use qrtx::ids::Sha256Sum;
use qrtx_testkit::circuits::{GateSet, Texts};
use serde::Deserialize;

/// What Qiskit says of one circuit.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) texts: Texts,
    /// Amplitudes, real and imaginary part in turn, or probabilities of outcomes.
    pub(crate) values: Vec<f64>,
}

#[derive(Deserialize)]
struct Index {
    circuits: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    set: String,
    seed: u64,
    number: u32,
    read: String,
    sha256: String,
    values: usize,
}

/// Whether the data is that of the repository.
pub(crate) fn is_ours() -> bool {
    std::env::var_os("QRTX_REFERENCE").is_none()
}

/// All answers about circuits of one set, with the circuits generated anew.
///
/// Where a text is not the one that Qiskit has read, this panics: then the data must be made again
/// by the command at the head of `tests/reference/qiskit_amplitudes.py`.
pub(crate) fn answers(set: GateSet) -> Vec<Answer> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/qiskit");
    let stem = std::env::var_os("QRTX_REFERENCE").map_or(ours, Into::into);
    let read = |ending| {
        let path = stem.with_extension(ending);
        std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    let index: Index = serde_json::from_slice(&read("json")).expect("the index is JSON");
    let data = read("f64");
    let mut numbers = data.chunks_exact(8).map(|bytes| {
        let bytes = bytes.try_into().expect("there are eight of them");
        f64::from_le_bytes(bytes)
    });
    let mut answers = Vec::new();
    for entry in index.circuits {
        let values: Vec<_> = numbers.by_ref().take(entry.values).collect();
        assert_eq!(values.len(), entry.values, "the data ends before its index");
        if entry.set != set.name() {
            continue;
        }
        let texts = Texts::new(set, entry.seed, entry.number);
        let (wanted, found) = (&entry.sha256, Sha256Sum::of(texts.read().as_bytes()));
        assert_eq!(
            *wanted,
            found.to_string(),
            "{} {}: Qiskit has read another {}: make the data again",
            entry.set,
            entry.number,
            entry.read
        );
        answers.push(Answer { texts, values });
    }
    assert!(
        numbers.next().is_none() || is_ours(),
        "the data is longer than its index"
    );
    answers
}
