//! The simulated world: the deployment of a kernel, its neighbours and its clients, each on a
//! node of its own, real gRPC messages between them, and one seed that decides everything.
//!
//! [`scenario`] says what happens, `world` lets it happen, [`trace`] is what was seen. What
//! needs madsim is compiled only in the simulated build (`cargo sim`).

pub mod chance;
pub mod change;
pub mod draw;
mod less;
#[cfg(madsim)]
pub mod link;
#[cfg(madsim)]
pub mod nemesis;
pub mod planted;
#[cfg(madsim)]
pub mod process;
pub mod random;
pub mod rare;
pub mod record;
pub mod reexec;
pub mod scenario;
pub mod smaller;
pub mod trace;
pub mod verdict;
#[cfg(madsim)]
pub mod world;
