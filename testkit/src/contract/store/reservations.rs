//! What holds of reservations.

use qrtx::ids::{Epoch, ReservationId};
use qrtx::job::spec::Owner;
use qrtx::ports::store::{AppendError, JobStore};
use qrtx::schedule::reservation::{Over, Reservation, Why};
use qrtx::time::Timestamp;

use super::claim;

fn reservation(epoch: Epoch, nth: u64) -> Reservation {
    Reservation {
        id: ReservationId::new(epoch, nth).expect("it is a small number"),
        device: "sim:1".parse().expect("a plain word is a device id"),
        owner: Owner {
            tenant: "t".to_owned(),
            project: "p".to_owned(),
            subject: String::new(),
        },
        purpose: "a test".to_owned(),
        key: Some("once".to_owned()),
        made_at: Timestamp(5),
        expires_at: Timestamp(60_000_005),
        over: None,
    }
}

/// As it was stored last, however often it is repeated, until it is forgotten, and only from the
/// one writer.
pub async fn a_reservation_is_as_it_was_stored_last_until_it_is_forgotten<S: JobStore>(
    store: S,
    reopen: impl AsyncFn(S) -> S,
) {
    let old = claim(&store).await;
    let (first, second) = (reservation(old, 1), reservation(old, 2));
    assert_eq!(store.reservations().await, Ok(Vec::new()));
    for _ in 0..2 {
        for one in [&second, &first] {
            let stored = store.set_reservation(old, one.clone(), Vec::new()).await;
            assert_eq!(stored, Ok(()));
        }
    }
    let both = vec![first.clone(), second.clone()];
    assert_eq!(store.reservations().await, Ok(both.clone()));

    let store = reopen(store).await;
    assert_eq!(store.reservations().await, Ok(both.clone()));
    let new = claim(&store).await;
    let over = Over {
        at: Timestamp(9),
        why: Why::Released,
    };
    let ended = Reservation {
        over: Some(over),
        ..first.clone()
    };
    let stale = store
        .set_reservation(old, ended.clone(), vec![second.id])
        .await;
    assert_eq!(stale, Err(AppendError::Fenced(new)));
    assert_eq!(store.reservations().await, Ok(both));
    for _ in 0..2 {
        let stored = store
            .set_reservation(new, ended.clone(), vec![second.id])
            .await;
        assert_eq!(stored, Ok(()));
    }
    assert_eq!(store.reservations().await, Ok(vec![ended]));

    assert_eq!(store.unreadable_reservations().await, Ok(Vec::new()));
    let stale = store.forget_reservations(old, vec![first.id]).await;
    assert_eq!(stale, Err(AppendError::Fenced(new)));
    for _ in 0..2 {
        let gone = vec![first.id, second.id];
        assert_eq!(store.forget_reservations(new, gone).await, Ok(()));
        assert_eq!(store.reservations().await, Ok(Vec::new()));
    }
}
