//! What is kept: jobs in a store (the truth), artifacts in QFS (its projection, D13).
//!
//! A job store is an ordered map of bytes (`map`) and rules over it: where things stand (`place`),
//! how they lie there (`record`, `summary`), what a commit may change (`commit`) and how all that
//! is read (`look`). The stores differ in the `ground` beneath the map alone.

pub mod artifacts;
mod commit;
pub mod disk;
mod ground;
mod look;
mod map;
pub mod memory;
mod place;
mod record;
mod summary;

pub use artifacts::Artifacts;
pub use disk::RedbStore;
pub use memory::MemoryStore;
