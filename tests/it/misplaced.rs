//! Rows of a store that lie where others should, or nowhere: what becomes of their jobs.

use qrtx::grpc::proto::kernel as wire;
use qrtx::os::jobs;
use qrtx::ports::JobStore as _;
use tempfile::TempDir;

use crate::circuits::bell;
use crate::fsck::{completed, fsck};
use crate::harness::{client_of, enqueue, finish, request, status, until};
use crate::process::Process;
use crate::rows::{copy, exchange, head_of, lose, row_of};

#[tokio::test]
async fn jobs_that_are_gone_without_a_trace_are_missed() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 2).await;
    let id: qrtx::ids::JobId = results[0].job_id.parse().unwrap();
    let name = [&b"n"[..], &id.to_be_bytes()].concat();
    let rows = [&b"j"[..], &1_u64.to_be_bytes()].concat();
    assert!(lose(folder, &[&name, &rows, &head_of(1)]) > 10);
    let (code, said) = fsck(folder, &["--repair"]);
    assert_eq!((code, &said["jobs"]), (Some(1), &1.into()), "{said}");
    let what = said["findings"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("2 jobs were stored"), "{said}");
}

#[tokio::test]
async fn a_head_that_is_not_what_its_history_says_and_a_program_of_another_are_told() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    let other = crate::circuits::aqo(1, vec![serde_json::json!({ "op": "X", "q": [0] })]);
    for program in [bell(), other] {
        let id = enqueue(&mut client, request(program)).await;
        finish(&mut client, &id).await;
    }
    drop(client);
    kernel.stop();
    for row in [2, u64::MAX] {
        let (one, other) = (row_of(1, row), row_of(2, row));
        exchange(folder, &one, &other);
        let (code, said) = fsck(folder, &[]);
        assert_eq!(code, Some(1), "{said}");
        let what = said["findings"][0]["what"].as_str().unwrap();
        let wanted = match row {
            2 => "its head is not what its history says",
            _ => "its program is not the one",
        };
        assert!(what.starts_with(wanted), "{said}");
        exchange(folder, &one, &other);
    }
    assert_eq!(fsck(folder, &[]).0, Some(0));
}

#[tokio::test]
async fn a_reservation_that_cannot_be_read_is_told_and_forgotten_and_its_slot_is_free() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    let id = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &id).await;
    let wanted = wire::ReserveDeviceRequest {
        device_id: "sim:local".to_owned(),
        ttl: prost_types::Duration::try_from(std::time::Duration::from_secs(3600)).ok(),
        purpose: "a test".to_owned(),
        ..wire::ReserveDeviceRequest::default()
    };
    let reserved = client.reserve_device(wanted.clone()).await.unwrap();
    let reserved = reserved.into_inner().reservation.unwrap().reservation_id;
    drop(client);
    kernel.stop();
    let token = u64::from_str_radix(reserved.strip_prefix("rsv-").unwrap(), 16).unwrap();
    let place = [&b"r"[..], &token.to_be_bytes()].concat();
    copy(folder, &head_of(1), &place);

    let what = format!("reservation {reserved} cannot be read: its holder has lost it");
    for (arguments, code) in [(&[][..], 1), (&["--repair"], 0)] {
        let (exited, said) = fsck(folder, arguments);
        assert_eq!(exited, Some(code), "{said}");
        assert_eq!(said["findings"][0]["what"], what.as_str(), "{said}");
    }
    assert_eq!(fsck(folder, &[]).0, Some(0));
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    client.reserve_device(wanted).await.unwrap();
    drop(client);
    kernel.stop();
}

#[tokio::test]
async fn heads_that_have_changed_places_change_no_job() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let results = completed(folder, 2).await;
    let stored = async || {
        let store = jobs::open(folder.join("data")).unwrap();
        let mut jobs = Vec::new();
        for told in &results {
            let id = told.job_id.parse().unwrap();
            jobs.push(store.job(id).await.unwrap().unwrap());
        }
        jobs
    };
    let before = stored().await;
    exchange(folder, &head_of(1), &head_of(2));
    assert_eq!(fsck(folder, &["--repair"]).0, Some(0));
    assert_eq!(stored().await, before);
    assert_eq!(fsck(folder, &[]).0, Some(0));
}

#[tokio::test]
async fn a_waiting_job_that_a_start_took_for_another_goes_on_when_it_is_asked_after() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    let drain = |draining| wire::DrainDeviceRequest {
        device_id: "sim:local".to_owned(),
        draining,
    };
    client.drain_device(drain(true)).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let id = enqueue(&mut client, request(bell())).await;
        until(&mut client, &id, "Compiled").await;
        waiting.push(id);
    }
    drop(client);
    kernel.stop();
    copy(folder, &head_of(2), &head_of(1));
    let mut kernel = Process::start(folder, &[]);
    let mut client = client_of(kernel.ready().await).await;
    let told = status(&mut client, &waiting[0]).await;
    assert_eq!(told.state(), wire::TaskState::Queued);
    client.drain_device(drain(false)).await.unwrap();
    for id in &waiting {
        let results = finish(&mut client, id).await;
        assert_eq!(results.state(), wire::TaskState::Completed, "{id}");
    }
    drop(client);
    kernel.stop();
    assert_eq!(fsck(folder, &[]).0, Some(0));
}

#[tokio::test]
async fn a_key_in_the_place_of_another_is_told() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    completed(folder, 2).await;
    let keys: Vec<_> = {
        let table = redb::TableDefinition::<&[u8], &[u8]>::new("qrtx");
        let store = redb::Database::open(folder.join("data/jobs.redb")).unwrap();
        let read = redb::ReadableDatabase::begin_read(&store).unwrap();
        let rows = read.open_table(table).unwrap();
        let keys = rows.range::<&[u8]>(&b"k"[..]..&b"l"[..]).unwrap();
        keys.map(|row| row.unwrap().0.value().to_vec()).collect()
    };
    exchange(folder, &keys[0], &keys[1]);
    let (code, said) = fsck(folder, &[]);
    assert_eq!(
        (code, said["findings"].as_array().unwrap().len()),
        (Some(1), 2)
    );
    let what = said["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("key cannot be looked up"), "{said}");
}
