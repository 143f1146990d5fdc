//! A run as data: the deployment, what clients want, and the log of decisions on faults. All
//! that goes wrong in a run is in there, so that a run can be repeated, read, and made smaller.
//! `fault-scenarios/README.md` describes the form for people.

mod check;
mod fault;
mod files;
mod form;
mod naming;
mod span;
mod step;
mod words;

use std::time::Duration;

use qrtx::job::state::State;

pub use fault::{
    Act, ArtifactsTrouble, DeviceSays, DeviceTrouble, Direction, Draining, Flapping, JobRef, Jump,
    Kill, Lasting, ObjectFault, Pause, StoreFault, StoreTrouble, WhimPlan,
};
pub use files::{LoadError, all, make_room, regression, regressions, write};
pub use form::{
    Bounds, DevicePlan, Expect, ExpectJob, JobPlan, Own, ProgramPlan, ReservationPlan, Scenario,
    StorePlan,
};
pub use naming::{KINDS, describe, kind};
pub use span::Span;
pub use step::{
    CallPoint, DeviceFact, DevicePoint, EpochPoint, Leg, Moment, ObjectOp, ObjectPoint, Point,
    Step, SyncPoint, When,
};
pub use words::{CLIENTS_CALLS, is_watch};

/// One job of a scenario, out of a [`JobPlan`].
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its place among all jobs.
    pub ordinal: usize,
    /// When it is submitted.
    pub at: Duration,
    /// The rest.
    pub plan: JobPlan,
}

impl Scenario {
    /// Every node of the deployment by name.
    pub fn nodes(&self) -> Vec<String> {
        let servers = ["kernel", "compiler", "driver-manager"].map(str::to_owned);
        let clients = self.jobs.iter().map(|job| job.client);
        let holders = self.reservations.iter().map(|slot| slot.client);
        let clients = clients.chain(holders).map(client_name);
        let operator = self.has_operator().then(|| OPERATOR.to_owned());
        let clients = clients.chain(operator);
        let mut nodes: Vec<_> = servers.into_iter().chain(clients).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    /// Whether there is somebody who takes devices out of use, or looks at them.
    pub fn has_operator(&self) -> bool {
        let mut acts = self.steps.iter().map(|step| &step.act);
        self.look_every.is_some() || acts.any(|act| matches!(act, Act::Drain(_)))
    }

    /// Every job, in the order in which the scenario names them.
    pub fn planned(&self) -> Vec<Planned> {
        let each = self.jobs.iter().flat_map(|plan| {
            (0..plan.count).map(move |n| (plan.at.0 + plan.every.0 * n, plan.clone()))
        });
        each.enumerate()
            .map(|(ordinal, (at, plan))| Planned { ordinal, at, plan })
            .collect()
    }

    /// The ends that a job may have; any when empty.
    pub fn ends_of(&self, job: usize) -> &[State] {
        let own = self
            .expect
            .job
            .get(&job)
            .and_then(|own| own.ends.as_deref());
        own.unwrap_or(&self.expect.ends)
    }

    /// The fewest and the most runs of a job.
    pub fn executions_of(&self, job: usize) -> Option<[usize; 2]> {
        let own = self.expect.job.get(&job).and_then(|own| own.executions);
        own.or(self.expect.executions)
    }

    /// The seed to run it with when nobody names one.
    pub fn seed(&self) -> u64 {
        let own = self.seed.as_ref().and_then(|seed| seed.parse().ok());
        own.unwrap_or(1)
    }
}

/// The operator's node.
pub const OPERATOR: &str = "operator";

/// The name of a client's node.
pub fn client_name(client: u32) -> String {
    format!("client-{client}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_is_read() {
        let all = all().unwrap();
        assert!(all.iter().any(|scenario| scenario.id == "calm"));
        for scenario in all.iter().chain(&regressions().unwrap()) {
            let told = scenario.story.split_whitespace().count();
            assert!(told >= 12, "{} hardly tells a story", scenario.id);
        }
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        let scenario = |more: &str| {
            let text =
                format!("id='x'\nstory='y'\n{more}\n[[device]]\nid='d'\n[[job]]\ndevice='d'\n");
            toml::from_str::<Scenario>(&text).map_err(|why| why.to_string())
        };
        assert!(scenario("").is_ok());
        assert!(scenario("askabel = true").unwrap_err().contains("askabel"));
    }

    #[test]
    fn what_only_a_disk_suffers_needs_a_disk_and_no_kernel_takes_one_from_another() {
        let checked = |store: &str, step: &str| {
            let text = format!(
                "id='x'\nstory='y'\nstore='{store}'\n[[device]]\nid='d'\n[[job]]\ndevice='d'\n\
                 [[step]]\n{step}\n"
            );
            toml::from_str::<Scenario>(&text).unwrap().check()
        };
        let sync = "when.sync = { job = 0, event = 'Intended', sync = 1 }\n\
                    do.kill = { node = 'kernel', down = '1s' }";
        let fails = "when.at = '1s'\ndo.store-fails = { how = 'syncs-fail' }";
        for step in [sync, fails] {
            assert!(checked("memory", step).unwrap_err().contains("disk"));
            assert_eq!(checked("disk", step), Ok(()));
        }
        let replaced = "when.at = '1s'\ndo.replace = { for = '1s' }";
        assert!(
            checked("disk", replaced)
                .unwrap_err()
                .contains("one process")
        );
        assert_eq!(checked("memory", replaced), Ok(()));
    }

    #[test]
    fn what_is_written_is_read_as_the_same_run() {
        for scenario in all().unwrap() {
            let text = toml::to_string(&scenario).unwrap();
            let again: Scenario = toml::from_str(&text).unwrap();
            assert_eq!(again.steps, scenario.steps, "{}", scenario.id);
            assert_eq!(toml::to_string(&again).unwrap(), text);
        }
    }
}
