//! Who waits for the next commit. Everything that has come in since the last one is in it; there
//! is no timer, so whoever is alone waits for nobody.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Monotonic;

/// Bounds on what waits.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Changes in one commit; more would hold up the first of them for the sake of the last.
    pub commit_changes_max: usize,
    /// Bytes in one commit.
    pub commit_bytes_max: usize,
    /// Changes that wait; beyond, new jobs are refused, though never what happens to those that
    /// are there.
    pub waiting_changes_max: usize,
    /// Bytes that wait; beyond, the same.
    pub waiting_bytes_max: usize,
    /// How long the first of those that wait has waited; beyond, the same.
    pub waiting_age_max: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            commit_changes_max: 1024,
            commit_bytes_max: 8 << 20,
            waiting_changes_max: 16 * 1024,
            waiting_bytes_max: 256 << 20,
            waiting_age_max: Duration::from_secs(5),
        }
    }
}

/// Changes that wait for a commit, in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue<W> {
    room: Room,
    waiting: VecDeque<(Monotonic, usize, W)>,
    bytes: usize,
    /// Somebody is committing, and will come back for what is here.
    led: bool,
}

/// What somebody who has come in has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Commit, until nothing waits any more.
    Lead,
    /// Wait: somebody leads.
    Follow,
}

impl<W> Queue<W> {
    pub(super) fn new(room: Room) -> Self {
        Self {
            room,
            waiting: VecDeque::new(),
            bytes: 0,
            led: false,
        }
    }

    /// Why nothing new is taken in now.
    pub(super) fn crowded(&self, now: Monotonic) -> Option<String> {
        let (since, _, _) = self.waiting.front()?;
        let age = now.since(*since);
        let crowded = age > self.room.waiting_age_max
            || self.waiting.len() >= self.room.waiting_changes_max
            || self.bytes >= self.room.waiting_bytes_max;
        crowded.then(|| {
            format!(
                "{} changes wait for the disk, the first of them for {:.1} s",
                self.waiting.len(),
                age.as_secs_f64()
            )
        })
    }

    /// Takes one in, of about so many bytes.
    pub(super) fn push(&mut self, now: Monotonic, bytes: usize, one: W) -> Role {
        self.bytes += bytes;
        self.waiting.push_back((now, bytes, one));
        match std::mem::replace(&mut self.led, true) {
            true => Role::Follow,
            false => Role::Lead,
        }
    }

    /// What goes into the next commit; with nothing, whoever leads does so no longer.
    pub(super) fn take(&mut self) -> Vec<W> {
        let mut batch = Vec::new();
        let mut total = 0;
        while let Some((_, bytes, _)) = self.waiting.front()
            && batch.len() < self.room.commit_changes_max
            && (batch.is_empty() || total + bytes <= self.room.commit_bytes_max)
        {
            let (_, bytes, one) = self.waiting.pop_front().expect("it was just there");
            total += bytes;
            self.bytes -= bytes;
            batch.push(one);
        }
        self.led = !batch.is_empty();
        batch
    }

    /// Whoever led is gone without having come back: all that wait are let go, too.
    pub(super) fn abandon(&mut self) -> Vec<W> {
        self.led = false;
        self.bytes = 0;
        self.waiting.drain(..).map(|(_, _, one)| one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Monotonic = Monotonic(Duration::from_secs(100));

    fn queue(room: Room) -> Queue<u32> {
        Queue::new(room)
    }

    #[test]
    fn the_first_leads_and_takes_all_that_came_meanwhile() {
        let mut queue = queue(Room::default());
        assert_eq!(queue.push(NOW, 1, 1), Role::Lead);
        assert_eq!(queue.take(), [1]);
        assert_eq!(queue.push(NOW, 1, 2), Role::Follow);
        assert_eq!(queue.push(NOW, 1, 3), Role::Follow);
        assert_eq!(queue.take(), [2, 3]);
        assert!(queue.take().is_empty(), "and leads no longer");
        assert_eq!(queue.push(NOW, 1, 4), Role::Lead);
    }

    #[test]
    fn a_commit_is_bounded_but_never_empty_while_somebody_waits() {
        let mut queue = queue(Room {
            commit_changes_max: 2,
            commit_bytes_max: 10,
            ..Room::default()
        });
        for (number, bytes) in [(1, 1), (2, 1), (3, 1), (4, 100), (5, 5), (6, 5)] {
            queue.push(NOW, bytes, number);
        }
        let batches: Vec<_> = std::iter::repeat_with(|| queue.take())
            .take_while(|batch| !batch.is_empty())
            .collect();
        assert_eq!(batches, [vec![1, 2], vec![3], vec![4], vec![5, 6]]);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn it_is_crowded_by_number_by_size_and_by_age() {
        let mut queue = queue(Room {
            waiting_changes_max: 2,
            waiting_bytes_max: 10,
            waiting_age_max: Duration::from_secs(1),
            ..Room::default()
        });
        assert_eq!(queue.crowded(NOW), None);
        queue.push(NOW, 9, 1);
        assert_eq!(queue.crowded(NOW), None);
        let later = NOW + Duration::from_secs(2);
        assert!(queue.crowded(later).unwrap().contains("2.0 s"));
        queue.push(NOW, 1, 2);
        assert!(queue.crowded(NOW).is_some());
        queue.take();
        assert_eq!(queue.crowded(later), None);
        queue.push(NOW, 10, 3);
        assert!(queue.crowded(NOW).is_some());
    }

    #[test]
    fn after_a_leader_that_broke_off_the_next_leads() {
        let mut queue = queue(Room::default());
        queue.push(NOW, 1, 1);
        queue.push(NOW, 1, 2);
        assert_eq!(queue.abandon(), [1, 2]);
        assert_eq!(queue.push(NOW, 1, 3), Role::Lead);
    }
}
