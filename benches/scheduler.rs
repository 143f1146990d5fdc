//! What a decision of the scheduler costs, beside the cheapest thing that keeps an order.

use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use qrtx::ids::{DeviceId, JobId};
use qrtx::schedule::Scheduler;
use qrtx::schedule::policy::Policy;
use qrtx::schedule::rank::Rank;
use qrtx::time::{Monotonic, Timestamp};
use qrtx_testkit::workload::{Arrival, Trace, Workload};

// That of the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WAITING: [u64; 2] = [1_000, 1_000_000];

fn job(number: u64) -> JobId {
    let mut chance = [0; 10];
    chance[2..].copy_from_slice(&number.to_be_bytes());
    JobId::new(number, chance)
}

/// The jobs of a workload of the published shape, one after the other and over again.
struct Jobs(Trace);

impl Jobs {
    fn new() -> Self {
        let workload = Workload {
            jobs: 1_000_000,
            tenants: 100,
            days: 30,
            ..Workload::default()
        };
        Self(workload.trace())
    }

    fn arrival(&self, number: u64) -> (Timestamp, &Arrival) {
        let count = self.0.arrivals.len() as u64;
        let place = usize::try_from(number % count).expect("it is below a length");
        let rounds = u32::try_from(number / count).expect("a bench is short");
        let arrival = &self.0.arrivals[place];
        (Timestamp(0) + self.0.span * rounds + arrival.at, arrival)
    }

    fn rank(&self, number: u64) -> Rank {
        let (accepted, arrival) = self.arrival(number);
        let (step, day) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
        Rank::new(arrival.priority, accepted, step, accepted + day, number)
    }

    fn tenant(&self, number: u64) -> String {
        format!("tenant-{}", self.arrival(number).1.tenant)
    }
}

fn device() -> DeviceId {
    "sim-1".parse().expect("it is short and plain")
}

fn waiting_scheduler(all: &Jobs, jobs: u64) -> Scheduler {
    let mut scheduler = Scheduler::new(Policy {
        tenant_running: 10,
        ..Policy::default()
    });
    scheduler.set_device(&device(), 1, true);
    for number in 0..jobs {
        let (tenant, rank) = (all.tenant(number), all.rank(number));
        scheduler.enqueue(job(number), &device(), &tenant, rank);
    }
    scheduler
}

fn waiting_heap(all: &Jobs, jobs: u64) -> BinaryHeap<std::cmp::Reverse<(Rank, JobId)>> {
    (0..jobs)
        .map(|number| std::cmp::Reverse((all.rank(number), job(number))))
        .collect()
}

/// One job comes, the most urgent one gets its turn and is done: the queue keeps its length.
fn scheduler(criterion: &mut Criterion) {
    let jobs = &Jobs::new();
    let mut group = criterion.benchmark_group("scheduler");
    for waiting in WAITING {
        // Filled once: the closure runs for every sample.
        let (mut queue, device, mut next) = (waiting_scheduler(jobs, waiting), device(), waiting);
        group.bench_function(BenchmarkId::new("enqueue_pick", waiting), |bencher| {
            bencher.iter_batched(
                || {
                    next += 1;
                    let now = Monotonic(Duration::from_millis(10 * next));
                    (job(next), jobs.tenant(next), jobs.rank(next), now)
                },
                |(job, tenant, rank, now)| {
                    queue.enqueue(job, &device, &tenant, rank);
                    let pick = queue.pick(now).expect("the only slot is free");
                    queue.release(pick.job, now + Duration::from_millis(9));
                    black_box(pick)
                },
                BatchSize::SmallInput,
            );
        });
        let (mut heap, mut next) = (waiting_heap(jobs, waiting), waiting);
        group.bench_function(BenchmarkId::new("binary_heap", waiting), |bencher| {
            bencher.iter_batched(
                || {
                    next += 1;
                    (job(next), jobs.rank(next))
                },
                |(job, rank)| {
                    heap.push(std::cmp::Reverse((rank, job)));
                    black_box(heap.pop().expect("one was just pushed"))
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, scheduler);
criterion_main!(benches);
