//! The binary: one command line over the library.

/// A life of a job is thousands of small allocations.
#[cfg(not(madsim))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    qrtx::cli::main()
}

#[cfg(madsim)]
fn main() {
    panic!("the simulated build has a binary of its own: cargo sim");
}
