//! A kernel whose clock stands still until a test moves it: what is stored when, and what is kept
//! of jobs that wait.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use qrtx::embedded::{EmbeddedCompiler, EmbeddedDevice, SIM_LOCAL};
use qrtx::ids::JobId;
use qrtx::job::request::JobRequest;
use qrtx::job::state::State;
use qrtx::job::{Job, Receipt};
use qrtx::kernel::{Kernel, Settings, Told};
use qrtx::ports::Env;
use qrtx::ports::compiler::{CallContext, CallError, Circuit, Compiler, Program, Validity};
use qrtx::ports::store::{Append, JobStore as _};
use qrtx::store::MemoryStore;
use qrtx::store::memory::Row;
use qrtx_testkit::gated_store::{GatedStore, Passage};
use qrtx_testkit::hand_clock::HandClock;

use crate::circuits::bell;

/// The embedded compiler, or one that never answers.
struct Compiling {
    embedded: EmbeddedCompiler,
    hangs: Arc<AtomicBool>,
}

impl Compiler for Compiling {
    async fn validate(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Validity, CallError> {
        self.embedded.validate(call, program).await
    }

    async fn compile(
        &self,
        call: CallContext<'_>,
        program: Program<'_>,
    ) -> Result<Circuit, CallError> {
        if self.hangs.load(Ordering::SeqCst) {
            return pending().await;
        }
        self.embedded.compile(call, program).await
    }
}

/// A world in which nothing takes time.
struct Still {
    clock: HandClock,
    compiler: Compiling,
    devices: EmbeddedDevice<HandClock>,
    store: GatedStore<MemoryStore>,
    artifacts: Arc<dyn ObjectStore>,
    drawn: Mutex<u64>,
}

impl Env for Still {
    type Clock = HandClock;
    type Compiler = Compiling;
    type Devices = EmbeddedDevice<HandClock>;
    type Store = GatedStore<MemoryStore>;

    fn clock(&self) -> &HandClock {
        &self.clock
    }

    fn compiler(&self) -> &Compiling {
        &self.compiler
    }

    fn devices(&self) -> &EmbeddedDevice<HandClock> {
        &self.devices
    }

    fn store(&self) -> &GatedStore<MemoryStore> {
        &self.store
    }

    fn artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts
    }

    fn synced_artifacts(&self) -> &Arc<dyn ObjectStore> {
        &self.artifacts
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap();
        *drawn += 1;
        let each = drawn.to_le_bytes().into_iter().cycle();
        bytes.iter_mut().zip(each).for_each(|(byte, it)| *byte = it);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

/// A running kernel, and the strings that hold its world.
struct Bench {
    kernel: Arc<Kernel<Still>>,
    clock: HandClock,
    rows: MemoryStore,
    store: GatedStore<MemoryStore>,
    compiler_hangs: Arc<AtomicBool>,
    /// The names of the events of each append.
    appends: Arc<Mutex<Vec<Vec<&'static str>>>>,
}

impl Bench {
    async fn new() -> Self {
        Self::gated(|_| Passage::Through).await
    }

    /// The appends with these events become what `gate` says.
    async fn gated(gate: fn(&[&str]) -> Passage) -> Self {
        let appends: Arc<Mutex<Vec<Vec<_>>>> = Arc::default();
        let noted = appends.clone();
        let rows = MemoryStore::default();
        let store = GatedStore::new(rows.clone(), move |append: &Append| {
            let names = append.events.iter().map(|recorded| recorded.event.name());
            let names: Vec<_> = names.collect();
            let passage = gate(&names);
            noted.lock().unwrap().push(names);
            passage
        });
        let (clock, compiler_hangs) = (HandClock::default(), Arc::new(AtomicBool::new(false)));
        let offload = |work: Box<dyn FnOnce() + Send>| work();
        let still = Still {
            clock: clock.clone(),
            compiler: Compiling {
                embedded: EmbeddedCompiler::new(offload),
                hangs: compiler_hangs.clone(),
            },
            devices: EmbeddedDevice::new(clock.clone(), offload, 2),
            store: store.clone(),
            artifacts: Arc::new(InMemory::new()),
            drawn: Mutex::new(0),
        };
        let kernel = Kernel::start(still, Settings::default()).await.unwrap();
        Self {
            kernel,
            clock,
            rows,
            store,
            compiler_hangs,
            appends,
        }
    }

    async fn submit(&self) -> JobId {
        let request = JobRequest {
            name: "a test's job".to_owned(),
            program: bell(),
            program_format: "aqo_json".to_owned(),
            target: SIM_LOCAL.to_owned(),
            ..JobRequest::default()
        };
        self.kernel.submit(request).await.unwrap().id
    }

    async fn drain(&self, draining: bool) {
        let device = SIM_LOCAL.parse().unwrap();
        // The first look at the devices may still be under way.
        while self.kernel.set_draining(&device, draining).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// A job as its last event left it, once it is in this state.
    async fn until(&self, id: JobId, state: State) -> Arc<Job> {
        loop {
            let job = self.kernel.job(id).await.unwrap();
            if job.state == state {
                return job;
            }
            assert!(
                !job.state.is_terminal(),
                "{:?}: {:?}",
                job.state,
                job.failure
            );
            tokio::task::yield_now().await;
        }
    }

    fn appends(&self) -> Vec<String> {
        let appends = self.appends.lock().unwrap();
        appends.iter().map(|names| names.join(" ")).collect()
    }

    /// Lets everything happen that can while the clock stands still.
    async fn settle(&self) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_straight_life_is_five_commits() {
    let bench = Bench::new().await;
    let id = bench.submit().await;
    bench.until(id, State::Completed).await;
    insta::assert_snapshot!(bench.appends().join("\n"), @r"
    Submitted
    Admitted Validated Compiled
    Assigned Intended
    PhaseReached PhaseReached Executed
    Stored
    ");
}

#[tokio::test]
async fn an_event_that_may_wait_is_stored_after_100_ms_and_not_before() {
    let bench = Bench::new().await;
    bench.compiler_hangs.store(true, Ordering::SeqCst);
    let id = bench.submit().await;
    bench.settle().await;
    assert_eq!(bench.appends(), ["Submitted"]);
    bench.clock.advance(Duration::from_millis(99));
    bench.settle().await;
    assert_eq!(bench.appends(), ["Submitted"], "it waits for the next one");
    assert_eq!(bench.kernel.job(id).await.unwrap().state, State::Pending);
    bench.clock.advance(Duration::from_millis(1));
    bench.settle().await;
    assert_eq!(bench.appends(), ["Submitted", "Admitted Validated"]);
    let told = bench.kernel.job(id).await.unwrap().state;
    assert_eq!(
        told,
        State::Compiling,
        "who looks at it sees that it compiles"
    );
}

#[tokio::test]
async fn nobody_hears_of_an_event_by_a_watch_before_the_kernel_knows_that_it_is_stored() {
    let bench = Bench::gated(|names| match names.contains(&"Stored") {
        true => Passage::Unheard,
        false => Passage::Through,
    })
    .await;
    let id = bench.submit().await;
    bench.until(id, State::Completing).await;
    bench.settle().await;
    let there = bench.store.job(id).await.unwrap().unwrap();
    assert_eq!(there.state, State::Completed, "it is stored");
    let events = bench.kernel.watch(id, 0).await.unwrap();
    let mut events = Box::pin(events);
    let mut last = State::Pending;
    while let Some(event) = events.next().now_or_never() {
        last = event.expect("it has not ended").unwrap().state;
    }
    // Or who was told the end would ask for the results, and be refused.
    assert_eq!(last, State::Completing);
}

#[tokio::test]
async fn whoever_watches_a_job_reads_its_events_once_until_there_are_others() {
    let bench = Bench::new().await;
    bench.drain(true).await;
    let id = bench.submit().await;
    let last = bench.until(id, State::Queued).await.seq;
    let read = bench.store.histories_read();
    let mut watch = Box::pin(bench.kernel.watch(id, 0).await.unwrap());
    for seq in 1..=last {
        assert_eq!(watch.next().await.unwrap().unwrap().seq, seq);
    }
    assert!(watch.next().now_or_never().is_none(), "it waits");
    assert_eq!(bench.store.histories_read(), read + 1);
    bench.drain(false).await;
    let rest: Vec<_> = watch.map(|event| event.unwrap().seq).collect().await;
    assert_eq!(rest, Vec::from_iter(last + 1..=last + rest.len() as u64));
    assert_eq!(
        bench.until(id, State::Completed).await.seq,
        *rest.last().unwrap()
    );
}

/// More than are kept at hand.
const MANY: usize = 1100;

#[tokio::test]
async fn jobs_that_lie_in_the_store_alone_are_shown_cancelled_and_run() {
    let bench = Bench::new().await;
    bench.drain(true).await;
    let mut ids = Vec::new();
    for _ in 0..MANY {
        let id = bench.submit().await;
        bench.until(id, State::Queued).await;
        ids.push(id);
    }
    let read_before = bench.store.jobs_read();
    let [shown, cancelled, headless, lost, cut, asked] = [0, 1, 2, 3, 4, 5].map(|at| ids[at]);
    assert_eq!(bench.kernel.job(shown).await.unwrap().seq, 4);
    assert_eq!(
        bench.store.jobs_read(),
        read_before + 1,
        "it was not at hand"
    );
    bench.kernel.job(ids[MANY - 1]).await.unwrap();
    assert_eq!(bench.store.jobs_read(), read_before + 1, "the last one was");

    let told = bench.kernel.cancel(cancelled, "").await.unwrap().told;
    assert_eq!(told, Told::Receipt(Receipt::NotStarted));
    let watch = bench.kernel.watch(shown, 0).await.unwrap();
    let watch = tokio::spawn(watch.map(|event| event.unwrap().seq).collect::<Vec<_>>());

    let spoils = [
        (headless, Row::Head),
        (asked, Row::Head),
        (lost, Row::Head),
        (lost, Row::Event(3)),
        // What is left of it is one event shorter, and with its end as long as before.
        (cut, Row::Event(4)),
    ];
    for (damaged, row) in spoils {
        assert!(bench.rows.spoil(damaged, row));
    }
    let asked = bench.kernel.job(asked).await.unwrap();
    assert_eq!(
        asked.seq, 4,
        "who asks after it does not have to wait for its turn"
    );
    bench.drain(false).await;
    let failed = bench.until(lost, State::Failed).await;
    let failure = failed.failure.as_ref().unwrap();
    assert_eq!(failure.category.code(), "PersistError");
    assert!(failure.summary.contains("event 3"), "{}", failure.summary);
    bench.until(cut, State::Failed).await;
    for id in ids
        .into_iter()
        .filter(|id| ![cancelled, lost, cut].contains(id))
    {
        bench.until(id, State::Completed).await;
    }
    let seen = watch.await.unwrap();
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    let waiting: usize = bench
        .kernel
        .devices()
        .0
        .iter()
        .map(|one| one.load.waiting)
        .sum();
    assert_eq!(waiting, 0);
}
