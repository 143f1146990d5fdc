//! What the kernel's schedule is worth on a workload of the published shape, beside first come
//! first served and strict priority, and whether what it tells of waits comes true.

#[cfg(not(madsim))]
mod plot;
#[cfg(not(madsim))]
mod report;

#[cfg(madsim)]
fn main() {}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    report::main()
}
