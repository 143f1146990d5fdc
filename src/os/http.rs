//! HTTP beside gRPC: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts us.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::kernel::Kernel;
use crate::ports::Env;

/// The pages of a kernel.
pub fn router<E: Env>(kernel: Arc<Kernel<E>>) -> Router {
    let metrics = {
        let kernel = kernel.clone();
        move || async move {
            let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (form, kernel.metrics().render()).into_response()
        }
    };
    let ready = move || async move {
        match kernel.why_stopped() {
            None => (StatusCode::OK, "ready\n".to_owned()),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("stopped: {why}\n")),
        }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
}
