//! The kernel as its users meet it: over gRPC, with its real neighbours or their doubles.

#![cfg(not(madsim))]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests say what they expect, and look at real clocks and files"
)]

mod artifacts;
mod bad_input;
mod cancel;
mod circuits;
mod cli;
mod conformance;
mod drain;
mod edges;
mod examples;
mod flapping;
mod fsck;
mod full;
mod harness;
mod killed;
mod lifecycle;
mod misplaced;
mod neighbours;
mod process;
mod recovery;
mod reserve;
mod responsive;
mod retention;
mod rows;
mod spans;
mod still;
mod system_api;
mod targets;
mod torn;
mod watch;
