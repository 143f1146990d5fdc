use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::devices::{Patience, Policy, Status};
use crate::ids::{Epoch, FencingToken, JobId, Sha256Sum};
use crate::job::Job;
use crate::job::event::{CircuitFormat, CircuitRef, Counts, Event, OnUnknown, Outcome};
use crate::job::head::Head;
use crate::job::spec::{JobSpec, Owner, ProgramFormat};
use crate::job::trace::TraceContext;
use crate::kernel::table::{Around, Times};
use crate::limits::Limits;
use crate::ports::devices::{DeviceInfo, Hardware};
use crate::time::Moment;

const START: Monotonic = Monotonic(Duration::ZERO);
const HOUR: Duration = Duration::from_secs(3600);

fn job(number: u64, priority: u8, tenant: &str) -> Job {
    let spec = JobSpec {
        name: "bell".into(),
        format: ProgramFormat::AqoJson,
        program_sha256: Sha256Sum::of(b"program"),
        program_bytes: 7,
        target: "sim-1".parse().unwrap(),
        reservation: None,
        priority,
        shots: 10,
        seed: None,
        compiler_options: BTreeMap::new(),
        metadata: BTreeMap::new(),
        expires_at: Timestamp(0) + HOUR,
        owner: Owner {
            tenant: tenant.into(),
            project: "p".into(),
            subject: String::new(),
        },
        idempotency_key: None,
        request_id: "req_1".into(),
        trace: TraceContext::new(1),
    };
    let id = JobId::new(number, [0; 10]);
    Job {
        submission: number,
        ..Job::submitted(id, spec, Timestamp(0))
    }
}

/// A kernel's decisions without a kernel: one device with one slot, one place of every kind, and
/// a tenant may have one job running.
struct Hall {
    table: Table,
    book: Book,
    now: Monotonic,
}

impl Hall {
    fn new() -> Self {
        let limits = Limits {
            compile_slots: 1,
            store_slots: 1,
            tenant_running: 1,
            ..Limits::default()
        };
        Self {
            table: Table::new(&limits),
            book: Book::new(Policy::default(), Patience::of(&limits)),
            now: START,
        }
    }

    /// The driver-manager lists the device so.
    fn listed(&mut self, hardware: Option<Hardware>) {
        let device = hardware.map(|hardware| ("sim-1", hardware));
        self.list(device.as_slice());
    }

    fn list(&mut self, devices: &[(&str, Hardware)]) {
        let info = devices.iter().map(|(id, hardware)| DeviceInfo {
            id: id.parse().unwrap(),
            name: "a simulator".into(),
            backend_type: "simulator".into(),
            hardware: *hardware,
            queue_depth: 0,
            wait_seconds: 0,
            capabilities: [("slots".to_owned(), "1".to_owned())].into(),
        });
        let at = Moment {
            monotonic: self.now,
            wall: Timestamp(0) + self.now.since(START),
        };
        self.book.listed(info.collect(), at.monotonic, at);
        for lane in self.book.lanes(&Limits::default(), self.now) {
            let scheduler = &mut self.table.scheduler;
            let open = lane.status == Status::Online;
            scheduler.set_profile(&lane.device, lane.profile);
            scheduler.set_device(&lane.device, lane.slots, open);
        }
    }

    /// Takes a job in, in the state to which these events bring it, and looks at it.
    fn enter(&mut self, mut job: Job, events: &[Event]) -> Arc<Job> {
        for event in events {
            job.apply(event, Timestamp(0)).unwrap();
        }
        let job = Arc::new(job);
        let times = Times {
            entered: START,
            deadline: START + HOUR,
        };
        self.table
            .insert(Head::of(&job), Some(job.clone()), START, times);
        if let Some(at) = job.not_before {
            self.table.pause(job.id, START + at.since(Timestamp(0)));
        }
        self.look_at(&job);
        job
    }

    fn look_at(&mut self, job: &Job) {
        let around = Around {
            now: START,
            first_contact_over: false,
            answered: false,
        };
        self.table.next_step(job, &self.book, around);
        self.table.pump(START);
    }

    fn told(&self, job: &Job) -> String {
        let wait = self.table.waits(&Head::of(job), &self.book, START);
        let mut told = String::new();
        for reason in &wait.reasons {
            let until = reason.until.map(|at| format!(" until {}", at.0));
            let until = until.unwrap_or_default();
            told += &format!("  {:?}{until}: {}\n", reason.cause, reason.sentence);
        }
        if let Some(Queue { place, line }) = &wait.queue {
            let rules = line.named.iter().map(|ahead| ahead.rule.name());
            let rules: Vec<_> = rules.collect();
            told += &format!("  for {place}, {} ahead: {}\n", line.ahead, rules.join(" "));
        }
        if let Some(Start { wait, basis }) = &wait.start {
            let wait = wait.map(|Interval { p50, p90 }| (p50, p90));
            told += &format!("  start {wait:?}: {basis}\n");
        }
        told
    }
}

fn queued() -> Vec<Event> {
    let circuit = CircuitRef {
        format: CircuitFormat::AqoJson,
        sha256: Sha256Sum::of(b"c"),
        bytes: 1,
        key_widths: [2].into(),
        needs: None,
    };
    let by = "compiler".into();
    vec![
        Event::Admitted,
        Event::Validated { by },
        Event::Compiled { circuit },
    ]
}

#[test]
fn each_reason_to_wait_is_named() {
    let mut told = String::new();
    let mut tell = |what: &str, hall: &Hall, job: &Job| {
        told += &format!("{what}\n{}\n", hall.told(job));
    };

    let mut hall = Hall::new();
    let first = hall.enter(job(1, 50, "ada"), &[]);
    tell("the devices were not asked yet", &hall, &first);
    hall.book
        .lost("driver-manager at d:1 cannot be reached", hall.now);
    tell("the driver-manager was never reached", &hall, &first);

    let mut hall = Hall::new();
    hall.listed(Some(Hardware::Online));
    let running = hall.enter(job(1, 50, "ada"), &queued());
    tell("its turn has come", &hall, &running);
    let limited = hall.enter(job(2, 50, "ada"), &queued());
    let next = hall.enter(job(3, 50, "bob"), &queued());
    let last = hall.enter(job(4, 40, "bob"), &queued());
    tell("a tenant at its limit", &hall, &limited);
    tell("next, and nothing ran yet", &hall, &next);
    let device = "sim-1".parse().unwrap();
    let span = Duration::from_secs(4);
    hall.table.forecast.took(&device, "ada", span);
    tell("next", &hall, &next);
    tell("behind another", &hall, &last);
    for hardware in [
        Hardware::Offline,
        Hardware::Calibrating,
        Hardware::Maintenance,
        Hardware::Error,
    ] {
        hall.listed(Some(hardware));
        tell("the device says so", &hall, &next);
    }
    hall.listed(Some(Hardware::Online));
    let look = hall.book.look();
    hall.book.set_draining(look, [device].into());
    tell("an operator says so", &hall, &next);
    hall.listed(None);
    tell("the device is gone", &hall, &next);
    hall.listed(Some(Hardware::Online));
    tell("the device came back too often", &hall, &next);
    hall.now = START + Duration::from_secs(30);
    let look = hall.book.look();
    hall.book.set_draining(look, [].into());
    hall.listed(Some(Hardware::Online));
    tell("and has stayed since", &hall, &next);
    let look = hall.book.look();
    hall.book
        .set_draining(look, ["sim-1".parse().unwrap()].into());
    hall.listed(None);
    hall.book
        .lost("driver-manager at d:1 cannot be reached", hall.now);
    tell("and the driver-manager is", &hall, &next);

    let mut hall = Hall::new();
    hall.listed(Some(Hardware::Online));
    let compiling = hall.enter(job(1, 50, "ada"), &[]);
    tell("being let in", &hall, &compiling);
    hall.enter(job(2, 60, "bob"), &[]);
    let crowded = hall.enter(job(3, 50, "cyd"), &[]);
    tell("a compile slot", &hall, &crowded);
    let put_off = Event::Retried {
        not_before: Timestamp(2_000_000),
        cause: "the compiler is busy".into(),
        settlement: None,
        of_store: false,
    };
    let put_off = [&queued()[..2], &[put_off]].concat();
    let put_off = hall.enter(job(4, 50, "dan"), &put_off);
    tell("a back-off", &hall, &put_off);

    let outcome = Outcome {
        circuit_sha256: Sha256Sum::of(b"c"),
        counts: Counts::Inline([("0".to_owned(), 10)].into()),
        execution_seconds: 0.5,
        metadata: BTreeMap::new(),
    };
    let executed = [
        Event::Assigned {
            device: "sim-1".parse().unwrap(),
            left_waiting: 0,
            passed_over: Vec::new(),
        },
        Event::Intended {
            token: FencingToken::new(Epoch(1), 1),
            on_unknown: OnUnknown::Fail,
        },
        Event::Executed {
            outcome: Box::new(outcome),
        },
    ];
    let executed = [queued(), executed.to_vec()].concat();
    let storing = hall.enter(job(5, 50, "eve"), &executed);
    tell("storing", &hall, &storing);
    let crowded = hall.enter(job(6, 50, "eve"), &executed);
    tell("a store slot", &hall, &crowded);
    insta::assert_snapshot!(told);
}

#[test]
fn of_a_class_each_device_is_named_that_does_not_take_the_job() {
    let mut told = String::new();
    let mut tell = |what: &str, hall: &Hall, job: &Job| {
        told += &format!("{what}\n{}\n", hall.told(job));
    };
    let of_class = |number, tenant| {
        let job = job(number, 50, tenant);
        let spec = JobSpec {
            target: "sim-*".parse().unwrap(),
            ..(*job.spec).clone()
        };
        Job {
            submission: number,
            ..Job::submitted(job.id, spec, Timestamp(0))
        }
    };
    let mut hall = Hall::new();
    hall.list(&[("sim-1", Hardware::Online), ("sim-2", Hardware::Offline)]);
    let running = hall.enter(of_class(1, "ada"), &queued());
    tell("the one that takes jobs is free", &hall, &running);
    let next = hall.enter(of_class(2, "bob"), &queued());
    let last = hall.enter(of_class(3, "cyd"), &queued());
    tell(
        "one is full, one is away, and nothing ran yet",
        &hall,
        &next,
    );
    let device = "sim-1".parse().unwrap();
    hall.table
        .forecast
        .took(&device, "ada", Duration::from_secs(4));
    tell(
        "behind another, on the device that takes jobs",
        &hall,
        &last,
    );
    hall.list(&[("sim-1", Hardware::Error), ("sim-2", Hardware::Offline)]);
    tell("none takes jobs", &hall, &next);
    hall.list(&[("sim-1", Hardware::Online), ("sim-2", Hardware::Online)]);
    hall.table.pump(START);
    tell("another is there, and both are full", &hall, &last);
    insta::assert_snapshot!(told);
}
