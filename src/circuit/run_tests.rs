//! Runs judged by what physics says the counts must be.

use proptest::prelude::*;

use super::super::reference;
use super::*;

const SHOTS: u32 = 4_000;

fn unitary(gate: Gate, qubits: &[u32]) -> Operation {
    Operation::unitary(gate, qubits)
}

fn measure(pairs: &[(u32, u32)]) -> Operation {
    Operation::measure(pairs)
}

fn counts(qubits: u32, operations: &[Operation], seed: u64) -> Counts {
    let circuit = Circuit::new(qubits, operations.to_vec()).unwrap();
    run(&circuit, SHOTS, seed, &AtomicBool::new(false)).unwrap()
}

fn certain(key: &str) -> Counts {
    Counts::from([(key.to_owned(), u64::from(SHOTS))])
}

/// Six standard deviations: a sound simulator fails this once in five hundred million times.
fn assert_share(counts: &Counts, key: &str, chance: f64) {
    let share = counts.get(key).copied().unwrap_or(0) as f64 / f64::from(SHOTS);
    let deviation = (chance * (1.0 - chance) / f64::from(SHOTS)).sqrt();
    assert!(
        (share - chance).abs() <= 6.0 * deviation,
        "{key}: {share}, not {chance}: {counts:?}"
    );
}

#[test]
fn an_x_on_qubit_0_of_two_gives_01() {
    let operations = [unitary(Gate::X, &[0]), measure(&[(0, 0), (1, 1)])];
    assert_eq!(counts(2, &operations, 1), certain("01"));
}

#[test]
fn the_key_is_ordered_by_bit_not_by_qubit_and_unwritten_bits_are_0() {
    let operations = [unitary(Gate::X, &[0]), measure(&[(0, 3), (1, 0)])];
    assert_eq!(counts(2, &operations, 1), certain("1000"));
}

#[test]
fn a_circuit_without_measurement_gives_the_empty_key() {
    assert_eq!(counts(1, &[unitary(Gate::H, &[0])], 1), certain(""));
}

#[test]
fn a_bell_pair_agrees_with_itself() {
    let bell = [
        unitary(Gate::H, &[0]),
        unitary(Gate::Cx, &[0, 1]),
        measure(&[(0, 0), (1, 1)]),
    ];
    let counts = counts(2, &bell, 5);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["00", "11"]);
    assert_share(&counts, "00", 0.5);
}

#[test]
fn a_ghz_state_of_ten_is_all_zero_or_all_one() {
    let mut operations = vec![unitary(Gate::H, &[0])];
    operations.extend((1..10).map(|q| unitary(Gate::Cx, &[q - 1, q])));
    operations.push(measure(&(0..10).map(|q| (q, q)).collect::<Vec<_>>()));
    let counts = counts(10, &operations, 6);
    assert_eq!(
        counts.keys().collect::<Vec<_>>(),
        ["0000000000", "1111111111"]
    );
    assert_share(&counts, "1111111111", 0.5);
}

#[test]
fn the_same_seed_gives_the_same_counts_and_another_seed_others() {
    let end = [unitary(Gate::Ry(1.0), &[0]), measure(&[(0, 0)])];
    let mut middle = end.to_vec();
    middle.extend([unitary(Gate::H, &[0]), measure(&[(0, 1)])]);
    for operations in [&end[..], &middle] {
        assert_eq!(counts(1, operations, 9), counts(1, operations, 9));
        assert_ne!(counts(1, operations, 9), counts(1, operations, 10));
    }
}

#[test]
fn the_counts_of_a_seed_are_the_recorded_ones() {
    let operations = [unitary(Gate::H, &[0]), measure(&[(0, 0)])];
    assert_eq!(counts(1, &operations, 42)["1"], 1_990);
}

#[test]
fn a_measured_qubit_that_is_used_again_has_collapsed() {
    // Without the collapse the second H would undo the first, and bit 1 would always be 0.
    let operations = [
        unitary(Gate::H, &[0]),
        measure(&[(0, 0)]),
        unitary(Gate::H, &[0]),
        measure(&[(0, 1)]),
    ];
    let counts = counts(1, &operations, 11);
    for key in ["00", "01", "10", "11"] {
        assert_share(&counts, key, 0.25);
    }
}

#[test]
fn a_collapsed_qubit_carries_its_outcome_along() {
    let operations = [
        unitary(Gate::H, &[0]),
        measure(&[(0, 0)]),
        unitary(Gate::Cx, &[0, 1]),
        measure(&[(1, 1)]),
    ];
    assert_eq!(
        counts(2, &operations, 2).keys().collect::<Vec<_>>(),
        ["00", "11"]
    );
}

#[test]
fn a_reset_qubit_is_zero_and_its_partner_keeps_its_chances() {
    let operations = [
        unitary(Gate::H, &[0]),
        unitary(Gate::Cx, &[0, 1]),
        Operation::Reset(vec![0]),
        measure(&[(0, 0), (1, 1)]),
    ];
    let counts = counts(2, &operations, 3);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["00", "10"]);
    assert_share(&counts, "10", 0.5);
}

#[test]
fn a_reset_before_first_use_changes_nothing_and_costs_nothing() {
    let operations = [Operation::Reset(vec![0, 1]), unitary(Gate::X, &[1])];
    let circuit = Circuit::new(2, operations.to_vec()).unwrap();
    assert_eq!(amplitudes(&circuit).unwrap()[0b10], Complex64::ONE);
}

#[test]
fn teleportation_with_deferred_corrections_moves_any_state() {
    let theta = 1.1_f64;
    let operations = [
        unitary(Gate::Ry(theta), &[0]),
        unitary(Gate::H, &[1]),
        unitary(Gate::Cx, &[1, 2]),
        unitary(Gate::Cx, &[0, 1]),
        unitary(Gate::H, &[0]),
        measure(&[(0, 0), (1, 1)]),
        unitary(Gate::Cx, &[1, 2]),
        unitary(Gate::Cz, &[0, 2]),
        Operation::Reset(vec![0, 1]),
        unitary(Gate::Ry(-theta), &[2]),
        measure(&[(2, 2)]),
    ];
    let counts = counts(3, &operations, 4);
    for key in ["000", "001", "010", "011"] {
        assert_share(&counts, key, 0.25);
    }
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[test]
fn the_last_write_to_a_bit_wins_though_an_earlier_one_is_made_at_the_end() {
    // Qubit 0 is not used after its measurement, qubit 1 is: the first is read last, yet loses.
    let operations = [
        measure(&[(0, 0)]),
        unitary(Gate::X, &[1]),
        measure(&[(1, 0)]),
        unitary(Gate::X, &[1]),
    ];
    assert_eq!(counts(2, &operations, 1), certain("1"));
    let turned = [
        unitary(Gate::X, &[1]),
        measure(&[(1, 0)]),
        unitary(Gate::X, &[1]),
        measure(&[(0, 0)]),
    ];
    assert_eq!(counts(2, &turned, 1), certain("0"));
}

#[test]
fn a_raised_stop_flag_ends_either_kind_of_run() {
    let end = [unitary(Gate::H, &[0]), measure(&[(0, 0)])];
    let middle = [measure(&[(0, 0)]), unitary(Gate::H, &[0])];
    for operations in [&end[..], &middle] {
        let circuit = Circuit::new(1, operations.to_vec()).unwrap();
        let stopped = run(&circuit, SHOTS, 0, &AtomicBool::new(true));
        assert_eq!(stopped, Err(RunError::Stopped { shots_done: 0 }));
    }
}

#[test]
fn every_stage_of_a_run_looks_at_the_stop_flag() {
    let operations = [
        unitary(Gate::H, &[0]),
        measure(&[(0, 0)]),
        unitary(Gate::H, &[0]),
    ];
    let circuit = Circuit::new(1, operations.to_vec()).unwrap();
    let stop = AtomicBool::new(true);
    let stopped = RunError::Stopped { shots_done: 0 };
    let plan = Plan::of(&circuit).unwrap();
    assert_eq!(plan.evolved(1, &stop).unwrap_err(), stopped);
    let run = Run {
        circuit: &circuit,
        plan,
        shots: 5,
        stop: &stop,
    };
    let (state, mut draws) = (State::zero(1), Draws::seeded(0));
    assert_eq!(run.sampled(&state, &mut draws), Err(stopped.clone()));
    assert_eq!(run.repeated(&state, &mut draws), Err(stopped));
}

#[test]
fn a_stop_in_the_midst_of_the_shots_ends_them() {
    // Without the look at the flag these shots would go on for an hour.
    let operations = [measure(&[(0, 0)]), unitary(Gate::H, &[0])];
    let circuit = Circuit::new(10, operations.to_vec()).unwrap();
    let stop = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| run(&circuit, u32::MAX, 0, &stop));
        stop.store(true, Ordering::Relaxed);
        run.join().unwrap()
    });
    assert!(
        matches!(outcome, Err(RunError::Stopped { .. })),
        "{outcome:?}"
    );
}

#[test]
fn shots_that_differ_only_in_unmeasured_qubits_are_counted_together() {
    let operations = [
        unitary(Gate::H, &[0]),
        unitary(Gate::H, &[1]),
        measure(&[(0, 0)]),
    ];
    let counts = counts(2, &operations, 8);
    assert_eq!(counts.values().sum::<u64>(), u64::from(SHOTS));
    assert_share(&counts, "1", 0.5);
}

#[test]
fn more_shots_than_are_sorted_together_are_all_counted() {
    let operations = [unitary(Gate::H, &[0]), measure(&[(0, 0)])];
    let circuit = Circuit::new(1, operations.to_vec()).unwrap();
    let shots = DRAWS_SORTED_MAX + 5;
    let counts = run(&circuit, shots, 0, &AtomicBool::new(false)).unwrap();
    assert_eq!(counts.values().sum::<u64>(), u64::from(shots));
}

#[test]
fn what_can_not_be_run_is_refused_in_words() {
    let stop = AtomicBool::new(false);
    let wide = Circuit::new(25, vec![]).unwrap();
    assert_eq!(
        run(&wide, 1, 0, &stop).unwrap_err().to_string(),
        "the circuit has 25 qubits, but at most 24 are simulated: choose another device"
    );
    assert_eq!(amplitudes(&wide), Err(RunError::TooWide { qubits: 25 }));
    let small = Circuit::new(1, vec![]).unwrap();
    assert_eq!(
        run(&small, 0, 0, &stop).unwrap_err().to_string(),
        "shots is 0, but must be at least 1"
    );
    let middle = Circuit::new(1, vec![measure(&[(0, 0)]), unitary(Gate::H, &[0])]).unwrap();
    assert_eq!(
        amplitudes(&middle).unwrap_err().to_string(),
        "MEASURE in mid-circuit leaves no single state: run the circuit for counts instead"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// An idle reset of a used spare qubit forces one trajectory per shot.
    #[test]
    fn both_kinds_of_run_follow_the_squared_amplitudes(
        (qubits, gates) in reference::gates(3, 8),
        seed in any::<u64>(),
    ) {
        let mut wanted = vec![Complex64::ZERO; 1 << qubits];
        wanted[0] = Complex64::ONE;
        for (gate, operands) in &gates {
            wanted = reference::apply(&wanted, *gate, operands);
        }
        let mut at_once: Vec<Operation> =
            gates.iter().map(|(gate, operands)| Operation::unitary(*gate, operands)).collect();
        at_once.push(measure(&(0..qubits).map(|q| (q, q)).collect::<Vec<_>>()));
        let mut one_by_one = vec![unitary(Gate::X, &[qubits]), Operation::Reset(vec![qubits])];
        one_by_one.extend(at_once.clone());
        for operations in [at_once, one_by_one] {
            let counts = counts(qubits + 1, &operations, seed);
            for (index, amplitude) in wanted.iter().enumerate() {
                let chance = amplitude.norm_sqr().clamp(0.0, 1.0);
                let share = counts.get(&format!("{index:0width$b}", width = qubits as usize));
                let share = share.copied().unwrap_or(0) as f64 / f64::from(SHOTS);
                let deviation = (chance * (1.0 - chance) / f64::from(SHOTS)).sqrt();
                prop_assert!((share - chance).abs() <= 6.0 * deviation + 2e-3);
            }
        }
    }
}
