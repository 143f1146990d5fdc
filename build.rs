//! Turns `proto/` into Rust: protox is pure Rust, so no machine needs `protoc`.

use std::path::Path;

use prost::Message as _;

const SERVICES: [&str; 5] = [
    "eigen/kernel/v1/kernel_gateway.proto",
    "eigen/kernel/v1/execution_control.proto",
    "eigen/internal/v1/kernel_gateway.proto",
    "eigen/internal/v1/compilation_service.proto",
    "eigen/internal/v1/driver_manager_service.proto",
];

#[expect(clippy::disallowed_methods, reason = "a build script writes files")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(SERVICES, ["proto"])?;

    // Reflection serves this set, so that a client needs no proto files.
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(
        Path::new(&out).join("descriptors.bin"),
        descriptors.encode_to_vec(),
    )?;

    tonic_prost_build::configure()
        // Ordered maps: the order of iteration is part of behaviour in the simulated world.
        .btree_map(".")
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
