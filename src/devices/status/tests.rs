use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::devices::{Patience, Steadiness};
use crate::time::{Moment, Monotonic, Timestamp};

fn held() -> Held {
    let patience = Patience {
        losses: 1,
        within: Duration::from_secs(600),
        hold: Duration::from_millis(1_500),
    };
    let mut device = Steadiness::default();
    for (second, hardware) in [Hardware::Online, Hardware::Error, Hardware::Online]
        .into_iter()
        .enumerate()
    {
        let span = Duration::from_secs(second as u64);
        let at = Moment {
            monotonic: Monotonic(span),
            wall: Timestamp(0) + span,
        };
        device.hear(hardware, at, patience);
    }
    device.held().unwrap()
}

fn well() -> Known {
    Known {
        out_of_reach: None,
        listed: true,
        hardware: Hardware::Online,
        held: None,
        draining: false,
    }
}

#[test]
fn each_status_has_its_reason() {
    let unreachable = Obstacle::Unreachable("driver-manager at d:1 cannot be reached".into());
    let hardware = |hardware| Known { hardware, ..well() };
    let calibrating = hardware(Hardware::Calibrating);
    let all = [
        well(),
        hardware(Hardware::Offline),
        calibrating.clone(),
        hardware(Hardware::Maintenance),
        hardware(Hardware::Error),
        Known {
            listed: false,
            ..hardware(Hardware::Offline)
        },
        Known {
            held: Some(held()),
            ..well()
        },
        Known {
            draining: true,
            ..well()
        },
        Known {
            draining: true,
            held: Some(held()),
            ..calibrating.clone()
        },
        Known {
            out_of_reach: Some(unreachable),
            draining: true,
            ..calibrating
        },
        Known {
            out_of_reach: Some(Obstacle::NeverReached(None)),
            ..well()
        },
    ];
    let told = all.map(|known| {
        let obstacles = known.obstacles();
        let sentences = obstacles
            .iter()
            .map(|it| format!("  {}\n", it.sentence("qpu:b")));
        let sentences: String = sentences.collect();
        format!("{}\n{sentences}", Status::of(&obstacles).name())
    });
    insta::assert_snapshot!(told.concat());
}

fn any_known() -> impl Strategy<Value = Known> {
    let hardware = prop::sample::select(vec![
        Hardware::Online,
        Hardware::Offline,
        Hardware::Calibrating,
        Hardware::Maintenance,
        Hardware::Error,
    ]);
    let out_of_reach = prop::sample::select(vec![
        None,
        Some(Obstacle::NeverReached(None)),
        Some(Obstacle::Unreachable("why".into())),
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (hardware, out_of_reach, flags).prop_map(|(hardware, out_of_reach, flags)| {
        let (listed, is_held, draining) = flags;
        Known {
            out_of_reach,
            listed,
            hardware,
            held: is_held.then(held),
            draining,
        }
    })
}

proptest! {
    #[test]
    fn only_a_device_against_which_nothing_is_is_online(known in any_known()) {
        let is_well = known.out_of_reach.is_none()
            && known.listed
            && known.hardware == Hardware::Online
            && known.held.is_none()
            && !known.draining;
        let obstacles = known.clone().obstacles();
        prop_assert_eq!(Status::of(&obstacles) == Status::Online, is_well);
        prop_assert_eq!(obstacles.is_empty(), is_well);
        // What weighs more is never hidden by what weighs less.
        let status = Status::of(&obstacles);
        if known.out_of_reach.is_some() {
            prop_assert_eq!(status, Status::Unreachable);
        } else if known.listed && known.hardware != Hardware::Online {
            prop_assert_eq!(status, known.hardware.into());
        } else if status == Status::Draining {
            prop_assert!(known.draining && known.held.is_none());
        }
    }
}
