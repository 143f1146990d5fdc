//! Neighbours that answer at once and always the same, so that what is measured is the kernel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qrtx::grpc::proto::internal::compilation_service_server::{
    CompilationService, CompilationServiceServer,
};
use qrtx::grpc::proto::internal::driver_manager_service_server::{
    DriverManagerService, DriverManagerServiceServer,
};
use qrtx::grpc::proto::internal::*;
use qrtx::os::serve::serve_routes;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::Broken;

/// The device that both know.
pub(super) const DEVICE: &str = "instant";
/// The circuit that every program becomes.
pub(super) const CIRCUIT: &str = r#"{"version":"1.0","qubits":2,"operations":[{"op":"RZ","q":[0],"theta":1.5707963267948966},{"op":"RX","q":[0],"theta":1.5707963267948966},{"op":"RZ","q":[0],"theta":1.5707963267948966},{"op":"CX","q":[0,1]},{"op":"MEASURE","q":[0],"c":[0]},{"op":"MEASURE","q":[1],"c":[1]}]}"#;

/// Both neighbours behind one address.
#[derive(Debug, Clone)]
pub(super) struct Instant {
    status: DeviceStatus,
    calls: Arc<AtomicU64>,
}

impl Instant {
    /// With its device in this state.
    pub(super) fn new(status: DeviceStatus) -> Self {
        Self {
            status,
            calls: Arc::default(),
        }
    }

    /// How often both were called.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Serves both, as long as the process lives; gives their URL.
    pub(super) async fn serve(&self) -> Result<String, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(Broken::at("the neighbours cannot listen"))?;
        let address = listener
            .local_addr()
            .map_err(Broken::at("the neighbours"))?;
        let routes = Routes::new(CompilationServiceServer::new(self.clone()))
            .add_service(DriverManagerServiceServer::new(self.clone()));
        tokio::spawn(serve_routes(routes, listener, std::future::pending()));
        Ok(format!("http://{address}"))
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CompilationService for Instant {
    async fn compile_circuit(
        &self,
        _: Request<CompileCircuitRequest>,
    ) -> Answer<CompileCircuitResponse> {
        self.called();
        Ok(Response::new(CompileCircuitResponse {
            circuit: Some(CircuitPayload {
                format: CircuitFormat::AqoJson.into(),
                data: CIRCUIT.into(),
            }),
            metadata: BTreeMap::new(),
        }))
    }

    async fn compile_job(&self, _: Request<CompileJobRequest>) -> Answer<CompileJobResponse> {
        Err(Status::unimplemented("Method not implemented!"))
    }

    async fn optimize_circuit(
        &self,
        _: Request<OptimizeCircuitRequest>,
    ) -> Answer<OptimizeCircuitResponse> {
        Err(Status::unimplemented("Method not implemented!"))
    }

    async fn validate_circuit(
        &self,
        _: Request<ValidateCircuitRequest>,
    ) -> Answer<ValidateCircuitResponse> {
        Err(Status::unimplemented("Method not implemented!"))
    }
}

#[tonic::async_trait]
impl DriverManagerService for Instant {
    async fn list_devices(&self, _: Request<ListDevicesRequest>) -> Answer<ListDevicesResponse> {
        let device = DeviceInfo {
            device_id: DEVICE.to_owned(),
            name: DEVICE.to_owned(),
            backend_type: "simulator".to_owned(),
            status: self.status.into(),
            capabilities: BTreeMap::from([("slots".to_owned(), "256".to_owned())]),
            ..DeviceInfo::default()
        };
        Ok(Response::new(ListDevicesResponse {
            devices: vec![device],
        }))
    }

    async fn get_device_status(
        &self,
        _: Request<GetDeviceStatusRequest>,
    ) -> Answer<GetDeviceStatusResponse> {
        self.called();
        Ok(Response::new(GetDeviceStatusResponse {
            device_id: DEVICE.to_owned(),
            status: self.status.into(),
            ..GetDeviceStatusResponse::default()
        }))
    }

    async fn execute_circuit(
        &self,
        asked: Request<ExecuteCircuitRequest>,
    ) -> Answer<ExecuteCircuitResponse> {
        self.called();
        let shots = i64::from(asked.get_ref().shots);
        let zeros = shots / 2;
        let counts = [("00", zeros), ("11", shots - zeros)];
        Ok(Response::new(ExecuteCircuitResponse {
            counts: counts.map(|(key, count)| (key.to_owned(), count)).into(),
            execution_time_sec: 0.0,
            metadata: BTreeMap::new(),
        }))
    }

    async fn calibrate_device(
        &self,
        _: Request<CalibrateDeviceRequest>,
    ) -> Answer<CalibrateDeviceResponse> {
        Err(Status::unimplemented("Method not implemented!"))
    }
}
