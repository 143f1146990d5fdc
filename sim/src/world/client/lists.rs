//! What a client finds in lists: its job among those of its tenant, and wherever it asks for jobs like it.

use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::JobId;
use qrtx::job::state::State;
use qrtx_testkit::history::News;

use super::questions::state;
use super::{Client, PAUSE};

impl Client {
    /// Looks for a job that has ended in the list of its tenant, and in parts of that.
    pub(super) async fn find_in_list(&self, job: JobId) {
        let all = wire::ListJobsRequest {
            tenant_id: self.tenant(),
            page_size: 5,
            ..Default::default()
        };
        let (found, beside) = self.list_until(job, all).await;
        let listed = found.as_ref().map(|listed| state(listed.state()));
        let said = format!("listed as {}", listed.map_or("nothing", State::name));
        self.hears(job, News::Listed(listed), &said);
        let said = format!("listed beside {}", beside.len());
        self.hears(job, News::Beside(beside), &said);
        let Some(status) = found else { return };
        self.sees(job, status.clone());
        for (part, wanted, request) in parts(&status) {
            let (found, _) = self.list_until(job, request).await;
            let (part, found) = (part.to_owned(), found.is_some());
            let said = format!("listed by {part}: {found}");
            let news = News::Sifted {
                part,
                wanted,
                found,
            };
            self.hears(job, news, &said);
        }
    }

    /// Reads a list up to the job; gives what it says of that, and all jobs that it had by then.
    async fn list_until(
        &self,
        job: JobId,
        mut request: wire::ListJobsRequest,
    ) -> (Option<wire::JobStatus>, Vec<JobId>) {
        let (name, mut beside) = (job.to_string(), Vec::new());
        loop {
            let (mut client, asked) = (self.ours(), request.clone());
            let asked = self.patiently(async move { client.list_jobs(asked).await });
            match asked.await {
                Ok(answer) => {
                    let mut answer = answer.into_inner();
                    let ids = answer.jobs.iter();
                    let ids = ids.map(|listed| listed.job_id.parse::<JobId>());
                    beside.extend(ids.map(|id| id.expect("a job id")));
                    let found = answer.jobs.iter().position(|one| one.job_id == name);
                    if let Some(at) = found {
                        return (Some(answer.jobs.swap_remove(at)), beside);
                    }
                    if answer.next_page_token.is_empty() {
                        return (None, beside);
                    }
                    request.page_token = answer.next_page_token;
                }
                Err(why) => {
                    self.note(&format!("list failed: {}", why.message()));
                    madsim::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Parts of all jobs, by what a job's status says, and whether it is in them.
fn parts(status: &wire::JobStatus) -> [(&'static str, bool, wire::ListJobsRequest); 5] {
    let any = wire::ListJobsRequest::default;
    let (came, end) = (status.created_at, status.state);
    let next = came.map(|mut next| {
        next.nanos += 1_000;
        next.normalize();
        next
    });
    let other = match status.state() {
        wire::TaskState::Failed => wire::TaskState::Cancelled,
        _ => wire::TaskState::Failed,
    };
    [
        (
            "its end and another",
            true,
            wire::ListJobsRequest {
                states: vec![end, other as i32],
                ..any()
            },
        ),
        (
            "another end",
            false,
            wire::ListJobsRequest {
                states: vec![other as i32],
                ..any()
            },
        ),
        (
            "its target and the moment when it came",
            true,
            wire::ListJobsRequest {
                target: status.target.clone(),
                created_from: came,
                created_before: next,
                ..any()
            },
        ),
        (
            "another target",
            false,
            wire::ListJobsRequest {
                target: "sim:elsewhere".to_owned(),
                ..any()
            },
        ),
        (
            "what came before it",
            false,
            wire::ListJobsRequest {
                created_before: came,
                ..any()
            },
        ),
    ]
}
