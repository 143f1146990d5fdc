//! What holds of devices that take no new jobs.

use std::collections::BTreeSet;

use qrtx::ids::DeviceId;
use qrtx::ports::store::{AppendError, JobStore};

use super::claim;

fn device(name: &str) -> DeviceId {
    name.parse().expect("a plain word is a device id")
}

/// Until an operator takes it back, however often it is repeated, and only from the one writer.
pub async fn a_device_drains_until_that_is_taken_back<S: JobStore>(
    store: S,
    reopen: impl AsyncFn(S) -> S,
) {
    let old = claim(&store).await;
    let (first, second) = (device("sim:1"), device("sim:2"));
    assert_eq!(store.draining().await, Ok(BTreeSet::new()));
    for _ in 0..2 {
        let noted = store.set_draining(old, first.clone(), true).await;
        assert_eq!(noted, Ok(()));
    }
    let noted = store.set_draining(old, second.clone(), true).await;
    assert_eq!(noted, Ok(()));

    let store = reopen(store).await;
    let both = BTreeSet::from([first.clone(), second.clone()]);
    assert_eq!(store.draining().await, Ok(both));
    let new = claim(&store).await;
    let stale = store.set_draining(old, first.clone(), false).await;
    assert_eq!(stale, Err(AppendError::Fenced(new)));
    for _ in 0..2 {
        let noted = store.set_draining(new, first.clone(), false).await;
        assert_eq!(noted, Ok(()));
    }
    assert_eq!(store.draining().await, Ok(BTreeSet::from([second])));
}
