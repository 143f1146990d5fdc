//! What is kept: jobs in a store (the truth), artifacts in QFS (its projection, D13).
//!
//! A job store is an ordered map of bytes (`map`) and rules over it: where things stand (`place`),
//! how they lie there (`record`, `head`), which rows a commit writes (`encoded`), what it may change
//! (`commit`), what it knows of itself (`own`), how a job is found (`find`) and how all that is read
//! (`look`). The stores differ in the `ground` beneath the map alone.

pub mod artifacts;
mod commit;
pub mod disk;
mod encoded;
mod find;
mod ground;
mod head;
mod look;
mod map;
pub mod memory;
mod own;
mod place;
mod record;

pub use artifacts::Artifacts;
pub use disk::RedbStore;
pub use head::FORM as HEAD_FORM;
pub use memory::MemoryStore;
