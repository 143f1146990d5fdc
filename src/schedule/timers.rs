//! When jobs want to be looked at again: one ordered set, so that one sleeping task serves all
//! of them (D17).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::JobId;
use crate::time::Monotonic;

/// Why a job wants to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Its deadline.
    Deadline,
    /// The end of a back-off, or of the wait for an open execution.
    Wake,
}

/// At most one alarm of each kind per job. Every operation costs O(log n).
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeSet<(Monotonic, JobId, Alarm)>,
    set: BTreeMap<(JobId, Alarm), Monotonic>,
}

impl Timers {
    /// Sets or moves an alarm.
    pub fn set(&mut self, job: JobId, alarm: Alarm, at: Monotonic) {
        self.clear(job, alarm);
        self.set.insert((job, alarm), at);
        self.due.insert((at, job, alarm));
    }

    /// Clears an alarm; does nothing if there is none.
    pub fn clear(&mut self, job: JobId, alarm: Alarm) {
        if let Some(at) = self.set.remove(&(job, alarm)) {
            self.due.remove(&(at, job, alarm));
        }
    }

    /// When the next alarm goes off.
    pub fn next(&self) -> Option<Monotonic> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// The earliest alarm that is due at `now`; it is cleared.
    pub fn pop_due(&mut self, now: Monotonic) -> Option<(JobId, Alarm)> {
        let (at, job, alarm) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.clear(job, alarm);
        Some((job, alarm))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn alarms_go_off_in_order_and_once() {
        let job = |n: u8| JobId::new(u64::from(n), [n; 10]);
        let mut timers = Timers::default();
        timers.set(job(1), Alarm::Wake, at(5));
        timers.set(job(2), Alarm::Deadline, at(3));
        timers.set(job(1), Alarm::Deadline, at(9));
        timers.set(job(2), Alarm::Deadline, at(4));
        timers.set(job(3), Alarm::Wake, at(1));
        timers.clear(job(3), Alarm::Wake);

        assert_eq!(
            timers.next(),
            Some(at(4)),
            "a moved alarm goes off at its new time only"
        );
        assert_eq!(timers.pop_due(at(3)), None);
        assert_eq!(timers.pop_due(at(6)), Some((job(2), Alarm::Deadline)));
        assert_eq!(timers.pop_due(at(6)), Some((job(1), Alarm::Wake)));
        assert_eq!(timers.pop_due(at(6)), None);
        assert_eq!(timers.next(), Some(at(9)));
    }
}
