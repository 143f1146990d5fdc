//! `cargo sim`: runs scenarios in the simulated world. The plain build only finds its way there.

#[cfg(madsim)]
mod cli;

/// A run is mostly small messages: half of its time would go into the system's allocator.
#[cfg(madsim)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    let arguments = std::env::args_os().skip(1);
    match qrtx_sim::reexec::command(arguments).status() {
        // A cargo that was killed has no code.
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            std::process::ExitCode::from(code.unwrap_or(2))
        }
        Err(why) => {
            #[expect(clippy::print_stderr, reason = "this is a command")]
            {
                eprintln!("cargo cannot be started: {why}");
            }
            std::process::ExitCode::from(2)
        }
    }
}
