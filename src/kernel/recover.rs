//! A new process goes on where the last one stopped: every job that has a duty goes into the
//! table, and is looked at like any other. There is no second road.

use std::sync::Arc;

use crate::job::Job;
use crate::job::state::State;
use crate::kernel::Kernel;
use crate::planted::{Bug, planted};
use crate::ports::{Clock as _, Env};
use crate::time::{Monotonic, Timestamp};

impl<E: Env> Kernel<E> {
    pub(super) fn recover(&self, unfinished: Vec<Job>) {
        let mut unfinished = unfinished;
        unfinished.retain(|job| {
            let executing = job.state == State::Executing && planted(Bug::RecoveryForgetsExecuting);
            let ended = job.state.is_terminal() && planted(Bug::RecoveryForgetsEnded);
            !executing && !ended
        });
        let jobs: Vec<_> = unfinished.iter().map(|job| job.id).collect();
        let now = (self.env.clock().monotonic(), self.env.clock().now());
        for job in unfinished {
            self.take_in(job, now);
        }
        if !jobs.is_empty() {
            tracing::info!(jobs = jobs.len(), "jobs of the last run are taken over");
        }
        self.wake(jobs);
    }

    /// Puts a job into the table as its record says. Wall times become times on the monotonic
    /// clock here, and only here; `now` is the same moment on both.
    pub(super) fn take_in(&self, job: Job, (now, wall): (Monotonic, Timestamp)) {
        // A clock that went back is behind what is stored, and would prolong every wait.
        let wall = wall.max(job.updated_at);
        let entered = now - wall.since(job.state_since);
        let left = job.spec.expires_at.since(wall);
        let forgotten = planted(Bug::RecoveryForgetsDeadlines) && job.seq > 1;
        let deadline = now + if forgotten { left * 1000 } else { left };
        let (id, not_before) = (job.id, job.not_before);
        self.with_table(|table| {
            table.insert(Arc::new(job), entered, deadline);
            if let Some(not_before) = not_before {
                table.pause(id, now + not_before.since(wall));
            }
        });
    }
}
