//! A job is given a device only if that takes jobs by the newest word about it, however late an older
//! one comes (issue 6).

use super::Breach;
use crate::history::{History, Word};
use crate::turns::SETTLED;

/// Says which job was given a device that was known to be away or busy with itself.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    for given in &history.given {
        let words = history.words.iter().filter(|word| {
            (word.life, &word.device) == (given.life, &given.device) && word.at <= given.at
        });
        // By the time that it is to be stored, its turn may have been given.
        let since = history.lived_since(given.at, SETTLED);
        let (before, meanwhile): (Vec<_>, Vec<_>) = words.partition(|word| word.at <= since);
        let Some(last) = before.last() else { continue };
        if !last.is_up() && !meanwhile.into_iter().any(Word::is_up) {
            let (job, device, at) = (given.job, &given.device, given.at.as_secs_f64());
            let (said, heard) = (last.hardware.name(), last.at.as_secs_f64());
            let how = format!(
                "{job} was given {device} at {at:.3} s, which was {said} since {heard:.3} s"
            );
            broken.push(Breach::at(given.at, how));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qrtx::ports::devices::Hardware;

    use super::*;
    use crate::history::Given;
    use crate::invariants::sample::{good, job, secs};

    #[test]
    fn a_turn_on_a_device_that_is_away_is_refused() {
        let mut history = good();
        let said = [Hardware::Online, Hardware::Calibrating, Hardware::Online];
        let words = [1, 10, 20].into_iter().zip(said);
        let words = words.map(|(at, hardware)| Word {
            at: secs(at),
            life: 1,
            device: "qpu".to_owned(),
            hardware,
            listed: true,
        });
        history.words = words.collect();
        let given = |history: &mut History, at: Duration, life| {
            let (job, device) = (job(), "qpu".to_owned());
            history.given = vec![Given {
                at,
                life,
                job,
                device,
            }];
            check(history).len()
        };
        assert_eq!(given(&mut history, secs(5), 1), 0);
        assert_eq!(given(&mut history, secs(10), 1), 0, "it was decided before");
        assert_eq!(given(&mut history, secs(15), 1), 1);
        assert_eq!(given(&mut history, secs(15), 2), 0, "nobody has told it");
        assert_eq!(given(&mut history, secs(20), 1), 0);
        history.words[2].listed = false;
        assert_eq!(given(&mut history, secs(25), 1), 1, "it is gone");
    }
}
