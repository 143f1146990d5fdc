use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

const JOBS: usize = 8;
const DEVICES: usize = 2;
const TENANTS: [&str; 3] = ["ada", "bob", "cyd"];
const WEIGHTS: [u64; 3] = [1, 1, 3];
const LIMIT: usize = 2;

fn job(number: usize) -> JobId {
    JobId::new(number as u64, [0; 10])
}

fn device(number: usize) -> DeviceId {
    format!("device-{number}").parse().unwrap()
}

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn rank(priority: u8, expires_at: i64, submission: u64) -> Rank {
    let step = Duration::from_secs(60);
    Rank::new(
        priority,
        Timestamp(0),
        step,
        Timestamp(expires_at),
        submission,
    )
}

fn scheduler(tenant_running: usize) -> Scheduler {
    let weights = TENANTS.iter().zip(WEIGHTS);
    Scheduler::new(Policy {
        tenant_running,
        tenant_weights: weights
            .map(|(tenant, weight)| ((*tenant).to_owned(), u32::try_from(weight).unwrap()))
            .collect(),
    })
}

/// The same rules on lists that are searched from end to end.
#[derive(Debug)]
struct Naive {
    devices: [(u32, bool); DEVICES],
    accounts: [Accounts; DEVICES],
    waiting: Vec<Waiting>,
    held: Vec<Held>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    job: usize,
    device: usize,
    tenant: usize,
    rank: Rank,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    job: usize,
    device: usize,
    tenant: usize,
    since: u64,
    charged_us: u64,
}

#[derive(Debug, Clone, Copy)]
struct Accounts {
    used: [u64; 3],
    start: u64,
    typical_us: u64,
}

impl Naive {
    fn new() -> Self {
        let accounts = Accounts {
            used: [0; 3],
            start: 0,
            typical_us: 1_000_000,
        };
        Self {
            devices: Default::default(),
            accounts: [accounts; DEVICES],
            waiting: Vec::new(),
            held: Vec::new(),
        }
    }

    fn is_idle(&self, tenant: usize, device: usize) -> bool {
        let waits = |it: &Waiting| it.tenant == tenant && it.device == device;
        let holds = |it: &Held| it.tenant == tenant && it.device == device;
        !self.waiting.iter().any(waits) && !self.held.iter().any(holds)
    }

    /// A tenant that comes anew starts where the others are.
    fn comes(&mut self, tenant: usize, device: usize) {
        if self.is_idle(tenant, device) {
            let accounts = &mut self.accounts[device];
            accounts.used[tenant] = accounts.used[tenant].max(accounts.start);
        }
    }

    fn running(&self, tenant: usize) -> usize {
        self.held.iter().filter(|it| it.tenant == tenant).count()
    }

    fn held_by(&self, job: usize) -> Option<usize> {
        let held = self.held.iter().find(|it| it.job == job);
        held.map(|it| it.device)
    }

    fn remove(&mut self, job: usize) {
        self.waiting.retain(|it| it.job != job);
    }

    /// A device that has nothing to do lets newcomers start where the last have ended.
    fn rest(&mut self) {
        for device in 0..DEVICES {
            if (0..TENANTS.len()).all(|tenant| self.is_idle(tenant, device)) {
                let accounts = &mut self.accounts[device];
                let most = accounts.used.into_iter().max().unwrap();
                accounts.start = accounts.start.max(most);
            }
        }
    }

    fn enqueue(&mut self, new: Waiting) {
        if self.held_by(new.job).is_none() {
            self.remove(new.job);
            self.rest();
            self.comes(new.tenant, new.device);
            self.waiting.push(new);
        }
    }

    fn hold(&mut self, job: usize, device: usize, tenant: usize, since: u64) {
        let accounts = &mut self.accounts[device];
        let charged_us = accounts.typical_us;
        accounts.used[tenant] += charged_us / WEIGHTS[tenant];
        self.held.push(Held {
            job,
            device,
            tenant,
            since,
            charged_us,
        });
    }

    fn release(&mut self, job: usize, now: u64) {
        let Some(place) = self.held.iter().position(|it| it.job == job) else {
            return;
        };
        let held = self.held.remove(place);
        let took_us = now.saturating_sub(held.since) * 1_000_000;
        let accounts = &mut self.accounts[held.device];
        let used = &mut accounts.used[held.tenant];
        let weight = WEIGHTS[held.tenant];
        *used = (*used + took_us / weight).saturating_sub(held.charged_us / weight);
        let typical =
            (Duration::from_micros(accounts.typical_us) * 7 + Duration::from_micros(took_us)) / 8;
        accounts.typical_us = u64::try_from(typical.as_micros()).unwrap();
    }

    fn pick(&mut self, now: u64) -> Option<(usize, usize)> {
        for device in 0..DEVICES {
            let (slots, open) = self.devices[device];
            let running = self.held.iter().filter(|it| it.device == device).count();
            if !open || running >= slots as usize {
                continue;
            }
            let used = self.accounts[device].used;
            let here = self.waiting.iter().filter(|it| it.device == device);
            let may = here.filter(|it| self.running(it.tenant) < LIMIT);
            let next = may.min_by_key(|it| (used[it.tenant], it.tenant, it.rank, it.job));
            if let Some(next) = next.copied() {
                let accounts = &mut self.accounts[device];
                accounts.start = accounts.start.max(used[next.tenant]);
                self.remove(next.job);
                self.hold(next.job, device, next.tenant, now);
                return Some((next.job, device));
            }
        }
        None
    }
}

#[derive(Debug, Clone)]
enum Act {
    SetDevice(usize, u32, bool),
    Enqueue(usize, usize, usize, Rank),
    Remove(usize),
    Pick,
    Hold(usize, usize, usize),
    Release(usize),
    Wait(u64),
}

fn any_rank() -> impl Strategy<Value = Rank> {
    // Few values, so that ties happen.
    (0u8..3, 0i64..3, 0u64..3)
        .prop_map(|(priority, expires_at, submission)| rank(priority, expires_at, submission))
}

fn any_acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => (0..DEVICES, 0u32..4, any::<bool>()).prop_map(|(at, slots, open)| Act::SetDevice(at, slots, open)),
        6 => (0..JOBS, 0..DEVICES, 0..TENANTS.len(), any_rank())
            .prop_map(|(job, at, tenant, rank)| Act::Enqueue(job, at, tenant, rank)),
        1 => (0..JOBS).prop_map(Act::Remove),
        6 => Just(Act::Pick),
        1 => (0..JOBS, 0..DEVICES, 0..TENANTS.len()).prop_map(|(job, at, tenant)| Act::Hold(job, at, tenant)),
        3 => (0..JOBS).prop_map(Act::Release),
        2 => (0u64..5).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 1..120)
}

proptest! {
    #[test]
    fn the_scheduler_decides_as_lists_that_are_searched(acts in any_acts()) {
        let (mut scheduler, mut naive, mut now) = (scheduler(LIMIT), Naive::new(), 0);
        for act in acts {
            match act {
                Act::SetDevice(at, slots, open) => {
                    scheduler.set_device(&device(at), slots, open);
                    naive.devices[at] = (slots, open);
                }
                Act::Enqueue(number, at, tenant, rank) => {
                    scheduler.enqueue(job(number), &device(at), TENANTS[tenant], rank);
                    naive.enqueue(Waiting { job: number, device: at, tenant, rank });
                }
                Act::Remove(number) => {
                    scheduler.remove(job(number));
                    naive.remove(number);
                }
                Act::Pick => {
                    let picked = scheduler.pick(at(now));
                    let expected = naive.pick(now);
                    prop_assert_eq!(
                        picked.map(|pick| (pick.job, pick.device)),
                        expected.map(|(number, at)| (job(number), device(at)))
                    );
                }
                Act::Hold(number, place, tenant) => {
                    scheduler.hold(job(number), &device(place), TENANTS[tenant], at(now));
                    naive.remove(number);
                    naive.rest();
                    naive.release(number, now);
                    naive.rest();
                    naive.comes(tenant, place);
                    naive.hold(number, place, tenant, now);
                }
                Act::Release(number) => {
                    scheduler.release(job(number), at(now));
                    naive.release(number, now);
                }
                Act::Wait(seconds) => now += seconds,
            }
            naive.rest();
            scheduler.check();
            prop_assert_eq!(scheduler.waiting(), naive.waiting.len());
            for number in 0..JOBS {
                let held_by = naive.held_by(number).map(device);
                prop_assert_eq!(scheduler.held_by(job(number)), held_by.as_ref());
            }
        }
    }

    /// Tenants that always have jobs waiting get device time by their weights: between any two,
    /// the difference is never more than what the slots can hold of the longest jobs, twice.
    #[test]
    fn device_time_is_shared_by_weight_whatever_jobs_take(
        lengths in proptest::collection::vec(1u64..=20, 200),
        slots in 1u32..=4,
    ) {
        let mut scheduler = scheduler(usize::MAX);
        scheduler.set_device(&device(0), slots, true);
        let mut submission = 0;
        let mut submit = |scheduler: &mut Scheduler, tenant: usize| {
            submission += 1;
            let job = JobId::new(submission, [0; 10]);
            scheduler.enqueue(job, &device(0), TENANTS[tenant], rank(50, 0, submission));
            (job, tenant)
        };
        let mut whose = BTreeMap::new();
        for tenant in 0..TENANTS.len() {
            for _ in 0..4 {
                let (job, tenant) = submit(&mut scheduler, tenant);
                whose.insert(job, tenant);
            }
        }
        let (mut used, mut ends) = ([0u64; 3], BTreeSet::new());
        let (mut now, mut lengths) = (0, lengths.into_iter());
        'run: loop {
            while let Some(pick) = scheduler.pick(at(now)) {
                let Some(length) = lengths.next() else { break 'run };
                let tenant = whose[&pick.job];
                ends.insert((now + length, pick.job, length));
                let (job, tenant) = submit(&mut scheduler, tenant);
                whose.insert(job, tenant);
            }
            let (end, job, length) = ends.pop_first().unwrap();
            now = end;
            used[whose[&job]] += length;
            scheduler.release(job, at(now));
        }
        for one in 0..3 {
            for other in 0..3 {
                let normal = |tenant: usize| used[tenant] as f64 / WEIGHTS[tenant] as f64;
                let apart = (normal(one) - normal(other)).abs();
                prop_assert!(apart <= f64::from(2 * slots * 20), "{used:?} on {slots} slots");
            }
        }
    }
}

#[test]
fn after_a_restart_more_may_hold_than_there_are_slots_and_nobody_is_picked_before_they_go() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.hold(job(0), &device(0), "ada", at(0));
    scheduler.hold(job(1), &device(0), "bob", at(0));
    scheduler.set_device(&device(0), 1, true);
    scheduler.enqueue(job(2), &device(0), "ada", rank(50, 0, 3));
    let load = Load {
        waiting: 1,
        running: 2,
        slots: 1,
    };
    assert_eq!(scheduler.load(&device(0)), load);
    assert_eq!(scheduler.pick(at(0)), None);
    scheduler.release(job(0), at(1));
    assert_eq!(scheduler.pick(at(1)), None);
    scheduler.release(job(1), at(2));
    assert_eq!(scheduler.pick(at(2)).map(|pick| pick.job), Some(job(2)));
}

#[test]
fn a_device_that_is_away_holds_up_nobody_else() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.set_device(&device(0), 1, false);
    scheduler.set_device(&device(1), 1, true);
    scheduler.enqueue(job(0), &device(0), "ada", rank(100, 0, 1));
    scheduler.enqueue(job(1), &device(1), "ada", rank(0, 9, 2));
    let pick = scheduler.pick(at(0)).unwrap();
    assert_eq!(
        (pick.job, pick.device, pick.left_waiting),
        (job(1), device(1), 0)
    );
    assert_eq!(scheduler.pick(at(0)), None);
    scheduler.set_device(&device(0), 1, true);
    assert_eq!(scheduler.pick(at(0)).map(|pick| pick.job), Some(job(0)));
}

#[test]
fn a_flood_of_one_tenant_holds_up_another_for_one_job_at_most() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.set_device(&device(0), 1, true);
    for number in 0..1000 {
        scheduler.enqueue(job(number), &device(0), "ada", rank(100, 0, number as u64));
    }
    let first = scheduler.pick(at(0)).unwrap();
    scheduler.enqueue(job(1000), &device(0), "bob", rank(0, 0, 1000));
    scheduler.release(first.job, at(7));
    let second = scheduler.pick(at(7)).unwrap();
    assert_eq!(second.job, job(1000));
    let rule = policy::Rule::FairShare;
    assert_eq!(second.passed_over, [PassedOver { job: job(1), rule }]);
}

#[test]
fn nobody_saves_up_turns_by_staying_away() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.set_device(&device(0), 1, true);
    let mut now = 0;
    for number in 0..100 {
        scheduler.enqueue(job(number), &device(0), "ada", rank(50, 0, number as u64));
        let pick = scheduler.pick(at(now)).unwrap();
        now += 10;
        scheduler.release(pick.job, at(now));
    }
    for number in 100..120 {
        let tenant = if number % 2 == 0 { "ada" } else { "bob" };
        scheduler.enqueue(job(number), &device(0), tenant, rank(50, 0, number as u64));
    }
    let mut turns = Vec::new();
    while let Some(pick) = scheduler.pick(at(now)) {
        turns.push(
            (0..JOBS.max(200))
                .position(|number| job(number) == pick.job)
                .unwrap()
                % 2,
        );
        now += 10;
        scheduler.release(pick.job, at(now));
    }
    assert_eq!(turns.len(), 20);
    for pair in turns.chunks(2).skip(1) {
        assert_ne!(
            pair[0], pair[1],
            "by turns, not one after all of the other: {turns:?}"
        );
    }
}

#[test]
fn a_tenant_at_its_limit_lets_others_go_before_and_says_why() {
    let mut scheduler = scheduler(1);
    scheduler.set_device(&device(0), 3, true);
    scheduler.set_device(&device(1), 3, true);
    scheduler.enqueue(job(0), &device(0), "ada", rank(90, 0, 1));
    scheduler.enqueue(job(1), &device(0), "ada", rank(90, 0, 2));
    scheduler.enqueue(job(2), &device(1), "ada", rank(90, 0, 3));
    scheduler.enqueue(job(3), &device(0), "bob", rank(10, 0, 4));
    assert_eq!(scheduler.pick(at(0)).unwrap().job, job(0));
    let other = scheduler.pick(at(0)).unwrap();
    let rule = policy::Rule::TenantLimit;
    assert_eq!(other.passed_over, [PassedOver { job: job(1), rule }]);
    assert_eq!(other.job, job(3));
    assert_eq!(
        scheduler.pick(at(0)),
        None,
        "the limit holds on every device"
    );
    scheduler.release(job(0), at(5));
    assert_eq!(scheduler.pick(at(5)).unwrap().job, job(1));
    scheduler.release(job(1), at(6));
    assert_eq!(scheduler.pick(at(6)).unwrap().job, job(2));
}

#[test]
fn tenants_that_went_away_are_forgotten() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.set_device(&device(0), 1, true);
    for number in 0..1000 {
        let tenant = format!("tenant-{number}");
        scheduler.enqueue(job(number), &device(0), &tenant, rank(50, 0, number as u64));
        let pick = scheduler.pick(at(number as u64)).unwrap();
        scheduler.release(pick.job, at(number as u64 + 1));
    }
    assert!(scheduler.lanes[&device(0)].tenants_remembered() < 10);
}
