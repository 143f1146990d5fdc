//! The gRPC edges: the gateways that clients call, and the neighbours that we call.
//!
//! Clients stand on a [`Channel`], servers are plain tonic routes: the same code runs over
//! sockets and over the simulated link.

mod call;
mod compiler;
pub mod context;
mod convert;
mod driver;
mod explain;
mod gateway;
pub mod proto;
mod status;
mod system_api;

use std::sync::{Arc, LazyLock};

use tonic::service::Routes;
use tower::util::BoxCloneSyncService;

use crate::grpc::proto::internal::kernel_gateway_service_server::KernelGatewayServiceServer;
use crate::grpc::proto::kernel::kernel_gateway_server::KernelGatewayServer;
use crate::kernel::Kernel;
use crate::limits::REQUEST_BYTES_MAX;
use crate::ports::Env;

pub use call::Neighbour;
#[cfg(not(madsim))]
pub(crate) use call::refusals;
pub use compiler::CompilerClient;
pub use driver::DriverClient;
pub use gateway::Gateway;
pub use system_api::SystemApiGateway;

/// A connection to a neighbour: production puts a `tonic::transport::Channel` in it, the
/// simulated world a link between nodes.
pub type Channel = BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Broken,
>;

/// What went wrong on the way. A request that could not leave has a [`tonic::ConnectError`] in
/// the chain of sources (D18).
#[derive(Debug, thiserror::Error)]
#[error("the connection failed")]
pub struct Broken(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Reflection of either version. It is the same for every kernel of a process, and reading the
/// descriptors takes a fifth of the time of a simulated run.
static REFLECTION: LazyLock<Routes> = LazyLock::new(|| {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let whole = "our own descriptors are whole";
    Routes::new(reflection().build_v1().expect(whole))
        .add_service(reflection().build_v1alpha().expect(whole))
});

/// Everything the kernel serves over gRPC: both gateways, health, and reflection of either
/// version, so that a client needs no proto files.
pub async fn routes<E: Env>(kernel: &Arc<Kernel<E>>) -> Routes {
    let gateway = KernelGatewayServer::new(Gateway(kernel.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let system_api = KernelGatewayServiceServer::new(SystemApiGateway(kernel.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<KernelGatewayServer<Gateway<E>>>()
        .await;
    reporter
        .set_serving::<KernelGatewayServiceServer<SystemApiGateway<E>>>()
        .await;
    REFLECTION
        .clone()
        .add_service(gateway)
        .add_service(system_api)
        .add_service(health)
}
