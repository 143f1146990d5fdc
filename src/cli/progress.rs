//! The line that lives while a job does: which stage it is in, how far that is, and what it does
//! now, or waits for. It is on stderr, and only if that is a terminal; elsewhere a job that takes
//! long says so in words, each thing once.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::cli::client::Kernel;
use crate::cli::{table, terminal, text, view};
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;

/// How often a job that has nothing new to tell is asked what it waits for.
const ASK: Duration = Duration::from_secs(1);
/// After so long somebody who sees nothing begins to wonder.
const LONG: Duration = Duration::from_secs(3);
/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

/// Columns of the line beside its message. The last three stay free, so that the `^C` that a
/// terminal shows does not begin a line of its own, which nobody would wipe.
const TAKEN: usize = 1 + 1 + 10 + 1 + 7 + 1 + 4 + 1 + 3;

/// The line; a few words where it cannot live, and nothing for a program.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    asking: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts it for one job; `wanted` is false when only a program reads along.
    pub(super) fn start(kernel: &Kernel, job_id: &str, wanted: bool) -> Self {
        if !wanted || !terminal::is_watched() {
            let say = || tokio::spawn(say_what_it_waits_for(kernel.clone(), job_id.to_owned()));
            return Self {
                bar: ProgressBar::hidden(),
                asking: wanted.then(say),
            };
        }
        let bar = ProgressBar::new(stages());
        let form = "{spinner} {prefix:10} {bar:7} {elapsed:>3} {msg}";
        let style = ProgressStyle::with_template(form).expect("the template is right");
        bar.set_style(style.progress_chars("━╸─"));
        bar.enable_steady_tick(TICK);
        let asking = tokio::spawn(ask(kernel.clone(), job_id.to_owned(), bar.clone()));
        Self {
            bar,
            asking: Some(asking),
        }
    }

    /// Shows where the job is after `event`.
    pub(super) fn tell(&self, event: &wire::JobEvent) {
        show(&self.bar, event.state(), &event.message);
    }

    /// Says something above the line, or instead of it.
    pub(super) fn say(&self, what: &str) {
        self.bar.suspend(|| terminal::say(what));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(asking) = self.asking.take() {
            asking.abort();
        }
        self.bar.finish_and_clear();
    }
}

/// For a pipe or a log.
async fn say_what_it_waits_for(kernel: Kernel, job_id: String) {
    let mut said = String::new();
    loop {
        tokio::time::sleep(LONG).await;
        if let Ok(job) = kernel.status(&job_id).await {
            let state = view::state_name(job.state());
            let message = format!("{job_id} is {state}: {}", text::one_line(&job.message));
            if message != said {
                terminal::say(&message);
                said = message;
            }
        }
    }
}

async fn ask(kernel: Kernel, job_id: String, bar: ProgressBar) {
    loop {
        tokio::time::sleep(ASK).await;
        // What goes wrong here is told by whoever follows the events.
        if let Ok(job) = kernel.status(&job_id).await {
            show(&bar, job.state(), &job.message);
        }
    }
}

fn show(bar: &ProgressBar, state: wire::TaskState, message: &str) {
    bar.set_prefix(view::state_name(state));
    bar.set_position(reached(state));
    let room = terminal::watched_columns().saturating_sub(TAKEN);
    bar.set_message(table::cut(&text::one_line(message), room));
}

fn stages() -> u64 {
    reached(view::wire_state(State::Completed))
}

/// How many stages of its life a job has behind it.
fn reached(state: wire::TaskState) -> u64 {
    let state = view::state(state);
    let at = State::ALL.into_iter().position(|one| Some(one) == state);
    at.unwrap_or(0).min(State::Completed as usize) as u64
}
