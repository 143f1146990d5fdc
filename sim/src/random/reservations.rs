//! Slots that are reserved in a random run, and the jobs that name them.

use crate::chance::Chance;
use crate::random::millis;
use crate::scenario::{Act, CallPoint, Leg, ReservationPlan, Scenario, Span, Step, When};

/// Of a hundred runs, so many have reservations.
const PERCENT: u64 = 15;

/// One run in seven has one to three, each for the tenant of a job, of which half name it.
pub(super) fn reservations(scenario: &mut Scenario, chance: &mut Chance) {
    if !chance.percent(PERCENT) {
        return;
    }
    if chance.percent(50) {
        scenario.limits.set("tenant_reservations", 1);
    }
    for number in 0..usize::try_from(chance.within(1, 3)).expect("it is a few") {
        let job = chance.one_of(&scenario.jobs).clone();
        scenario.reservations.push(ReservationPlan {
            client: job.client,
            tenant: job.tenant.clone(),
            at: Span(millis(chance.within(0, 3_000))),
            device: job.device.clone(),
            ttl: Span(millis(chance.within(1_000, 60_000))),
            release_after: chance
                .percent(40)
                .then(|| Span(millis(chance.within(0, 20_000)))),
        });
        let own = scenario.jobs.iter_mut().filter(|other| {
            other.reservation.is_none()
                && (&other.tenant, &other.device) == (&job.tenant, &job.device)
        });
        for other in own {
            other.reservation = chance.percent(50).then_some(number);
        }
        // A stranger names it by mistake, and must be refused.
        let mut strangers = scenario.jobs.iter_mut().filter(|other| {
            other.reservation.is_none() && other.device == job.device && other.tenant != job.tenant
        });
        if let Some(stranger) = strangers.next().filter(|_| chance.percent(30)) {
            stranger.reservation = Some(number);
        }
    }
    if chance.percent(35) {
        scenario.steps.push(unheard(scenario, chance));
    }
}

/// What was promised does not get to the client, who asks again with the same key.
fn unheard(scenario: &Scenario, chance: &mut Chance) -> Step {
    let reservations = scenario.reservations.len() as u64;
    let call = CallPoint {
        method: "ReserveDevice".to_owned(),
        from: None,
        job: None,
        leg: Leg::Answer,
        nth: u32::try_from(chance.within(1, reservations)).expect("it is a few"),
    };
    Step {
        when: When::Call(call),
        act: Act::Lose,
    }
}
