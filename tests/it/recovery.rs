//! A kernel dies at every point at which something is stored, and the next one goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::Sha256Sum;
use qrtx::job::event::Recorded;
use qrtx::observe::Traces;
use qrtx::os::clock::SystemClock;
use qrtx::os::serve;
use qrtx::store::memory::Row;
use qrtx_testkit::gated_store::{GatedStore, Passage};
use qrtx_testkit::neighbours::{DriverDouble, Served, Unserved};
use tonic::{Code, Response};

use crate::circuits::bell;
use crate::harness::{
    Client, Deployment, client_of, enqueue, events, finish, history, request, status, until,
};

/// Stops the deployment's kernel, and gives a Bell job to one that lives for so many appends; it
/// is dead on return.
async fn submit_to_a_dying_kernel(
    deployment: &mut Deployment,
    appends: i64,
    written: bool,
) -> String {
    deployment.stop().await;
    let left = Arc::new(AtomicI64::new(appends));
    let lives = left.clone();
    let mortal = GatedStore::new(deployment.store.clone(), move |append| {
        let waited = |recorded: &Recorded| recorded.event.may_wait();
        if lives.load(Ordering::SeqCst) >= 0 && append.events.iter().all(waited) {
            // Whether these come alone is a matter of time.
            return Passage::Through;
        }
        match lives.fetch_sub(1, Ordering::SeqCst) {
            1.. => Passage::Through,
            0 if written => Passage::Unheard,
            _ => Passage::Lost,
        }
    });
    let dying = serve::start_on(&deployment.config, false, mortal, Traces::none())
        .await
        .unwrap();
    let job_id = enqueue(&mut client_of(dying.grpc).await, request(bell())).await;
    while left.load(Ordering::SeqCst) >= 0 {
        tokio::task::yield_now().await;
    }
    job_id
}

/// Returns when the end of a job is dealt with. A watch need not tell of it: it goes up to the end.
async fn reported(client: &mut Client, job_id: &str) {
    while history(client, job_id).await.events.last().unwrap().kind != "Reported" {
        tokio::task::yield_now().await;
    }
}

/// The appends of a good life after the first: the circuit, the intent, the counts, the end.
const APPENDS: i64 = 4;
/// The number of the intent among them.
const INTENT: i64 = 2;

#[tokio::test]
async fn a_job_completes_though_the_kernel_dies_at_any_append_before_or_after_the_write() {
    for dies_at in 1..=APPENDS {
        for written in [false, true] {
            let case = format!("dies at append {dies_at}, written: {written}");
            let mut deployment = Deployment::embedded().await;
            let job_id = submit_to_a_dying_kernel(&mut deployment, dies_at, written).await;

            deployment.start().await;
            let mut client = deployment.client().await;
            let results = finish(&mut client, &job_id).await;
            assert_eq!(
                results.state(),
                wire::TaskState::Completed,
                "{case}: {:?}",
                results.error
            );
            assert_eq!(results.counts.values().sum::<i64>(), 1000, "{case}");
            for artifact in &results.artifacts {
                let file = deployment.root().join(&artifact.path);
                let content = std::fs::read(file).unwrap();
                assert_eq!(
                    Sha256Sum::of(&content).to_string(),
                    artifact.sha256,
                    "{case}"
                );
            }
            let seen = events(&mut client, &job_id, 0).await;
            assert!(
                seen.iter().zip(1..).all(|(event, seq)| event.seq == seq),
                "{case}"
            );
            let ledger = history(&mut client, &job_id).await.ledger;
            let delivered: i64 = ledger.iter().map(|entry| entry.delivered).sum();
            assert_eq!(delivered, 1000, "{case}: {ledger:?}");
            for entry in ledger {
                let sum = entry.delivered + entry.wasted + entry.not_run + entry.unknown;
                assert_eq!(sum, entry.requested, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_intent_of_a_dead_kernel_is_never_executed_blindly_again() {
    let mut deployment = Deployment::embedded().await;
    // Whether the device ran cannot be known, and this device's shots are paid for.
    let device = "sim:local".parse().unwrap();
    let fail = qrtx::job::event::OnUnknown::Fail;
    deployment
        .config
        .devices
        .on_unknown_outcome
        .insert(device, fail);
    deployment.config.limits.execute_ms = 500;
    let job_id = submit_to_a_dying_kernel(&mut deployment, INTENT, true).await;

    deployment.start().await;
    let mut client = deployment.client().await;
    let results = finish(&mut client, &job_id).await;
    assert_eq!(results.state(), wire::TaskState::Failed);
    let error = results.error.unwrap();
    assert_eq!(error.error_code, "ExecuteError");
    assert!(
        error.error_summary.contains("not run again"),
        "{}",
        error.error_summary
    );
    let ledger = history(&mut client, &job_id).await.ledger;
    let [entry] = &ledger[..] else {
        panic!("{ledger:?}")
    };
    assert_eq!(entry.unknown, entry.requested, "the doubt is in the ledger");
}

#[tokio::test]
async fn an_older_kernel_that_wakes_up_is_refused_and_stops() {
    let mut deployment = Deployment::embedded().await;
    let mut old_client = deployment.client().await;
    let old = deployment.take();
    deployment.start().await;
    let refused = old_client.enqueue_job(request(bell())).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    let why = old.kernel.stopped().await;
    assert!(why.contains("taken over by epoch 2"), "{why}");
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    assert_eq!(
        finish(&mut client, &job_id).await.state(),
        wire::TaskState::Completed
    );
}

#[tokio::test]
async fn with_a_driver_that_can_be_asked_every_job_runs_exactly_once() {
    for dies_at in 1..=APPENDS {
        for written in [false, true] {
            let case = format!("dies at append {dies_at}, written: {written}");
            let double = DriverDouble::new(SystemClock::default()).with_control();
            let served = Served::start(double.routes());
            let mut deployment = Deployment::new(|config| {
                config.driver = Some(served.url());
                config.limits.backoff_ms_base = 10;
            })
            .await;
            let job_id = submit_to_a_dying_kernel(&mut deployment, dies_at, written).await;
            deployment.start().await;
            let mut client = deployment.client().await;
            let results = finish(&mut client, &job_id).await;
            assert_eq!(
                results.state(),
                wire::TaskState::Completed,
                "{case}: {:?}",
                results.error
            );
            assert_eq!(double.runs_of(&job_id).len(), 1, "{case}");
        }
    }
}

#[tokio::test]
async fn a_job_whose_record_is_damaged_has_failed_and_the_others_are_served() {
    let nobody = Unserved::new();
    let mut deployment = Deployment::new(|config| config.driver = Some(nobody.url())).await;
    let mut client = deployment.client().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(enqueue(&mut client, request(bell())).await);
    }
    deployment.stop().await;
    let [whole, headless, historyless, lost] = &ids[..] else {
        unreachable!()
    };
    let spoil = |job: &str, row| {
        let job = job.parse().unwrap();
        assert!(deployment.store.spoil(job, row), "{job} has no {row:?}");
    };
    spoil(headless, Row::Head);
    spoil(historyless, Row::Event(1));
    spoil(lost, Row::Head);
    spoil(lost, Row::Event(1));

    deployment.config.driver = None;
    deployment.start().await;
    let mut client = deployment.client().await;
    for served in [whole, headless] {
        let results = finish(&mut client, served).await;
        assert_eq!(results.state(), wire::TaskState::Completed);
    }
    for lost in [historyless, lost] {
        let failed = finish(&mut client, lost).await;
        assert_eq!(failed.state(), wire::TaskState::Failed);
        let error = failed.error.unwrap();
        assert_eq!(error.error_code, "PersistError");
        assert!(
            error.error_summary.contains("event 1"),
            "{}",
            error.error_summary
        );
        reported(&mut client, lost).await;
        assert!(deployment.folder(lost).join("error.json").exists());
    }

    // The next start finds a record that is whole.
    deployment.stop().await;
    deployment.start().await;
    let mut client = deployment.client().await;
    for lost in [historyless, lost] {
        assert_eq!(history(&mut client, lost).await.events.len(), 3);
    }
}

/// What is left of it is one event shorter, and with its end as long as before.
#[tokio::test]
async fn a_job_whose_last_event_is_damaged_gives_its_place_back() {
    let mut deployment = Deployment::new(|config| config.limits.jobs_waiting = 1).await;
    let mut client = deployment.client().await;
    let known = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &known).await;
    let drain = wire::DrainDeviceRequest {
        device_id: "sim:local".to_owned(),
        draining: true,
    };
    client.drain_device(drain).await.unwrap();
    let damaged = enqueue(&mut client, request(bell())).await;
    until(&mut client, &damaged, "Compiled").await;
    deployment.stop().await;
    let id = damaged.parse().unwrap();
    assert!(deployment.store.spoil(id, Row::Event(4)));

    deployment.start().await;
    let mut client = deployment.client().await;
    // Who asks after all that happened does not wait for its turn.
    let told = history(&mut client, &damaged).await;
    let failed = told.events.iter().find(|event| event.kind == "Failed");
    assert_eq!(failed.map(|event| event.seq), Some(4));
    reported(&mut client, &damaged).await;
    enqueue(&mut client, request(bell())).await;
}

/// Whoever has lost its name is found by its head, and the other way round.
#[tokio::test]
async fn a_waiting_job_that_has_lost_its_name_or_its_head_goes_on() {
    let deployment = Deployment::new(|config| config.limits.jobs_at_hand = 0).await;
    let mut client = deployment.client().await;
    let known = enqueue(&mut client, request(bell())).await;
    finish(&mut client, &known).await;
    let drain = |draining| wire::DrainDeviceRequest {
        device_id: "sim:local".to_owned(),
        draining,
    };
    client.drain_device(drain(true)).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let id = enqueue(&mut client, request(bell())).await;
        until(&mut client, &id, "Compiled").await;
        waiting.push(id);
    }
    let id = |at: usize| waiting[at].parse().unwrap();
    assert!(deployment.store.spoil(id(0), Row::Name));
    assert!(deployment.store.lose(id(1), Row::Name));
    assert!(deployment.store.lose(id(2), Row::Head));
    assert!(deployment.store.lose(id(3), Row::Name));
    assert!(deployment.store.lose(id(4), Row::Name));
    let told = status(&mut client, &waiting[3]).await;
    assert_eq!(told.state(), wire::TaskState::Queued);
    let explained = client.explain_job(wire::ExplainJobRequest {
        job_id: waiting[4].clone(),
    });
    let why = explained.await.unwrap().into_inner().reasons;
    assert!(!why.is_empty(), "it waits for its device");
    client.drain_device(drain(false)).await.unwrap();
    for id in &waiting {
        let results = finish(&mut client, id).await;
        assert_eq!(results.state(), wire::TaskState::Completed, "{id}");
    }
}

#[tokio::test]
async fn what_a_device_ran_is_not_lost_with_a_head_and_an_early_event() {
    let mut deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let job_id = enqueue(&mut client, request(bell())).await;
    let before = finish(&mut client, &job_id).await;
    deployment.stop().await;
    let id = job_id.parse().unwrap();
    for row in [Row::Head, Row::Event(2)] {
        assert!(deployment.store.spoil(id, row), "{row:?}");
    }
    deployment.start().await;
    let mut client = deployment.client().await;
    let asked = wire::GetJobResultsRequest {
        job_id: job_id.clone(),
    };
    let after = client.get_job_results(asked).await.unwrap().into_inner();
    assert_eq!(after.state(), wire::TaskState::Completed);
    assert_eq!(after.counts, before.counts);

    let told = history(&mut client, &job_id).await;
    assert_eq!((told.events.len(), told.ledger[0].delivered), (1, 1000));
    assert_eq!(told.lost, "event 2 cannot be read");
}

#[tokio::test]
async fn a_job_that_had_ended_is_read_though_its_name_or_checkpoint_is_damaged() {
    let mut deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let job_id = enqueue(&mut client, request(bell())).await;
        ended.push(finish(&mut client, &job_id).await);
    }
    deployment.stop().await;
    let id = |at: usize| ended[at].job_id.parse().unwrap();
    assert!(deployment.store.spoil(id(0), Row::Name));
    assert!(deployment.store.spoil(id(1), Row::Checkpoint));
    assert!(deployment.store.spoil(id(2), Row::Checkpoint));
    assert!(deployment.store.spoil(id(2), Row::Event(2)));
    deployment.start().await;
    let mut client = deployment.client().await;
    let mut results = async |at: usize| {
        let job_id = ended[at].job_id.clone();
        let asked = wire::GetJobResultsRequest { job_id };
        client
            .get_job_results(asked)
            .await
            .map(Response::into_inner)
    };
    for at in [0, 1] {
        assert_eq!(results(at).await.unwrap().counts, ended[at].counts);
    }
    // What cannot be made again without a loss is left to `fsck`.
    let refused = results(2).await.unwrap_err();
    assert_eq!(refused.code(), Code::DataLoss, "{refused}");
}
