use std::time::Duration;

use qrtx::grpc::proto::internal::{
    CalibrateDeviceRequest, CircuitFormat, DeviceStatus, ExecuteCircuitRequest,
    GetDeviceStatusRequest, ListDevicesRequest,
};
use qrtx_testkit::neighbours::driver::End;
use qrtx_testkit::neighbours::{Method, device};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{HOUR, JOB, named, order, site};

fn reason(refused: &Status) -> String {
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.domain, "eigen.driver_manager");
    info.reason
}

#[tokio::test]
async fn devices_are_listed_as_they_are_now() {
    let mut site = site(|driver| {
        let chip = device("qpu:1")
            .backend_type("qpu")
            .capability("qubits", "5")
            .busy(3, 60);
        driver.with_devices([chip, device("a")])
    });
    site.driver.set_status("qpu:1", DeviceStatus::Calibrating);
    let listed = site
        .manager
        .list_devices(ListDevicesRequest {})
        .await
        .unwrap()
        .into_inner();
    let [a, chip] = &listed.devices[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (a.device_id.as_str(), a.status()),
        ("a", DeviceStatus::Online)
    );
    assert_eq!(a.capabilities["ops"], "RX,RY,RZ,CX,MEASURE");
    assert_eq!(
        (chip.backend_type.as_str(), chip.status()),
        ("qpu", DeviceStatus::Calibrating)
    );
    assert_eq!((chip.queue_depth, chip.estimated_wait_sec), (3, 60));
}

#[tokio::test]
async fn an_unknown_device_is_an_invalid_argument() {
    let mut site = site(|driver| driver);
    let ask = |id: &str| GetDeviceStatusRequest {
        device_id: id.to_owned(),
    };
    let seen = site
        .manager
        .get_device_status(ask("sim:local"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen.status(), DeviceStatus::Online);
    let unknown = site
        .manager
        .get_device_status(ask("nope:dev"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    assert_eq!(reason(&unknown), "EIGEN_BACKEND_INVALID_ARGUMENT");
    assert!(unknown.get_details_bad_request().is_none());
    let empty = site.manager.get_device_status(ask("")).await.unwrap_err();
    assert_eq!(reason(&empty), "EIGEN_INVALID_ARGUMENT");
    assert!(empty.get_details_bad_request().is_some());
}

#[tokio::test]
async fn calibrating_a_known_device_fails_for_an_unknown_reason() {
    let mut site = site(|driver| driver);
    let request = CalibrateDeviceRequest {
        device_id: "sim:local".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        site.manager
            .calibrate_device(request)
            .await
            .unwrap_err()
            .code(),
        Code::Unknown
    );
}

#[tokio::test]
async fn counts_depend_on_circuit_shots_and_seed_only_and_sum_to_the_shots() {
    let mut site = site(|driver| driver);
    let mut answers = Vec::new();
    for (job, shots, seed) in [
        ("a", 1000, "7"),
        ("b", 1000, "7"),
        ("c", 1000, "8"),
        ("d", 1, "7"),
    ] {
        let mut request = ExecuteCircuitRequest {
            job_id: job.to_owned(),
            shots,
            ..order()
        };
        request.options.insert("seed".to_owned(), seed.to_owned());
        let answer = site
            .manager
            .execute_circuit(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.counts.values().sum::<i64>(), i64::from(shots));
        assert!(answer.counts.keys().all(|key| key.len() == 2), "{answer:?}");
        assert_eq!(answer.metadata["shots"], shots.to_string());
        answers.push(answer.counts);
    }
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[0], answers[2]);
}

#[tokio::test]
async fn all_bad_fields_are_told_in_one_refusal() {
    let mut site = site(|driver| driver);
    let request = ExecuteCircuitRequest {
        job_id: JOB.to_owned(),
        ..Default::default()
    };
    let refused = site.manager.execute_circuit(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(&refused), "EIGEN_INVALID_ARGUMENT");
    let wrong = refused.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = wrong
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["device_id", "payload.data", "shots"]);
    assert_eq!(
        refused.get_details_resource_info().unwrap().resource_name,
        JOB
    );
    assert!(site.driver.runs().is_empty());
}

#[tokio::test]
async fn what_a_device_cannot_run_is_refused_with_the_reason() {
    let mut site = site(|driver| driver);
    let with = |find: &str, put: &str| {
        let mut request = order();
        let payload = request.payload.as_mut().unwrap();
        let text = String::from_utf8(payload.data.clone()).unwrap();
        payload.data = text.replace(find, put).into_bytes();
        request
    };
    let mut qasm = order();
    qasm.payload
        .as_mut()
        .unwrap()
        .set_format(CircuitFormat::Qasm3Text);
    let elsewhere = ExecuteCircuitRequest {
        device_id: "nope:dev".to_owned(),
        ..order()
    };
    let invalid = (Code::InvalidArgument, "EIGEN_BACKEND_INVALID_ARGUMENT");
    let provider = (Code::Unimplemented, "EIGEN_BACKEND_PROVIDER");
    for (request, (code, why)) in [
        (with("\"RY\"", "\"H\""), provider),
        (qasm, provider),
        (
            with("\"qubits\":2", "\"qubits\":17"),
            (Code::ResourceExhausted, "EIGEN_BACKEND_QUOTA"),
        ),
        (with("\"qubits\":2", "\"qubits\":1"), invalid),
        (with("1.0.0", ""), invalid),
        (with("{", "["), invalid),
        (elsewhere, invalid),
    ] {
        let refused = site.manager.execute_circuit(request).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (code, why));
        let after = refused
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        let told = (code == Code::ResourceExhausted).then_some(Duration::from_secs(5));
        assert_eq!(after, told);
    }
    assert!(site.driver.runs().is_empty());
}

#[tokio::test]
async fn a_seed_that_is_no_number_is_an_exception_without_details() {
    let mut site = site(|driver| driver);
    let mut request = order();
    request.options.insert("seed".to_owned(), "soon".to_owned());
    let refused = site.manager.execute_circuit(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unknown);
    assert!(refused.get_details_error_info().is_none());
}

#[tokio::test]
async fn a_device_that_is_away_does_not_run() {
    let mut site = site(|driver| driver);
    site.driver.set_status("sim:local", DeviceStatus::Offline);
    let refused = site.manager.execute_circuit(order()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.get_details_precondition_failure().is_some());
}

#[tokio::test]
async fn a_driver_without_control_runs_the_same_execution_twice() {
    let mut site = site(|driver| driver);
    site.manager
        .execute_circuit(named("job-1#1", 1))
        .await
        .unwrap();
    site.manager
        .execute_circuit(named("job-1#1", 1))
        .await
        .unwrap();
    assert_eq!(site.driver.runs_of(JOB).len(), 2);
    assert_eq!(site.driver.shots_fired_for(JOB), 200);
}

#[tokio::test]
async fn a_run_goes_on_though_its_caller_has_gone() {
    let site = site(|driver| driver);
    site.driver.set_takes(HOUR);
    let mut manager = site.manager.clone();
    let call = tokio::spawn(async move { manager.execute_circuit(order()).await });
    site.driver.started(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    site.clock.advance(HOUR / 2);
    let half = &site.driver.runs()[0];
    assert_eq!((half.shots_fired, half.ended), (50, None));
    site.clock.advance(HOUR);
    let whole = &site.driver.runs()[0];
    assert_eq!(
        (whole.shots_fired, whole.ended),
        (100, Some(whole.started + HOUR))
    );
    assert_eq!(whole.end, End::Measured);
}

#[tokio::test]
async fn runs_that_share_a_device_are_seen_to_overlap() {
    let site = site(|driver| driver);
    site.driver.set_takes(HOUR);
    let mut calls = Vec::new();
    for (number, at) in ["sim:local", "sim:local", "cluster:auto"]
        .iter()
        .enumerate()
    {
        let request = ExecuteCircuitRequest {
            device_id: (*at).to_owned(),
            ..order()
        };
        let mut manager = site.manager.clone();
        calls.push(tokio::spawn(async move {
            manager.execute_circuit(request).await
        }));
        site.driver.started(number + 1).await;
    }
    site.clock.advance(HOUR);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(site.driver.overlaps().len(), 1);
    assert_eq!(site.driver.most_at_once("sim:local"), 2);
    assert_eq!(site.driver.most_at_once("cluster:auto"), 1);
}

#[tokio::test]
async fn calls_are_kept_with_their_headers() {
    let mut site = site(|driver| driver);
    site.manager
        .execute_circuit(named("job-1#1", 7))
        .await
        .unwrap();
    let [call] = &site.driver.calls()[..] else {
        panic!("one call")
    };
    assert_eq!(
        (call.method, call.job.as_str()),
        (Method::ExecuteCircuit, JOB)
    );
    assert_eq!(call.header("traceparent"), Some("00-aa-bb-01"));
    assert_eq!(call.header("x-eigen-execution-id"), Some("job-1#1"));
    assert_eq!(call.header("x-eigen-fencing-token"), Some("7"));
}
