//! What is kept: jobs in a store (the truth), artifacts in QFS (its projection, D13).

pub mod artifacts;
pub mod memory;

pub use artifacts::Artifacts;
pub use memory::MemoryStore;
