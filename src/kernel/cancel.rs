//! CancelJob: the cancel is a wish that the job's own loop grants, and the answer says what it
//! achieved (D15).

use std::time::Duration;

use crate::ids::JobId;
use crate::job::Receipt;
use crate::job::state::State;
use crate::kernel::{Error, Kernel};
use crate::limits::CANCEL_WAIT;
use crate::planted::{Bug, planted};
use crate::ports::{Clock as _, Env};

/// The answer to a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled {
    /// What it achieved.
    pub told: Told,
    /// Where the job is now.
    pub state: State,
}

/// What a cancel achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The job is cancelled.
    Receipt(Receipt),
    /// The counts are stored, or the job had ended otherwise: nothing was changed.
    TooLate,
}

/// How long the store may keep a cancel waiting before the caller is told to try again.
const STORE_WAIT: Duration = Duration::from_secs(10);

impl<E: Env> Kernel<E> {
    /// Cancels a job and says what that achieved; a repeated cancel is told the same.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unavailable`] when the store does not take the event, which
    /// it will as soon as it can.
    pub async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancelled, Error> {
        let clock = self.env.clock();
        let asked = clock.monotonic();
        let mut cancelled_since = None;
        loop {
            let Some(changed) = self.changes(id) else {
                // What is not in the table has ended, and is done with.
                let job = self.head(id).await?;
                let told = verdict(job.state, job.receipt);
                let told = told.unwrap_or(Told::TooLate);
                return Ok(Cancelled {
                    told,
                    state: job.state,
                });
            };
            // From here on no change is missed.
            let heard = changed.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let Some((told, state, counts_in_hand)) = self.told(id) else {
                continue;
            };
            if let Some(told) = told {
                return Ok(Cancelled { told, state });
            }
            let now = clock.monotonic();
            let wait = if state == State::Cancelled {
                let since = *cancelled_since.get_or_insert(now);
                let left = CANCEL_WAIT.saturating_sub(now.since(since));
                if left.is_zero() {
                    if !planted(Bug::ReceiptNeverDue) {
                        self.wish(id, None);
                    }
                    STORE_WAIT
                } else {
                    left
                }
            } else {
                self.wish(id, Some(reason));
                STORE_WAIT
            };
            let waited = clock.timeout(wait, heard).await;
            let stuck = clock.monotonic().since(asked) > CANCEL_WAIT + STORE_WAIT * 2;
            if waited.is_none() && stuck {
                let what = match counts_in_hand {
                    true => {
                        "its counts are here and cannot be stored yet, after which it is too late"
                    }
                    false => "the cancel is noted but could not be stored yet",
                };
                return Err(Error::Unavailable(format!("{what}; ask again")));
            }
        }
    }

    /// What a cancel has achieved with a job in the table so far, where the job is, and whether its
    /// counts are here.
    fn told(&self, id: JobId) -> Option<(Option<Told>, State, bool)> {
        let table = self.table();
        let gist = &table.jobs.get(&id)?.gist;
        let told = verdict(gist.state, gist.receipt);
        Some((told, gist.state, gist.counts_in_hand))
    }

    /// Wants a job cancelled for a reason, or its cancel answered.
    fn wish(&self, id: JobId, cancel: Option<&str>) {
        self.with_table(|table| {
            if let Some(slot) = table.jobs.get_mut(&id) {
                let wishes = &mut slot.astir().wishes;
                match cancel {
                    Some(reason) => wishes.cancel = Some(reason.to_owned()),
                    None => wishes.receipt = true,
                }
            }
        });
        self.wake([id]);
    }
}

/// What a cancel achieved with the job as it is; `None` when that is still open. Counts that are in hand
/// and not stored may be lost with this kernel, and then the next one can still cancel the job.
fn verdict(state: State, receipt: Option<Receipt>) -> Option<Told> {
    match state {
        State::Cancelled => receipt.map(Told::Receipt),
        State::Completing | State::Completed | State::Failed | State::Timeout => {
            Some(Told::TooLate)
        }
        _ => None,
    }
}
