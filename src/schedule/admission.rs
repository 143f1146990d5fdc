//! Who is let in: bounds on the jobs that have not ended, of all and of each tenant, and when a
//! job that was refused had better be sent again. Every operation costs O(log t) with `t` tenants
//! that have jobs, and none looks at jobs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::planted::{Bug, planted};
use crate::time::Monotonic;

/// After so long a job that has ended counts for 1/e of what it did at once.
const MEMORY: Duration = Duration::from_secs(60);
/// A tenant without jobs is remembered for so long, with how fast its last ones ended.
const IDLE: Duration = Duration::from_secs(180);
/// A rate is told of so long at least: what was seen for a moment tells none.
const SEEN_MIN: Duration = Duration::from_secs(1);
/// Nobody is asked to come again sooner, however fast jobs end.
pub const RETRY_MIN: Duration = Duration::from_secs(1);
/// Nor later, however slowly they do, and though none has ended: they may at any time.
pub const RETRY_MAX: Duration = Duration::from_secs(60);

/// Jobs that have not ended, and how many of them there may be.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_of_tenant: usize,
    all: Crowd,
    /// Tenants that have such jobs, or had them until lately.
    tenants: BTreeMap<Arc<str>, Crowd>,
    /// Tenants that have or had none, in the order in which they are to be looked at.
    idle: VecDeque<Arc<str>>,
}

/// Why a job was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The limit that is reached.
    pub limit: Limit,
    /// The jobs that it counts.
    pub jobs: usize,
    /// How many there may be.
    pub most: usize,
    /// When there will be room, if jobs go on ending as they did lately; [`RETRY_MIN`] to
    /// [`RETRY_MAX`].
    pub retry_after: Duration,
}

/// Whose jobs a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Everybody's.
    All,
    /// One tenant's.
    Tenant,
}

impl Limit {
    /// The limit's name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "jobs_waiting",
            Self::Tenant => "tenant_waiting",
        }
    }
}

/// Jobs that are counted together, and how fast they end.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    jobs: usize,
    /// When counting began, and what has ended since, each the less the longer ago it was.
    since: Monotonic,
    ended: f64,
    last_end: Monotonic,
    /// Whether it is to be looked at, because it may be forgotten.
    idle: bool,
}

impl Admission {
    /// Nobody yet. At most `most` jobs may be let in, and `most_of_tenant` of one tenant.
    pub fn new(most: usize, most_of_tenant: usize) -> Self {
        Self {
            most,
            most_of_tenant,
            all: Crowd::new(Monotonic(Duration::ZERO)),
            tenants: BTreeMap::new(),
            idle: VecDeque::new(),
        }
    }

    /// Jobs that have not ended.
    pub fn jobs(&self) -> usize {
        self.all.jobs
    }

    /// Whether there is room for one job more of this tenant.
    ///
    /// # Errors
    /// The limit that is reached, that on all first: it is nobody's own fault.
    pub fn room(&self, tenant: &str, now: Monotonic) -> Result<(), Refusal> {
        let of_tenant = self.tenants.get(tenant);
        let of_tenant = of_tenant.copied().unwrap_or_else(|| Crowd::new(now));
        let refused = |crowd: Crowd, most, limit| Refusal {
            limit,
            jobs: crowd.jobs,
            most,
            retry_after: crowd.room_in(most, now),
        };
        if self.all.jobs >= self.most {
            return Err(refused(self.all, self.most, Limit::All));
        }
        match of_tenant.jobs >= self.most_of_tenant {
            true => Err(refused(of_tenant, self.most_of_tenant, Limit::Tenant)),
            false => Ok(()),
        }
    }

    /// A job is there, whether there was room or not. The tenant's name, as it is kept here.
    pub fn came(&mut self, tenant: &str, now: Monotonic) -> Arc<str> {
        self.forget(now);
        self.all.jobs += 1;
        if let Some((known, _)) = self.tenants.get_key_value(tenant) {
            let known = known.clone();
            let crowd = self.tenants.get_mut(tenant);
            crowd.expect("it was just there").jobs += 1;
            return known;
        }
        let name: Arc<str> = tenant.into();
        let mut crowd = Crowd::new(now);
        crowd.jobs = 1;
        self.tenants.insert(name.clone(), crowd);
        name
    }

    /// A job has ended.
    pub fn ended(&mut self, tenant: &str, now: Monotonic) {
        self.left(tenant, |crowd| crowd.end(now));
    }

    /// A job is not there after all, or was counted twice: that makes room, and tells no rate.
    pub fn withdrew(&mut self, tenant: &str) {
        if !planted(Bug::WithdrawalForgotten) {
            self.left(tenant, |_| ());
        }
    }

    fn left(&mut self, tenant: &str, note: impl Fn(&mut Crowd)) {
        let crowd = self.tenants.get_mut(tenant);
        let crowd = crowd.expect("whoever leaves has come");
        for crowd in [&mut self.all, &mut *crowd] {
            crowd.jobs -= 1;
            note(crowd);
        }
        if crowd.jobs == 0 && !crowd.idle {
            crowd.idle = true;
            let known = self.tenants.get_key_value(tenant);
            let (name, _) = known.expect("it was just there");
            self.idle.push_back(name.clone());
        }
    }

    /// Looks at the first two of those that may be forgotten, with each job that comes: more
    /// tenants are not added meanwhile.
    fn forget(&mut self, now: Monotonic) {
        for _ in 0..2 {
            let Some(tenant) = self.idle.pop_front() else {
                return;
            };
            let crowd = self.tenants.get_mut(&tenant);
            let crowd = crowd.expect("whoever is to be looked at is there");
            if crowd.jobs > 0 {
                crowd.idle = false;
            } else if now.since(crowd.last_end) < IDLE {
                return self.idle.push_front(tenant);
            } else {
                self.tenants.remove(&tenant);
            }
        }
    }
}

impl Crowd {
    fn new(since: Monotonic) -> Self {
        Self {
            jobs: 0,
            since,
            ended: 0.0,
            last_end: since,
            idle: false,
        }
    }

    fn end(&mut self, now: Monotonic) {
        self.ended = self.ended * faded(now.since(self.last_end)) + 1.0;
        self.last_end = now;
    }

    /// Jobs that end in a second, as they did lately.
    fn per_second(&self, now: Monotonic) -> f64 {
        let ended = self.ended * faded(now.since(self.last_end));
        // What one end a second would have come to in the time that was seen.
        let seen = now.since(self.since).max(SEEN_MIN);
        let one_a_second = MEMORY.as_secs_f64() * (1.0 - faded(seen));
        ended / one_a_second
    }

    fn room_in(&self, most: usize, now: Monotonic) -> Duration {
        let too_many = (self.jobs + 1).saturating_sub(most) as f64;
        let seconds = too_many / self.per_second(now);
        let span = Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_MAX);
        span.clamp(RETRY_MIN, RETRY_MAX)
    }
}

/// What is left after so long of something that counted for one.
fn faded(span: Duration) -> f64 {
    (-span.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Monotonic {
        Monotonic(Duration::from_secs_f64(seconds))
    }

    /// A crowd of `jobs` of one tenant, of which one ends each `every` seconds, until `until`;
    /// as many come as go.
    fn steady(admission: &mut Admission, tenant: &str, every: f64, until: f64) {
        let mut now = 0.0;
        while now + every <= until {
            now += every;
            admission.ended(tenant, at(now));
            admission.came(tenant, at(now));
        }
    }

    #[test]
    fn each_limit_refuses_by_its_name_and_the_tenants_own_leaves_room_for_others() {
        let mut admission = Admission::new(3, 2);
        let now = at(0.0);
        admission.came("ada", now);
        admission.came("ada", now);
        let refused = admission.room("ada", now).unwrap_err();
        assert_eq!(
            (refused.limit, refused.jobs, refused.most),
            (Limit::Tenant, 2, 2)
        );
        assert_eq!(admission.room("bob", now), Ok(()));
        admission.came("bob", now);
        let refused = admission.room("bob", now).unwrap_err();
        assert_eq!(
            (refused.limit, refused.jobs, refused.most),
            (Limit::All, 3, 3)
        );
        admission.ended("ada", now);
        assert_eq!(admission.room("ada", now), Ok(()));
        admission.withdrew("bob");
        assert_eq!(admission.room("bob", now), Ok(()));
    }

    #[test]
    fn the_wait_is_what_the_jobs_that_ended_lately_make_it() {
        for (every, seen, wanted) in [
            (4.0, 600.0, 4.0),
            // A kernel that has just begun knows the rate as well, from less.
            (4.0, 20.0, 4.0),
            (30.0, 900.0, 30.0),
            (0.01, 100.0, 1.0),
            (300.0, 3000.0, 60.0),
        ] {
            let mut admission = Admission::new(1, 1);
            admission.came("ada", at(0.0));
            steady(&mut admission, "ada", every, seen);
            let told = admission.room("ada", at(seen)).unwrap_err().retry_after;
            let ratio = told.as_secs_f64() / wanted;
            assert!((0.7..1.4).contains(&ratio), "{told:?} for {wanted} s");
        }
    }

    #[test]
    fn a_drain_that_slows_down_is_told_as_it_is_now() {
        let mut admission = Admission::new(1, 1);
        admission.came("ada", at(0.0));
        steady(&mut admission, "ada", 2.0, 300.0);
        let told = |now| admission.room("ada", at(now)).unwrap_err().retry_after;
        let waits = [300.0, 360.0, 480.0, 900.0].map(told);
        assert!(
            waits.is_sorted() && waits[0] < Duration::from_secs(3),
            "{waits:?}"
        );
        assert_eq!(waits[3], RETRY_MAX);
    }

    #[test]
    fn a_backlog_beyond_the_limit_is_waited_for_as_a_whole() {
        // As after a restart with a lower limit.
        let mut admission = Admission::new(1, 100);
        for _ in 0..11 {
            admission.came("ada", at(0.0));
        }
        steady(&mut admission, "ada", 1.0, 600.0);
        let told = admission.room("ada", at(600.0)).unwrap_err().retry_after;
        assert!((9..=14).contains(&told.as_secs()), "{told:?} for 11 jobs");
    }

    #[test]
    fn one_tenants_rate_says_nothing_of_anothers() {
        let mut admission = Admission::new(100, 1);
        admission.came("ada", at(0.0));
        admission.came("bob", at(0.0));
        steady(&mut admission, "ada", 2.0, 100.0);
        let told = |tenant| admission.room(tenant, at(100.0)).unwrap_err().retry_after;
        assert!(told("ada") < Duration::from_secs(4));
        assert_eq!(told("bob"), RETRY_MAX, "none of its jobs has ended");
    }

    proptest! {
        #[test]
        fn a_job_is_let_in_exactly_while_both_counts_are_below_their_limits(
            acts in proptest::collection::vec((0usize..3, 0u8..3), 1..80),
            most in 0usize..6,
            most_of_tenant in 0usize..4,
        ) {
            const TENANTS: [&str; 3] = ["ada", "bob", "cyd"];
            let mut admission = Admission::new(most, most_of_tenant);
            let mut jobs = [0usize; 3];
            for (step, (who, act)) in acts.into_iter().enumerate() {
                let now = at(step as f64);
                let tenant = TENANTS[who];
                let room = admission.room(tenant, now);
                let all: usize = jobs.iter().sum();
                prop_assert_eq!(room.is_ok(), all < most && jobs[who] < most_of_tenant);
                if let Err(refused) = room {
                    prop_assert!((RETRY_MIN..=RETRY_MAX).contains(&refused.retry_after));
                }
                match act {
                    0 => {
                        admission.came(tenant, now);
                        jobs[who] += 1;
                    }
                    _ if jobs[who] == 0 => {}
                    1 => {
                        admission.ended(tenant, now);
                        jobs[who] -= 1;
                    }
                    _ => {
                        admission.withdrew(tenant);
                        jobs[who] -= 1;
                    }
                }
                prop_assert_eq!(admission.jobs(), jobs.iter().sum::<usize>());
                let idle = admission.tenants.values().filter(|crowd| crowd.idle).count();
                prop_assert_eq!(idle, admission.idle.len(), "each is looked at once");
            }
        }
    }

    #[test]
    fn tenants_without_jobs_are_forgotten_and_not_at_once() {
        let mut admission = Admission::new(10, 10);
        for number in 0..1000 {
            let (tenant, now) = (format!("tenant-{number}"), at(f64::from(number)));
            admission.came(&tenant, now);
            admission.ended(&tenant, now);
            assert!(admission.tenants.contains_key(&*tenant));
            let most = IDLE.as_secs() as usize + 2;
            assert!(
                admission.tenants.len() <= most,
                "{}",
                admission.tenants.len()
            );
        }
    }

    #[test]
    fn a_tenant_whose_only_job_has_ended_keeps_its_rate() {
        let mut admission = Admission::new(10, 1);
        for second in 0..100 {
            admission.came("ada", at(f64::from(second)));
            admission.ended("ada", at(f64::from(second) + 0.5));
        }
        admission.came("ada", at(100.0));
        let told = admission.room("ada", at(100.0)).unwrap_err().retry_after;
        assert!(told < Duration::from_secs(2), "{told:?}");
    }
}
