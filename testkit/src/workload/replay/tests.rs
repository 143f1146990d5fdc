use super::*;
use crate::workload::{Score, Truth, Workload};

const SEEDS: std::ops::Range<u64> = 1..7;

/// Two days, so that each is played in a moment.
fn trace(seed: u64) -> Trace {
    let workload = Workload {
        seed,
        jobs: 4_000,
        days: 2,
        ..Workload::default()
    };
    workload.trace()
}

#[test]
fn every_job_starts_once_on_a_device_that_is_open_and_free() {
    let trace = trace(1);
    for order in Order::ALL {
        let replay = Replay::of(&trace, order);
        let mut runs = vec![Vec::new(); trace.devices()];
        for (start, arrival) in replay.starts.iter().zip(&trace.arrivals) {
            assert!(*start >= arrival.at);
            runs[arrival.device].push((*start, *start + arrival.takes));
        }
        for (device, runs) in runs.iter_mut().enumerate() {
            runs.sort_unstable();
            let apart = |pair: &[(Duration, Duration)]| pair[0].1 <= pair[1].0;
            assert!(runs.windows(2).all(apart), "two at once");
            for window in trace.calibrations.iter().filter(|it| it.device == device) {
                let starts_in = |run: &&(_, _)| (window.from..window.until).contains(&run.0);
                assert_eq!(runs.iter().find(starts_in), None);
            }
        }
    }
}

#[test]
fn each_order_is_what_its_name_says() {
    let trace = trace(2);
    let by_order = |order| Replay::of(&trace, order).starts;
    let (fifo, priority) = (by_order(Order::Fifo), by_order(Order::Priority));
    for device in 0..trace.devices() {
        let own = (0..)
            .zip(&trace.arrivals)
            .filter(|(_, it)| it.device == device);
        let own: Vec<(usize, _)> = own.collect();
        assert!(own.iter().is_sorted_by_key(|(job, _)| fifo[*job]));
        let urgent = own.iter().filter(|(_, arrival)| arrival.priority == 80);
        let patient = own.iter().filter(|(_, arrival)| arrival.priority == 20);
        for (one, other) in urgent.flat_map(|one| patient.clone().map(move |it| (one, it))) {
            let both_wait = one.1.at <= priority[other.0] && other.1.at <= priority[one.0];
            assert!(!both_wait || priority[one.0] < priority[other.0]);
        }
    }
}

#[test]
fn fair_share_is_fairer_than_its_rivals_and_leaves_no_device_idle() {
    for seed in SEEDS {
        let trace = trace(seed);
        let [fifo, priority, fair] = Order::ALL.map(|order| Score::of(&Replay::of(&trace, order)));
        for rival in [fifo, priority] {
            assert!(fair.fairness > rival.fairness + 0.2, "{fair:?} {rival:?}");
            // Work that is left when the last job has come is not the same work.
            let apart = (fair.utilisation - rival.utilisation).abs();
            assert!(apart < 0.02, "{fair:?} {rival:?}");
        }
    }
}

/// The promise to users: what is told comes true as often as it says.
fn assert_true(truth: Truth) {
    assert!(truth.told > 0.9, "{truth:?}");
    let near = |part: f64, right: f64, apart: f64| (part - right).abs() <= apart;
    assert!(near(truth.within_p50, 0.5, 0.1), "{truth:?}");
    assert!(near(truth.within_p90, 0.9, 0.05), "{truth:?}");
    assert!(near(truth.waiting_within_p50, 0.5, 0.1), "{truth:?}");
    assert!(
        truth.pinball_seconds < truth.pinball_naive_seconds,
        "{truth:?}"
    );
}

#[test]
fn what_is_told_of_waits_comes_true_as_often_as_it_says() {
    for seed in SEEDS {
        // A week: what is known after a few hours only is part of it.
        let workload = Workload {
            seed,
            ..Workload::default()
        };
        assert_true(Truth::of(&Replay::of(&workload.trace(), Order::Fair)).unwrap());
    }
}

#[test]
fn rivals_tell_nothing() {
    assert_eq!(Truth::of(&Replay::of(&trace(1), Order::Fifo)), None);
}
