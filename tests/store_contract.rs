//! Every job store keeps the same promises.

use qrtx::store::memory::{MemoryStore, Row};
use qrtx_testkit::contract;
use qrtx_testkit::contract::store::Spot;
use qrtx_testkit::jobs::Life;

#[tokio::test]
async fn the_memory_store_keeps_the_contract_and_its_clones_share_what_is_stored() {
    // What a process leaves behind is the handle that somebody else still has.
    let reopen = async |store: MemoryStore| {
        let survivor = store.clone();
        drop(store);
        survivor
    };
    let spoil = async |store: MemoryStore, life: &Life, spots: &[Spot]| {
        for spot in spots {
            let row = match spot {
                Spot::Head => Row::Head,
                Spot::Checkpoint => Row::Checkpoint,
                Spot::Event(number) => Row::Event(*number),
                Spot::Name => Row::Name,
            };
            assert!(store.spoil(life.job.id, row), "{spot:?}");
        }
        store
    };
    contract::store::job_store(async || MemoryStore::default(), reopen, spoil).await;
}
