//! Doubles of the two neighbours, as the running services behave (eigen-compiler and
//! driver-manager of 2026-06-22), with faults on demand.
//!
//! [`CompilerDouble`] and [`DriverDouble`] are tonic services without a transport: they give
//! [`tonic::service::Routes`] to serve over sockets ([`serve`]) or over a simulated link. They
//! spawn nothing and take their time from a [`qrtx::ports::Clock`]; a run on a device is a row
//! with a start and an end, so it goes on though its caller has gone, as on the real one.
//! [`Whims`] says what they do wrong, and when.
//!
//! Not here: physics. Counts are drawn from a hash, not from a state vector, so that no code
//! under test takes part in its own judgement.

pub mod call;
pub mod compiler;
mod damage;
pub mod driver;
mod refusal;
#[cfg(not(madsim))]
pub mod serve;
pub mod whims;

pub use call::{Call, Method};
pub use compiler::CompilerDouble;
pub use driver::{DriverDouble, Run, device};
#[cfg(not(madsim))]
pub use serve::{Served, Unserved};
pub use whims::{Evidence, Loss, Rule, Scope, Whim, Whims};
