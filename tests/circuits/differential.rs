//! Four opinions on every circuit: OpenQASM 2, OpenQASM 3, the generator's own AQO, and Qiskit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use num_complex::Complex64;
use qrtx::circuit::{Circuit, amplitudes, parse, parse_qasm, run};
use qrtx_testkit::circuits::{GateSet, Texts, outcomes};

use super::reference::{Answer, answers, is_ours};

/// Most that two opinions on an amplitude or a probability may differ by.
const UNLIKE_MAX: f64 = 1e-9;
/// How many circuits of each set must have been compared.
const CIRCUITS_MIN: usize = 200;
const SHOTS: u32 = 2_000;

/// What each front end makes of the texts.
fn circuits(texts: &Texts) -> [(&'static str, Circuit); 3] {
    let none = BTreeMap::new();
    let failed = |name: &str, text: &str, why: &dyn std::fmt::Display| -> Circuit {
        let Texts { set, number, .. } = texts;
        panic!(
            "{} {number}: the {name} is refused: {why}\n\n{text}",
            set.name()
        )
    };
    let qasm = |name, text: &str| {
        parse_qasm(text.as_bytes(), &none, &AtomicBool::new(false))
            .unwrap_or_else(|why| failed(name, text, &why))
    };
    let aqo = parse(texts.aqo.as_bytes(), &none);
    [
        ("OpenQASM 2", qasm("OpenQASM 2", &texts.qasm2)),
        ("OpenQASM 3", qasm("OpenQASM 3", &texts.qasm3)),
        (
            "AQO",
            aqo.unwrap_or_else(|why| failed("AQO", &texts.aqo, &why)),
        ),
    ]
}

fn complain(texts: &Texts, name: &str, unlike: f64) -> ! {
    let Texts {
        set,
        number,
        qasm2,
        qasm3,
        aqo,
        ..
    } = texts;
    panic!(
        "{} {number}: {name} differs from Qiskit by {unlike:e}\n\n{qasm2}\n\n{qasm3}\n\n{aqo}",
        set.name()
    )
}

/// The largest difference of two amplitudes, once the states are turned to the same global phase.
fn unlikeness(one: &[Complex64], other: &[Complex64]) -> f64 {
    assert_eq!(one.len(), other.len(), "the states are of different sizes");
    let overlap: Complex64 = one.iter().zip(other).map(|(a, b)| a.conj() * b).sum();
    let turn = overlap / overlap.norm();
    let differences = one.iter().zip(other).map(|(a, b)| (a * turn - b).norm());
    differences.fold(0.0, f64::max)
}

fn agree(set: GateSet) {
    let mut tried = BTreeSet::new();
    let mut worst: f64 = 0.0;
    let answers = answers(set);
    for Answer { texts, values } in &answers {
        let wanted: Vec<_> = values
            .chunks_exact(2)
            .map(|parts| Complex64::new(parts[0], parts[1]))
            .collect();
        for (name, circuit) in circuits(texts) {
            let found = amplitudes(&circuit).expect("chance comes only at its end");
            let unlike = unlikeness(&wanted, &found);
            // Not a number is unlike anything.
            if unlike.is_nan() || unlike > UNLIKE_MAX {
                complain(texts, name, unlike);
            }
            worst = worst.max(unlike);
        }
        tried.extend(texts.names.iter().cloned());
    }
    println!(
        "{}: {} circuits, {worst:e} at worst",
        set.name(),
        answers.len()
    );
    all_was_tried(set, answers.len(), &tried);
}

fn all_was_tried(set: GateSet, count: usize, tried: &BTreeSet<String>) {
    if is_ours() {
        assert!(count >= CIRCUITS_MIN, "{count} circuits of {}", set.name());
        let names = set.names();
        let missed: Vec<_> = names.difference(tried).collect();
        assert!(missed.is_empty(), "never tried: {missed:?}");
    }
}

#[test]
fn circuits_of_aqo_gates_are_the_same_in_all_languages_and_to_qiskit() {
    agree(GateSet::Aqo);
}

#[test]
fn circuits_of_qelib1_are_the_same_in_all_languages_and_to_qiskit() {
    agree(GateSet::Qelib1);
}

#[test]
fn circuits_of_stdgates_are_the_same_in_all_languages_and_to_qiskit() {
    agree(GateSet::Stdgates);
}

#[test]
fn circuits_with_modifiers_are_the_same_in_all_languages_and_to_qiskit() {
    agree(GateSet::Modifiers);
}

#[test]
fn measurements_resets_and_conditions_have_the_outcomes_that_qiskit_foresees() {
    let set = GateSet::Dynamic;
    let mut tried = BTreeSet::new();
    let answers = answers(set);
    for Answer { texts, values } in &answers {
        let wanted: BTreeMap<u64, f64> = (0..).zip(values.iter().copied()).collect();
        let aqo: serde_json::Value = serde_json::from_str(&texts.aqo).expect("AQO is JSON");
        let bits = aqo["bits"].as_u64().expect("it has declared bits");
        for (name, circuit) in circuits(texts) {
            let found = outcomes(&circuit);
            let all: BTreeSet<_> = found.keys().chain(wanted.keys()).collect();
            let of = |map: &BTreeMap<u64, f64>, outcome| map.get(outcome).copied().unwrap_or(0.0);
            let differences = all
                .into_iter()
                .map(|outcome| (of(&found, outcome) - of(&wanted, outcome)).abs());
            let unlike = differences.fold(0.0, f64::max);
            if unlike > UNLIKE_MAX {
                complain(texts, name, unlike);
            }
            assert_eq!(u64::from(circuit.bits()), bits, "{}: {name}", texts.number);
            fits(texts, name, &circuit, &wanted);
        }
        tried.extend(texts.names.iter().cloned());
    }
    println!("{}: {} circuits", set.name(), answers.len());
    all_was_tried(set, answers.len(), &tried);
}

/// Counts of the simulator against these probabilities, by chi squared.
fn fits(texts: &Texts, name: &str, circuit: &Circuit, wanted: &BTreeMap<u64, f64>) {
    let seed = u64::from(texts.number);
    let counts = run(circuit, SHOTS, seed, &AtomicBool::new(false)).expect("nobody stops it");
    let mut counted = BTreeMap::new();
    for (key, count) in counts {
        let outcome = u64::from_str_radix(&key, 2).expect("a key is made of bits");
        *counted.entry(outcome).or_insert(0.0) += count as f64;
    }
    let (mut squares, mut cells) = (0.0, 0_u32);
    let (mut rare_wanted, mut rare_counted) = (0.0, 0.0);
    for (outcome, probability) in wanted {
        let expected = probability * f64::from(SHOTS);
        let count = counted.remove(outcome).unwrap_or(0.0);
        assert!(
            probability > &1e-12 || count == 0.0,
            "{} by {name}: {outcome:b} cannot be, and is counted",
            texts.number
        );
        // A rare outcome is not spread normally, so these are looked at together.
        if expected < 8.0 {
            rare_wanted += expected;
            rare_counted += count;
            continue;
        }
        squares += (count - expected).powi(2) / expected;
        cells += 1;
    }
    assert!(
        counted.is_empty(),
        "{}: {counted:?} cannot be",
        texts.number
    );
    if rare_wanted > 8.0 {
        squares += (rare_counted - rare_wanted).powi(2) / rare_wanted;
        cells += 1;
    }
    // Five standard deviations, by the approximation of Wilson and Hilferty.
    let freedom = f64::from(cells.max(2) - 1);
    let bound =
        freedom * (1.0 - 2.0 / (9.0 * freedom) + 5.0 * (2.0 / (9.0 * freedom)).sqrt()).powi(3);
    assert!(
        squares < bound,
        "{} by {name}: chi squared is {squares} with {freedom} degrees of freedom\n\n{}",
        texts.number,
        texts.qasm3
    );
}
