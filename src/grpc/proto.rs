//! The code that build.rs makes of `proto/`, re-exported once.

#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::use_self,
    clippy::or_fun_call,
    clippy::large_futures,
    rustdoc::all,
    reason = "generated code"
)]

/// What the kernel itself defines.
pub mod kernel {
    tonic::include_proto!("eigen.kernel.v1");
}

/// What the neighbours speak.
pub mod internal {
    tonic::include_proto!("eigen.internal.v1");
}

/// The descriptors of all of it, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
