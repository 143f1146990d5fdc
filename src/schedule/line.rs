//! Who is ahead of a waiting job, and by which rule: the turns that would come one after another
//! if every execution took its typical time, nobody came, and nobody left.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::iter::Peekable;
use std::sync::Arc;

use crate::ids::JobId;
use crate::schedule::group::{Group, Groups, Key, Ranked};
use crate::schedule::heap::InOrder;
use crate::schedule::lane::Lane;
use crate::schedule::policy::{Ahead, Rule};
use crate::schedule::rank::Rank;
use crate::schedule::share::Place;
use crate::schedule::sorted::Iter;
use crate::schedule::tenants::Tenant;

/// Turns that are looked at for one answer, however many jobs wait.
pub const TURNS_MAX: usize = 1_000;
/// Jobs ahead that are named.
pub const NAMED_MAX: usize = 5;

/// The place of a waiting job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The first of those ahead, the next first.
    pub named: Vec<Ahead>,
    /// How many are ahead; at least so many, if there are [`TURNS_MAX`].
    pub ahead: usize,
}

impl Line {
    /// The place of `job` in a sequence of turns, each with the rule by which it comes before.
    pub(super) fn of(job: JobId, turns: impl Iterator<Item = (JobId, Rule)>) -> Self {
        let mut line = Self::default();
        for (other, rule) in turns.take(TURNS_MAX).take_while(|(other, _)| *other != job) {
            if line.named.len() < NAMED_MAX {
                line.named.push(Ahead { job: other, rule });
            }
            line.ahead += 1;
        }
        line
    }

    /// Whether no more can be ahead than were counted.
    pub fn is_exact(&self) -> bool {
        self.ahead < TURNS_MAX
    }
}

/// The jobs of a tenant that may run on a device, the most urgent first, out of all groups.
struct Jobs<'a> {
    groups: &'a Groups,
    tenant: Tenant,
    /// Groups of which none was looked at yet but the first job.
    fresh: Peekable<Iter<'a, Ranked, Key>>,
    /// What is left of the others, by the next job.
    again: BinaryHeap<Reverse<Left<'a>>>,
}

/// What is left of a group.
struct Left<'a> {
    next: Ranked,
    group: &'a Group,
    rest: Iter<'a, Ranked, u32>,
}

impl<'a> Iterator for Jobs<'a> {
    type Item = (Ranked, &'a Group);

    fn next(&mut self) -> Option<Self::Item> {
        let again = self.again.peek().map(|Reverse(left)| left.next);
        let fresh = self.fresh.peek().map(|(job, _)| **job);
        let is_fresh = fresh.is_some() && again.is_none_or(|again| fresh < Some(again));
        let (job, group, mut rest) = if is_fresh {
            let (job, key) = self.fresh.next()?;
            let group = &self.groups[*key];
            let mut rest = group.jobs_of(self.tenant);
            rest.next();
            (*job, group, rest)
        } else {
            let Reverse(Left { next, group, rest }) = self.again.pop()?;
            (next, group, rest)
        };
        if let Some((next, _)) = rest.next() {
            let left = Left {
                next: *next,
                group,
                rest,
            };
            self.again.push(Reverse(left));
        }
        Some((job, group))
    }
}

impl PartialEq for Left<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.next == other.next
    }
}

impl Eq for Left<'_> {}

impl PartialOrd for Left<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Left<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.next.cmp(&other.next)
    }
}

/// The turns to come, as `lane` would give them.
struct Turns<'a> {
    lane: &'a Lane,
    groups: &'a Groups,
    /// Tenants that have had none of these turns yet, by what they have used.
    fresh: Peekable<InOrder<'a, Place>>,
    /// Those that have, by what they will have used then.
    again: Again<'a>,
}

/// What is left of the jobs of tenants, by what they will have used, and by name.
type Again<'a> = BTreeMap<(u64, &'a Arc<str>), (Tenant, Peekable<Jobs<'a>>)>;

impl<'a> Iterator for Turns<'a> {
    type Item = (Tenant, Ranked, &'a Group);

    fn next(&mut self) -> Option<Self::Item> {
        let fresh = self.fresh.peek().map(|((used, name), _)| (*used, name));
        let again = self.again.first_key_value().map(|(place, _)| *place);
        let is_fresh = fresh.is_some() && again.is_none_or(|again| fresh < Some(again));
        let ((used, name), (tenant, mut jobs)) = if is_fresh {
            let ((used, name), tenant) = self.fresh.next()?;
            let jobs = self.lane.jobs_of(self.groups, *tenant);
            ((*used, name), (*tenant, jobs.peekable()))
        } else {
            self.again.pop_first()?
        };
        let (job, group) = jobs.next()?;
        if jobs.peek().is_some() {
            let used = used.saturating_add(self.lane.price(tenant));
            self.again.insert((used, name), (tenant, jobs));
        }
        Some((tenant, job, group))
    }
}

impl Lane {
    /// The place of a job that waits here. A tenant at its limit has no turn before one of its
    /// jobs ends: of such a job only those of its own tenant are told.
    pub(super) fn line(&self, groups: &Groups, (rank, job): Ranked, tenant: Tenant) -> Line {
        let within = |other: Rank| Rule::from(other.precedence_over(&rank));
        if self.tenants[tenant].at_limit {
            let turns = self.jobs_of(groups, tenant);
            return Line::of(job, turns.map(|((other, job), _)| (job, within(other))));
        }
        let told = self
            .turns(groups)
            .map(|(whose, (other, job), _)| match whose == tenant {
                true => (job, within(other)),
                false => (job, Rule::FairShare),
            });
        Line::of(job, told)
    }

    /// Whose the turns are before that of a job that waits here, at most [`TURNS_MAX`], each with
    /// the part of it that is to be expected here; `None` if its tenant is at its limit.
    pub(super) fn tenants_before<'a>(
        &'a self,
        groups: &'a Groups,
        job: JobId,
        tenant: Tenant,
    ) -> Option<impl Iterator<Item = (&'a str, f64)>> {
        if self.tenants[tenant].at_limit {
            return None;
        }
        let before = self.turns(groups);
        let before = before.take_while(move |(_, (_, other), _)| *other != job);
        let part = |group: &Group| 1.0 / group.open.max(1) as f64;
        let name = |tenant| &**self.tenants[tenant].account.name();
        Some(
            before
                .take(TURNS_MAX)
                .map(move |(tenant, _, group)| (name(tenant), part(group))),
        )
    }

    fn turns<'a>(&'a self, groups: &'a Groups) -> Turns<'a> {
        Turns {
            lane: self,
            groups,
            fresh: self.shares.turns().peekable(),
            again: BTreeMap::new(),
        }
    }

    fn jobs_of<'a>(&'a self, groups: &'a Groups, tenant: Tenant) -> Jobs<'a> {
        Jobs {
            groups,
            tenant,
            fresh: self.tenants[tenant].firsts.iter().peekable(),
            again: BinaryHeap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::DeviceId;
    use crate::schedule::Scheduler;
    use crate::schedule::fit::{Profile, Want};
    use crate::schedule::policy::Policy;
    use crate::time::{Monotonic, Timestamp};

    const TENANTS: [&str; 3] = ["ada", "bob", "cyd"];
    /// What the schedule takes an execution to last as long as it has seen no other.
    const TYPICAL: Duration = Duration::from_secs(1);

    fn job(number: u64) -> JobId {
        JobId::new(number, [0; 10])
    }

    fn device() -> DeviceId {
        "sim-1".parse().unwrap()
    }

    fn rank(priority: u8, submission: u64) -> Rank {
        let step = Duration::from_secs(60);
        Rank::new(priority, Timestamp(0), step, Timestamp(0), submission)
    }

    fn scheduler(policy: Policy, jobs: &[(usize, u8)]) -> Scheduler {
        let jobs = jobs
            .iter()
            .map(|(tenant, priority)| (*tenant, *priority, "sim-1"));
        scheduler_of(policy, jobs)
    }

    fn scheduler_of<'a>(
        policy: Policy,
        jobs: impl Iterator<Item = (usize, u8, &'a str)>,
    ) -> Scheduler {
        let mut scheduler = Scheduler::new(policy);
        scheduler.set_profile(&device(), Profile::default());
        for (number, (tenant, priority, target)) in (0..).zip(jobs) {
            let want = Want {
                target: target.parse().unwrap(),
                needs: None,
            };
            let rank = rank(priority, number);
            scheduler.enqueue_for(job(number), &want, TENANTS[tenant], rank);
        }
        scheduler
    }

    proptest! {
        #[test]
        fn a_place_in_the_line_is_the_turn_that_comes_if_nothing_changes(
            jobs in proptest::collection::vec(
                (0usize..3, 0u8..3, prop::sample::select(vec!["sim-1", "sim-*", "*"])),
                1..40,
            ),
            weight in 1u32..4,
        ) {
            let policy = Policy {
                tenant_weights: [("cyd".to_owned(), weight)].into(),
                ..Policy::default()
            };
            let count = jobs.len() as u64;
            let mut scheduler = scheduler_of(policy, jobs.into_iter());
            let told: Vec<_> = (0..count).map(|n| scheduler.line(job(n)).unwrap()).collect();
            scheduler.set_device(&device(), 1, true);
            let (mut now, mut turns) = (Monotonic(Duration::ZERO), Vec::new());
            while let Some(pick) = scheduler.pick(now) {
                turns.push(pick.job);
                now = now + TYPICAL;
                scheduler.release(pick.job, now);
            }
            for (number, line) in (0..count).zip(&told) {
                let place = turns.iter().position(|turn| *turn == job(number)).unwrap();
                prop_assert!(line.is_exact());
                prop_assert_eq!(line.ahead, place);
                let named: Vec<_> = line.named.iter().map(|ahead| ahead.job).collect();
                prop_assert_eq!(&named[..], &turns[..place.min(NAMED_MAX)]);
            }
        }
    }

    #[test]
    fn each_rule_is_named_by_which_another_job_comes_first() {
        let line = scheduler(Policy::default(), &[(1, 50), (1, 50), (1, 60), (0, 0)]);
        let named = line.line(job(1)).unwrap().named;
        let named: Vec<_> = named.iter().map(|ahead| (ahead.job, ahead.rule)).collect();
        let expected = [
            (job(3), Rule::FairShare),
            (job(2), Rule::PriorityAndAge),
            (job(0), Rule::Submission),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn of_a_tenant_at_its_limit_only_its_own_jobs_are_ahead() {
        let policy = Policy {
            tenant_running: 1,
            ..Policy::default()
        };
        let mut scheduler = scheduler(policy, &[(0, 0), (1, 9), (1, 8), (1, 7)]);
        scheduler.set_device(&device(), 2, true);
        scheduler.pick(Monotonic(Duration::ZERO)).unwrap();
        scheduler.pick(Monotonic(Duration::ZERO)).unwrap();
        assert_eq!(scheduler.limit_of("bob"), Some(1));
        let line = scheduler.line(job(3)).unwrap();
        let rule = Rule::PriorityAndAge;
        assert_eq!(line.named, [Ahead { job: job(2), rule }]);
        assert_eq!(scheduler.line(job(1)), None, "it runs");
    }

    #[test]
    fn no_more_turns_are_looked_at_than_the_bound() {
        let jobs = vec![(0, 50); TURNS_MAX + 10];
        let scheduler = scheduler(Policy::default(), &jobs);
        let last = scheduler.line(job(TURNS_MAX as u64 + 9)).unwrap();
        assert!(!last.is_exact() && last.ahead == TURNS_MAX);
        assert!(
            scheduler
                .line(job(TURNS_MAX as u64 - 1))
                .unwrap()
                .is_exact()
        );
    }
}
