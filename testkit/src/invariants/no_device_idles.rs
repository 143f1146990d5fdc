//! No slot of a device is free while a job waits that may have it (issue 6; L2 of the field's
//! liveness properties). Held against every run until its first fault.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;
use crate::turns::{SETTLED, Turn, turns};

/// Says which device stood idle beside whose jobs.
pub fn check(history: &History) -> Vec<Breach> {
    let turns = turns(history);
    let mut broken = Vec::new();
    for (device, slots) in &history.slots {
        let mut watch = Watch {
            slots: *slots,
            tenant_running: history.limits.tenant_running,
            ..Watch::default()
        };
        for (at, change) in changes(device, &turns) {
            if at >= history.calm_until {
                break;
            }
            let idled = watch.changes(at, change);
            broken.extend(idled.map(|(tenant, since)| complaint(device, tenant, since, at)));
        }
        let idled = watch.idled(history.calm_until);
        broken.extend(idled.map(|(tenant, since)| {
            let at = history.calm_until;
            complaint(device, tenant, since, at)
        }));
    }
    broken
}

fn complaint(device: &str, tenant: &str, since: Duration, at: Duration) -> Breach {
    let (from, until) = (since.as_secs_f64(), at.as_secs_f64());
    let how = format!(
        "{device} had a slot free from {from:.3} s to {until:.3} s while jobs of {tenant} waited for it"
    );
    Breach::at(since, how)
}

#[derive(Clone, Copy)]
enum Change<'a> {
    Waits(&'a str, isize),
    /// A slot here, of this tenant.
    Holds(&'a str, isize),
    /// A slot elsewhere.
    HoldsElsewhere(&'a str, isize),
}

/// What changes for a device, in order; a slot that is given back comes before what takes it.
fn changes<'a>(device: &str, turns: &[Turn<'a>]) -> Vec<(Duration, Change<'a>)> {
    let mut changes = Vec::new();
    for turn in turns {
        let tenant = turn.tenant;
        let here = turn.device == device;
        if here {
            changes.push((turn.waited.0, Change::Waits(tenant, 1)));
            changes.push((turn.waited.1, Change::Waits(tenant, -1)));
        }
        let Some((from, until)) = turn.held else {
            continue;
        };
        let holds = match here {
            true => Change::Holds,
            false => Change::HoldsElsewhere,
        };
        changes.push((from, holds(tenant, 1)));
        changes.push((until, holds(tenant, -1)));
    }
    changes.sort_by_key(|(at, _)| *at);
    changes
}

/// One device as time goes on.
#[derive(Default)]
struct Watch<'a> {
    slots: usize,
    tenant_running: usize,
    held: isize,
    tenants: BTreeMap<&'a str, Tenant>,
}

#[derive(Default)]
struct Tenant {
    waiting: isize,
    running: isize,
    /// Since when it could have had a slot that is free.
    passed_by: Option<Duration>,
}

impl<'a> Watch<'a> {
    /// Who waited beside a free slot for too long up to this change.
    fn changes(
        &mut self,
        at: Duration,
        change: Change<'a>,
    ) -> impl Iterator<Item = (&'a str, Duration)> {
        match change {
            Change::Waits(tenant, more) => self.tenant(tenant).waiting += more,
            Change::Holds(tenant, more) => {
                self.held += more;
                self.tenant(tenant).running += more;
            }
            Change::HoldsElsewhere(tenant, more) => self.tenant(tenant).running += more,
        }
        let is_free = self.held < isize::try_from(self.slots).unwrap_or(isize::MAX);
        let most = isize::try_from(self.tenant_running).unwrap_or(isize::MAX);
        let mut idled = Vec::new();
        for (name, tenant) in &mut self.tenants {
            let passed_by = is_free && tenant.waiting > 0 && tenant.running < most;
            match (tenant.passed_by, passed_by) {
                (Some(since), false) => {
                    tenant.passed_by = None;
                    idled.extend((at > since + SETTLED).then_some((*name, since)));
                }
                (None, true) => tenant.passed_by = Some(at),
                _ => {}
            }
        }
        idled.into_iter()
    }

    fn tenant(&mut self, name: &'a str) -> &mut Tenant {
        self.tenants.entry(name).or_default()
    }

    /// Who still waits beside a free slot.
    fn idled(&self, at: Duration) -> impl Iterator<Item = (&'a str, Duration)> {
        self.tenants.iter().filter_map(move |(name, tenant)| {
            let since = tenant.passed_by.filter(|since| at > *since + SETTLED)?;
            Some((*name, since))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{crowd, secs};

    #[test]
    fn a_job_that_waits_beside_a_free_slot_is_missed() {
        let mut history = crowd(&[("a", 0, 0, 10), ("a", 0, 12, 20)]);
        assert_eq!(check(&history).len(), 1);
        history.calm_until = secs(9);
        assert_eq!(check(&history).len(), 0, "a fault may be the reason");
    }

    #[test]
    fn a_slot_that_is_given_on_at_once_is_never_idle() {
        let history = crowd(&[("a", 0, 0, 10), ("a", 0, 10, 20), ("b", 1, 20, 30)]);
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn a_tenant_at_its_limit_waits_beside_a_free_slot() {
        let mut history = crowd(&[("a", 0, 0, 10), ("a", 0, 10, 20)]);
        history.slots.insert("qpu".to_owned(), 2);
        assert_eq!(check(&history).len(), 1);
        history.limits.tenant_running = 1;
        assert_eq!(check(&history).len(), 0);
    }
}
