//! Reads `fault-scenarios/*.toml`; the format is described in the README beside them. All that
//! goes wrong in a run is in there, so that a run can be repeated, read, and made smaller.

mod form;
mod span;
mod step;

use std::path::{Path, PathBuf};
use std::time::Duration;

use qrtx::job::state::State;

pub use form::{DevicePlan, Expect, ExpectJob, JobPlan, ProgramPlan, Scenario};
pub use span::Span;
pub use step::{
    Act, DeviceFact, DevicePoint, Direction, JobRef, Jump, Kill, Moment, Point, Step, StoreFault,
    When,
};

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a name nor a path.
    #[error("there is no scenario {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no scenario.
    #[error("{path} is no scenario: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

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
    /// The scenario of that name, or in that file.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(name: &str) -> Result<Self, LoadError> {
        let named = folder().join(format!("{name}.toml"));
        let path = if named.is_file() {
            named
        } else {
            PathBuf::from(name)
        };
        if !path.is_file() {
            let known: Vec<_> = all()?.into_iter().map(|scenario| scenario.id).collect();
            return Err(LoadError::Unknown {
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        Self::read(&path)
    }

    fn read(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a scenario is a file on the real disk"
        )]
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let invalid = |reason| LoadError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let mut scenario: Self = toml::from_str(&text).map_err(|why| invalid(why.to_string()))?;
        if path
            .file_stem()
            .is_none_or(|stem| stem != scenario.id.as_str())
        {
            return Err(invalid(format!(
                "its id is {:?}, unlike its name",
                scenario.id
            )));
        }
        scenario.check().map_err(invalid)?;
        let ours = path.parent() == Some(folder().as_path());
        scenario.called = match ours {
            true => scenario.id.clone(),
            false => path.display().to_string(),
        };
        Ok(scenario)
    }

    /// Says what the form alone cannot say.
    fn check(&self) -> Result<(), String> {
        let jobs = self.planned().len();
        for job in &self.jobs {
            if !self.devices.iter().any(|device| device.id == job.device) {
                return Err(format!("no device is called {:?}", job.device));
            }
        }
        for step in &self.steps {
            let job = match (&step.when, &step.act) {
                (When::Point(Point { job, .. }) | When::Device(DevicePoint { job, .. }), _)
                | (_, Act::Cancel(JobRef { job })) => *job,
                _ => 0,
            };
            if job >= jobs {
                return Err(format!("a step names job {job}, there are {jobs}"));
            }
            if let Act::Kill(Kill { node, .. }) = &step.act
                && !["kernel", "compiler", "driver-manager"].contains(&node.as_str())
            {
                return Err(format!("no process is called {node:?}"));
            }
            if let Act::Cut(way) | Act::Partition(way) | Act::LoseAnswer(way) = &step.act {
                for node in [&way.from, &way.to] {
                    if !self.nodes().contains(node) {
                        return Err(format!("no node is called {node:?}"));
                    }
                }
            }
        }
        for name in &self.invariants {
            if !qrtx_testkit::invariants::ALL
                .iter()
                .any(|known| known.name == name)
            {
                return Err(format!("no invariant is called {name:?}"));
            }
        }
        Ok(())
    }

    /// Every node of the deployment by name.
    pub fn nodes(&self) -> Vec<String> {
        let servers = ["kernel", "compiler", "driver-manager"].map(str::to_owned);
        let clients = self.jobs.iter().map(|job| client_name(job.client));
        let mut nodes: Vec<_> = servers.into_iter().chain(clients).collect();
        nodes.sort();
        nodes.dedup();
        nodes
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
}

/// The name of a client's node.
pub fn client_name(client: u32) -> String {
    format!("client-{client}")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fault-scenarios")
}

/// Every scenario of this repository, by name.
///
/// # Errors
/// [`LoadError`].
pub fn all() -> Result<Vec<Scenario>, LoadError> {
    let folder = folder();
    let unreadable = |source| LoadError::Unreadable {
        path: folder.clone(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Scenario::read(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_is_read() {
        let ids: Vec<_> = all()
            .unwrap()
            .into_iter()
            .map(|scenario| scenario.id)
            .collect();
        assert_eq!(
            ids,
            [
                "calm",
                "compiler-killed",
                "kernel-killed",
                "partition-after-execute"
            ]
        );
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
}
