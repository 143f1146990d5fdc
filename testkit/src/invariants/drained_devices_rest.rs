//! A device that an operator lets take no new jobs is given none, whichever kernel lives: it is in the
//! store before the operator is told (issue 6).

use super::Breach;
use crate::history::History;
use crate::turns::SETTLED;

/// Says which job was given a device that drained.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for given in &history.given {
        // By then the turn may have been given.
        let since = history.lived_since(given.at, SETTLED);
        let drained = history.drained.iter().find(|drained| {
            let (from, until) = drained.certain;
            drained.device == given.device && from <= since && given.at < until
        });
        if let Some(drained) = drained {
            let (job, device) = (given.job, &given.device);
            let (at, from) = (given.at.as_secs_f64(), drained.certain.0.as_secs_f64());
            broken.push(Breach::at(
                given.at,
                format!("{job} was given {device} at {at:.3} s, which drains since {from:.3} s"),
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Drained, Given};
    use crate::invariants::sample::{good, job, secs};

    #[test]
    fn a_turn_on_a_device_that_drains_is_missed() {
        let mut history = good();
        history.drained.push(Drained {
            device: "qpu".to_owned(),
            certain: (secs(10), secs(20)),
        });
        let given = |at| Given {
            at: secs(at),
            life: 1,
            job: job(),
            device: "qpu".to_owned(),
        };
        history.given = vec![given(10), given(20)];
        assert_eq!(check(&history), [""; 0], "decided before and after");
        history.given.push(given(15));
        assert_eq!(check(&history).len(), 1);
        history.pauses.push((secs(9), secs(15)));
        assert_eq!(check(&history), [""; 0], "it stood still meanwhile");
        history.pauses.clear();
        history.drained[0].device = "qpu:b".to_owned();
        assert_eq!(check(&history), [""; 0]);
    }
}
