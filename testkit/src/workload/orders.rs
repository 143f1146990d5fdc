//! In which order waiting jobs get their turns: the kernel's own schedule, and two plain rivals.

use std::collections::BTreeSet;
use std::time::Duration;

use qrtx::ids::{DeviceId, JobId};
use qrtx::schedule::Scheduler;
use qrtx::schedule::forecast::{Forecast, Interval};
use qrtx::schedule::policy::Policy;
use qrtx::schedule::rank::Rank;
use qrtx::time::{Monotonic, Timestamp};

use super::{Arrival, Trace};

/// So much waiting is worth one point of priority, as it is for a kernel that nobody configured.
const AGE_STEP: Duration = Duration::from_secs(60);
const EXPIRES_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A way to order jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Who comes first goes first.
    Fifo,
    /// The most urgent first, whoever waits, and among equals who came first.
    Priority,
    /// The kernel's: fair share among tenants, then priority with age.
    Fair,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fifo, Self::Priority, Self::Fair];

    /// Its name, for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fifo => "first come first served",
            Self::Priority => "strict priority",
            Self::Fair => "fair share",
        }
    }
}

/// Jobs by their number in the trace, devices by theirs; each has one slot.
pub(super) trait Turns {
    fn set_open(&mut self, device: usize, open: bool);
    fn enqueue(&mut self, job: usize, arrival: &Arrival);
    /// What can be told of the wait of a job that has just come.
    fn foretell(&mut self, job: usize, now: Duration) -> Option<Interval>;
    /// A job whose turn it is, on a device that is open and free.
    fn pick(&mut self, now: Duration) -> Option<usize>;
    fn ended(&mut self, job: usize, arrival: &Arrival, now: Duration);
}

/// One queue per device, sorted by a key.
#[derive(Debug)]
pub(super) struct Plain {
    by: fn(&Arrival) -> u8,
    devices: Vec<Device>,
}

#[derive(Debug, Default)]
struct Device {
    open: bool,
    busy: bool,
    waiting: BTreeSet<(u8, usize)>,
}

impl Plain {
    /// By this key, the least first, then by arrival.
    pub(super) fn new(devices: usize, by: fn(&Arrival) -> u8) -> Self {
        let devices = (0..devices).map(|_| Device::default()).collect();
        Self { by, devices }
    }
}

impl Turns for Plain {
    fn set_open(&mut self, device: usize, open: bool) {
        self.devices[device].open = open;
    }

    fn enqueue(&mut self, job: usize, arrival: &Arrival) {
        let key = ((self.by)(arrival), job);
        self.devices[arrival.device].waiting.insert(key);
    }

    fn foretell(&mut self, _: usize, _: Duration) -> Option<Interval> {
        None
    }

    fn pick(&mut self, _: Duration) -> Option<usize> {
        let mut ready = self.devices.iter_mut().filter(|it| it.open && !it.busy);
        ready.find_map(|device| {
            let (_, job) = device.waiting.pop_first()?;
            device.busy = true;
            Some(job)
        })
    }

    fn ended(&mut self, _: usize, arrival: &Arrival, _: Duration) {
        self.devices[arrival.device].busy = false;
    }
}

/// The kernel's own schedule, and what it tells of waits.
#[derive(Debug)]
pub(super) struct Fair {
    scheduler: Scheduler,
    forecast: Forecast,
    devices: Vec<DeviceId>,
    tenants: Vec<String>,
}

impl Fair {
    pub(super) fn new(trace: &Trace) -> Self {
        let arrivals = trace.arrivals.iter();
        let most = arrivals.map(|it| it.tenant).max().unwrap_or(0);
        let device = |number| format!("device-{number}").parse();
        let devices = (0..trace.devices()).map(device);
        Self {
            scheduler: Scheduler::new(Policy::default()),
            forecast: Forecast::default(),
            devices: devices
                .collect::<Result<_, _>>()
                .expect("the name is short and plain"),
            tenants: (0..=most)
                .map(|number| format!("tenant-{number}"))
                .collect(),
        }
    }
}

impl Turns for Fair {
    fn set_open(&mut self, device: usize, open: bool) {
        self.scheduler.set_device(&self.devices[device], 1, open);
    }

    fn enqueue(&mut self, job: usize, arrival: &Arrival) {
        let accepted = Timestamp(0) + arrival.at;
        let expires_at = accepted + EXPIRES_AFTER;
        let priority = arrival.priority;
        let rank = Rank::new(priority, accepted, AGE_STEP, expires_at, job as u64);
        let (device, tenant) = (&self.devices[arrival.device], &self.tenants[arrival.tenant]);
        self.scheduler.enqueue(id(job), device, tenant, rank);
    }

    fn foretell(&mut self, job: usize, now: Duration) -> Option<Interval> {
        self.forecast.came(&self.scheduler, id(job), Monotonic(now));
        self.forecast.of(&self.scheduler, id(job), Monotonic(now))
    }

    fn pick(&mut self, now: Duration) -> Option<usize> {
        let pick = self.scheduler.pick(Monotonic(now))?;
        self.forecast.started(pick.job, Monotonic(now));
        Some(number(pick.job))
    }

    fn ended(&mut self, job: usize, arrival: &Arrival, now: Duration) {
        let device = &self.devices[arrival.device];
        let tenant = &self.tenants[arrival.tenant];
        self.scheduler.release(id(job), Monotonic(now));
        self.forecast.took(device, tenant, arrival.takes);
    }
}

fn id(job: usize) -> JobId {
    JobId::new(job as u64, [0; 10])
}

fn number(job: JobId) -> usize {
    // An id begins with 48 bits of time, which here are the number.
    let [high @ .., _, _, _, _, _, _, _, _, _, _] = job.to_be_bytes();
    high.iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}
