use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

mod naive;

use super::*;
use crate::job::event::CircuitFormat;
use crate::schedule::fit::{Capabilities, Needs};
use crate::time::Timestamp;
use naive::{Naive, Waiting};

const JOBS: usize = 8;
const DEVICES: usize = 2;
/// What jobs ask for: each of the devices, or any that has as many qubits, one and two.
const WANTS: usize = DEVICES + 2;
const TENANTS: [&str; 3] = ["ada", "bob", "cyd"];
const WEIGHTS: [u64; 3] = [1, 1, 3];
const LIMIT: usize = 2;

fn job(number: usize) -> JobId {
    JobId::new(number as u64, [0; 10])
}

fn device(number: usize) -> DeviceId {
    format!("device-{number}").parse().unwrap()
}

fn want(number: usize) -> Want {
    if number < DEVICES {
        return device(number).into();
    }
    let needs = Needs {
        format: CircuitFormat::AqoJson,
        qubits: u32::try_from(number + 1 - DEVICES).ok(),
        ops: BTreeSet::new(),
    };
    Want {
        target: "device-*".parse().unwrap(),
        needs: Some(needs.into()),
    }
}

fn profile(qubits: u32) -> Profile {
    Profile {
        capabilities: Capabilities {
            qubits: Some(qubits),
            ..Capabilities::default()
        },
        ..Profile::default()
    }
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

#[derive(Debug, Clone)]
enum Act {
    SetDevice(usize, u32, bool),
    SetProfile(usize, u32),
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
        1 => (0..DEVICES, 0u32..3).prop_map(|(at, qubits)| Act::SetProfile(at, qubits)),
        6 => (0..JOBS, 0..WANTS, 0..TENANTS.len(), any_rank())
            .prop_map(|(job, want, tenant, rank)| Act::Enqueue(job, want, tenant, rank)),
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
                Act::SetProfile(at, qubits) => {
                    scheduler.set_profile(&device(at), profile(qubits));
                    naive.profile(at, qubits);
                }
                Act::Enqueue(number, it, tenant, rank) => {
                    scheduler.enqueue_for(job(number), &want(it), TENANTS[tenant], rank);
                    naive.enqueue(Waiting { job: number, want: it, tenant, rank });
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
            for place in 0..DEVICES {
                let here = naive.waiting.iter().filter(|it| naive.fits(it.want, place));
                prop_assert_eq!(scheduler.load(&device(place)).waiting, here.count());
            }
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
        ..Load::default()
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
    assert!(
        scheduler
            .lanes
            .get(&device(0))
            .unwrap()
            .tenants_remembered()
            < 10
    );
}

#[test]
fn a_job_of_a_class_goes_to_the_device_that_is_free_first_and_runs_once() {
    let mut scheduler = scheduler(usize::MAX);
    for place in 0..DEVICES {
        scheduler.set_profile(&device(place), profile(2));
        scheduler.set_device(&device(place), 1, true);
        scheduler.enqueue(job(place), &device(place), "ada", rank(50, 0, place as u64));
    }
    assert!(scheduler.pick(at(0)).is_some() && scheduler.pick(at(0)).is_some());
    scheduler.enqueue_for(job(5), &want(DEVICES), "ada", rank(50, 0, 5));
    let both: Vec<_> = scheduler.may_run_on(job(5)).cloned().collect();
    assert_eq!(both, [device(0), device(1)]);
    assert_eq!(scheduler.pick(at(1)), None);
    scheduler.release(job(1), at(2));
    let pick = scheduler.pick(at(2)).unwrap();
    assert_eq!((pick.job, &pick.device), (job(5), &device(1)));
    scheduler.release(job(0), at(3));
    assert_eq!(scheduler.pick(at(3)), None, "it has its turn already");
    assert_eq!(scheduler.load(&device(0)).waiting, 0);
    scheduler.check();
}

#[test]
fn a_device_that_comes_late_or_tells_more_of_itself_takes_the_jobs_that_fit() {
    let mut scheduler = scheduler(usize::MAX);
    scheduler.set_device(&device(0), 1, true);
    scheduler.enqueue_for(job(0), &want(DEVICES + 1), "ada", rank(50, 0, 0));
    assert_eq!(
        scheduler.pick(at(0)),
        None,
        "no device is known to have two qubits"
    );
    scheduler.set_profile(&device(0), profile(1));
    assert_eq!(scheduler.pick(at(0)), None);
    scheduler.set_profile(&device(0), profile(2));
    assert_eq!(scheduler.pick(at(0)).unwrap().device, device(0));
}

#[test]
fn of_a_job_that_may_run_on_several_devices_each_has_its_part_in_the_backlog() {
    let mut scheduler = scheduler(usize::MAX);
    for place in 0..DEVICES {
        scheduler.set_profile(&device(place), profile(1));
        scheduler.set_device(&device(place), 1, true);
    }
    for number in 0..4 {
        scheduler.enqueue_for(
            job(number),
            &want(DEVICES),
            "ada",
            rank(50, 0, number as u64),
        );
    }
    scheduler.enqueue(job(4), &device(0), "ada", rank(50, 0, 9));
    let backlogs = [0, 1].map(|place| scheduler.backlog(&device(place)));
    assert_eq!(backlogs, [3.0, 2.0]);
    scheduler.set_device(&device(1), 1, false);
    let backlog = scheduler.backlog(&device(0));
    assert_eq!(backlog, 5.0, "the other takes no part now");
    scheduler.set_device(&device(1), 1, true);
    scheduler.check();
    assert_eq!(scheduler.waiting_as(job(3)), 4);
    assert_eq!(scheduler.load(&device(0)).waiting, 5);
    assert_eq!(scheduler.line(job(3)).unwrap().ahead, 3);
}
