//! The doubles of compiler and driver-manager on their nodes, and the one who watches what the
//! devices really do. The devices are not on a node: hardware goes on when its driver dies.

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::ids::JobId;
use qrtx::ports::Clock as _;
use qrtx_testkit::history::Passed;
use qrtx_testkit::neighbours::driver::End;
use qrtx_testkit::neighbours::{
    CompilerDouble, DriverDouble, Method, Rule, Run, Scope, Whim, device,
};

use crate::nemesis::Nemesis;
use crate::scenario::{DeviceFact, DeviceSays, Scenario};
use crate::trace::{Lane, Trace};
use crate::world::client::marked;
use crate::world::clock::{BEFORE_START, SimulatedClock};

/// Both doubles.
#[derive(Debug, Clone)]
pub struct Doubles {
    /// eigen-compiler.
    pub compiler: CompilerDouble<SimulatedClock>,
    /// driver-manager and its devices.
    pub driver: DriverDouble<SimulatedClock>,
}

impl Doubles {
    /// The doubles as the scenario wants them.
    pub fn new(scenario: &Scenario, clock: impl Fn(&str) -> SimulatedClock) -> Self {
        let devices = scenario.devices.iter().map(|plan| {
            let sketch = device(&plan.id).backend_type(&plan.backend_type);
            let sketch = sketch.capability("slots", &plan.slots.to_string());
            let told = plan.capabilities.iter();
            told.fold(sketch, |sketch, (key, value)| sketch.capability(key, value))
        });
        let mut driver = DriverDouble::new(clock("driver-manager")).with_devices(devices);
        if scenario.askable {
            driver = driver.with_control();
        }
        if scenario.unstoppable {
            driver = driver.unstoppable();
        }
        driver.set_takes(scenario.run_takes.0);
        let mut compiler = CompilerDouble::new(clock("compiler")).takes(scenario.compile_takes.0);
        if scenario.validates {
            compiler = compiler.with_validate();
        }
        for planned in scenario
            .planned()
            .iter()
            .filter(|planned| planned.plan.poison)
        {
            let scope = Scope::job(&marked(planned.ordinal)).on(Method::CompileCircuit);
            let (times, whim) = (None, Whim::Hang);
            compiler.whims().add(Rule { scope, times, whim });
        }
        Self { compiler, driver }
    }

    /// What a process on that node has lost when it comes back.
    pub fn restarted(&self, node: &str) {
        if node == "driver-manager" {
            self.driver.forget();
        }
    }

    /// What reached them to be compiled and executed, in order.
    pub fn passed(&self) -> Vec<Passed> {
        let mut calls = self.compiler.calls();
        calls.extend(self.driver.calls());
        calls.sort_by_key(|call| call.at);
        let passed = calls.into_iter().filter_map(|call| {
            let work = [
                Method::ValidateCircuit,
                Method::CompileCircuit,
                Method::ExecuteCircuit,
            ];
            let job = call.header("x-correlation-id")?.parse().ok()?;
            let tenant = call.header("x-eigen-tenant-id").unwrap_or_default();
            let tenant = tenant.to_owned();
            work.contains(&call.method).then(|| Passed {
                at: call.at.0.saturating_sub(BEFORE_START),
                job,
                method: call.method,
                tenant,
                bounded: call.header("grpc-timeout").is_some(),
                options: call.options,
            })
        });
        passed.collect()
    }

    /// Adds to what a neighbour does wrong.
    pub fn spoil(&self, node: &str, rule: Rule) {
        match node {
            "compiler" => self.compiler.whims().add(rule),
            "driver-manager" => self.driver.whims().add(rule),
            _ => {}
        }
    }

    /// A device says something else of itself; with `None` it is well again.
    pub fn device_says(&self, id: &str, what: Option<DeviceSays>) {
        self.driver.set_listed(id, what != Some(DeviceSays::Gone));
        let status = match what {
            Some(DeviceSays::Offline) => DeviceStatus::Offline,
            Some(DeviceSays::Calibrating) => DeviceStatus::Calibrating,
            Some(DeviceSays::Gone) | None => DeviceStatus::Online,
        };
        self.driver.set_status(id, status);
    }
}

/// Writes down what devices do, and tells the nemesis of it. Never returns.
pub async fn watch_devices(
    clock: SimulatedClock,
    driver: DriverDouble<SimulatedClock>,
    nemesis: Nemesis,
    trace: Trace,
) {
    let mut seen = 0;
    loop {
        driver.started(seen + 1).await;
        let runs = driver.runs_from(seen);
        for (number, run) in (seen..).zip(&runs) {
            let due = run.started + driver.takes(&run.job);
            let job = fact(&nemesis, &trace, run, "starts");
            if let Some(job) = job {
                nemesis.at_device(job, DeviceFact::Started);
            }
            let (clock, driver) = (clock.clone(), driver.clone());
            let (nemesis, trace) = (nemesis.clone(), trace.clone());
            madsim::task::spawn(async move {
                clock.sleep_until(due).await;
                let run = driver.run(number);
                if run.end == End::Stopped {
                    fact(&nemesis, &trace, &run, "was stopped");
                } else if let Some(job) = fact(&nemesis, &trace, &run, "has executed") {
                    nemesis.at_device(job, DeviceFact::Executed);
                }
            });
        }
        seen += runs.len();
    }
}

fn fact(nemesis: &Nemesis, trace: &Trace, run: &Run, what: &str) -> Option<usize> {
    let job: Option<JobId> = run.job.parse().ok();
    let name = job.map_or_else(|| run.job.clone(), |job| nemesis.name(job));
    let attempt = run
        .execution
        .as_deref()
        .and_then(|id| id.rsplit('#').next())
        .unwrap_or("?");
    let (device, shots) = (&run.device, run.shots_fired);
    let fired = if what == "starts" {
        String::new()
    } else {
        format!(", {shots} shots fired")
    };
    trace.note(
        Lane::Device,
        format!("{device} {what}: {name}, execution {attempt}{fired}"),
    );
    nemesis.ordinal(job?)
}
