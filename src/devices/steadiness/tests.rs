use proptest::prelude::*;

use super::*;

const PATIENCE: Patience = Patience {
    losses: 3,
    within: Duration::from_secs(100),
    hold: Duration::from_secs(30),
};

fn at(second: u64) -> Moment {
    let span = Duration::from_secs(second);
    Moment {
        monotonic: Monotonic(span),
        wall: Timestamp(1_000_000_000) + span,
    }
}

/// A device of which this was heard, second by second.
fn heard(patience: Patience, words: &[(u64, Hardware)]) -> Steadiness {
    let mut device = Steadiness::default();
    for (second, hardware) in words {
        device.hear(*hardware, at(*second), patience);
    }
    device
}

fn held_at(device: &Steadiness, second: u64) -> bool {
    let mut device = device.clone();
    device.look(at(second).monotonic);
    device.held().is_some()
}

use Hardware::{Calibrating, Error, Maintenance, Offline, Online};

/// Away and back again twice.
const TWICE: [(u64, Hardware); 5] = [
    (0, Online),
    (10, Offline),
    (12, Online),
    (20, Offline),
    (22, Online),
];

#[test]
fn a_device_that_is_lost_too_often_has_to_stay_before_it_works() {
    assert!(
        !held_at(&heard(PATIENCE, &TWICE), 22),
        "twice is not thrice"
    );
    let mut words = TWICE.to_vec();
    words.extend([(50, Error), (55, Online)]);
    let device = heard(PATIENCE, &words);
    let held = device.held().unwrap();
    assert_eq!((held.lost_as, held.until), (Error, at(85).wall));
    assert!(held_at(&device, 84));
    assert!(!held_at(&device, 85), "it has stayed for long enough");
    assert_eq!(device.lost_times(), 3);
}

#[test]
fn whoever_goes_away_while_it_is_held_back_begins_anew() {
    let mut words = TWICE.to_vec();
    words.extend([(50, Offline), (55, Online), (60, Offline)]);
    let device = heard(PATIENCE, &words);
    assert_eq!(device.held(), None, "it is away, which says enough");
    words.push((62, Online));
    let device = heard(PATIENCE, &words);
    assert!(held_at(&device, 91));
    assert!(!held_at(&device, 92));
}

#[test]
fn losses_that_are_far_apart_are_put_up_with() {
    let mut words = TWICE.to_vec();
    words.extend([(105, Offline), (111, Online)]);
    assert!(!held_at(&heard(PATIENCE, &words), 111));
    words.pop();
    words.push((110, Online));
    assert!(held_at(&heard(PATIENCE, &words), 110));
}

#[test]
fn what_a_device_does_with_itself_is_no_loss_and_no_return_to_work_either() {
    let mut words = vec![(0, Online)];
    for second in (1..40).step_by(2) {
        words.extend([(second, Calibrating), (second + 1, Maintenance)]);
    }
    words.push((41, Online));
    let device = heard(PATIENCE, &words);
    assert_eq!((device.held(), device.lost_times()), (None, 0));
    let mut words = TWICE.to_vec();
    words.extend([(50, Offline), (55, Calibrating), (60, Online)]);
    assert!(held_at(&heard(PATIENCE, &words), 84), "it is back since 55");
    assert!(!held_at(&heard(PATIENCE, &words), 85));
}

#[test]
fn a_first_word_that_is_bad_is_no_loss() {
    let once = Patience {
        losses: 1,
        ..PATIENCE
    };
    assert!(!held_at(&heard(once, &[(0, Offline), (1, Online)]), 1));
    let lost = [(0, Online), (1, Offline), (2, Error), (3, Online)];
    let device = heard(once, &lost);
    assert_eq!(device.lost_times(), 1, "one that is lost is not lost again");
    assert!(held_at(&device, 3));
}

#[test]
fn without_a_number_nobody_is_held_back() {
    let never = Patience {
        losses: 0,
        ..PATIENCE
    };
    let mut words = TWICE.to_vec();
    words.extend([(30, Offline), (31, Online)]);
    assert!(!held_at(&heard(never, &words), 31));
}

fn words() -> impl Strategy<Value = Vec<(u64, Hardware)>> {
    let hardware = prop_oneof![
        3 => Just(Online),
        3 => Just(Offline),
        1 => Just(Error),
        1 => Just(Calibrating),
        1 => Just(Maintenance),
    ];
    let words = proptest::collection::vec((0u64..20, hardware), 1..60);
    words.prop_map(|mut words| {
        let mut now = 0;
        for (second, _) in &mut words {
            now += *second;
            *second = now;
        }
        words
    })
}

/// The same rule, told with everything in hand: the losses so far, and the last return.
fn is_to_be_held(patience: Patience, words: &[(u64, Hardware)], now: u64) -> bool {
    let pairs = words.windows(2);
    let turned = |from: bool, to: bool| {
        let pairs = pairs.clone();
        let turned =
            pairs.filter(move |pair| (is_lost(pair[0].1), is_lost(pair[1].1)) == (from, to));
        turned.map(|pair| pair[1].0).collect::<Vec<_>>()
    };
    let (losses, returns) = (turned(false, true), turned(true, false));
    let is_away = words.last().is_some_and(|(_, last)| is_lost(*last));
    let Some(back) = returns.last().filter(|_| !is_away) else {
        return false;
    };
    let too_many = losses
        .iter()
        .rev()
        .nth(patience.losses - 1)
        .is_some_and(|oldest| back - oldest <= patience.within.as_secs());
    too_many && now < back + patience.hold.as_secs()
}

proptest! {
    #[test]
    fn it_is_held_back_if_and_only_if_the_rule_says_so(
        words in words(), losses in 1usize..5, later in 0u64..60
    ) {
        let patience = Patience { losses, ..PATIENCE };
        let now = words.last().map_or(0, |(second, _)| *second) + later;
        let device = heard(patience, &words);
        prop_assert_eq!(held_at(&device, now), is_to_be_held(patience, &words, now));
        prop_assert!(device.losses.len() <= losses);
    }

    #[test]
    fn whatever_was_a_device_that_stays_works_within_the_hold(
        words in words(), losses in 0usize..5
    ) {
        let patience = Patience { losses, ..PATIENCE };
        let mut device = heard(patience, &words);
        let back = words.last().map_or(0, |(second, _)| *second) + 1;
        device.hear(Online, at(back), patience);
        for second in back..back + 60 {
            device.hear(Online, at(second), patience);
            if second >= back + 30 {
                prop_assert_eq!(device.held(), None);
            }
        }
    }
}
