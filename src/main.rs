//! The binary: one command line over the library.

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    qrtx::cli::main()
}

#[cfg(madsim)]
fn main() {
    panic!("the simulated build has a binary of its own: cargo sim");
}
