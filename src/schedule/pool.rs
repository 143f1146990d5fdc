//! A number of equal places, and the jobs that wait for one: compile slots, store slots.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::JobId;
use crate::schedule::line::Line;
use crate::schedule::policy::Rule;
use crate::schedule::rank::Rank;

/// Equal places for jobs. Every operation costs O(log n) with `n` jobs waiting.
#[derive(Debug)]
pub struct Pool {
    places: usize,
    held: BTreeSet<JobId>,
    waiting: BTreeSet<(Rank, JobId)>,
    ranks: BTreeMap<JobId, Rank>,
}

impl Pool {
    /// A pool of `places`, at least one.
    pub fn new(places: u32) -> Self {
        Self {
            places: (places as usize).max(1),
            held: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ranks: BTreeMap::new(),
        }
    }

    /// Takes a place at once if one is free and nobody waits for it; true also for a holder.
    pub fn take(&mut self, job: JobId) -> bool {
        if self.held.contains(&job) {
            return true;
        }
        let free = self.held.len() < self.places && self.waiting.is_empty();
        free && self.held.insert(job)
    }

    /// Waits for a place; a job that waits already gets its new rank.
    pub fn enqueue(&mut self, job: JobId, rank: Rank) {
        self.leave(job);
        self.waiting.insert((rank, job));
        self.ranks.insert(job, rank);
    }

    /// The most urgent job for which there is a place; it holds it from now on.
    pub fn pick(&mut self) -> Option<JobId> {
        if self.held.len() >= self.places {
            return None;
        }
        let (_, job) = self.waiting.pop_first()?;
        self.ranks.remove(&job);
        self.held.insert(job);
        Some(job)
    }

    /// The job neither holds nor waits afterwards.
    pub fn leave(&mut self, job: JobId) {
        self.held.remove(&job);
        if let Some(rank) = self.ranks.remove(&job) {
            self.waiting.remove(&(rank, job));
        }
    }

    /// Who is ahead of a job that waits; `None` if it does not. Looks at a bounded number of jobs.
    pub fn line(&self, job: JobId) -> Option<Line> {
        let rank = self.ranks.get(&job)?;
        let rule = |other: &Rank| Rule::from(other.precedence_over(rank));
        let waiting = self.waiting.iter();
        Some(Line::of(
            job,
            waiting.map(|(other, job)| (*job, rule(other))),
        ))
    }

    /// One of those that hold a place.
    pub fn holder(&self) -> Option<JobId> {
        self.held.first().copied()
    }

    /// Who waits, the most urgent first.
    pub fn queue(&self) -> impl Iterator<Item = (Rank, JobId)> {
        self.waiting.iter().copied()
    }

    /// Places in all.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Jobs that wait for a place.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn job(number: u64) -> JobId {
        JobId::new(number, [0; 10])
    }

    fn rank(priority: u8, submission: u64) -> Rank {
        let step = std::time::Duration::from_secs(60);
        Rank::new(priority, Timestamp(0), step, Timestamp(0), submission)
    }

    #[derive(Debug, Clone)]
    enum Act {
        Take(u64),
        Enqueue(u64, u8),
        Pick,
        Leave(u64),
    }

    fn any_acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            (0u64..6).prop_map(Act::Take),
            (0u64..6, 0u8..3).prop_map(|(job, priority)| Act::Enqueue(job, priority)),
            Just(Act::Pick),
            (0u64..6).prop_map(Act::Leave),
        ];
        proptest::collection::vec(act, 1..60)
    }

    proptest! {
        #[test]
        fn a_pool_decides_as_a_list_that_is_searched(places in 1u32..4, acts in any_acts()) {
            let mut pool = Pool::new(places);
            let (mut held, mut waiting) = (BTreeSet::new(), Vec::<(Rank, u64)>::new());
            for act in acts {
                match act {
                    Act::Take(number) => {
                        let free = held.len() < places as usize && waiting.is_empty();
                        let expected = held.contains(&number) || free;
                        if expected {
                            held.insert(number);
                        }
                        prop_assert_eq!(pool.take(job(number)), expected);
                    }
                    Act::Enqueue(number, priority) => {
                        held.remove(&number);
                        waiting.retain(|(_, waits)| *waits != number);
                        waiting.push((rank(priority, number), number));
                        pool.enqueue(job(number), rank(priority, number));
                    }
                    Act::Pick => {
                        waiting.sort_unstable();
                        let next = waiting.first().filter(|_| held.len() < places as usize);
                        let expected = next.map(|(_, number)| *number);
                        if let Some(number) = expected {
                            waiting.remove(0);
                            held.insert(number);
                        }
                        prop_assert_eq!(pool.pick(), expected.map(job));
                    }
                    Act::Leave(number) => {
                        held.remove(&number);
                        waiting.retain(|(_, waits)| *waits != number);
                        pool.leave(job(number));
                    }
                }
                prop_assert!(pool.held.len() <= places as usize);
                prop_assert_eq!(pool.held.len(), held.len());
                prop_assert_eq!(pool.waiting(), waiting.len());
                prop_assert_eq!(pool.ranks.len(), waiting.len());
            }
        }
    }

    #[test]
    fn whoever_comes_later_does_not_overtake_those_who_wait() {
        let mut pool = Pool::new(1);
        assert!(pool.take(job(1)));
        assert!(pool.take(job(1)), "a holder holds on");
        assert!(!pool.take(job(2)));
        pool.enqueue(job(2), rank(50, 2));
        pool.enqueue(job(3), rank(60, 3));
        pool.leave(job(1));
        assert!(!pool.take(job(4)), "the place is for those who wait");
        assert_eq!(pool.pick(), Some(job(3)), "the most urgent one first");
        assert_eq!(pool.pick(), None);
    }
}
