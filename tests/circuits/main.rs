//! Circuits by the hundred: three front ends and Qiskit agree on generated ones, and none of the
//! spoilt ones does harm.

#![cfg(not(madsim))]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read stored data, look at real clocks, and tell what they have seen"
)]

mod differential;
mod mutation;
mod reference;
mod spoil;
mod traps;
mod turns;
