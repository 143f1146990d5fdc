//! Why a job waits, or what was decided about it.

use crate::ids::JobId;
use crate::job::event::{Event, Recorded};
use crate::job::head::Head;
use crate::kernel::{Error, Kernel, Wait};
use crate::ports::{Clock as _, Env};

/// What can be told of a job's turn.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The job.
    pub job: Head,
    /// What it waits for now.
    pub wait: Wait,
    /// What was decided about it, in order.
    pub decisions: Vec<Recorded>,
}

impl<E: Env> Kernel<E> {
    /// Why a job waits now, and what was decided about it before.
    ///
    /// # Errors
    /// Those of [`Kernel::job`].
    pub async fn explain(&self, id: JobId) -> Result<Explanation, Error> {
        let mut decisions = self.history(id).await?;
        decisions.retain(|recorded| is_decision(&recorded.event));
        let job = self.head(id).await?;
        let now = self.env.clock().monotonic();
        let wait = self.table().waits(&job, &self.devices, now);
        Ok(Explanation {
            job,
            wait,
            decisions,
        })
    }
}

/// Whether something was chosen, given up or put off then, and not only reached.
fn is_decision(event: &Event) -> bool {
    match event {
        Event::Assigned { .. }
        | Event::Doubted { .. }
        | Event::CircuitLost { .. }
        | Event::Retried { .. }
        | Event::Failed { .. }
        | Event::CancelRequested { .. }
        | Event::DeadlinePassed { .. }
        | Event::ReceiptGiven
        | Event::Settled { .. } => true,
        Event::Submitted { .. }
        | Event::Admitted
        | Event::Validated { .. }
        | Event::Compiled { .. }
        | Event::Intended { .. }
        | Event::PhaseReached { .. }
        | Event::Executed { .. }
        | Event::Stored { .. }
        | Event::Reported { .. } => false,
    }
}
