//! The real process is killed again and again under load, at moments that a seed picks, and what
//! is left is held against what clients were told and devices did.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use qrtx::grpc::proto::kernel as wire;
use qrtx::ids::{JobId, Sha256Sum};
use qrtx::job::state::State;
use qrtx::limits::Limits;
use qrtx::os::clock::SystemClock;
use qrtx::os::jobs;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::Filter;
use qrtx_testkit::history::{History, News, Stored, Told, Wish};
use qrtx_testkit::invariants;
use qrtx_testkit::neighbours::driver::device;
use qrtx_testkit::neighbours::{Call, DriverDouble, Method, Served};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;
use tokio::sync::watch;
use tonic::transport::Endpoint;

use crate::circuits::bell;
use crate::harness::{Client, request};
use crate::process::{PATIENCE, Process};

const CLIENTS: u64 = 12;

/// Where the kernel of a round listens; `None` while there is none.
type Gateway = Option<(usize, SocketAddr)>;

/// What all clients share.
struct World {
    gateway: watch::Receiver<Gateway>,
    told: Mutex<Vec<Told>>,
    /// How much was heard so far: what the killer counts.
    heard: watch::Sender<u64>,
    enough: AtomicBool,
    began: Instant,
    device: &'static str,
}

impl World {
    fn hear(&self, client: u64, job: JobId, news: News) {
        let told = Told {
            at: self.began.elapsed(),
            client: format!("client {client}"),
            request: 0,
            job,
            news,
        };
        self.told.lock().unwrap().push(told);
        self.heard.send_modify(|heard| *heard += 1);
    }

    /// A client of the first kernel after round `seen`.
    async fn connect(&self, seen: &mut Option<usize>) -> Client {
        let mut gateway = self.gateway.clone();
        loop {
            let another =
                |gateway: &Gateway| gateway.is_some_and(|(round, _)| Some(round) != *seen);
            let there = tokio::time::timeout(PATIENCE, gateway.wait_for(another)).await;
            let (round, address) = there.expect("a kernel comes back").unwrap().unwrap();
            let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
            *seen = Some(round);
            if let Ok(channel) = endpoint.connect().await {
                return Client::new(channel);
            }
        }
    }

    /// One job after another, each to its end, whatever happens to the kernel meanwhile.
    async fn client(&self, number: u64) {
        let mut seen = None;
        let mut kernel = self.connect(&mut seen).await;
        for count in 0_u64.. {
            if self.enough.load(Ordering::SeqCst) {
                return;
            }
            let key = format!("job {count} of client {number}");
            let wanted = wire::EnqueueJobRequest {
                name: key.clone(),
                target: self.device.to_owned(),
                shots: Some(100),
                idempotency_key: key.clone(),
                ..request(bell())
            };
            let wire::EnqueueJobResponse {
                job_id,
                deduplicated,
                ..
            } = loop {
                match kernel.enqueue_job(wanted.clone()).await {
                    Ok(accepted) => break accepted.into_inner(),
                    Err(_) => kernel = self.connect(&mut seen).await,
                }
            };
            let job: JobId = job_id.parse().unwrap();
            let accepted = News::Accepted {
                key,
                asked: Duration::ZERO,
                repeated: Some(deduplicated),
                wish: Wish {
                    name: wanted.name.clone(),
                    tenant: "tenant-default".to_owned(),
                    program: Sha256Sum::of(&wanted.program),
                    target: self.device.to_owned(),
                    shots: 100,
                    seed: wanted.seed,
                    options: wanted.compiler_options.into_iter().collect(),
                    priority: 50,
                    timeout: None,
                },
            };
            self.hear(number, job, accepted);
            if count % 7 == 3 {
                let cancel = wire::CancelJobRequest {
                    job_id: job_id.clone(),
                    reason: String::new(),
                };
                if let Ok(answer) = kernel.cancel_job(cancel).await {
                    let answer = answer.into_inner();
                    let receipt = News::Receipt {
                        receipt: answer.receipt().as_str_name().to_owned(),
                        shots_used: answer.shots_used,
                    };
                    self.hear(number, job, receipt);
                }
            }
            let mut seq = 0;
            while !self.watched(&mut kernel, number, job, &mut seq).await {
                kernel = self.connect(&mut seen).await;
            }
        }
    }

    /// Watches a job; true if its end was seen.
    async fn watched(&self, kernel: &mut Client, client: u64, job: JobId, seq: &mut u64) -> bool {
        let wanted = wire::WatchJobRequest {
            job_id: job.to_string(),
            after_seq: *seq,
        };
        let Ok(events) = kernel.watch_job(wanted).await else {
            return false;
        };
        let mut events = events.into_inner();
        loop {
            match events.message().await {
                Ok(Some(event)) => {
                    *seq = event.seq;
                    let news = News::Event {
                        seq: event.seq,
                        kind: event.kind.clone(),
                        state: State::ALL[event.state as usize - 1],
                    };
                    self.hear(client, job, news);
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        let wanted = wire::GetJobResultsRequest {
            job_id: job.to_string(),
        };
        let Ok(results) = kernel.get_job_results(wanted).await else {
            return false;
        };
        let results = results.into_inner();
        let news = News::Results {
            state: State::ALL[results.state as usize - 1],
            device: Some(results.device_id),
            counts: results.counts.into_iter().collect(),
        };
        self.hear(client, job, news);
        true
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let files = entries.map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .map(|path| (name(&path), std::fs::read(&path).unwrap()))
        .collect()
}

/// What is in the store of a kernel that has stopped, and in its artifacts.
async fn stored(folder: &Path) -> BTreeMap<JobId, Stored> {
    let store = jobs::open(folder.join("data")).unwrap();
    let page = store
        .list(&Filter::default(), u64::MAX, usize::MAX)
        .await
        .unwrap();
    assert_eq!(page.unreadable, []);
    let mut stored = BTreeMap::new();
    for head in page.jobs {
        let job = store.job(head.id).await.unwrap().unwrap();
        let events = store.events(job.id, 0, usize::MAX).await.unwrap();
        let artifacts = files(&folder.join("qfs").join(job.id.to_string()));
        let at_completion = (job.state == State::Completed).then(|| artifacts.clone());
        let one = Stored {
            job,
            events,
            artifacts,
            at_completion,
            before_manifest: None,
        };
        stored.insert(one.job.id, one);
    }
    stored
}

/// Waits until the kernel has nothing left to do for any job, also after the job's end.
async fn owes_nothing(kernel: &mut Client, told: &[Told]) {
    let accepted = told.iter().filter_map(|told| match told.news {
        News::Accepted { .. } => Some(told.job.to_string()),
        _ => None,
    });
    for job_id in accepted {
        loop {
            let wanted = wire::GetJobHistoryRequest {
                job_id: job_id.clone(),
            };
            let history = kernel.get_job_history(wanted).await.unwrap().into_inner();
            let last = history.events.last().unwrap();
            if last.kind == "Stored" || last.kind == "Reported" {
                break;
            }
        }
    }
}

/// Kills the kernel `kills` times, and gives what is to be said of it all.
async fn outlived(
    kills: usize,
    seed: u64,
    double: &DriverDouble<SystemClock>,
    device: &'static str,
) -> History {
    let folder = TempDir::new().unwrap();
    let limits = Limits {
        backoff_ms_base: 10,
        backoff_ms_max: 100,
        ..Limits::default()
    };
    let settings = format!(
        "[limits]\nexecute_ms = 400\ndevice_poll_ms = 50\nbackoff_ms_base = {}\n\
         backoff_ms_max = {}\ndevice_slots = 4\n",
        limits.backoff_ms_base, limits.backoff_ms_max
    );
    std::fs::write(folder.path().join("qrtx.toml"), settings).unwrap();
    let served = Served::start(double.routes());
    let mut chance = StdRng::seed_from_u64(seed);
    let (gateway, seen) = watch::channel(None);
    let world = Arc::new(World {
        gateway: seen,
        told: Mutex::default(),
        heard: watch::Sender::new(0),
        enough: AtomicBool::new(false),
        began: Instant::now(),
        device,
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move { world.client(number).await })
        })
        .collect();
    for round in 0..kills {
        let mut process = Process::start(folder.path(), &["--driver", &served.url()]);
        if round % 5 == 3 {
            // Perhaps while it takes over the jobs of the one before.
            let moment = Duration::from_micros(chance.random_range(1_000..80_000));
            let _ = tokio::time::timeout(moment, process.ready()).await;
            process.kill();
            continue;
        }
        let address = process.ready().await;
        if round % 5 != 4 {
            gateway.send_replace(Some((round, address)));
            let more = chance.random_range(1..150);
            let enough = *world.heard.borrow() + more;
            let mut heard = world.heard.subscribe();
            let there = tokio::time::timeout(PATIENCE, heard.wait_for(|heard| *heard >= enough));
            there.await.expect("the kernel gets on").unwrap();
        }
        gateway.send_replace(None);
        process.kill();
    }
    let mut process = Process::start(folder.path(), &["--driver", &served.url()]);
    let address = process.ready().await;
    world.enough.store(true, Ordering::SeqCst);
    gateway.send_replace(Some((kills, address)));
    join_all(clients)
        .await
        .into_iter()
        .for_each(|client| client.unwrap());
    let told = world.told.lock().unwrap().clone();
    let mut kernel = world.connect(&mut None).await;
    let owing = owes_nothing(&mut kernel, &told);
    let done = tokio::time::timeout(PATIENCE, owing).await;
    done.expect("the execute bound closes what nobody can tell");
    process.stop();
    History {
        told,
        runs: double.runs(),
        slots: BTreeMap::from([(device.to_owned(), 4)]),
        stored: stored(folder.path()).await,
        limits,
        ..History::default()
    }
}

fn assert_nothing_is_broken(history: &History) {
    for invariant in invariants::ALL {
        let broken = (invariant.check)(history);
        assert!(broken.is_empty(), "{}: {broken:#?}", invariant.name);
    }
    // A job of whose acknowledgement the client never heard is one that it asked for again.
    let accepted = history.accepted();
    for (id, stored) in &history.stored {
        assert!(
            accepted.contains(id),
            "{id} was never asked for: {stored:?}"
        );
        assert!(stored.job.state.is_terminal());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_no_job_change_no_end_and_run_nothing_twice() {
    let double = DriverDouble::new(SystemClock::default())
        .with_devices([device("qpu").backend_type("qpu").capability("slots", "4")])
        .with_control();
    double.set_takes(Duration::from_millis(5));
    let history = outlived(50, 7, &double, "qpu").await;
    assert_nothing_is_broken(&history);
    for (id, stored) in &history.stored {
        assert!(double.runs_of(&id.to_string()).len() <= 1, "{id} ran twice");
        for entry in &stored.job.ledger {
            assert_eq!(
                entry.settlement.unknown, 0,
                "the driver can be asked: {entry:?}"
            );
        }
    }
    assert!(history.stored.len() > 100, "{} jobs", history.stored.len());
    let asked = |call: &Call| call.method == Method::GetExecution;
    let asked = double.calls().iter().filter(|call| asked(call)).count();
    assert!(asked > 0, "no kill came between an intent and its outcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_driver_cannot_be_asked_every_doubt_is_in_the_ledger() {
    let double = DriverDouble::new(SystemClock::default())
        .with_devices([device("qpu").backend_type("qpu").capability("slots", "4")]);
    double.set_takes(Duration::from_millis(5));
    let history = outlived(25, 11, &double, "qpu").await;
    // Such a driver does not tell executions apart, so that runs are held against jobs here.
    let apart = ["ledger_closes", "one_device_one_run"];
    let mut unknown = 0;
    for invariant in invariants::ALL {
        if !apart.contains(&invariant.name) {
            let broken = (invariant.check)(&history);
            assert!(broken.is_empty(), "{}: {broken:#?}", invariant.name);
        }
    }
    for (id, stored) in &history.stored {
        assert!(stored.job.state.is_terminal(), "{id} has not ended");
        let fired = double.shots_fired_for(&id.to_string());
        let sum = |column: fn(&qrtx::job::ledger::Settlement) -> u32| -> i64 {
            stored
                .job
                .ledger
                .iter()
                .map(|entry| i64::from(column(&entry.settlement)))
                .sum()
        };
        let known = sum(|settled| settled.delivered) + sum(|settled| settled.wasted);
        let doubted = sum(|settled| settled.unknown);
        assert!(
            (known..=known + doubted).contains(&fired),
            "{id}: {fired} fired, {:?}",
            stored.job.ledger
        );
        assert!(double.runs_of(&id.to_string()).len() <= 1, "{id} ran twice");
        unknown += doubted;
    }
    assert!(unknown > 0, "no kill left a doubt");
}
