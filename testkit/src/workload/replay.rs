//! A trace played through an order of turns, event by event, in a time of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use qrtx::schedule::forecast::Interval;

use super::Trace;
use super::orders::{Fair, Order, Plain, Turns};

/// What came of a trace.
#[derive(Debug, Clone)]
pub struct Replay<'a> {
    /// What was played.
    pub trace: &'a Trace,
    /// In which order.
    pub order: Order,
    /// When each job started.
    pub starts: Vec<Duration>,
    /// What was told of each wait when the job came, where something could be.
    pub told: Vec<Option<Told>>,
}

/// What was told of a wait.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// By the kernel's forecast.
    pub interval: Interval,
    /// What everybody would say: jobs here already, times what executions took on the mean so far.
    pub naive: Duration,
}

/// In the order in which events of one moment happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ended(usize),
    Opens(usize),
    Closes(usize),
    Comes(usize),
}

/// What is known of a device without any cleverness.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    here: u32,
    ended: u32,
    took: Duration,
}

impl<'a> Replay<'a> {
    /// Plays `trace` until all jobs have ended.
    #[must_use]
    pub fn of(trace: &'a Trace, order: Order) -> Self {
        match order {
            Order::Fifo => Self::through(trace, order, Plain::new(trace.devices(), |_| 0)),
            Order::Priority => {
                let by = |arrival: &super::Arrival| u8::MAX - arrival.priority;
                Self::through(trace, order, Plain::new(trace.devices(), by))
            }
            Order::Fair => Self::through(trace, order, Fair::new(trace)),
        }
    }

    fn through(trace: &'a Trace, order: Order, mut turns: impl Turns) -> Self {
        let mut events = agenda(trace);
        let jobs = trace.arrivals.len();
        let (mut starts, mut told) = (vec![Duration::MAX; jobs], vec![None; jobs]);
        let mut tallies = vec![Tally::default(); trace.devices()];
        for device in 0..trace.devices() {
            turns.set_open(device, true);
        }
        while let Some(Reverse((now, event))) = events.pop() {
            match event {
                Event::Opens(device) => turns.set_open(device, true),
                Event::Closes(device) => turns.set_open(device, false),
                Event::Comes(job) => {
                    let arrival = &trace.arrivals[job];
                    let tally = &mut tallies[arrival.device];
                    turns.enqueue(job, arrival);
                    let naive = tally.naive();
                    told[job] = turns
                        .foretell(job, now)
                        .map(|interval| Told { interval, naive });
                    tally.here += 1;
                }
                Event::Ended(job) => {
                    let arrival = &trace.arrivals[job];
                    let tally = &mut tallies[arrival.device];
                    turns.ended(job, arrival, now);
                    tally.here -= 1;
                    tally.ended += 1;
                    tally.took += arrival.takes;
                }
            }
            while let Some(job) = turns.pick(now) {
                starts[job] = now;
                events.push(Reverse((
                    now + trace.arrivals[job].takes,
                    Event::Ended(job),
                )));
            }
        }
        Self {
            trace,
            order,
            starts,
            told,
        }
    }

    /// How long each job waited.
    pub fn waits(&self) -> impl Iterator<Item = Duration> {
        let starts = self.starts.iter().zip(&self.trace.arrivals);
        starts.map(|(start, arrival)| *start - arrival.at)
    }
}

impl Tally {
    fn naive(self) -> Duration {
        self.took / self.ended.max(1) * self.here
    }
}

/// All that is known to come.
fn agenda(trace: &Trace) -> BinaryHeap<Reverse<(Duration, Event)>> {
    let comes = (0..).zip(&trace.arrivals);
    let comes = comes.map(|(job, arrival)| (arrival.at, Event::Comes(job)));
    let windows = trace.calibrations.iter().flat_map(|window| {
        let closes = (window.from, Event::Closes(window.device));
        [closes, (window.until, Event::Opens(window.device))]
    });
    comes.chain(windows).map(Reverse).collect()
}

#[cfg(test)]
mod tests;
