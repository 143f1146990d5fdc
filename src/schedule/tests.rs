use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

const JOBS: usize = 6;
const DEVICES: usize = 2;

fn job(number: usize) -> JobId {
    JobId::new(number as u64, [0; 10])
}

fn device(number: usize) -> DeviceId {
    format!("device-{number}").parse().unwrap()
}

/// The same rules on a list that is searched from end to end.
#[derive(Debug, Default)]
struct Naive {
    devices: [(u32, bool); DEVICES],
    waiting: Vec<(usize, Rank, usize)>,
    held: Vec<(usize, usize)>,
}

impl Naive {
    fn held_by(&self, job: usize) -> Option<usize> {
        self.held
            .iter()
            .find(|(holder, _)| *holder == job)
            .map(|(_, device)| *device)
    }

    fn running(&self, device: usize) -> usize {
        self.held.iter().filter(|(_, at)| *at == device).count()
    }

    fn queue(&self, device: usize) -> Vec<usize> {
        let mut queue: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, _, at)| *at == device)
            .collect();
        queue.sort_by_key(|(job, rank, _)| (*rank, *job));
        queue.into_iter().map(|(job, ..)| *job).collect()
    }

    fn remove(&mut self, job: usize) {
        self.waiting.retain(|(waits, ..)| *waits != job);
    }

    fn release(&mut self, job: usize) {
        self.held.retain(|(holder, _)| *holder != job);
    }

    fn enqueue(&mut self, job: usize, device: usize, rank: Rank) {
        if self.held_by(job).is_none() {
            self.remove(job);
            self.waiting.push((job, rank, device));
        }
    }

    fn hold(&mut self, job: usize, device: usize) {
        self.remove(job);
        self.release(job);
        self.held.push((job, device));
    }

    fn pick(&mut self) -> Option<(usize, usize)> {
        let free = |device: &usize| {
            let (slots, open) = self.devices[*device];
            open && self.running(*device) < slots as usize && !self.queue(*device).is_empty()
        };
        let device = (0..DEVICES).find(free)?;
        let job = self.queue(device)[0];
        self.hold(job, device);
        Some((job, device))
    }
}

#[derive(Debug, Clone)]
enum Act {
    SetDevice(usize, u32, bool),
    Enqueue(usize, usize, Rank),
    Remove(usize),
    Pick,
    Hold(usize, usize),
    Release(usize),
}

fn any_rank() -> impl Strategy<Value = Rank> {
    // Few values, so that ties happen.
    (0u8..3, 0i64..3, 0u64..3).prop_map(|(priority, expires_at, submission)| {
        Rank::new(priority, Timestamp(expires_at), submission)
    })
}

fn any_acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => (0..DEVICES, 0u32..3, any::<bool>()).prop_map(|(at, slots, open)| Act::SetDevice(at, slots, open)),
        5 => (0..JOBS, 0..DEVICES, any_rank()).prop_map(|(job, at, rank)| Act::Enqueue(job, at, rank)),
        1 => (0..JOBS).prop_map(Act::Remove),
        5 => Just(Act::Pick),
        1 => (0..JOBS, 0..DEVICES).prop_map(|(job, at)| Act::Hold(job, at)),
        3 => (0..JOBS).prop_map(Act::Release),
    ];
    proptest::collection::vec(act, 1..80)
}

proptest! {
    #[test]
    fn the_scheduler_decides_as_a_list_that_is_searched(acts in any_acts()) {
        let (mut scheduler, mut naive) = (Scheduler::default(), Naive::default());
        for act in acts {
            match act {
                Act::SetDevice(at, slots, open) => {
                    scheduler.set_device(&device(at), slots, open);
                    naive.devices[at] = (slots, open);
                }
                Act::Enqueue(number, at, rank) => {
                    scheduler.enqueue(job(number), &device(at), rank);
                    naive.enqueue(number, at, rank);
                }
                Act::Remove(number) => {
                    scheduler.remove(job(number));
                    naive.remove(number);
                }
                Act::Pick => {
                    let picked = scheduler.pick();
                    let expected = naive.pick().map(|(number, at)| Pick {
                        job: job(number),
                        device: device(at),
                        left_waiting: naive.queue(at).len(),
                    });
                    prop_assert_eq!(&picked, &expected);
                    if let Some(pick) = picked {
                        let load = scheduler.load(&pick.device);
                        prop_assert!(load.running <= load.slots as usize);
                    }
                }
                Act::Hold(number, at) => {
                    scheduler.hold(job(number), &device(at));
                    naive.hold(number, at);
                }
                Act::Release(number) => {
                    scheduler.release(job(number));
                    naive.release(number);
                }
            }
            scheduler.check();
            prop_assert_eq!(scheduler.waiting(), naive.waiting.len());
            for at in 0..DEVICES {
                let queue: Vec<_> = scheduler.queue(&device(at)).collect();
                prop_assert_eq!(queue, naive.queue(at).into_iter().map(job).collect::<Vec<_>>());
                prop_assert_eq!(scheduler.load(&device(at)).running, naive.running(at));
                let wanted = scheduler.wanted().any(|wanted| *wanted == device(at));
                prop_assert_eq!(wanted, !naive.queue(at).is_empty());
            }
            for number in 0..JOBS {
                let held_by = naive.held_by(number).map(device);
                prop_assert_eq!(scheduler.held_by(job(number)), held_by.as_ref());
            }
        }
    }
}

#[test]
fn priority_comes_before_deadline_and_deadline_before_submission() {
    let mut scheduler = Scheduler::default();
    let rank =
        |priority, expires_at, submission| Rank::new(priority, Timestamp(expires_at), submission);
    for (number, rank) in [
        rank(50, 9, 1),
        rank(50, 9, 2),
        rank(50, 8, 3),
        rank(90, 99, 4),
        rank(0, 1, 5),
    ]
    .into_iter()
    .enumerate()
    {
        scheduler.enqueue(job(number), &device(0), rank);
    }
    let order: Vec<_> = scheduler.queue(&device(0)).collect();
    assert_eq!(order, [3, 2, 0, 1, 4].map(job));
}

#[test]
fn after_a_restart_more_may_hold_than_there_are_slots_and_nobody_is_picked_before_they_go() {
    let mut scheduler = Scheduler::default();
    scheduler.hold(job(0), &device(0));
    scheduler.hold(job(1), &device(0));
    scheduler.set_device(&device(0), 1, true);
    scheduler.enqueue(job(2), &device(0), Rank::new(50, Timestamp(0), 3));
    assert_eq!(
        scheduler.load(&device(0)),
        Load {
            waiting: 1,
            running: 2,
            slots: 1
        }
    );
    assert_eq!(scheduler.pick(), None);
    scheduler.release(job(0));
    assert_eq!(scheduler.pick(), None);
    scheduler.release(job(1));
    assert_eq!(scheduler.pick().map(|pick| pick.job), Some(job(2)));
}

#[test]
fn a_device_that_is_away_holds_up_nobody_else() {
    let mut scheduler = Scheduler::default();
    scheduler.set_device(&device(0), 1, false);
    scheduler.set_device(&device(1), 1, true);
    scheduler.enqueue(job(0), &device(0), Rank::new(100, Timestamp(0), 1));
    scheduler.enqueue(job(1), &device(1), Rank::new(0, Timestamp(9), 2));
    let pick = scheduler.pick().unwrap();
    assert_eq!(
        (pick.job, pick.device, pick.left_waiting),
        (job(1), device(1), 0)
    );
    assert_eq!(scheduler.pick(), None);
    scheduler.set_device(&device(0), 1, true);
    assert_eq!(scheduler.pick().map(|pick| pick.job), Some(job(0)));
}
