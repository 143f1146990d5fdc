//! The disk of the job store is full: new jobs are refused with a reason, those that run keep their
//! results, and the kernel goes on by itself as soon as there is room.

use std::sync::Arc;
use std::time::Duration;

use qrtx::grpc::proto::kernel as wire;
use qrtx::limits::Limits;
use qrtx::observe::Traces;
use qrtx::os::config::Options;
use qrtx::os::serve;
use qrtx::store::disk::{RedbStore, Room, Surroundings};
use qrtx::time::Monotonic;
use qrtx_testkit::disk::Disk;
use qrtx_testkit::hand_clock::HandClock;
use qrtx_testkit::neighbours::driver::device;
use qrtx_testkit::neighbours::{DriverDouble, Served};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::circuits::bell;
use crate::harness::{Client, client_of, enqueue, finish, history, request, status};
use crate::process::Process;

const HOUR: Duration = Duration::from_secs(3600);

fn store_on(disk: &Disk) -> RedbStore {
    let machine = disk.boot();
    let surroundings = Surroundings {
        offload: |work| drop(tokio::task::spawn_blocking(work)),
        now: Arc::new(|| Monotonic(Duration::ZERO)),
        room: Room::default(),
        cache_bytes: 1 << 20,
    };
    RedbStore::open(move || machine.open(), surroundings).unwrap()
}

fn wanted(notes: &str) -> wire::EnqueueJobRequest {
    wire::EnqueueJobRequest {
        target: "qpu".to_owned(),
        metadata: [("notes".to_owned(), notes.to_owned())].into(),
        ..request(bell())
    }
}

/// Submits until that is refused; gives those that were taken, and the refusal.
async fn fill(client: &mut Client) -> (Vec<String>, Status) {
    let mut taken = Vec::new();
    let notes = "x".repeat(30_000);
    loop {
        match client.enqueue_job(wanted(&notes)).await {
            Ok(accepted) => taken.push(accepted.into_inner().job_id),
            Err(refused) => return (taken, refused),
        }
        assert!(taken.len() < 1000, "the disk has a bound");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_new_jobs_loses_no_result_and_is_got_over() {
    let clock = HandClock::default();
    let qpu = device("qpu").backend_type("qpu").capability("slots", "2");
    let double = DriverDouble::new(clock.clone()).with_devices([qpu]);
    double.set_takes(HOUR);
    let served = Served::start(double.routes());
    let folder = TempDir::new().unwrap();
    let mut config = Options::default().resolve().unwrap();
    config.qfs_root = folder.path().display().to_string();
    config.listen = "127.0.0.1:0".to_owned();
    config.driver = Some(served.url());
    config.limits = Limits {
        device_poll_ms: 50,
        backoff_ms_base: 10,
        backoff_ms_max: 50,
        ..Limits::default()
    };
    let disk = Disk::default();
    let kernel = serve::start_on(&config, false, store_on(&disk), Traces::none());
    let kernel = kernel.await.unwrap();
    let mut client = client_of(kernel.grpc).await;

    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(enqueue(&mut client, wanted("")).await);
    }
    double.started(2).await;
    disk.set_capacity(Some(disk.bytes()));
    let (taken, refused) = fill(&mut client).await;
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(
        refused.message().contains("the job store is full"),
        "{refused:?}"
    );
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");

    // The answers are here, and cannot be stored.
    double.set_takes(Duration::ZERO);
    clock.advance(HOUR);
    let (more, refused) = fill(&mut client).await;
    assert_eq!(refused.code(), Code::ResourceExhausted);
    for job in &running {
        let state = status(&mut client, job).await.state();
        let kept = [
            wire::TaskState::Executing,
            wire::TaskState::Completing,
            wire::TaskState::Completed,
        ];
        assert!(
            kept.contains(&state),
            "{state:?}: the disk is no reason to fail"
        );
    }
    assert!(kernel.kernel.why_stopped().is_none());

    disk.set_capacity(None);
    for job in running.iter().chain(&taken).chain(&more) {
        let results = finish(&mut client, job).await;
        assert_eq!(results.state(), wire::TaskState::Completed, "{results:?}");
        assert_eq!(results.counts.values().sum::<i64>(), 1000);
        let events = history(&mut client, job).await.events;
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        assert_eq!(double.runs_of(job).len(), 1);
    }
    let late = enqueue(&mut client, wanted("")).await;
    finish(&mut client, &late).await;

    // What was acknowledged is there when the power fails.
    kernel.stop().await;
    disk.crash(3);
    let kernel = serve::start_on(&config, false, store_on(&disk), Traces::none());
    let kernel = kernel.await.unwrap();
    let mut client = client_of(kernel.grpc).await;
    for job in running.iter().chain(&taken).chain(&more).chain([&late]) {
        assert_eq!(
            status(&mut client, job).await.state(),
            wire::TaskState::Completed
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_that_was_killed_on_a_full_disk_starts_by_itself_as_soon_as_there_is_room() {
    let folder = TempDir::new().unwrap();
    // It waits for room for a new store, too.
    let mut kernel = Process::start_in_narrow(folder.path(), &[]);
    kernel.says("waiting").await;
    kernel.make_room();
    let mut client = client_of(kernel.ready().await).await;
    let job = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &job).await;
    kernel.kill();

    let mut kernel = Process::start_in_narrow(folder.path(), &[]);
    let waiting = kernel.says("waiting").await;
    let why = waiting["message"].as_str().unwrap();
    assert!(why.contains("as soon as there is room"), "{why}");
    kernel.make_room();
    let mut client = client_of(kernel.ready().await).await;
    let state = status(&mut client, &job).await.state();
    assert_eq!(state, wire::TaskState::Completed);
    kernel.stop();
}
