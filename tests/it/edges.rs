//! What a stranger finds at the kernel's addresses.

use std::io::{Read as _, Write as _};

use futures::StreamExt as _;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::circuits::bell;
use crate::harness::{Deployment, channel_to, enqueue, finish, request};

const SERVICES: [&str; 2] = [
    "eigen.kernel.v1.KernelGateway",
    "eigen.internal.v1.KernelGatewayService",
];

#[tokio::test]
async fn both_gateways_are_healthy_and_found_by_reflection() {
    let deployment = Deployment::embedded().await;
    let channel = channel_to(deployment.serving().grpc).await;
    let mut health = HealthClient::new(channel.clone());
    for service in SERVICES {
        let service = service.to_owned();
        let request = tonic_health::pb::HealthCheckRequest { service };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }

    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let asked = futures::stream::iter([list]);
    let mut answers = reflection
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else {
        panic!("{answer:?}");
    };
    let listed: Vec<_> = listed
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for service in SERVICES {
        assert!(listed.iter().any(|name| name == service), "{listed:?}");
    }
}

fn get(deployment: &Deployment, page: &str) -> String {
    let mut stream = std::net::TcpStream::connect(deployment.serving().http.unwrap()).unwrap();
    write!(
        stream,
        "GET {page} HTTP/1.1\r\nHost: qrtx\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_metrics_are_served_by_name_and_count_what_happens() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let names = [
        "eigen_kernel_job_state_transitions_total",
        "eigen_kernel_stage_duration_seconds",
        "eigen_kernel_queue_depth",
        "eigen_kernel_active_jobs",
    ];
    let before = get(&deployment, "/metrics");
    assert!(before.starts_with("HTTP/1.1 200"), "{before}");
    for name in names {
        assert!(
            before.contains(&format!("# TYPE {name} ")),
            "{name} before the first job"
        );
    }
    let job_id = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &job_id).await;
    let after = get(&deployment, "/metrics");
    for line in [
        "eigen_kernel_job_state_transitions_total{from=\"Queued\",to=\"Allocating\"} 1",
        "eigen_kernel_stage_duration_seconds_count{stage=\"Executing\"} 1",
        "eigen_kernel_queue_depth 0",
        "eigen_kernel_active_jobs 0",
    ] {
        assert!(after.contains(line), "{line} in {after}");
    }
    assert!(!after.contains(&job_id), "no label is a job");
    for page in ["/healthz", "/readyz"] {
        assert!(get(&deployment, page).starts_with("HTTP/1.1 200"), "{page}");
    }
}
