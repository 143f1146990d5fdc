//! The gRPC edges: the gateways that clients call, and the neighbours that we call.
//!
//! Clients are generic over nothing but a [`Channel`], and servers are plain tonic routes, so
//! the same code runs over sockets and over the simulated link.

pub mod proto;

use tower::util::BoxCloneSyncService;

/// A connection to a neighbour: production puts a `tonic::transport::Channel` in it, the
/// simulated world a link between nodes. A request that could not leave fails with a
/// [`tonic::ConnectError`] in its source chain (D18).
pub type Channel = BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Box<dyn std::error::Error + Send + Sync>,
>;
