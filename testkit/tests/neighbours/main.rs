//! The doubles of the neighbours, through real tonic clients over loopback.

#![expect(clippy::disallowed_methods, reason = "tests run on the real runtime")]
#![cfg(not(madsim))]
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod compiler;
mod control;
mod driver;
mod serve;
mod whims;

use std::collections::BTreeMap;
use std::time::Duration;

use qrtx::grpc::proto::internal::compilation_service_client::CompilationServiceClient;
use qrtx::grpc::proto::internal::driver_manager_service_client::DriverManagerServiceClient;
use qrtx::grpc::proto::internal::{CircuitFormat, CircuitPayload, ExecuteCircuitRequest};
use qrtx::grpc::proto::kernel::execution_control_client::ExecutionControlClient;
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::{DriverDouble, Served};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

const JOB: &str = "job-1";
const HOUR: Duration = Duration::from_secs(3600);

const BELL: &[u8] = br#"{"operations":[{"op":"RY","params":{"theta":1.5},"q":[0]},{"op":"CX","q":[0,1]},{"c":[0,1],"op":"MEASURE","q":[0,1]}],"qubits":2,"version":"1.0.0"}"#;

fn channel(url: String) -> Channel {
    Endpoint::from_shared(url).unwrap().connect_lazy()
}

fn compiler_at(served: &Served) -> CompilationServiceClient<Channel> {
    CompilationServiceClient::new(channel(served.url()))
}

/// A driver, where it is served, and clients of its two services.
struct Site {
    clock: HandClock,
    driver: DriverDouble<HandClock>,
    served: Served,
    manager: DriverManagerServiceClient<Channel>,
    control: ExecutionControlClient<Channel>,
}

fn site(make: impl FnOnce(DriverDouble<HandClock>) -> DriverDouble<HandClock>) -> Site {
    let clock = HandClock::default();
    let driver = make(DriverDouble::new(clock.clone()));
    let served = Served::start(driver.routes());
    let manager = DriverManagerServiceClient::new(channel(served.url()));
    let control = ExecutionControlClient::new(channel(served.url()));
    Site {
        clock,
        driver,
        served,
        manager,
        control,
    }
}

fn order() -> ExecuteCircuitRequest {
    ExecuteCircuitRequest {
        job_id: JOB.to_owned(),
        device_id: "sim:local".to_owned(),
        payload: Some(CircuitPayload {
            format: CircuitFormat::AqoJson.into(),
            data: BELL.to_vec(),
        }),
        shots: 100,
        options: BTreeMap::new(),
    }
}

/// The order under an execution id and a fencing token.
fn named(execution: &str, token: u64) -> Request<ExecuteCircuitRequest> {
    let mut request = Request::new(order());
    let headers = request.metadata_mut();
    headers.insert("x-eigen-execution-id", execution.parse().unwrap());
    headers.insert("x-eigen-fencing-token", token.to_string().parse().unwrap());
    headers.insert("traceparent", "00-aa-bb-01".parse().unwrap());
    request
}
