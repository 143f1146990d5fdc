use super::*;
use crate::schedule::policy::Policy;
use crate::schedule::rank::Rank;
use crate::time::Timestamp;

fn job(number: u64) -> JobId {
    JobId::new(number, [0; 10])
}

fn device() -> DeviceId {
    "sim-1".parse().unwrap()
}

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

/// A device with one slot.
struct Desk {
    scheduler: Scheduler,
    forecast: Forecast,
    jobs: u64,
}

impl Desk {
    fn new() -> Self {
        let mut scheduler = Scheduler::new(Policy {
            tenant_running: 1,
            ..Policy::default()
        });
        scheduler.set_device(&device(), 1, true);
        Self {
            scheduler,
            forecast: Forecast::default(),
            jobs: 0,
        }
    }

    fn enqueue(&mut self, tenant: &str, now: Monotonic) -> JobId {
        self.jobs += 1;
        let new = job(self.jobs);
        let step = Duration::from_secs(60);
        let rank = Rank::new(50, Timestamp(0), step, Timestamp(0), self.jobs);
        self.scheduler.enqueue(new, &device(), tenant, rank);
        self.forecast.came(&self.scheduler, new, now);
        new
    }

    fn of(&self, job: JobId, now: Monotonic) -> Option<Duration> {
        let interval = self.forecast.of(&self.scheduler, job, now)?;
        assert!(interval.p50 <= interval.p90);
        Some(interval.p50)
    }
}

#[test]
fn nothing_is_told_before_the_first_execution() {
    let mut desk = Desk::new();
    let first = desk.enqueue("ada", at(0));
    assert_eq!(desk.of(first, at(0)), None);
    desk.forecast.took(&device(), "ada", Duration::from_secs(4));
    assert_eq!(
        desk.of(first, at(0)),
        Some(Duration::ZERO),
        "a slot is free"
    );
}

#[test]
fn a_wait_is_what_runs_still_and_what_the_turns_before_take() {
    let mut desk = Desk::new();
    desk.forecast.took(&device(), "ada", Duration::from_secs(4));
    desk.enqueue("ada", at(0));
    desk.scheduler.pick(at(0)).unwrap();
    let second = desk.enqueue("bob", at(0));
    let third = desk.enqueue("cyd", at(0));
    assert_eq!(desk.of(second, at(0)), Some(Duration::from_secs(4)));
    assert_eq!(desk.of(third, at(0)), Some(Duration::from_secs(8)));
    let another = desk.forecast.of_another(&desk.scheduler, &device(), at(0));
    assert_eq!(another.unwrap().p50, Duration::from_secs(12));
}

#[test]
fn what_cannot_be_known_is_not_told() {
    let mut desk = Desk::new();
    desk.forecast.took(&device(), "ada", Duration::from_secs(4));
    let running = desk.enqueue("ada", at(0));
    desk.scheduler.pick(at(0)).unwrap();
    assert_eq!(desk.of(running, at(0)), None, "it waits no more");
    let limited = desk.enqueue("ada", at(0));
    assert_eq!(desk.of(limited, at(0)), None, "its tenant is at its limit");
    let next = desk.enqueue("bob", at(0));
    assert!(desk.of(next, at(0)).is_some());
    desk.scheduler.set_device(&device(), 1, false);
    assert_eq!(desk.of(next, at(0)), None, "its device takes nothing");
}

#[test]
fn it_learns_that_waits_are_longer_than_what_stands_ahead() {
    let mut desk = Desk::new();
    desk.forecast.took(&device(), "ada", Duration::from_secs(4));
    let mut now = 0;
    let first = desk.enqueue("ada", at(now));
    desk.scheduler.pick(at(now)).unwrap();
    let mut running = first;
    for round in 0..100 {
        let next = desk.enqueue(["bob", "ada"][round % 2], at(now));
        let told = desk.of(next, at(now)).unwrap();
        // Each takes three times as long as the device's executions are said to.
        now += 12;
        desk.scheduler.release(running, at(now));
        desk.scheduler.pick(at(now)).unwrap();
        let kept = desk.forecast.started(next, at(now)).unwrap();
        assert_eq!(
            (kept.told.p50, kept.waited),
            (told, Duration::from_secs(12))
        );
        running = next;
    }
    let last = desk.enqueue("cyd", at(now));
    assert_eq!(desk.of(last, at(now)), Some(Duration::from_secs(12)));
}

#[test]
fn what_is_remembered_is_bounded_and_given_back() {
    let mut desk = Desk::new();
    desk.forecast.took(&device(), "ada", Duration::from_secs(4));
    let jobs: Vec<_> = (0..2 * TOLD_MAX)
        .map(|_| desk.enqueue("ada", at(0)))
        .collect();
    assert_eq!(desk.forecast.told.len(), TOLD_MAX);
    for job in jobs {
        desk.forecast.left(job);
    }
    assert_eq!(desk.forecast.told.len(), 0);
    assert_eq!(desk.forecast.devices[&device()].told, 0);
}

/// Jobs that may run on either of two devices come as fast as both can run them; each wait is
/// held against what was told of it.
#[test]
fn the_wait_for_a_class_is_told_as_both_its_devices_make_it() {
    use crate::schedule::fit::{Profile, Want};
    let devices: [DeviceId; 2] = ["sim-1", "sim-2"].map(|id| id.parse().unwrap());
    let mut scheduler = Scheduler::new(Policy::default());
    let mut forecast = Forecast::default();
    for device in &devices {
        scheduler.set_profile(device, Profile::default());
        scheduler.set_device(device, 1, true);
        forecast.took(device, "ada", Duration::from_secs(10));
    }
    let want = Want {
        target: "sim-*".parse().unwrap(),
        needs: None,
    };
    let step = Duration::from_secs(60);
    for number in 0..40 {
        let rank = Rank::new(50, Timestamp(0), step, Timestamp(0), number);
        scheduler.enqueue_for(job(number), &want, "ada", rank);
    }
    while scheduler.pick(at(0)).is_some() {}
    let told = forecast.of(&scheduler, job(39), at(0)).unwrap().p50;
    // 37 jobs are ahead and two run, of ten seconds each, on two devices.
    let seconds = told.as_secs_f64();
    assert!(
        (170.0..=215.0).contains(&seconds),
        "{told:?} is told, 190 s it is"
    );
    let another = forecast
        .of_another(&scheduler, &devices[0], at(0))
        .unwrap()
        .p50;
    assert!(
        (170.0..=215.0).contains(&another.as_secs_f64()),
        "{another:?}"
    );
    scheduler.set_device(&devices[0], 1, false);
    let device = forecast.device_of(&scheduler, job(39), at(0));
    assert_eq!(device, Some(&devices[1]), "the other takes nothing");
    let told = forecast.of(&scheduler, job(39), at(0)).unwrap().p50;
    let seconds = told.as_secs_f64();
    assert!(
        (350.0..=400.0).contains(&seconds),
        "{told:?} is told, 380 s it is"
    );
}
