//! A kernel that means harm: what it tells steers no terminal and makes no command fall over.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures::Stream;
use qrtx::grpc::proto::kernel::kernel_gateway_server::{KernelGateway, KernelGatewayServer};
use qrtx::grpc::proto::kernel::*;
use qrtx_testkit::neighbours::Served;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::shell::Shell;
use crate::circuits::bell;

/// Clears the screen, sets a title, rings, goes back, turns the text around.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{8}\u{9b}31m\u{202e}\u{0}\nnext \"line\"";

fn evil() -> String {
    EVIL.to_owned()
}

fn never() -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: i32::MIN,
    })
}

fn error() -> Option<JobError> {
    Some(JobError {
        error_code: evil(),
        error_summary: evil(),
        error_details_ref: format!("../../{EVIL}"),
    })
}

fn job() -> JobStatus {
    JobStatus {
        job_id: evil(),
        name: evil(),
        state: i32::MAX,
        phase: -1,
        target: evil(),
        device_id: evil(),
        priority: i32::MIN,
        shots: i64::MIN,
        tenant_id: evil(),
        project_id: evil(),
        message: evil(),
        created_at: never(),
        updated_at: never(),
        expires_at: never(),
        not_before: never(),
        last_event_seq: u64::MAX,
        error: error(),
        cancel_receipt: 99,
        trace_id: evil(),
        ..JobStatus::default()
    }
}

fn reservation() -> Reservation {
    Reservation {
        reservation_id: evil(),
        device_id: evil(),
        tenant_id: evil(),
        purpose: evil(),
        created_at: never(),
        expires_at: never(),
        ended_at: never(),
        ended_because: evil(),
        job_id: evil(),
    }
}

fn event(state: TaskState) -> JobEvent {
    JobEvent {
        seq: u64::MAX,
        at: never(),
        kind: evil(),
        state: state as i32,
        phase: 77,
        message: evil(),
        detail_json: "{\"not\": ".to_owned(),
        ..JobEvent::default()
    }
}

struct Hostile;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl KernelGateway for Hostile {
    async fn enqueue_job(&self, _: Request<EnqueueJobRequest>) -> Answer<EnqueueJobResponse> {
        Ok(Response::new(EnqueueJobResponse {
            job_id: evil(),
            state: -5,
            created_at: never(),
            deduplicated: true,
        }))
    }

    async fn get_job_status(
        &self,
        _: Request<GetJobStatusRequest>,
    ) -> Answer<GetJobStatusResponse> {
        Ok(Response::new(GetJobStatusResponse { job: Some(job()) }))
    }

    async fn cancel_job(&self, _: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        Ok(Response::new(CancelJobResponse {
            receipt: 99,
            state: 99,
            shots_used: Some(i64::MIN),
            message: evil(),
        }))
    }

    async fn get_job_results(
        &self,
        _: Request<GetJobResultsRequest>,
    ) -> Answer<GetJobResultsResponse> {
        let counts = [(EVIL, i64::MIN), ("", i64::MAX), ("1", -1), ("0", 0)];
        let mut counts = counts.map(|(key, count)| (key.to_owned(), count)).to_vec();
        counts.extend((0..100).map(|n| (format!("{n:0300b}"), i64::MIN + n)));
        let artifact = Artifact {
            path: evil(),
            sha256: evil(),
            bytes: u64::MAX,
        };
        let stage = Stage {
            name: evil(),
            started_at: never(),
            seconds: f64::NAN,
        };
        Ok(Response::new(GetJobResultsResponse {
            job_id: evil(),
            state: TaskState::Failed as i32,
            counts: counts.into_iter().collect(),
            bitstring_order: evil(),
            shots: i64::MIN,
            device_id: evil(),
            execution_seconds: f64::INFINITY,
            metadata: BTreeMap::from([(evil(), evil())]),
            error: error(),
            completed_at: never(),
            stages: vec![stage],
            artifacts: vec![artifact.clone(), artifact.clone()],
            manifest: Some(artifact),
        }))
    }

    async fn list_devices(&self, _: Request<ListDevicesRequest>) -> Answer<ListDevicesResponse> {
        let device = Device {
            reserved: u32::MAX,
            reservations: vec![reservation()],
            device_id: evil(),
            name: evil(),
            backend_type: evil(),
            state: 99,
            queue_depth: u32::MAX,
            slots: u32::MAX,
            running: u32::MAX,
            estimated_wait: Some(prost_types::Duration {
                seconds: i64::MIN,
                nanos: i32::MIN,
            }),
            estimated_wait_p90: Some(prost_types::Duration {
                seconds: i64::MIN,
                nanos: i32::MIN,
            }),
            hardware_queue_depth: u32::MAX,
            hardware_wait_seconds: u32::MAX,
            capabilities: BTreeMap::from([(evil(), evil())]),
            draining: true,
            reason: evil(),
            heard_at: never(),
            held_until: never(),
        };
        Ok(Response::new(ListDevicesResponse {
            devices: vec![device],
            as_of: never(),
            problem: evil(),
        }))
    }

    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<JobEvent, Status>> + Send>>;

    async fn watch_job(&self, _: Request<WatchJobRequest>) -> Answer<Self::WatchJobStream> {
        let events = [TaskState::Unspecified, TaskState::Failed].map(|state| Ok(event(state)));
        Ok(Response::new(Box::pin(futures::stream::iter(events))))
    }

    async fn list_jobs(&self, _: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        Ok(Response::new(ListJobsResponse {
            jobs: vec![job()],
            next_page_token: evil(),
        }))
    }

    async fn get_job_history(
        &self,
        _: Request<GetJobHistoryRequest>,
    ) -> Answer<GetJobHistoryResponse> {
        let line = AttemptLedger {
            execution_id: evil(),
            device_id: evil(),
            wasted: i64::MAX,
            wasted_cause: evil(),
            ..AttemptLedger::default()
        };
        Ok(Response::new(GetJobHistoryResponse {
            events: vec![event(TaskState::Failed)],
            ledger: vec![line],
            stages: Vec::new(),
            lost: evil(),
        }))
    }

    async fn explain_job(&self, _: Request<ExplainJobRequest>) -> Answer<ExplainJobResponse> {
        let reason = WaitReason {
            cause: 99,
            message: evil(),
            until: never(),
        };
        let named = JobAhead {
            job_id: evil(),
            rule: evil(),
            message: evil(),
        };
        Ok(Response::new(ExplainJobResponse {
            job: Some(job()),
            reasons: vec![reason],
            queue: Some(QueuePlace {
                waits_for: evil(),
                ahead: u32::MAX,
                ahead_is_exact: false,
                named: vec![named],
            }),
            estimated_wait: Some(prost_types::Duration {
                seconds: i64::MAX,
                nanos: i32::MIN,
            }),
            estimated_wait_p90: Some(prost_types::Duration {
                seconds: i64::MAX,
                nanos: i32::MIN,
            }),
            estimate_basis: evil(),
            decisions: vec![event(TaskState::Failed)],
        }))
    }

    async fn drain_device(&self, _: Request<DrainDeviceRequest>) -> Answer<DrainDeviceResponse> {
        let device = Device {
            device_id: evil(),
            state: 99,
            ..Device::default()
        };
        Ok(Response::new(DrainDeviceResponse {
            device: Some(device),
        }))
    }

    async fn reserve_device(
        &self,
        _: Request<ReserveDeviceRequest>,
    ) -> Answer<ReserveDeviceResponse> {
        Ok(Response::new(ReserveDeviceResponse {
            reservation_id: evil(),
            expires_at: never(),
            fencing_token: u64::MAX,
            deduplicated: true,
            reservation: Some(reservation()),
        }))
    }

    async fn release_reservation(
        &self,
        _: Request<ReleaseReservationRequest>,
    ) -> Answer<ReleaseReservationResponse> {
        Ok(Response::new(ReleaseReservationResponse {
            reservation: Some(reservation()),
        }))
    }
}

#[test]
fn what_a_kernel_tells_steers_no_terminal_and_makes_nothing_fall_over() {
    let kernel = Served::start(Routes::new(KernelGatewayServer::new(Hostile)));
    let shell = Shell::to_address(&kernel.addr.to_string());
    let file = shell.file("bell.json", &bell());
    let job = format!("job-{:032x}", 1);
    for command in [
        vec!["submit", file],
        vec!["submit", file, "--wait"],
        vec!["submit", file, "--watch"],
        vec!["status", &job],
        vec!["watch", &job],
        vec!["results", &job],
        vec!["history", &job],
        vec!["explain", &job],
        vec!["drain", "sim:local"],
        vec!["reserve", "sim:local", "--ttl", "1m"],
        vec!["release", "rsv-1"],
        vec!["cancel", &job],
        vec!["jobs"],
        vec!["devices"],
    ] {
        let told = shell.run(&command);
        assert!([0, 1].contains(&told.code), "{command:?}: {}", told.stderr);
        for said in [&told.stdout, &told.stderr] {
            let steers = |c: &char| *c != '\n' && (c.is_control() || *c == '\u{202e}');
            assert_eq!(said.chars().find(steers), None, "{command:?}: {said:?}");
        }
        if !command.contains(&"--watch") && command[0] != "watch" {
            shell.run(&[&command[..], &["--json"]].concat()).document();
        }
    }
}
