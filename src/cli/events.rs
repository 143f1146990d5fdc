//! The events of a job over connections that come and go: after a loss the stream goes on behind
//! the last event that was seen, so that none is missed and none comes twice.

use std::time::{Duration, Instant};

use tonic::Streaming;

use crate::cli::client::Kernel;
use crate::cli::exit::Exit;
use crate::cli::problem::Problem;
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;

/// The first pause between two tries to reach the kernel; doubles up to the other.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a kernel may be away.
#[derive(Debug, clap::Args)]
pub(super) struct Patience {
    /// How long to try to reach a kernel again that went away meanwhile
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = text::parse_whole::<u64>)]
    patience: u64,
}

impl Patience {
    pub(super) fn span(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// The events of one job, in order and without gaps.
#[derive(Debug)]
pub(super) struct Events {
    kernel: Kernel,
    job_id: String,
    after: u64,
    /// After the last event; `None` before the first and for a state that is not known.
    state: Option<State>,
    stream: Option<Streaming<wire::JobEvent>>,
    patience: Duration,
}

impl Events {
    /// Those after number `after`. Nothing is asked yet.
    pub(super) fn new(kernel: &Kernel, job_id: &str, after: u64, patience: Duration) -> Self {
        Self {
            kernel: kernel.clone(),
            job_id: job_id.to_owned(),
            after,
            state: None,
            stream: None,
            patience,
        }
    }

    /// The next event; `None` when the job has ended and all were given.
    pub(super) async fn next(&mut self) -> Result<Option<wire::JobEvent>, Problem> {
        let mut lost: Option<(Instant, Duration)> = None;
        loop {
            let problem = match self.step().await {
                Ok(Some(event)) => {
                    if lost.is_some() {
                        terminal::say("the kernel answers again");
                    }
                    self.after = event.seq;
                    self.state = view::state(event.state());
                    return Ok(Some(event));
                }
                Ok(None) => match self.has_ended().await {
                    Ok(true) => return Ok(None),
                    Ok(false) => {
                        let what = "ended the stream before the job's end";
                        let what = format!("the kernel at {} {what}", self.kernel.endpoint());
                        Problem::lost(self.kernel.endpoint(), what)
                    }
                    Err(problem) => problem,
                },
                Err(problem) => problem,
            };
            if problem.exit != Exit::Unreachable {
                return Err(self.explain(problem, lost.is_some()));
            }
            self.stream = None;
            let (since, pause) = *lost.get_or_insert_with(|| {
                let again = "trying to reach it again";
                terminal::say(&format!("{}; {again}", problem.message));
                (Instant::now(), PAUSE_MIN)
            });
            if since.elapsed() + pause > self.patience {
                return Err(self.gave_up(problem));
            }
            tokio::time::sleep(pause).await;
            lost = Some((since, (pause * 2).min(PAUSE_MAX)));
        }
    }

    /// The job's state after the last event; `None` while that is not known.
    pub(super) fn state(&self) -> Option<State> {
        self.state
    }

    async fn step(&mut self) -> Result<Option<wire::JobEvent>, Problem> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let opened = self.kernel.watch(&self.job_id, self.after).await?;
                self.stream.insert(opened)
            }
        };
        let next = stream.message().await;
        next.map_err(|status| Problem::answered(self.kernel.endpoint(), &status))
    }

    async fn has_ended(&mut self) -> Result<bool, Problem> {
        if self.state.is_none() {
            self.state = view::state(self.kernel.status(&self.job_id).await?.state());
        }
        Ok(self.state.is_some_and(State::is_terminal))
    }

    fn explain(&self, problem: Problem, was_lost: bool) -> Problem {
        if was_lost && problem.code == "EIGEN_JOB_NOT_FOUND" {
            return problem.hint(
                "a kernel with --store memory forgets its jobs when it ends; submit it again",
            );
        }
        problem
    }

    fn gave_up(&self, problem: Problem) -> Problem {
        let (job_id, after) = (&self.job_id, self.after);
        problem
            .with("job_id", job_id.as_str())
            .with("after", after)
            .hint(format!(
                "the job goes on, `qrtx watch {job_id} --after {after}` follows it"
            ))
    }
}
