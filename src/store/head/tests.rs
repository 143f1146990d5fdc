use std::sync::Arc;

use super::*;
use crate::ids::{Epoch, ReservationId};
use crate::job::event::CircuitFormat;
use crate::schedule::fit::Needs;

/// Heads of which each has something else, together everything there is to have.
fn heads() -> Vec<Head> {
    let receipts = [
        None,
        Some(Receipt::NotStarted),
        Some(Receipt::StoppedOnDevice { shots_used: 9 }),
        Some(Receipt::StopUnconfirmed),
    ];
    let duties = Duty::ALL.into_iter().map(Some).chain([None]).cycle();
    let phases = Phase::ALL.into_iter().map(Some).chain([None]).cycle();
    let shown = PublicState::ALL.into_iter().cycle();
    let receipts = receipts.into_iter().cycle();
    let kinds = duties.zip(phases).zip(shown).zip(receipts);
    let head = |(number, (state, (((duty, phase), shown), receipt)))| {
        let odd = number % 2 == 1;
        let text = |text: &str| odd.then(|| text.to_owned());
        Head {
            id: JobId::new(1, [number; 10]),
            submission: 11,
            seq: 7,
            state,
            state_since: Timestamp(i64::MAX),
            phase,
            shown,
            created_at: Timestamp(-1),
            updated_at: Timestamp(0),
            expires_at: Timestamp(i64::MIN),
            not_before: odd.then_some(Timestamp(0)),
            name: "Glockenspiel ♪".to_owned(),
            tenant: "tenant ä".to_owned(),
            project: String::new(),
            key: odd.then_some(Key::from_bytes([7; 32])),
            trace_id: u128::MAX - 5,
            priority: 100,
            shots: u32::MAX,
            want: Want {
                target: if odd { "sim:*?qubits=3" } else { "sim-1" }
                    .parse()
                    .unwrap(),
                needs: odd.then(|| {
                    Arc::new(Needs {
                        format: CircuitFormat::Qasm3Text,
                        qubits: Some(3),
                        ops: ["CX".to_owned()].into(),
                    })
                }),
            },
            reservation: odd.then(|| ReservationId::new(Epoch(3), 12).unwrap()),
            device: odd.then(|| "sim-2".parse().unwrap()),
            holds: (number % 3 == 1).then(|| "sim-3".parse().unwrap()),
            attempt: 2,
            tries: 3,
            setback: text("the compiler was away"),
            doubt: text(""),
            duty,
            counts_in_hand: odd,
            receipt,
            error: odd.then(|| JobError {
                code: "TIMEOUT".into(),
                summary: "it took too long".to_owned(),
            }),
        }
    };
    let states = State::ALL.into_iter().zip(kinds);
    (0..).zip(states).map(head).collect()
}

#[test]
fn a_head_and_its_stub_read_back_and_any_part_of_it_is_none() {
    for head in heads() {
        let row = encode(head.clone());
        assert_eq!(stub(&row), Ok(Read::Head(Box::new(head.clone())).stub()));
        assert_eq!(decode(&row, 11), Ok(Read::Head(Box::new(head))));
        for length in 0..row.len() {
            assert!(decode(&row[..length], 11).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn a_head_of_which_something_makes_no_sense_is_none() {
    let spoils: [fn(&mut Row); 14] = [
        |row| row.id.truncate(15),
        |row| row.trace_id.clear(),
        |row| row.state = 11,
        |row| row.phase = 6,
        |row| row.shown = 8,
        |row| row.duty = 10,
        |row| row.receipt = 4,
        |row| row.target.clear(),
        |row| row.key = Some(vec![1]),
        |row| row.priority = 256,
        |row| row.needs = Some(b"{}".to_vec()),
        |row| row.reservation = Some("no reservation".to_owned()),
        |row| row.device = Some(String::new()),
        |row| row.holds = Some("\n".to_owned()),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let mut row = Row::from(heads().remove(0));
        assert!(row.clone().head(1).is_some());
        spoil(&mut row);
        assert_eq!(row.head(1), None, "spoil {number}");
    }
}

#[test]
fn of_an_earlier_form_so_much_is_read_that_the_rest_can_be_found() {
    let id = JobId::new(1, [2; 10]);
    for (form, duty, key) in [
        (1, false, Some(Key::from_bytes([7; 32]))),
        (1, true, None),
        (2, false, None),
        (2, true, Some(Key::from_bytes([7; 32]))),
    ] {
        let flags = u8::from(duty) | u8::from(key.is_some()) << 1;
        let mut bytes = vec![3, flags];
        bytes.extend(id.to_be_bytes());
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend((-5_i64).to_be_bytes());
        bytes.extend(9_i64.to_be_bytes());
        bytes.extend(key.map(Key::to_bytes).into_iter().flatten());
        for length in 0..bytes.len() {
            let cut = record::seal_as(form, length, |row| row.extend(&bytes[..length]));
            assert!(decode(&cut, 11).is_err(), "{length} bytes");
        }
        let row = record::seal_as(form, 99, |row| {
            row.extend(&bytes);
            row.extend(*b"and what else there was");
        });
        let stub = Stub {
            id,
            seq: 7,
            state: State::Queued,
            duty,
            created_at: Timestamp(-5),
            state_since: Timestamp(9),
            key,
        };
        assert_eq!(decode(&row, 11), Ok(Read::Old(stub)));
    }
}
