//! The kernel as its users meet it: over gRPC, with its real neighbours or their doubles.

#![cfg(not(madsim))]

mod bad_input;
mod cancel;
mod circuits;
mod harness;
mod lifecycle;
mod neighbours;
mod recovery;
mod responsive;
mod spans;
mod system_api;
mod watch;
