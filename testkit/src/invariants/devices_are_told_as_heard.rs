//! Whoever looks at the devices is told of each what the kernel heard of it last, however late an older
//! answer comes, of all of which it has heard, and of none that it takes jobs while it is not known
//! whether it is there (issue 6).

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::devices::Status;

use super::Breach;
use super::unsteady_devices_rest::rests;
use crate::history::{Asked, History, Look, Word};

const A_MOMENT_MS: u64 = 100;

/// Says what was told of a device, and never heard.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut untrue = BTreeMap::new();
    for look in history
        .looks
        .iter()
        .filter(|look| !just_woke(history, look))
    {
        let lives = lives(history, look);
        for (device, told) in &look.devices {
            let heard = |life: &u32| heard(history, *life, device, look);
            let words: Vec<_> = lives.iter().flat_map(heard).collect();
            let in_reach = || {
                lives
                    .iter()
                    .any(|life| may_be_in_reach(history, *life, look))
            };
            let is_so = words.iter().any(|word| may_be(history, word, *told, look))
                && (*told == Status::Unreachable || in_reach());
            if is_so {
                untrue.remove(device);
            } else if untrue.insert(device, *told) != Some(*told) {
                // Who looks again sees the same.
                broken.push(Breach::at(look.at, untold(device, *told, words.last())));
            }
        }
        let known = |life: &u32, device: &str| {
            let mut words = of_device(history, *life, device);
            words.any(|word| word.listed && word.at < look.asked)
        };
        let missing = history.slots.keys().find(|device| {
            let by_all = !lives.is_empty() && lives.iter().all(|life| known(life, device));
            by_all && !look.devices.contains_key(*device)
        });
        broken.extend(missing.map(|device| {
            let how = format!("{device} is known, and whoever looked was not told of it");
            Breach::at(look.at, how)
        }));
    }
    broken
}

/// Whether a kernel stood still while it was asked, or just before: it answers before it has looked
/// around.
fn just_woke(history: &History, look: &Look) -> bool {
    let moment = Duration::from_millis(A_MOMENT_MS);
    let mut pauses = history.pauses.iter();
    pauses.any(|(from, until)| *from <= look.at && look.asked <= *until + moment)
}

/// Why somebody was told wrongly how a device is.
fn untold(device: &str, told: Status, last: Option<&&Word>) -> String {
    let name = told.name();
    let Some(word) = last else {
        return format!("{device} was told to be {name}, and nothing was heard of it");
    };
    let said = match word.listed {
        true => word.hardware.name(),
        false => "not in the list",
    };
    let at = word.at.as_secs_f64();
    let rest = match told {
        Status::Offline | Status::Error if word.is_up() => ", and it need not rest any more",
        _ => "",
    };
    format!("{device} was told to be {name}; the last word of it, at {at:.3} s, was {said}{rest}")
}

/// The lives of the kernel of which one has answered.
fn lives(history: &History, look: &Look) -> Vec<u32> {
    let lives = (1..).zip(&history.starts);
    let lives = lives.filter(|(_, start)| {
        let ended = start.ended.unwrap_or(Duration::MAX);
        start.at <= look.at && look.asked <= ended
    });
    lives.map(|(life, _)| life).collect()
}

fn of_device<'a>(
    history: &'a History,
    life: u32,
    device: &str,
) -> impl DoubleEndedIterator<Item = &'a Word> {
    let words = history.words.iter();
    words.filter(move |word| word.life == life && word.device == device)
}

/// What this life may have gone by: what it had heard last when it was asked, and what came while it
/// was.
fn heard<'a>(history: &'a History, life: u32, device: &str, look: &Look) -> Vec<&'a Word> {
    let last = of_device(history, life, device)
        .rev()
        .find(|word| word.at <= look.asked);
    let meanwhile =
        of_device(history, life, device).filter(|word| look.asked < word.at && word.at <= look.at);
    last.into_iter().chain(meanwhile).collect()
}

/// Whether the driver-manager was in reach when it was asked for its devices the last time.
fn may_be_in_reach(history: &History, life: u32, look: &Look) -> bool {
    let asked = history.asked.iter();
    // Of a question that was dropped before its time nobody learns anything.
    let whole = Duration::from_millis(history.limits.call_ms);
    let dropped = |call: &Asked| {
        call.end == "given up" && call.ended.is_some_and(|ended| ended < call.at + whole)
    };
    let lists =
        asked.filter(|call| call.life == life && call.what == "ListDevices" && !dropped(call));
    // Of two questions the later one tells, whichever is answered last.
    let told = lists.filter_map(|call| Some((call.at, call.ended?, call.end == "Ok")));
    let told: Vec<_> = told.filter(|(_, ended, _)| *ended <= look.at).collect();
    let before = told.iter().filter(|(_, ended, _)| *ended <= look.asked);
    let Some((asked, _, well)) = before.max() else {
        return true;
    };
    let mut since = told
        .iter()
        .filter(|(at, ended, _)| at >= asked && *ended > look.asked);
    *well || since.any(|(_, _, well)| *well)
}

/// Whether a device that was heard of so may be told so: an operator and its own past may keep it from
/// work, and so does a driver-manager that is out of reach.
fn may_be(history: &History, word: &Word, told: Status, look: &Look) -> bool {
    let itself = match word.listed {
        true => word.hardware.into(),
        false => Status::Offline,
    };
    match told {
        Status::Unreachable => true,
        told if told == itself => true,
        Status::Draining => {
            let mut drained = history.drained.iter();
            word.is_up() && drained.any(|drained| drained.device == word.device)
        }
        Status::Offline | Status::Error => word.is_up() && may_rest(history, word, look),
        _ => false,
    }
}

/// Whether a device has to rest while somebody looks; to a moment, because the kernel heard of it a
/// little before the answer was seen here.
fn may_rest(history: &History, word: &Word, look: &Look) -> bool {
    let words = of_device(history, word.life, &word.device);
    let words: Vec<_> = words.filter(|word| word.at <= look.at).collect();
    let mut limits = history.limits.clone();
    limits.device_losses_ms += A_MOMENT_MS;
    limits.device_hold_ms += A_MOMENT_MS;
    let mut rests = rests(&words, &limits).into_iter();
    rests.any(|(from, until)| from <= look.at && look.asked <= until)
}

#[cfg(test)]
mod tests {
    use qrtx::ports::devices::Hardware;

    use super::*;
    use crate::history::{Drained, Start};
    use crate::invariants::sample::{asked, good, secs};

    /// What is wrong if a device that said this, one second after the other, is told of as `told`.
    fn told_of(said: &[Hardware], told: Option<Status>, mend: impl FnOnce(&mut History)) -> usize {
        let mut history = good();
        let start = Start {
            at: secs(0),
            ready: Some(secs(0)),
            ended: None,
        };
        history.starts = vec![start];
        let device = history.slots.keys().next().unwrap().clone();
        let words = (1..).zip(said).map(|(at, hardware)| Word {
            at: secs(at),
            life: 1,
            device: device.clone(),
            hardware: *hardware,
            listed: true,
        });
        history.words = words.collect();
        let devices = told.into_iter().map(|told| (device.clone(), told));
        history.looks.push(Look {
            asked: secs(20),
            at: secs(21),
            devices: devices.collect(),
        });
        mend(&mut history);
        check(&history).len()
    }

    #[test]
    fn an_old_word_is_refused() {
        let said = [Hardware::Online, Hardware::Calibrating];
        let nothing = |_: &mut History| {};
        assert_eq!(told_of(&said, Some(Status::Calibrating), nothing), 0);
        assert_eq!(told_of(&said, Some(Status::Unreachable), nothing), 0);
        assert_eq!(told_of(&said, Some(Status::Online), nothing), 1);
        let silent = |history: &mut History| {
            let mut call = asked("ListDevices", 18, 19);
            call.end = "Unavailable".to_owned();
            history.asked.push(call);
        };
        assert_eq!(told_of(&said, Some(Status::Calibrating), silent), 1);
        assert_eq!(told_of(&said, Some(Status::Unreachable), silent), 0);
        let dropped = |history: &mut History| {
            silent(history);
            history.asked.last_mut().unwrap().end = "given up".to_owned();
        };
        assert_eq!(told_of(&said, Some(Status::Calibrating), dropped), 0);
        let meanwhile = |history: &mut History| history.words[1].at = secs(21);
        assert_eq!(told_of(&said, Some(Status::Online), meanwhile), 0);
        let gone = |history: &mut History| history.words[1].listed = false;
        assert_eq!(told_of(&said, Some(Status::Calibrating), gone), 1);
        assert_eq!(told_of(&said, Some(Status::Offline), gone), 0);
    }

    #[test]
    fn a_device_that_is_not_told_of_is_missed() {
        assert_eq!(told_of(&[Hardware::Online], None, |_| {}), 1);
        assert_eq!(told_of(&[], None, |_| {}), 0, "nobody has heard of it");
    }

    #[test]
    fn what_keeps_a_device_from_work_must_be_so() {
        let up = [Hardware::Online, Hardware::Offline, Hardware::Online];
        assert_eq!(told_of(&up, Some(Status::Draining), |_| {}), 1);
        let drained = |history: &mut History| {
            let device = history.words[0].device.clone();
            let certain = (secs(3), secs(9));
            history.drained.push(Drained { device, certain });
        };
        assert_eq!(told_of(&up, Some(Status::Draining), drained), 0);
        let held = |history: &mut History| history.limits.device_losses = 1;
        assert_eq!(told_of(&up, Some(Status::Offline), held), 0);
        assert_eq!(told_of(&up[2..], Some(Status::Offline), held), 1);
        let stayed = |history: &mut History| {
            held(history);
            history.limits.device_hold_ms = 5_000;
        };
        assert_eq!(told_of(&up, Some(Status::Offline), stayed), 1);
        let still = |history: &mut History| {
            stayed(history);
            history.pauses.push((secs(6), secs(20)));
        };
        assert_eq!(told_of(&up, Some(Status::Offline), still), 0);
    }
}
