//! The simulated world of QRTX.

fn main() {}
