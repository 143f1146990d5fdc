//! What the form of a scenario alone cannot say.

use std::collections::BTreeSet;

use qrtx::job::target::{BadTarget, Target};

use crate::rare;

use super::{
    Act, DevicePlan, DeviceTrouble, Draining, Flapping, JobRef, Jump, Kill, Leg, Pause, Scenario,
    Step, StoreFault, StorePlan, When, words,
};

/// Processes that can be killed.
const PROCESSES: [&str; 3] = ["kernel", "compiler", "driver-manager"];

/// More of them take minutes and gigabytes.
const JOBS_MAX: u64 = 100_000;

/// What a cancel may be answered.
const RECEIPTS: [&str; 4] = [
    "NOT_STARTED",
    "STOPPED_ON_DEVICE",
    "STOP_UNCONFIRMED",
    "TOO_LATE",
];

impl Scenario {
    /// Whether it can be run.
    ///
    /// # Errors
    /// What makes no sense, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.waits_for.is_some() {
            return Ok(());
        }
        if let Some(seed) = &self.seed
            && seed.parse::<u64>().is_err()
        {
            return Err(format!("seed = {seed:?} is no whole number"));
        }
        if self.jobs.is_empty() {
            return Err("nobody wants anything: there is no [[job]]".to_owned());
        }
        self.limits.applied()?;
        self.check_devices()?;
        if let Some(job) = self.jobs.iter().find(|job| job.count == 0) {
            let target = &job.device;
            return Err(format!("a [[job]] on {target:?} has count = 0"));
        }
        let wanted: u64 = self.jobs.iter().map(|job| u64::from(job.count)).sum();
        if wanted > JOBS_MAX {
            return Err(format!(
                "{wanted} jobs are too many for one run, which takes {JOBS_MAX}"
            ));
        }
        for job in &self.jobs {
            let target: Target = job
                .device
                .parse()
                .map_err(|why: BadTarget| why.to_string())?;
            let named = |device: &DevicePlan| match device.id.parse() {
                Ok(id) => target.names(&id, &device.backend_type),
                Err(_) => false,
            };
            if !job.nowhere && !self.devices.iter().any(named) {
                return Err(format!(
                    "no device is called {target:?}, or is of that class"
                ));
            }
        }
        for slot in &self.reservations {
            if !self.devices.iter().any(|device| device.id == slot.device) {
                return Err(format!("no device is called {:?}", slot.device));
            }
        }
        for number in self.jobs.iter().filter_map(|job| job.reservation) {
            if number >= self.reservations.len() {
                let all = self.reservations.len();
                return Err(format!("there is no reservation {number}, there are {all}"));
            }
        }
        self.check_alike()?;
        let jobs = self.planned().len();
        if let Some((job, _)) = self.expect.job.iter().find(|(job, _)| **job >= jobs) {
            return Err(format!(
                "there is no job {job} to expect of, there are {jobs}"
            ));
        }
        let of_jobs = self.expect.job.values().map(|own| own.executions);
        let counts = of_jobs.chain([self.expect.executions]).flatten();
        for [least, most] in counts {
            if least > most {
                return Err(format!("executions from {least} to {most} are none"));
            }
        }
        for state in &self.expect.hits {
            let states = rare::ALL.map(|(name, _)| name);
            words::known("rare state", &states, state)?;
        }
        for receipt in &self.expect.receipts {
            words::known("receipt", &RECEIPTS, receipt)?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            self.check_step(step)
                .map_err(|why| format!("step {number}: {why}"))?;
        }
        for name in &self.invariants {
            let known = qrtx_testkit::invariants::ALL.iter();
            if !known.into_iter().any(|known| known.name == name) {
                return Err(format!("no invariant is called {name:?}"));
            }
        }
        Ok(())
    }

    fn check_devices(&self) -> Result<(), String> {
        let mut known = BTreeSet::new();
        for device in &self.devices {
            let id = &device.id;
            if !known.insert(id) {
                return Err(format!("two devices are called {id:?}"));
            }
            if device.slots == 0 {
                return Err(format!("{id:?} has slots = 0: nothing ever runs there"));
            }
        }
        Ok(())
    }

    /// Jobs with the same name and program are told apart by their keys alone.
    fn check_alike(&self) -> Result<(), String> {
        let planned = self.planned();
        let alike = self.jobs.iter().filter_map(|job| Some((job, job.like?)));
        for (job, like) in alike {
            let Some(other) = planned.get(like) else {
                let jobs = planned.len();
                return Err(format!(
                    "there is no job {like} to be like, there are {jobs}"
                ));
            };
            let same = (&job.key, &job.tenant) == (&other.plan.key, &other.plan.tenant);
            if !job.system_api && (job.key.is_none() || !same) {
                return Err(format!(
                    "a job is like job {like}, and has not its key: say the same key and tenant of both"
                ));
            }
        }
        Ok(())
    }

    fn check_step(&self, step: &Step) -> Result<(), String> {
        let cancelled = match &step.act {
            Act::Cancel(JobRef { job }) => Some(*job),
            _ => None,
        };
        let jobs = self.planned().len();
        for job in [step.when.job(), cancelled].into_iter().flatten() {
            if job >= jobs {
                return Err(format!("there is no job {job}, there are {jobs}"));
            }
        }
        words::check(&step.when)?;
        let counted = match &step.when {
            When::At(_) | When::After(_) => 1,
            When::Sync(point) => point.sync.min(point.nth),
            when => when.ordinal(),
        };
        if counted == 0 {
            return Err("nothing is number 0: nth and sync count from 1".to_owned());
        }
        match (&step.act, &step.when) {
            (Act::Kill(Kill { node, .. }), _) if !PROCESSES.contains(&node.as_str()) => {
                return Err(format!("no process is called {node:?}"));
            }
            (Act::Cut(way) | Act::Partition(way), _) => {
                self.check_node(&way.from)?;
                self.check_node(&way.to)?;
                if way.from == way.to {
                    return Err(format!("{:?} is never cut off from itself", way.from));
                }
            }
            (
                Act::Pause(Pause { node, .. })
                | Act::ClockFreezes(Pause { node, .. })
                | Act::ClockJumps(Jump { node, .. }),
                _,
            ) => self.check_node(node)?,
            (Act::Flap(Flapping { away, back, .. }), _) if (away.0 + back.0).is_zero() => {
                return Err("a device that is neither away nor there does not flap".to_owned());
            }
            (
                Act::Device(DeviceTrouble { id, .. })
                | Act::Flap(Flapping { id, .. })
                | Act::Drain(Draining { id, .. }),
                _,
            ) if !self.devices.iter().any(|device| device.id == *id) => {
                return Err(format!("no device is called {id:?}"));
            }
            (Act::Whim(whim), When::Call(call)) if !whim.fits(&call.method) => {
                let method = &call.method;
                return Err(format!(
                    "{whim:?} is nothing that {method:?} can be answered with"
                ));
            }
            (Act::Whim(_) | Act::Duplicate, When::Call(call)) if call.leg == Leg::Answer => {
                return Err("that happens to a request, not to an answer".to_owned());
            }
            (Act::Replace(_), _) if self.store == StorePlan::Disk => {
                return Err(
                    "one process at a time has the disk: no other takes its place".to_owned(),
                );
            }
            (Act::StoreFails(trouble), _)
                if trouble.how == StoreFault::SyncsFail && self.store == StorePlan::Memory =>
            {
                return Err("memory is not synced: say store = \"disk\"".to_owned());
            }
            (Act::ArtifactsFail(trouble), _) if trouble.how == StoreFault::SyncsFail => {
                return Err("that happens to the job store".to_owned());
            }
            (_, When::Sync(_)) if self.store == StorePlan::Memory => {
                return Err("memory is not synced: say store = \"disk\"".to_owned());
            }
            (act, when) if act.needs_call() && !matches!(when, When::Call(_)) => {
                return Err("that happens to a message: say which, with when.call".to_owned());
            }
            (Act::Object(_), when) if !matches!(when, When::Object(_)) => {
                return Err("that happens to an artifact: say which, with when.object".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn check_node(&self, node: &str) -> Result<(), String> {
        match self.nodes().iter().any(|known| known == node) {
            true => Ok(()),
            false => Err(format!("no node is called {node:?}")),
        }
    }
}
