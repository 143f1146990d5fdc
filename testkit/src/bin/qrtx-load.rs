//! Measures what a kernel carries, beside what it stands on.

#![cfg_attr(
    not(madsim),
    expect(clippy::disallowed_methods, reason = "time is what is measured here")
)]

/// That of the kernel's own binary, for both sides.
#[cfg(not(madsim))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(madsim)]
fn main() {}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    tool::main()
}

#[cfg(not(madsim))]
mod tool {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    use clap::{Args, Parser, Subcommand};
    use qrtx_testkit::load::{self, Broken, Plan, Row};

    /// Measures what a kernel carries, beside what it stands on
    #[derive(Debug, Parser)]
    #[command(name = "qrtx-load", version)]
    struct Tool {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        /// Compares a kernel with its references, slice by slice
        Compare(Compare),
        /// Fills a store and waits to be killed
        #[command(hide = true)]
        Fill { folder: PathBuf, jobs: u64 },
        /// Starts a kernel on a filled store
        #[command(hide = true)]
        Reopen { folder: PathBuf, jobs: u64 },
    }

    #[derive(Debug, Args)]
    struct Compare {
        /// Prints the rows as one JSON document
        #[arg(long)]
        json: bool,
        /// Measures the kernel that listens there, with jobs that it will run, in place of kernels
        /// of the tool's own
        #[arg(long, value_name = "HOST:PORT")]
        endpoint: Option<String>,
        /// The device for the jobs at --endpoint
        #[arg(long, value_name = "DEVICE", default_value = "sim:local")]
        target: String,
        /// How long one job, or one answer, at --endpoint may take
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = 60,
            value_parser = clap::value_parser!(u64).range(1..)
        )]
        patience: u64,
        /// Small numbers: shows in seconds that the tool works, and nothing about a kernel
        #[arg(long)]
        quick: bool,
        /// Only these rows: enqueue, life, life_on_disk, status, recovery; with --endpoint enqueue,
        /// life and status
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        only: Vec<String>,
    }

    pub(super) fn main() -> ExitCode {
        let began = Instant::now();
        let tool = Tool::parse();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(run(tool.command, began)),
            Err(why) => Err(Broken(why.to_string())),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                tell(&format!("qrtx-load: {why}"));
                ExitCode::FAILURE
            }
        }
    }

    async fn run(command: Command, began: Instant) -> Result<(), Broken> {
        match command {
            Command::Fill { folder, jobs } => load::fill_and_wait(&folder, jobs).await,
            Command::Reopen { folder, jobs } => load::reopen(&folder, jobs, began).await,
            Command::Compare(wanted) => compare(wanted, began).await,
        }
    }

    async fn compare(wanted: Compare, began: Instant) -> Result<(), Broken> {
        let plan = match wanted.quick {
            true => Plan::quick(),
            false => Plan::whole(),
        };
        let plan = plan.only(&wanted.only)?;
        let aim = wanted.endpoint.map(|endpoint| load::Aim {
            endpoint,
            target: wanted.target,
            patience: Duration::from_secs(wanted.patience),
        });
        let mut rows = Vec::new();
        let progress = |what: &str| {
            tell(&format!(
                "[{:>5.0} s] {what}",
                began.elapsed().as_secs_f64()
            ))
        };
        let mut done = |row: Row| {
            progress(&format!("  {:.2} of {}", row.ratio, row.reference));
            rows.push(row);
        };
        match &aim {
            None => load::compare(&plan, &progress, &mut done).await?,
            Some(kernel) => {
                load::can_aim(&wanted.only)?;
                load::aim(kernel, &plan, &progress, &mut done).await?;
            }
        }
        let text = match wanted.json {
            true => {
                serde_json::to_string_pretty(&rows).map_err(|why| Broken(why.to_string()))? + "\n"
            }
            false => load::table(&rows),
        };
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|why| Broken(why.to_string()))
    }

    /// Where nobody reads, there is nobody to tell.
    fn tell(line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}
