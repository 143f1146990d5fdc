//! What the kernel needs from the world: one trait per need, and [`Env`] that bundles them.
//! Production and the simulated world differ in their `Env` and in nothing else (D4).

pub mod clock;
pub mod compiler;
pub mod devices;
pub mod offload;
pub mod store;

use std::future::Future;
use std::sync::Arc;

use object_store::ObjectStore;

pub use clock::Clock;
pub use compiler::Compiler;
pub use devices::Devices;
pub use offload::Offload;
pub use store::JobStore;

/// Everything outside the kernel, in one type parameter, `E` everywhere.
pub trait Env: Send + Sync + 'static {
    /// Wall time, monotonic time, sleep.
    type Clock: Clock;
    /// What turns programs into circuits.
    type Compiler: Compiler;
    /// What runs circuits.
    type Devices: Devices;
    /// Where jobs are kept.
    type Store: JobStore;

    /// The clock.
    fn clock(&self) -> &Self::Clock;
    /// The compiler.
    fn compiler(&self) -> &Self::Compiler;
    /// The devices.
    fn devices(&self) -> &Self::Devices;
    /// The job store.
    fn store(&self) -> &Self::Store;
    /// QFS: the store of artifacts, rooted at the `circuit_fs` folder (D13).
    fn artifacts(&self) -> &Arc<dyn ObjectStore>;
    /// The same store, for objects that are on stable storage when a put returns.
    fn synced_artifacts(&self) -> &Arc<dyn ObjectStore>;
    /// Fills `bytes` with chance (D22).
    fn fill(&self, bytes: &mut [u8]);
    /// Runs a future beside others. It ends with the node or the process, not before.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// A number drawn by chance.
    fn chance_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// A number drawn by chance.
    fn chance_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
}
