//! A device that was lost too often lately is given no job before it has stayed for as long as the
//! operator wants (issue 6). Told with what each life of a kernel was itself told, and with another
//! memory than the kernel's.

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::limits::Limits;

use super::Breach;
use crate::history::{History, Word};
use crate::turns::SETTLED;

/// Says which job was given a device that had to rest.
pub fn check(history: &History) -> Vec<Breach> {
    let mut words: BTreeMap<(u32, &str), Vec<&Word>> = BTreeMap::new();
    for word in &history.words {
        let of = words.entry((word.life, &word.device)).or_default();
        of.push(word);
    }
    let rests = words
        .into_iter()
        .map(|(of, words)| (of, rests(&words, &history.limits)));
    let rests: BTreeMap<_, _> = rests.collect();
    let mut broken = Vec::new();
    for given in &history.given {
        // By then the turn may have been given.
        let since = history.lived_since(given.at, SETTLED);
        let of_device = rests.get(&(given.life, &given.device)).into_iter();
        let mut of_device = of_device.flatten();
        if let Some((from, until)) =
            of_device.find(|(from, until)| *from <= since && given.at < *until)
        {
            let (job, device, at) = (given.job, &given.device, given.at.as_secs_f64());
            let (from, until) = (from.as_secs_f64(), until.as_secs_f64());
            broken.push(Breach::at(given.at, format!(
                "{job} was given {device} at {at:.3} s, which was to rest from {from:.3} s to {until:.3} s"
            )));
        }
    }
    broken
}

/// From when until when a device of which this was heard is to rest.
pub(super) fn rests(words: &[&Word], limits: &Limits) -> Vec<(Duration, Duration)> {
    let [within, hold] =
        [limits.device_losses_ms, limits.device_hold_ms].map(Duration::from_millis);
    let turns = words
        .windows(2)
        .filter(|pair| pair[0].is_lost() != pair[1].is_lost());
    let (lost, back): (Vec<_>, Vec<_>) = turns.map(|pair| pair[1]).partition(|word| word.is_lost());
    let rests = back.into_iter().filter_map(|word| {
        let before = lost.iter().filter(|loss| loss.at <= word.at);
        let recent = before.filter(|loss| word.at - loss.at <= within);
        let too_many = limits.device_losses > 0 && recent.count() >= limits.device_losses;
        let again = lost.iter().find(|loss| loss.at > word.at);
        let until = again.map_or(Duration::MAX, |loss| loss.at);
        too_many.then_some((word.at, until.min(word.at + hold)))
    });
    rests.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Given;
    use crate::invariants::sample::{good, job, secs};
    use qrtx::ports::devices::Hardware;

    /// A history in which a device was heard of as lost and as there, in turns.
    fn heard(seconds: &[u64]) -> History {
        let mut history = good();
        history.limits.device_losses = 2;
        history.limits.device_losses_ms = 100_000;
        history.limits.device_hold_ms = 30_000;
        let words = seconds.iter().enumerate().map(|(number, second)| Word {
            at: secs(*second),
            life: 1,
            device: "qpu".to_owned(),
            hardware: [Hardware::Online, Hardware::Offline][number % 2],
            listed: true,
        });
        history.words = words.collect();
        history
    }

    fn given(mut history: History, at: u64) -> usize {
        history.given.push(Given {
            at: secs(at),
            life: 1,
            job: job(),
            device: "qpu".to_owned(),
        });
        check(&history).len()
    }

    #[test]
    fn a_turn_on_a_device_that_has_to_rest_is_missed() {
        let often = [0, 10, 12, 20, 22];
        assert_eq!(given(heard(&often), 15), 0, "it was lost once");
        assert_eq!(given(heard(&often), 22), 0, "it was decided before");
        assert_eq!(given(heard(&often), 23), 1);
        assert_eq!(given(heard(&often), 51), 1);
        assert_eq!(given(heard(&often), 52), 0, "it has stayed");
    }

    #[test]
    fn what_another_kernel_heard_or_long_ago_counts_for_nothing() {
        let often = [0, 10, 12, 20, 22];
        let mut history = heard(&often);
        history.words[1].life = 2;
        assert_eq!(given(history, 30), 0);
        assert_eq!(given(heard(&[0, 10, 12, 111, 112]), 113), 0);
        let mut history = heard(&often);
        history.limits.device_losses = 0;
        assert_eq!(given(history, 30), 0);
    }
}
