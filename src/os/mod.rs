//! The real world: clocks, chance, files, sockets, signals. Nothing in here is part of the
//! simulated build, and nothing outside may do what it does.

#![expect(clippy::disallowed_methods, reason = "the ports end here")]

pub mod artifacts;
pub mod clock;
pub mod config;
pub mod http;
pub mod jobs;
pub mod production;
pub mod serve;
pub mod telemetry;
