//! Jobs move as RFC 0007 says, and never otherwise. The table here is written down a second time
//! on purpose: the kernel's own would agree with whatever the kernel does.

use qrtx::job::state::State::{self, *};

use super::Breach;
use crate::history::History;

/// Every move there is, but for staying and for the ends.
const MOVES: [(State, &[State]); 7] = [
    (Pending, &[Validating]),
    (Validating, &[Compiling]),
    (Compiling, &[Queued]),
    (Queued, &[Allocating]),
    // Back when the device is not ready, or when the circuit is lost.
    (Allocating, &[Executing, Queued, Compiling]),
    (Executing, &[Completing, Queued]),
    (Completing, &[Completed]),
];

/// Says which moves are none.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (id, stored) in &history.stored {
        let states = stored.events.iter().map(|recorded| recorded.state);
        if stored
            .events
            .first()
            .is_some_and(|first| first.state != Pending)
        {
            broken.push(Breach::from(format!("{id} did not begin in Pending")));
        }
        let moves = states.clone().zip(states.skip(1));
        let illegal = moves.filter(|(from, to)| from != to && !may(*from, *to));
        broken.extend(
            illegal.map(|(from, to)| {
                format!("{id} went from {} to {}", from.name(), to.name()).into()
            }),
        );
    }
    broken
}

fn may(from: State, to: State) -> bool {
    let ends = !from.is_terminal() && matches!(to, Failed | Timeout | Cancelled);
    // Counts in hand win over a cancel (D15).
    let too_late = from == Completing && to == Cancelled;
    let listed = MOVES
        .iter()
        .any(|(at, next)| *at == from && next.contains(&to));
    (ends && !too_late) || listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, job};

    #[test]
    fn a_step_that_is_left_out_is_refused() {
        let mut history = good();
        let events = &mut history.stored.get_mut(&job()).unwrap().events;
        events.remove(4);
        assert_eq!(check(&history).len(), 1, "from Queued to Executing");
    }

    #[test]
    fn a_cancel_of_counts_in_hand_is_refused() {
        let mut history = good();
        let events = &mut history.stored.get_mut(&job()).unwrap().events;
        events.last_mut().unwrap().state = Cancelled;
        assert_eq!(check(&history).len(), 1);
    }
}
