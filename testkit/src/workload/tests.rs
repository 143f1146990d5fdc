use std::collections::BTreeMap;

use super::*;

const SEEDS: std::ops::Range<u64> = 0..5;

fn trace(seed: u64) -> Trace {
    let workload = Workload {
        seed,
        ..Workload::default()
    };
    workload.trace()
}

fn seconds(of: impl Iterator<Item = Duration>) -> f64 {
    of.map(|span| span.as_secs_f64()).sum()
}

#[test]
fn the_same_seed_is_the_same_trace_and_another_is_another() {
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
    let arrivals = trace(1).arrivals;
    assert_eq!(arrivals.len(), Workload::default().jobs);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
}

#[test]
fn each_device_is_asked_for_the_wanted_load() {
    for seed in SEEDS {
        let trace = trace(seed);
        for device in 0..Workload::default().devices {
            let own = |it: &&Arrival| it.device == device;
            let asked = seconds(trace.arrivals.iter().filter(own).map(|it| it.takes));
            let own = |it: &&Calibration| it.device == device;
            let windows: Vec<_> = trace.calibrations.iter().filter(own).collect();
            assert_eq!(windows.len(), 7, "once a day");
            assert!(windows.is_sorted_by_key(|it| it.from));
            let closed = seconds(windows.iter().map(|it| it.until - it.from));
            let load = asked / (trace.span.as_secs_f64() - closed);
            assert!((load - 0.9).abs() < 0.001, "seed {seed}: {load}");
        }
    }
}

#[test]
fn the_busiest_tenant_sends_a_quarter_and_a_fifth_of_them_two_thirds() {
    for seed in SEEDS {
        let mut jobs = vec![0usize; Workload::default().tenants];
        for arrival in trace(seed).arrivals {
            jobs[arrival.tenant] += 1;
        }
        let share = |first: usize| jobs[..first].iter().sum::<usize>() as f64 / 20_000.0;
        // The sums of Zipf's law with this exponent over fifty.
        assert!((share(1) - 0.27).abs() < 0.04, "seed {seed}: {}", share(1));
        assert!(
            (share(10) - 0.72).abs() < 0.06,
            "seed {seed}: {}",
            share(10)
        );
    }
}

#[test]
fn executions_have_a_heavy_tail() {
    for seed in SEEDS {
        let mut takes: Vec<_> = trace(seed)
            .arrivals
            .iter()
            .map(|it| it.takes.as_secs_f64())
            .collect();
        takes.sort_by(|one, other| other.total_cmp(one));
        // Hill's estimate over the longest fiftieth, raised by the bound on the longest.
        let top = takes.len() / 50;
        let logs: f64 = takes[..top].iter().map(|it| (it / takes[top]).ln()).sum();
        let index = top as f64 / logs;
        assert!((1.8..3.0).contains(&index), "seed {seed}: {index}");
        let longest: f64 = takes[..takes.len() / 10].iter().sum();
        let share = longest / takes.iter().sum::<f64>();
        assert!((0.3..0.6).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn jobs_come_in_bursts_and_by_day() {
    for seed in SEEDS {
        let (mut by_minutes, mut by_hour) = (BTreeMap::new(), [0.0; 24]);
        let trace = trace(seed);
        for arrival in &trace.arrivals {
            let minutes = arrival.at.as_secs() / 600;
            *by_minutes.entry(minutes).or_insert(0.0) += 1.0;
            by_hour[(arrival.at.as_secs() / 3600 % 24) as usize] += 1.0;
        }
        let slots = trace.span.as_secs_f64() / 600.0;
        let mean = 20_000.0 / slots;
        let squares: f64 = by_minutes.values().map(|count: &f64| count * count).sum();
        let dispersion = (squares / slots - mean * mean) / mean;
        // By chance alone it is 1.
        assert!(dispersion > 5.0, "seed {seed}: {dispersion}");
        let (day, night): (f64, f64) = (by_hour[12..18].iter().sum(), by_hour[..6].iter().sum());
        let swing = day / night;
        assert!((2.2..4.5).contains(&swing), "seed {seed}: {swing}");
    }
}

#[test]
fn jobs_of_a_tenant_resemble_each_other() {
    for seed in SEEDS {
        let arrivals = trace(seed).arrivals;
        let spread = |logs: &[f64]| {
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>()
        };
        let on_one = arrivals.iter().filter(|it| it.device == 0);
        let mut by_tenant = BTreeMap::<_, Vec<f64>>::new();
        for arrival in on_one {
            let log = arrival.takes.as_secs_f64().ln();
            by_tenant.entry(arrival.tenant).or_default().push(log);
        }
        let all: Vec<f64> = by_tenant.values().flatten().copied().collect();
        let within: f64 = by_tenant.values().map(|logs| spread(logs)).sum();
        let explained = 1.0 - within / spread(&all);
        // By chance it would be one in a hundred.
        assert!(explained > 0.2, "seed {seed}: {explained}");
    }
}
