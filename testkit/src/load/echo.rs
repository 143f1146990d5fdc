//! The one reference that most are held against: a bare tonic service that gives the same answer
//! to the same message, and does nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::stream::BoxStream;
use qrtx::grpc::proto::kernel::kernel_gateway_server::{KernelGateway, KernelGatewayServer};
use qrtx::grpc::proto::kernel::*;
use qrtx::limits::REQUEST_BYTES_MAX;
use qrtx::os::serve::serve_routes;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::Broken;
use super::bare::Bare;

/// What is answered, whatever is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Echo {
    pub(super) enqueued: EnqueueJobResponse,
    pub(super) status: GetJobStatusResponse,
    /// How a job lives, if it does.
    pub(super) life: Option<Arc<Bare>>,
}

impl Echo {
    /// Serves it as the kernel is served, as long as the process lives.
    pub(super) async fn serve(self) -> Result<SocketAddr, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(Broken::at("the echo cannot listen"))?;
        let address = listener.local_addr().map_err(Broken::at("the echo"))?;
        let gateway = KernelGatewayServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX);
        let routes = Routes::new(gateway);
        tokio::spawn(serve_routes(routes, listener, std::future::pending()));
        Ok(address)
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn not_echoed<T>() -> Answer<T> {
    Err(Status::unimplemented("this is not echoed"))
}

#[tonic::async_trait]
impl KernelGateway for Echo {
    async fn enqueue_job(&self, _: Request<EnqueueJobRequest>) -> Answer<EnqueueJobResponse> {
        Ok(Response::new(self.enqueued.clone()))
    }

    async fn get_job_status(
        &self,
        _: Request<GetJobStatusRequest>,
    ) -> Answer<GetJobStatusResponse> {
        Ok(Response::new(self.status.clone()))
    }

    async fn cancel_job(&self, _: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        not_echoed()
    }

    async fn get_job_results(
        &self,
        _: Request<GetJobResultsRequest>,
    ) -> Answer<GetJobResultsResponse> {
        let life = self.life.as_ref();
        life.map_or_else(not_echoed, |bare| Ok(Response::new(bare.results.clone())))
    }

    async fn list_devices(&self, _: Request<ListDevicesRequest>) -> Answer<ListDevicesResponse> {
        not_echoed()
    }

    type WatchJobStream = BoxStream<'static, Result<JobEvent, Status>>;

    async fn watch_job(&self, _: Request<WatchJobRequest>) -> Answer<Self::WatchJobStream> {
        let life = self.life.clone();
        life.map_or_else(not_echoed, |bare| Ok(Response::new(bare.watch())))
    }

    async fn list_jobs(&self, _: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        not_echoed()
    }

    async fn get_job_history(
        &self,
        _: Request<GetJobHistoryRequest>,
    ) -> Answer<GetJobHistoryResponse> {
        not_echoed()
    }

    async fn explain_job(&self, _: Request<ExplainJobRequest>) -> Answer<ExplainJobResponse> {
        not_echoed()
    }

    async fn drain_device(&self, _: Request<DrainDeviceRequest>) -> Answer<DrainDeviceResponse> {
        not_echoed()
    }

    async fn reserve_device(
        &self,
        _: Request<ReserveDeviceRequest>,
    ) -> Answer<ReserveDeviceResponse> {
        not_echoed()
    }

    async fn release_reservation(
        &self,
        _: Request<ReleaseReservationRequest>,
    ) -> Answer<ReleaseReservationResponse> {
        not_echoed()
    }
}
