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

const WAITING: [u64; 2] = [1_000, 1_000_000];

fn job(number: u64) -> JobId {
    let mut chance = [0; 10];
    chance[2..].copy_from_slice(&number.to_be_bytes());
    JobId::new(number, chance)
}

/// Priorities and deadlines that are spread without any chance; a hundred jobs come each second.
fn rank(number: u64) -> Rank {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let priority = u8::try_from(mixed % 101).expect("it is below 101");
    let expires_at = i64::try_from(mixed >> 40).expect("24 bits are left");
    let accepted = i64::try_from(number * 10_000).expect("a bench is short");
    let step = Duration::from_secs(60);
    Rank::new(
        priority,
        Timestamp(accepted),
        step,
        Timestamp(expires_at),
        number,
    )
}

/// A hundred tenants, of which a few send most.
fn tenant(number: u64) -> String {
    let mixed = number.wrapping_mul(0xd1b5_4a32_d192_ed03) >> 44;
    format!("tenant-{}", 100 * mixed * mixed / (1 << 40))
}

fn device() -> DeviceId {
    "sim-1".parse().expect("it is short and plain")
}

fn waiting_scheduler(jobs: u64) -> Scheduler {
    let mut scheduler = Scheduler::new(Policy {
        tenant_running: 10,
        ..Policy::default()
    });
    scheduler.set_device(&device(), 1, true);
    for number in 0..jobs {
        scheduler.enqueue(job(number), &device(), &tenant(number), rank(number));
    }
    scheduler
}

fn waiting_heap(jobs: u64) -> BinaryHeap<std::cmp::Reverse<(Rank, JobId)>> {
    (0..jobs)
        .map(|number| std::cmp::Reverse((rank(number), job(number))))
        .collect()
}

/// One job comes, the most urgent one gets its turn and is done: the queue keeps its length.
fn scheduler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    for waiting in WAITING {
        // Filled once: the closure runs for every sample.
        let (mut queue, device, mut next) = (waiting_scheduler(waiting), device(), waiting);
        group.bench_function(BenchmarkId::new("enqueue_pick", waiting), |bencher| {
            bencher.iter_batched(
                || {
                    next += 1;
                    let now = Monotonic(Duration::from_millis(10 * next));
                    (job(next), tenant(next), rank(next), now)
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
        let (mut heap, mut next) = (waiting_heap(waiting), waiting);
        group.bench_function(BenchmarkId::new("binary_heap", waiting), |bencher| {
            bencher.iter_batched(
                || {
                    next += 1;
                    (job(next), rank(next))
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
