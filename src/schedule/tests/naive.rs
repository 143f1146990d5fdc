//! The schedule's rules on lists that are searched from end to end.

use super::*;

/// The same rules on lists that are searched from end to end.
#[derive(Debug)]
pub(super) struct Naive {
    pub(super) devices: [(u32, bool); DEVICES],
    qubits: [Option<u32>; DEVICES],
    accounts: [Accounts; DEVICES],
    pub(super) waiting: Vec<Waiting>,
    held: Vec<Held>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) job: usize,
    pub(super) want: usize,
    pub(super) tenant: usize,
    pub(super) rank: Rank,
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
    pub(super) fn new() -> Self {
        let accounts = Accounts {
            used: [0; 3],
            start: 0,
            typical_us: 1_000_000,
        };
        Self {
            devices: Default::default(),
            qubits: [None; DEVICES],
            accounts: [accounts; DEVICES],
            waiting: Vec::new(),
            held: Vec::new(),
        }
    }

    pub(super) fn is_idle(&self, tenant: usize, device: usize) -> bool {
        let waits = |it: &Waiting| it.tenant == tenant && self.fits(it.want, device);
        let holds = |it: &Held| it.tenant == tenant && it.device == device;
        !self.waiting.iter().any(waits) && !self.held.iter().any(holds)
    }

    pub(super) fn fits(&self, want: usize, device: usize) -> bool {
        match want.checked_sub(DEVICES) {
            None => want == device,
            Some(class) => self.qubits[device].is_some_and(|qubits| qubits as usize > class),
        }
    }

    /// A device tells what it can do, and tenants whose jobs may run there now come anew.
    pub(super) fn profile(&mut self, device: usize, qubits: u32) {
        let idle: Vec<_> = (0..TENANTS.len())
            .filter(|tenant| self.is_idle(*tenant, device))
            .collect();
        self.qubits[device] = Some(qubits);
        let accounts = &mut self.accounts[device];
        for tenant in idle {
            accounts.used[tenant] = accounts.used[tenant].max(accounts.start);
        }
    }

    /// A tenant that comes anew starts where the others are.
    pub(super) fn comes(&mut self, tenant: usize, device: usize) {
        if self.is_idle(tenant, device) {
            let accounts = &mut self.accounts[device];
            accounts.used[tenant] = accounts.used[tenant].max(accounts.start);
        }
    }

    pub(super) fn running(&self, tenant: usize) -> usize {
        self.held.iter().filter(|it| it.tenant == tenant).count()
    }

    pub(super) fn held_by(&self, job: usize) -> Option<usize> {
        let held = self.held.iter().find(|it| it.job == job);
        held.map(|it| it.device)
    }

    pub(super) fn remove(&mut self, job: usize) {
        self.waiting.retain(|it| it.job != job);
    }

    /// A device that has nothing to do lets newcomers start where the last have ended.
    pub(super) fn rest(&mut self) {
        for device in 0..DEVICES {
            if (0..TENANTS.len()).all(|tenant| self.is_idle(tenant, device)) {
                let accounts = &mut self.accounts[device];
                let most = accounts.used.into_iter().max().unwrap();
                accounts.start = accounts.start.max(most);
            }
        }
    }

    pub(super) fn enqueue(&mut self, new: Waiting) {
        if self.held_by(new.job).is_none() {
            self.remove(new.job);
            self.rest();
            for device in 0..DEVICES {
                if self.fits(new.want, device) {
                    self.comes(new.tenant, device);
                }
            }
            self.waiting.push(new);
        }
    }

    pub(super) fn hold(&mut self, job: usize, device: usize, tenant: usize, since: u64) {
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

    pub(super) fn release(&mut self, job: usize, now: u64) {
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

    pub(super) fn pick(&mut self, now: u64) -> Option<(usize, usize)> {
        for device in 0..DEVICES {
            let (slots, open) = self.devices[device];
            let running = self.held.iter().filter(|it| it.device == device).count();
            if !open || running >= slots as usize {
                continue;
            }
            let used = self.accounts[device].used;
            let here = self.waiting.iter().filter(|it| self.fits(it.want, device));
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
