//! What the users of a quantum cloud ask of it in some days, by chance and the same for a seed.
//!
//! Published are the magnitudes, not a trace: G. S. Ravi, K. Smith, P. Gokhale and F. Chong,
//! "Quantum Computing in the Cloud: Analyzing job and machine characteristics" (IISWC 2021), saw
//! over 6,000 jobs of about 600,000 circuits and 10^10 shots on more than 20 machines in two
//! years, so that a job is some hundred circuits and takes minutes rather than milliseconds;
//! machines calibrate daily; and a circuit of seconds may wait for minutes to a day. What they do
//! not tell is taken from what is known of other shared machines (D. Feitelson, "Workload
//! Modeling for Computer Systems Performance Evaluation", 2015): users by Zipf's law, a daily
//! cycle, sessions in which a user submits much that is alike, and times with a heavy tail. The
//! numbers of that part are the constants here.

mod fairness;
mod orders;
mod replay;
mod score;
mod shapes;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

use crate::circuits::Dice;
pub use fairness::fairness;
pub use orders::Order;
pub use replay::{Replay, Told};
pub use score::{Score, Truth};
use shapes::{Zipf, exponential, lognormal, pareto};

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// How unlike tenants are: the exponent of Zipf's law over their sessions.
const TENANTS_EXPONENT: f64 = 1.1;
/// At its busiest hour a day brings (1 + this) times its mean, at its quietest (1 - this).
const DAILY_SWING: f64 = 0.6;
const BUSIEST_HOUR: f64 = 15.0;
/// Jobs of a session: a tail index, and their most.
const SESSION: (f64, f64) = (1.4, 60.0);
/// Seconds between two submissions of a session.
const SESSION_GAP_SECONDS: f64 = 30.0;
/// Once in so many sessions a tenant uses another device than its own.
const ROAMS_ONCE_IN: usize = 4;
/// How much the logarithms of execution times deviate: between tenants, between the sessions of
/// one, and between the jobs of a session.
const SIGMAS: [f64; 3] = [0.6, 0.4, 0.25];
/// Once in so many jobs an execution takes much longer than its session's: a tail index, and at
/// most so many times as long.
const LONG_ONCE_IN: usize = 25;
const LONG: (f64, f64) = (1.1, 25.0);
/// Of ten sessions one is urgent and one can wait.
const PRIORITIES: [u8; 10] = [20, 50, 50, 50, 50, 50, 50, 50, 50, 80];
/// A daily calibration takes between so many seconds.
const CALIBRATION_SECONDS: (f64, f64) = (1200.0, 3000.0);

/// A workload to be thrown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Workload {
    /// What its chance depends on.
    pub seed: u64,
    /// Jobs in all.
    pub jobs: usize,
    /// Who submit them, the busiest first.
    pub tenants: usize,
    /// Devices, of one slot each.
    pub devices: usize,
    /// How long it takes until all have come.
    pub days: u32,
    /// What the jobs of each device take, over the time in which it is not calibrated.
    pub load: f64,
}

impl Default for Workload {
    /// A week of four devices that are asked for nine tenths of what they can do.
    fn default() -> Self {
        Self {
            seed: 1,
            jobs: 20_000,
            tenants: 50,
            devices: 4,
            days: 7,
            load: 0.9,
        }
    }
}

/// One job. Times count from the start of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it is submitted.
    pub at: Duration,
    /// By whom.
    pub tenant: usize,
    /// For which device.
    pub device: usize,
    /// 0 to 100, the greater the more urgent.
    pub priority: u8,
    /// What its execution will take, which nobody knows before.
    pub takes: Duration,
}

/// A time in which a device starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// Which device.
    pub device: usize,
    /// From when on.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// A workload that was thrown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// By time.
    pub arrivals: Vec<Arrival>,
    /// By device, then by time.
    pub calibrations: Vec<Calibration>,
    /// When all have come.
    pub span: Duration,
}

impl Trace {
    /// How many devices there are.
    #[must_use]
    pub fn devices(&self) -> usize {
        let devices = self.calibrations.iter().map(|window| window.device);
        devices.max().map_or(0, |last| last + 1)
    }
}

/// What the jobs of one tenant have in common.
#[derive(Debug)]
struct Habits {
    device: usize,
    /// What an execution takes, over what one takes on the whole.
    length: f64,
}

/// A job before it is known how fast its device is.
#[derive(Debug)]
struct Draft {
    at: f64,
    tenant: usize,
    device: usize,
    priority: u8,
    length: f64,
}

impl Workload {
    /// Throws it.
    ///
    /// # Panics
    /// If there are no jobs, tenants, devices, days or no load.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let counts = [self.jobs, self.tenants, self.devices, self.days as usize];
        assert!(!counts.contains(&0) && self.load > 0.0, "{self:?} is empty");
        let calibrations = self.calibrations();
        let mut drafts = self.drafts();
        drafts.sort_by(|one, other| one.at.total_cmp(&other.at));
        let seconds: Vec<_> = (0..self.devices)
            .map(|device| self.seconds_per_length(device, &drafts, &calibrations))
            .collect();
        let arrivals = drafts.into_iter().map(|draft| Arrival {
            at: Duration::from_secs_f64(draft.at),
            tenant: draft.tenant,
            device: draft.device,
            priority: draft.priority,
            takes: Duration::from_secs_f64(draft.length * seconds[draft.device]),
        });
        Trace {
            arrivals: arrivals.collect(),
            calibrations,
            span: Duration::from_secs_f64(self.span()),
        }
    }

    fn span(&self) -> f64 {
        f64::from(self.days) * DAY
    }

    fn drafts(&self) -> Vec<Draft> {
        let dice = &mut Dice::new(self.seed, 0);
        let habits: Vec<_> = (0..self.tenants)
            .map(|_| Habits {
                device: dice.below(self.devices),
                length: lognormal(dice, SIGMAS[0]),
            })
            .collect();
        let whose = Zipf::new(self.tenants, TENANTS_EXPONENT);
        let mut drafts = Vec::with_capacity(self.jobs);
        while drafts.len() < self.jobs {
            let tenant = whose.throw(dice);
            let jobs = pareto(dice, SESSION.0, SESSION.1).floor() as usize;
            let jobs = jobs.min(self.jobs - drafts.len());
            self.session(dice, tenant, &habits[tenant], jobs, &mut drafts);
        }
        drafts
    }

    /// What a tenant submits one after the other, much of it alike.
    fn session(
        &self,
        dice: &mut Dice,
        tenant: usize,
        habits: &Habits,
        jobs: usize,
        into: &mut Vec<Draft>,
    ) {
        let device = match dice.once_in(ROAMS_ONCE_IN) {
            true => dice.below(self.devices),
            false => habits.device,
        };
        let priority = dice.pick(&PRIORITIES);
        let length = habits.length * lognormal(dice, SIGMAS[1]);
        let mut at = self.some_time(dice);
        for _ in 0..jobs {
            let job = match dice.once_in(LONG_ONCE_IN) {
                true => pareto(dice, LONG.0, LONG.1),
                false => lognormal(dice, SIGMAS[2]),
            };
            into.push(Draft {
                at: at % self.span(),
                tenant,
                device,
                priority,
                length: length * job,
            });
            at += exponential(dice, SESSION_GAP_SECONDS);
        }
    }

    /// A time of the trace, by the daily cycle.
    fn some_time(&self, dice: &mut Dice) -> f64 {
        loop {
            let at = dice.unit() * self.span();
            let hours_off = at / HOUR - BUSIEST_HOUR;
            let swing = DAILY_SWING * (hours_off / 24.0 * std::f64::consts::TAU).cos();
            if dice.unit() * (1.0 + DAILY_SWING) < 1.0 + swing {
                return at;
            }
        }
    }

    /// Each device is calibrated once a day, at an hour of its own.
    fn calibrations(&self) -> Vec<Calibration> {
        let dice = &mut Dice::new(self.seed, 1);
        let mut calibrations = Vec::new();
        for device in 0..self.devices {
            let hour = dice.unit() * 23.0;
            for day in 0..self.days {
                let (least, most) = CALIBRATION_SECONDS;
                let from = f64::from(day) * DAY + hour * HOUR;
                let until = from + least + (most - least) * dice.unit();
                calibrations.push(Calibration {
                    device,
                    from: Duration::from_secs_f64(from),
                    until: Duration::from_secs_f64(until),
                });
            }
        }
        calibrations
    }

    /// How fast a device must be to be loaded as wanted by what is asked of it.
    fn seconds_per_length(
        &self,
        device: usize,
        drafts: &[Draft],
        calibrations: &[Calibration],
    ) -> f64 {
        let own = |calibration: &&Calibration| calibration.device == device;
        let calibrated = calibrations.iter().filter(own);
        let closed: f64 = calibrated
            .map(|calibration| (calibration.until - calibration.from).as_secs_f64())
            .sum();
        let asked = drafts.iter().filter(|draft| draft.device == device);
        let lengths: f64 = asked.map(|draft| draft.length).sum();
        match lengths > 0.0 {
            true => self.load * (self.span() - closed) / lengths,
            false => 0.0,
        }
    }
}
