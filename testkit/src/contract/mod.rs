//! One suite per port: each function is one property, and every implementation runs them all.

pub mod store;
