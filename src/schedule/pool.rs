//! A number of equal places, and the jobs that wait for one: compile slots, store slots.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::JobId;
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

    /// Jobs that wait for a place.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
