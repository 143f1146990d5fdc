//! The way of one job over the wire, and nothing else: the same calls and the same messages as a
//! kernel's, with nothing decided, recorded or kept in between. No kernel can be faster.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use qrtx::grpc::proto::internal::compilation_service_client::CompilationServiceClient;
use qrtx::grpc::proto::internal::driver_manager_service_client::DriverManagerServiceClient;
use qrtx::grpc::proto::internal::*;
use qrtx::grpc::proto::kernel::{GetJobResultsResponse, JobEvent};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::Broken;
use super::act::{Life, Program};
use super::instant::{CIRCUIT, DEVICE};

/// The events with which a kernel goes to its store and tells what has happened since.
const TOLD_WITH: [&str; 5] = ["Submitted", "Compiled", "Intended", "Executed", "Stored"];

/// A life that was lived once and is told again and again.
#[derive(Debug)]
pub(super) struct Bare {
    /// Events that are told together.
    told: VecDeque<Vec<JobEvent>>,
    pub(super) results: GetJobResultsResponse,
    program: Program,
    compiler: CompilationServiceClient<Channel>,
    driver: DriverManagerServiceClient<Channel>,
}

impl Bare {
    /// Like the lives that `life` lives, with the neighbours behind this URL.
    pub(super) async fn like(life: &Life, program: Program, url: String) -> Result<Self, Broken> {
        let (events, results) = life.told().await?;
        let mut told = VecDeque::from([Vec::new()]);
        for event in events {
            let ends = TOLD_WITH.contains(&event.kind.as_str());
            let last = told.back_mut().expect("there is always one");
            last.push(event);
            if ends {
                told.push_back(Vec::new());
            }
        }
        told.retain(|events| !events.is_empty());
        let endpoint = Endpoint::from_shared(url).map_err(Broken::at("the neighbours"))?;
        let channel = endpoint.tcp_nodelay(true).connect().await;
        let channel = channel.map_err(Broken::at("the neighbours"))?;
        Ok(Self {
            told,
            results,
            program,
            compiler: CompilationServiceClient::new(channel.clone()),
            driver: DriverManagerServiceClient::new(channel),
        })
    }

    /// Lives it once, for whoever looks on.
    pub(super) fn watch(self: Arc<Self>) -> BoxStream<'static, Result<JobEvent, Status>> {
        let life = (self.clone(), self.told.clone(), 0);
        let told = stream::unfold(life, |(bare, mut left, done)| async move {
            let events = left.pop_front()?;
            let called = bare.call(done).await;
            let events = match called {
                Ok(()) => events.into_iter().map(Ok).collect(),
                Err(why) => vec![Err(why)],
            };
            Some((stream::iter(events), (bare, left, done + 1)))
        });
        told.flatten().boxed()
    }

    /// What is asked of a neighbour before a job is told to be so far.
    async fn call(&self, far: usize) -> Result<(), Status> {
        let mut driver = self.driver.clone();
        match far {
            1 => {
                let request = CompileCircuitRequest {
                    language: "eigen-lang".to_owned(),
                    source: self.program.text.into(),
                    ..CompileCircuitRequest::default()
                };
                let mut compiler = self.compiler.clone();
                compiler.compile_circuit(request).await.map(drop)
            }
            2 => {
                let device_id = DEVICE.to_owned();
                let request = GetDeviceStatusRequest { device_id };
                driver.get_device_status(request).await.map(drop)
            }
            3 => {
                let request = ExecuteCircuitRequest {
                    job_id: self.results.job_id.clone(),
                    device_id: DEVICE.to_owned(),
                    payload: Some(CircuitPayload {
                        format: CircuitFormat::AqoJson.into(),
                        data: CIRCUIT.into(),
                    }),
                    shots: 100,
                    ..ExecuteCircuitRequest::default()
                };
                driver.execute_circuit(request).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}
