//! What a waiting job takes: bytes that were allocated, so that it is the same on every machine.

#![cfg(not(madsim))]
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use peak_alloc::PeakAlloc;
use qrtx::embedded::SIM_LOCAL;
use qrtx::kernel::{Kernel, Settings};
use qrtx::os::artifacts::Opened;
use qrtx::os::clock::SystemClock;
use qrtx::os::config::Options;
use qrtx::os::production::Production;
use qrtx::ports::{Clock as _, JobStore as _};
use qrtx::store::MemoryStore;
use qrtx_testkit::jobs::{job, straight_way};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// A million of them must fit into a gigabyte, with room for everything else (D17).
const BYTES_MAX: usize = 800;

/// A store in which so many jobs wait for the embedded device, which takes none.
async fn store_of(jobs: u64) -> MemoryStore {
    let store = MemoryStore::default();
    let epoch = store.claim().await.unwrap();
    let device = SIM_LOCAL.parse().unwrap();
    store.set_draining(epoch, device, true).await.unwrap();
    let now = SystemClock::default().now();
    let day = Duration::from_secs(24 * 3600);
    for number in 0..jobs {
        let draft = job().target(SIM_LOCAL).expires_at(now + day);
        let mut life = draft.submitted_at(number, now);
        for event in straight_way(100).into_iter().take(3) {
            life.then(event);
        }
        store.append(epoch, life.commit()).await.unwrap();
    }
    store
}

/// What a kernel that has taken so many waiting jobs over has allocated, its store left out.
async fn taken_by(jobs: u64) -> usize {
    let store = store_of(jobs).await;
    let config = Options::default().resolve().unwrap();
    let files = Arc::new(InMemory::new());
    let opened = Opened {
        synced: files.clone(),
        store: files,
    };
    let before = ALLOCATED.current_usage();
    let env = Production::new(&config, store, opened).unwrap();
    let kernel = Kernel::start(env, Settings::default()).await.unwrap();
    let waiting = || -> usize {
        let (devices, ..) = kernel.devices();
        devices.iter().map(|device| device.load.waiting).sum()
    };
    while waiting() < usize::try_from(jobs).unwrap() {
        tokio::task::yield_now().await;
    }
    ALLOCATED.current_usage() - before
}

#[tokio::test]
async fn a_waiting_job_takes_few_bytes() {
    let (few, many) = (5_000, 25_000);
    let more = taken_by(many).await - taken_by(few).await;
    let each = more / usize::try_from(many - few).unwrap();
    println!("{each} bytes for each job that waits");
    assert!(each <= BYTES_MAX, "{each} bytes for each job that waits");
}
