//! A client: submits a job under a key until it is acknowledged, watches it to its end however
//! often the stream breaks, and writes down whatever it is told.

mod details;
mod lists;
mod questions;
mod system_api;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use qrtx::grpc::Channel;
use qrtx::grpc::proto::kernel::{self as wire, kernel_gateway_client::KernelGatewayClient};
use qrtx::ids::{JobId, Sha256Sum};
use qrtx::job::state::State;
use qrtx_testkit::history::{Cancel, News, Refusal, Refused, Told, Wish};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::nemesis::Nemesis;
use crate::scenario::{Own, Planned, ProgramPlan, client_name};
use crate::trace::{Lane, Trace};
use crate::world::holder::Slots;
use questions::state;

/// A call without an answer is repeated after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// A stream without a word is opened anew after this: it may have been cut without a word.
const SILENCE: Duration = Duration::from_secs(20);
/// Between two tries.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The reason for a cancel.
const WHY_CANCELLED: &str = "the scenario says so";

/// A program of the job's own, so that no answer for another job passes for an answer for this.
fn program(planned: &Planned) -> (Vec<u8>, &'static str) {
    let ordinal = planned.plan.ordinal_of(Own::Program, planned.ordinal);
    match planned.plan.program {
        ProgramPlan::Aqo => {
            let theta = 0.01 * (ordinal + 1) as f64;
            let options = planned.plan.options.keys();
            let parameters = options.filter_map(|name| name.strip_prefix("param."));
            let turned: String = parameters
                .map(|name| format!(r#"{{"op":"RZ","q":[0],"params":{{"theta":"{name}"}}}},"#))
                .collect();
            let circuit = format!(
                r#"{{"version":"1.0.0","qubits":2,"operations":[
                    {{"op":"RX","q":[0],"params":{{"theta":{theta}}}}},{turned}
                    {{"op":"CX","q":[0,1]}},{{"op":"MEASURE","q":[0,1],"c":[0,1]}}]}}"#
            );
            (circuit.into_bytes(), "aqo_json")
        }
        ProgramPlan::EigenLang => {
            let source = format!("qubits=3 {}", marked(ordinal));
            (source.into_bytes(), "eigen_lang_source")
        }
    }
}

/// What stands in the source of a job and of no other.
pub fn marked(ordinal: usize) -> String {
    format!("[job {ordinal}]")
}

/// What all clients were told.
pub type Heard = Arc<Mutex<Vec<Told>>>;

/// One client with one job.
#[derive(Clone)]
pub struct Client {
    name: String,
    planned: Planned,
    channel: Channel,
    nemesis: Nemesis,
    trace: Trace,
    heard: Heard,
    slots: Slots,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The client of one job of a scenario, over `channel`.
    pub fn new(
        planned: Planned,
        channel: Channel,
        nemesis: Nemesis,
        trace: Trace,
        heard: Heard,
        slots: Slots,
    ) -> Self {
        let name = client_name(planned.plan.client);
        Self {
            name,
            planned,
            channel,
            nemesis,
            trace,
            heard,
            slots,
        }
    }

    /// Does all of it; returns when the job has ended and its results are fetched, or when it is
    /// accepted and its client wants nothing more.
    pub async fn run(self) {
        madsim::time::sleep(self.planned.at).await;
        let who = (self.name.clone(), self.planned.ordinal);
        self.trace.records().submitting.insert(who.clone());
        let job = self.submit().await;
        self.trace.records().submitting.remove(&who);
        let Some(job) = job.filter(|_| !self.planned.plan.unwatched) else {
            return;
        };
        let mut cancel = pin!(self.clone().cancel_if_wanted(job).fuse());
        let mut watch = pin!(
            async {
                match self.planned.plan.system_api {
                    true => self.stream(job).await,
                    false => self.watch(job).await,
                }
                self.fetch(job).await;
                self.look_up(job).await;
            }
            .fuse()
        );
        loop {
            tokio::select! {
                biased;
                () = &mut watch => break,
                () = &mut cancel => {}
            }
        }
        // Who has cancelled wants to hear what came of it, also if the job has ended meanwhile.
        if self.is_cancelling(job) {
            cancel.await;
        }
    }

    fn is_cancelling(&self, job: JobId) -> bool {
        let records = self.trace.records();
        let mut cancels = records.cancels.iter();
        cancels.any(|cancel| cancel.job == job && cancel.answered.is_none())
    }

    fn ours(&self) -> KernelGatewayClient<Channel> {
        KernelGatewayClient::new(self.channel.clone())
    }

    async fn submit(&self) -> Option<JobId> {
        let plan = &self.planned.plan;
        let (program, format) = program(&self.planned);
        let sha256 = Sha256Sum::of(&program);
        let own = || format!("key {}", self.planned.ordinal);
        let key = plan.key.clone().unwrap_or_else(own);
        let reservation_id = match plan.reservation {
            Some(number) => self.slots.id_of(number).await?,
            None => String::new(),
        };
        let timeout = plan.timeout.map(|span| prost_duration(span.0));
        let request = wire::EnqueueJobRequest {
            name: self.called(),
            program,
            program_format: format.to_owned(),
            target: plan.device.clone(),
            reservation_id,
            shots: Some(plan.shots.into()),
            seed: plan.seed,
            compiler_options: plan.options.clone(),
            priority: Some(plan.priority),
            idempotency_key: key.clone(),
            tenant_id: plan.tenant.clone(),
            timeout,
            ..wire::EnqueueJobRequest::default()
        };
        loop {
            let asked = self.trace.now();
            let answered = match plan.system_api {
                // That contract has no word for it.
                true => self.submit_as_system_api(&key).await.map(|id| (id, None)),
                false => self.submit_ours(request.clone()).await,
            };
            match answered {
                Ok((id, repeated)) => {
                    let job = id.parse().expect("a job id");
                    let accepted = News::Accepted {
                        key,
                        asked,
                        repeated,
                        wish: Wish {
                            name: self.called(),
                            tenant: self.tenant(),
                            program: sha256,
                            target: plan.device.clone(),
                            shots: plan.shots,
                            seed: plan.seed,
                            options: plan.options.clone(),
                            priority: u8::try_from(plan.priority).unwrap_or(u8::MAX),
                            timeout: plan.timeout.map(|span| span.0),
                        },
                    };
                    self.hears(job, accepted, "is accepted");
                    return Some(job);
                }
                Err(why) => {
                    self.refused(&key, asked, &why);
                    if is_final(why.code()) {
                        self.note(&format!("is refused: {}", why.message()));
                        return None;
                    }
                    self.note(&format!("submit failed: {}", why.message()));
                }
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    /// The job's name; one that is like another differs from it in what its plan says, and not in that.
    fn called(&self) -> String {
        let (plan, ordinal) = (&self.planned.plan, self.planned.ordinal);
        let ordinal = plan.ordinal_of(Own::Name, ordinal);
        format!("job {ordinal}")
    }

    /// Submits once; gives the job's id, and whether its key had been known.
    async fn submit_ours(
        &self,
        request: wire::EnqueueJobRequest,
    ) -> Result<(String, Option<bool>), Status> {
        let mut client = self.ours();
        let answered = self.patiently(async move { client.enqueue_job(request).await });
        let answer = answered.await?.into_inner();
        self.trace.records().merged += usize::from(answer.deduplicated);
        Ok((answer.job_id, Some(answer.deduplicated)))
    }

    fn tenant(&self) -> String {
        match self.planned.plan.tenant.as_str() {
            "" => "tenant-default".to_owned(),
            named => named.to_owned(),
        }
    }

    /// Writes down why a submit was turned away, if the kernel did that of itself.
    fn refused(&self, key: &str, asked: Duration, why: &Status) {
        let Some(info) = why.get_details_error_info() else {
            return;
        };
        let kind = match info.reason.as_str() {
            "EIGEN_OVERLOADED" => match info.metadata.contains_key("limit") {
                true => Refusal::Overload,
                false => Refusal::StoreFull,
            },
            "EIGEN_IDEMPOTENCY_CONFLICT" => Refusal::KeyConflict,
            _ => return,
        };
        let at = self.trace.now();
        self.trace.records().refused.push(Refused {
            asked,
            at,
            client: self.name.clone(),
            tenant: self.tenant(),
            key: key.to_owned(),
            why: kind,
            code: format!("{:?}", why.code()),
            come_again: why.get_details_retry_info().is_some(),
        });
    }

    async fn watch(&self, job: JobId) {
        let (mut seq, mut ended) = (0, false);
        loop {
            let request = wire::WatchJobRequest {
                job_id: job.to_string(),
                after_seq: seq,
            };
            let mut client = self.ours();
            let opened = self
                .patiently(async move { client.watch_job(request).await })
                .await;
            let mut events = match opened {
                Ok(events) => events.into_inner(),
                Err(why) => {
                    self.note(&format!("watch failed: {}", why.message()));
                    madsim::time::sleep(PAUSE).await;
                    continue;
                }
            };
            loop {
                match madsim::time::timeout(SILENCE, events.message()).await {
                    Ok(Ok(Some(event))) => {
                        seq = event.seq;
                        let state = state(event.state());
                        ended |= state.is_terminal();
                        let said = format!("event {seq}: {}, {}", event.kind, state.name());
                        self.hears(
                            job,
                            News::Event {
                                seq,
                                kind: event.kind,
                                state,
                            },
                            &said,
                        );
                        self.ask_as_system_api(job).await;
                        self.ask_ours(job).await;
                        if state == State::Queued {
                            self.ask_why(job).await;
                        }
                    }
                    Ok(Ok(None)) if ended => return,
                    Ok(Ok(None)) => break,
                    Ok(Err(why)) => {
                        self.note(&format!("watch broke: {}", why.message()));
                        break;
                    }
                    Err(_) => break,
                }
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    async fn cancel_if_wanted(self, job: JobId) {
        self.nemesis.wants_cancel(self.planned.ordinal).await;
        let (asked, client) = (self.trace.now(), self.name.clone());
        // System-api has no reason to give.
        let reason = match self.planned.plan.system_api {
            true => String::new(),
            false => WHY_CANCELLED.to_owned(),
        };
        self.trace.records().cancels.push(Cancel {
            client,
            job,
            reason,
            asked,
            answered: None,
        });
        self.cancel(job).await;
        let answered = self.trace.now();
        {
            let mut records = self.trace.records();
            let mut cancels = records.cancels.iter_mut();
            if let Some(cancel) = cancels.find(|cancel| cancel.job == job) {
                cancel.answered = Some(answered);
            }
        }
        // Who has lost the answer asks again, and is to be told the same.
        self.cancel(job).await;
    }

    /// Asks for it until there is an answer.
    async fn cancel(&self, job: JobId) {
        loop {
            let answered = match self.planned.plan.system_api {
                true => self.cancel_as_system_api(job).await,
                false => self.cancel_ours(job).await,
            };
            match answered {
                Ok((receipt, shots_used)) => {
                    let said = format!("cancel: {receipt}");
                    let news = News::Receipt {
                        receipt,
                        shots_used,
                    };
                    self.hears(job, news, &said);
                    return;
                }
                Err(why) => self.note(&format!("cancel failed: {}", why.message())),
            }
            madsim::time::sleep(PAUSE).await;
        }
    }

    /// Asks once for the job to be cancelled.
    async fn cancel_ours(&self, job: JobId) -> Result<(String, Option<i64>), Status> {
        let request = wire::CancelJobRequest {
            job_id: job.to_string(),
            reason: WHY_CANCELLED.to_owned(),
        };
        let mut client = self.ours();
        let answered = self.patiently(async move { client.cancel_job(request).await });
        let answer = answered.await?.into_inner();
        let receipt = answer.receipt().as_str_name().to_owned();
        Ok((receipt, answer.shots_used))
    }

    async fn patiently<T>(
        &self,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let late = |_| Err(Status::deadline_exceeded("no answer in time"));
        madsim::time::timeout(PATIENCE, call)
            .await
            .unwrap_or_else(late)
    }

    fn hears(&self, job: JobId, news: News, said: &str) {
        self.note(said);
        let (at, client) = (self.trace.now(), self.name.clone());
        self.heard.lock().expect("no holder panics").push(Told {
            at,
            client,
            request: self.planned.ordinal,
            job,
            news,
        });
    }

    fn note(&self, what: &str) {
        let line = format!("{} of job {}: {what}", self.name, self.planned.ordinal);
        self.trace.note(Lane::Client, line);
    }
}

pub(super) fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented
    )
}

pub(super) fn prost_duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(span).expect("a scenario's spans are short")
}
