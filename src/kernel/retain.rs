//! Retention: ended jobs are forgotten by age and by number, a bounded number at a time. First the
//! store forgets a job but for its name, then its artifacts go, then the name: a crash in between
//! leaves nothing that nobody knows of.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::JobId;
use crate::kernel::Kernel;
use crate::limits::{KEY_KEPT_MIN, Limits};
use crate::planted::{Bug, planted};
use crate::ports::store::{Ended, JobStore as _};
use crate::ports::{Clock as _, Env};
use crate::time::Timestamp;

/// Jobs that one step forgets at most.
const STEP: usize = 256;

/// Jobs whose artifacts cannot be removed before a step takes QFS to be away.
const STUCK_MAX: usize = 16;

/// What is kept, and what there is.
#[derive(Debug, Clone, Copy)]
struct Policy {
    now: Timestamp,
    /// How long an ended job is kept; `None` for ever.
    age: Option<Duration>,
    /// Ended jobs beyond the number that is kept.
    excess: u64,
}

/// Where a pass over all ended jobs has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Pass {
    /// It goes on after this submission.
    after: u64,
    /// Jobs before it that are beyond the number and are kept for their keys.
    spared: u64,
}

impl Policy {
    /// The jobs of a page, oldest first, that go now, and how many are spared for their keys.
    fn due(&self, page: &[Ended]) -> (Vec<JobId>, u64) {
        let mut excess = self.excess;
        let (mut due, mut spared) = (Vec::new(), 0);
        for job in page {
            let old = self.age.is_some_and(|age| self.now.since(job.at) >= age);
            let beyond = excess > 0;
            excess = excess.saturating_sub(1);
            // Whoever repeats a request must find its job (D21).
            let keyed = job.keyed && !planted(Bug::KeyedAreForgotten);
            if keyed && self.now.since(job.created_at) < KEY_KEPT_MIN {
                spared += u64::from(beyond);
            } else if old || beyond {
                due.push(job.id);
            }
        }
        (due, spared)
    }

    /// Whether a job that was submitted after all of these could be due.
    fn may_go_on(&self, page: &[Ended]) -> bool {
        let young = |job: &Ended| {
            self.age
                .is_none_or(|age| self.now.since(job.created_at) < age)
        };
        self.excess > page.len() as u64 || !page.last().is_some_and(young)
    }
}

impl<E: Env> Kernel<E> {
    /// Forgets what need not be kept, again and again.
    pub(super) async fn retain(self: Arc<Self>) {
        let mut pass = Pass::default();
        loop {
            let next = self.retain_step(pass).await;
            let next = next.unwrap_or_else(|why| {
                tracing::warn!("ended jobs cannot be forgotten now: {why}");
                None
            });
            if next.is_none() {
                let pause = Duration::from_millis(self.limits.retain_poll_ms);
                self.env.clock().sleep(pause).await;
            }
            pass = next.unwrap_or_default();
        }
    }

    /// One bounded step of a pass; where the next begins, if there is one.
    async fn retain_step(&self, pass: Pass) -> Result<Option<Pass>, String> {
        let store = self.env.store();
        self.clear_forgotten().await?;
        let Limits {
            retain_hours,
            retain_jobs,
            ..
        } = self.limits;
        if retain_hours == 0 && retain_jobs == 0 {
            return Ok(None);
        }
        let all = store.count().await.map_err(|why| why.to_string())?;
        let ended = all.saturating_sub(self.table().admission.jobs() as u64);
        let policy = Policy {
            now: self.env.clock().now(),
            age: (retain_hours > 0).then(|| Duration::from_secs(retain_hours * 3600)),
            excess: match retain_jobs {
                0 => 0,
                kept => ended.saturating_sub(kept).saturating_sub(pass.spared),
            },
        };
        let page = store.ended(pass.after, STEP).await;
        let (page, next) = page.map_err(|why| why.to_string())?;
        let (due, spared) = policy.due(&page);
        let gone = due.len();
        if !due.is_empty() {
            let forgotten = store.forget(self.epoch, due).await;
            forgotten.map_err(|why| why.to_string())?;
            tracing::info!(jobs = gone, "ended jobs are forgotten");
            self.clear_forgotten().await?;
        }
        let on = |after| Pass {
            after,
            spared: pass.spared + spared,
        };
        Ok(next.filter(|_| policy.may_go_on(&page)).map(on))
    }

    /// Removes the artifacts of jobs that the store has forgotten. Those that cannot be removed are
    /// tried again later, and hold up no other.
    async fn clear_forgotten(&self) -> Result<(), String> {
        loop {
            let forgotten = self.env.store().forgotten(STEP).await;
            let forgotten = forgotten.map_err(|why| why.to_string())?;
            let (mut cleared, mut stuck) = (Vec::with_capacity(forgotten.len()), 0);
            for job in forgotten {
                match self.artifacts.remove(job).await {
                    Ok(()) => cleared.push(job),
                    Err(_) if stuck == STUCK_MAX => break,
                    Err(why) => {
                        stuck += 1;
                        tracing::warn!(job_id = %job, "a forgotten job leaves artifacts behind: {why}");
                    }
                }
            }
            if cleared.is_empty() {
                return Ok(());
            }
            let cleared = self.env.store().cleared(self.epoch, cleared).await;
            cleared.map_err(|why| why.to_string())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn ended(number: u64, at_hour: i64) -> Ended {
        Ended {
            submission: number,
            id: JobId::new(number, [0; 10]),
            at: Timestamp(at_hour * HOUR),
            created_at: Timestamp((at_hour - 1) * HOUR),
            keyed: false,
        }
    }

    fn numbers((due, _): (Vec<JobId>, u64)) -> Vec<u64> {
        let number = |id: &JobId| (1..9).find(|number| JobId::new(*number, [0; 10]) == *id);
        due.iter().filter_map(number).collect()
    }

    fn policy(age_hours: Option<u64>, excess: u64) -> Policy {
        Policy {
            now: Timestamp(100 * HOUR),
            age: age_hours.map(|hours| Duration::from_secs(hours * 3600)),
            excess,
        }
    }

    #[test]
    fn jobs_go_by_age_and_by_number_the_oldest_first() {
        let page = [ended(1, 10), ended(2, 60), ended(3, 90), ended(4, 99)];
        assert_eq!(numbers(policy(Some(40), 0).due(&page)), [1, 2]);
        assert_eq!(numbers(policy(None, 3).due(&page)), [1, 2, 3]);
        assert_eq!(numbers(policy(Some(40), 1).due(&page)), [1, 2]);
        assert_eq!(numbers(policy(None, 0).due(&page)), [0; 0]);
    }

    #[test]
    fn a_job_with_a_key_is_kept_as_long_as_its_key() {
        let keyed = |job| Ended { keyed: true, ..job };
        let page = [keyed(ended(1, 10)), keyed(ended(2, 60)), ended(3, 60)];
        assert_eq!(numbers(policy(Some(1), 3).due(&page)), [1, 3]);
    }

    #[test]
    fn a_job_that_is_spared_takes_no_place_of_another() {
        let keyed = |job| Ended { keyed: true, ..job };
        let page = [keyed(ended(1, 60)), ended(2, 60), ended(3, 60)];
        let (due, spared) = policy(None, 2).due(&page);
        assert_eq!((numbers((due, 0)), spared), (vec![2], 1));
    }

    #[test]
    fn a_pass_ends_where_nothing_later_can_be_due() {
        let page = [ended(1, 10), ended(2, 90)];
        assert!(
            !policy(Some(40), 0).may_go_on(&page),
            "the last is too young"
        );
        assert!(policy(Some(5), 0).may_go_on(&page));
        assert!(policy(None, 9).may_go_on(&page));
        assert!(!policy(None, 2).may_go_on(&page));
        assert!(
            policy(Some(40), 0).may_go_on(&[]),
            "nothing had ended so far"
        );
    }
}
