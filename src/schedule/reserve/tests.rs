use proptest::prelude::*;

use super::*;
use crate::ids::Epoch;
use crate::schedule::policy::Policy;
use crate::time::Timestamp;

const SPAN: Duration = Duration::from_secs(10);

fn device() -> DeviceId {
    "sim:a".parse().unwrap()
}

fn job(number: u64) -> JobId {
    JobId::new(number, [0; 10])
}

fn rank(submission: u64) -> Rank {
    let step = Duration::from_secs(60);
    Rank::new(50, Timestamp(0), step, Timestamp(0), submission)
}

fn id(nth: u64) -> ReservationId {
    ReservationId::new(Epoch(1), nth).unwrap()
}

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

/// One device with so many slots.
fn scheduler(slots: u32) -> Scheduler {
    let mut scheduler = Scheduler::new(Policy::default());
    scheduler.set_device(&device(), slots, true);
    scheduler
}

fn reserved(scheduler: &mut Scheduler, nth: u64, tenant: &str) {
    scheduler.reserve(id(nth), &device(), tenant, (at(0), at(0) + SPAN));
    scheduler.open_reservation(id(nth));
}

fn ordinary(scheduler: &mut Scheduler, number: u64) {
    scheduler.enqueue(job(number), &device(), "bob", rank(number));
}

fn picked(scheduler: &mut Scheduler, seconds: u64) -> Vec<JobId> {
    let picks = std::iter::from_fn(|| scheduler.pick(at(seconds)));
    picks.map(|pick| pick.job).collect()
}

#[test]
fn only_jobs_that_name_it_run_in_a_reserved_slot_and_one_at_a_time() {
    let mut scheduler = scheduler(2);
    reserved(&mut scheduler, 1, "ada");
    for number in 1..4 {
        ordinary(&mut scheduler, number);
        scheduler.enqueue_reserved(job(10 + number), id(1), rank(number));
    }
    let first = scheduler.pick(at(1)).unwrap();
    assert_eq!((first.job, first.left_waiting), (job(11), 2));
    assert_eq!(first.passed_over[0].job, job(12));
    assert_eq!(picked(&mut scheduler, 1), [job(1)]);
    let load = scheduler.load(&device());
    assert_eq!(
        (load.running, load.reserved, load.free, load.waiting),
        (2, 1, 0, 4)
    );
    scheduler.release(job(11), at(2));
    assert_eq!(picked(&mut scheduler, 2), [job(12)]);
    scheduler.release(job(1), at(2));
    assert_eq!(picked(&mut scheduler, 2), [job(2)]);
    scheduler.check();
}

#[test]
fn a_slot_that_is_reserved_while_all_are_taken_is_the_next_that_is_given_back() {
    let mut scheduler = scheduler(1);
    ordinary(&mut scheduler, 1);
    assert_eq!(picked(&mut scheduler, 0), [job(1)]);
    reserved(&mut scheduler, 1, "ada");
    ordinary(&mut scheduler, 2);
    scheduler.enqueue_reserved(job(11), id(1), rank(11));
    assert_eq!(picked(&mut scheduler, 0), [], "never two in one slot");
    scheduler.release(job(1), at(1));
    assert_eq!(picked(&mut scheduler, 1), [job(11)]);
    scheduler.check();
}

#[test]
fn a_job_that_runs_when_its_reservation_ends_keeps_the_slot_and_those_that_wait_are_given_back() {
    let mut scheduler = scheduler(1);
    reserved(&mut scheduler, 1, "ada");
    scheduler.enqueue_reserved(job(11), id(1), rank(11));
    scheduler.enqueue_reserved(job(12), id(1), rank(12));
    ordinary(&mut scheduler, 1);
    assert_eq!(picked(&mut scheduler, 1), [job(11)]);
    scheduler.close_reservation(id(1));
    assert_eq!(scheduler.end_reservation(id(1), at(3)), [job(12)]);
    assert_eq!(picked(&mut scheduler, 3), []);
    assert_eq!(scheduler.held_by(job(11)), Some(&device()));
    assert!(!scheduler.is_waiting(job(12)));
    scheduler.check();
    scheduler.release(job(11), at(4));
    assert_eq!(picked(&mut scheduler, 4), [job(1)]);
    scheduler.check();
}

#[test]
fn no_turn_is_given_when_its_time_has_passed_though_nobody_has_noticed_yet() {
    let mut scheduler = scheduler(1);
    reserved(&mut scheduler, 1, "ada");
    scheduler.enqueue_reserved(job(11), id(1), rank(11));
    ordinary(&mut scheduler, 1);
    assert_eq!(scheduler.next_expiry(), Some(at(10)));
    assert_eq!(scheduler.expired_reservations(at(9)), []);
    assert_eq!(picked(&mut scheduler, 10), [], "nor to anybody else");
    assert_eq!(scheduler.expired_reservations(at(10)), [id(1)]);
    scheduler.close_reservation(id(1));
    assert_eq!(scheduler.expired_reservations(at(10)), []);
    assert_eq!(scheduler.next_expiry(), None);
}

#[test]
fn a_reserved_slot_is_charged_as_a_whole_and_what_was_left_is_given_back() {
    let turns = |ended: bool| {
        let mut scheduler = scheduler(2);
        reserved(&mut scheduler, 1, "ada");
        if ended {
            scheduler.end_reservation(id(1), at(0));
        }
        scheduler.set_device(&device(), 1 + u32::from(!ended), true);
        for number in 0..4 {
            scheduler.enqueue(job(number), &device(), "ada", rank(number));
            scheduler.enqueue(job(10 + number), &device(), "bob", rank(10 + number));
        }
        let mut turns = Vec::new();
        while let Some(pick) = scheduler.pick(at(0)) {
            scheduler.release(pick.job, at(1));
            turns.push(if pick.job < job(10) { 'a' } else { 'b' });
        }
        turns.into_iter().collect::<String>()
    };
    assert_eq!(turns(false), "bbbbaaaa", "it has used ten seconds already");
    assert_eq!(turns(true), "abababab");
}

#[test]
fn a_reserved_slot_counts_to_what_a_tenant_may_have_running() {
    let policy = Policy {
        tenant_running: 1,
        ..Policy::default()
    };
    let mut scheduler = Scheduler::new(policy);
    scheduler.set_device(&device(), 3, true);
    reserved(&mut scheduler, 1, "bob");
    ordinary(&mut scheduler, 1);
    scheduler.enqueue_reserved(job(11), id(1), rank(11));
    assert_eq!(picked(&mut scheduler, 1), [job(11)]);
    scheduler.end_reservation(id(1), at(2));
    assert_eq!(picked(&mut scheduler, 2), [], "its job still runs");
    scheduler.release(job(11), at(3));
    assert_eq!(picked(&mut scheduler, 3), [job(1)]);
    scheduler.check();
}

#[test]
fn after_a_restart_a_job_has_its_reserved_slot_or_another_if_that_is_over() {
    let mut scheduler = scheduler(2);
    reserved(&mut scheduler, 1, "ada");
    assert!(scheduler.hold_reserved(job(11), id(1)));
    assert!(!scheduler.hold_reserved(job(12), id(1)));
    assert!(!scheduler.hold_reserved(job(12), id(2)));
    scheduler.hold(job(12), &device(), "ada", at(0));
    let load = scheduler.load(&device());
    assert_eq!((load.running, load.reserved, load.free), (2, 1, 0));
    scheduler.check();
}

#[test]
fn a_reservation_is_lost_when_its_device_was_away_for_long_and_not_before() {
    let mut scheduler = scheduler(1);
    reserved(&mut scheduler, 1, "ada");
    let patience = Duration::from_secs(3);
    let mut look = |lost, seconds| scheduler.lost_reservations(|_| lost, at(seconds), patience);
    let nothing: [ReservationId; 0] = [];
    assert_eq!(look(true, 1), nothing);
    assert_eq!(look(true, 3), nothing);
    assert_eq!(look(false, 4), nothing);
    assert_eq!(look(true, 5), nothing);
    assert_eq!(look(true, 8), [id(1)]);
}

/// What may happen in any order.
#[derive(Debug, Clone)]
enum Act {
    Reserve(u64),
    End(u64),
    Ordinary(u64),
    Named(u64, u64),
    Pick,
    Release(u64),
    Remove(u64),
    Slots(u32),
    Open(bool),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1u64..4).prop_map(Act::Reserve),
        1 => (1u64..4).prop_map(Act::End),
        3 => (0u64..8).prop_map(Act::Ordinary),
        3 => (8u64..16, 1u64..4).prop_map(|(job, of)| Act::Named(job, of)),
        5 => Just(Act::Pick),
        3 => (0u64..16).prop_map(Act::Release),
        1 => (0u64..16).prop_map(Act::Remove),
        1 => (1u32..4).prop_map(Act::Slots),
        1 => any::<bool>().prop_map(Act::Open),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_turn_is_given_exactly_where_a_slot_is(
        acts in proptest::collection::vec(any_act(), 1..120),
    ) {
        let mut scheduler = scheduler(2);
        let (mut slots, mut open, mut made) = (2usize, true, std::collections::BTreeSet::new());
        for (second, act) in acts.into_iter().enumerate() {
            let now = Monotonic(Duration::from_millis(second as u64));
            match act {
                Act::Reserve(nth) if made.insert(nth) => {
                    scheduler.reserve(id(nth), &device(), "ada", (now, now + SPAN));
                    scheduler.open_reservation(id(nth));
                }
                Act::Reserve(_) => {}
                Act::End(nth) => {
                    made.remove(&nth);
                    scheduler.end_reservation(id(nth), now);
                }
                Act::Ordinary(number) => ordinary(&mut scheduler, number),
                Act::Named(number, nth) => {
                    scheduler.enqueue_reserved(job(number), id(nth), rank(number));
                }
                Act::Release(number) => scheduler.release(job(number), now),
                Act::Remove(number) => scheduler.remove(job(number)),
                Act::Slots(more) => slots = more as usize,
                Act::Open(is) => open = is,
                Act::Pick => {
                    let holds = |number| scheduler.held_by(job(number)).is_some();
                    let of = |nth: &u64| scheduler.holder_of(id(*nth)).is_some();
                    let running = (0..16).filter(|number| holds(*number)).count();
                    let free = running + made.iter().filter(|nth| !of(nth)).count() < slots;
                    let waits = |number| scheduler.is_waiting(job(number));
                    let named = |number: u64| scheduler.reserved.named_by(job(number));
                    let may_have_its_own = |number: u64| {
                        let own = named(number);
                        own.is_some_and(|id| scheduler.holder_of(id).is_none()) && running < slots
                    };
                    let may = |number: u64| match named(number) {
                        Some(_) => may_have_its_own(number),
                        None => free,
                    };
                    let candidates: Vec<_> =
                        (0..16).filter(|number| open && waits(*number) && may(*number)).collect();
                    match scheduler.pick(now) {
                        Some(pick) => {
                            let given = candidates.iter().any(|number| job(*number) == pick.job);
                            prop_assert!(given, "{:?} is none of {candidates:?}", pick.job);
                        }
                        None => prop_assert_eq!(candidates, Vec::<u64>::new()),
                    }
                }
            }
            scheduler.set_device(&device(), slots as u32, open);
            scheduler.check();
        }
    }
}
