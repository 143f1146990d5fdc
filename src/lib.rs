//! QRTX, the kernel of Eigen OS.
//!
//! Start with [`job`]: the eleven states, the table of transitions, the events. Then
//! [`kernel`] for the journey of a job and [`stages`] for what it does on the way.
//! ARCHITECTURE.md has the map.

pub mod circuit;
#[cfg(not(madsim))]
pub mod cli;
pub mod devices;
pub mod embedded;
pub mod grpc;
pub mod ids;
pub mod job;
pub mod kernel;
pub mod limits;
pub mod neighbours;
pub mod observe;
#[cfg(not(madsim))]
pub mod os;
pub mod planted;
pub mod ports;
pub mod reconcile;
pub mod retry;
pub mod schedule;
pub mod stages;
pub mod store;
pub mod time;
