//! `qrtx conformance driver`: whether a driver-manager keeps the execution contract (D8), on which
//! it depends whether shots can be bought twice.

mod contract;

use std::path::{Path, PathBuf};

use object_store::memory::InMemory;
use serde_json::json;

use crate::cli::conformance::contract::{Before, Finding, Subject};
use crate::cli::exit::Exit;
use crate::cli::problem::{Outcome, Problem};
use crate::cli::table::{Cell, Fit, Table};
use crate::cli::terminal::{self, BAD, GOOD};
use crate::devices::{Book, Patience};
use crate::embedded::EmbeddedCompiler;
use crate::ids::{DeviceId, JobId};
use crate::job::request::{Circumstances, JobRequest};
use crate::job::spec::{JobSpec, ProgramFormat};
use crate::limits::Limits;
use crate::os::artifacts::Opened;
use crate::os::config::{self, Options};
use crate::os::production::Production;
use crate::os::telemetry::{self, Logs};
use crate::ports::compiler::{CallContext, Circuit, Compiler as _, Program};
use crate::ports::devices::{DeviceInfo, Hardware};
use crate::ports::{Clock as _, Devices as _, Env as _};
use crate::store::MemoryStore;

/// Flags of `qrtx conformance`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Try the execution contract on a driver-manager, rule by rule
    Driver(Driver),
}

/// Flags of `qrtx conformance driver`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Runs four small executions of 10 to 20 shots on one device, and asks for more
that a driver which keeps the contract does not run. What it must still know
after a restart is tried in two steps, with the restart in between. KEPT is - for
what a driver may leave out, and for what could not be tried.

What is said of an execution that is still running is not tried, because these
may be over at once: that GetExecution says RUNNING of it, and that
CancelExecution does not say that it never started.

Examples:
  qrtx conformance driver                 the embedded device
  qrtx conformance driver --endpoint 127.0.0.1:50053 --save before.json
  qrtx conformance driver --endpoint 127.0.0.1:50053 --after-restart before.json

Exit codes: 0 every rule is kept, 1 one is broken, 2 wrong use, 3 the driver
cannot be reached.")]
struct Driver {
    /// Where driver-manager listens; without it the embedded device is tried
    #[arg(long, env = "DRIVER_MANAGER_ENDPOINT", value_name = "HOST:PORT")]
    endpoint: Option<String>,
    /// The device to run on [default: the first that is online]
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceId>,
    /// Write what must still hold after a restart
    #[arg(long, value_name = "FILE", conflicts_with = "after_restart")]
    save: Option<PathBuf>,
    /// Try that, now that the driver has been restarted
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    after_restart: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn wants_json(&self) -> bool {
        let What::Driver(driver) = &self.what;
        driver.json
    }
}

/// A Bell pair: what every device can run.
const BELL: &[u8] = br#"{"version":"1.0.0","qubits":2,"operations":[{"op":"H","q":[0]},{"op":"CX","q":[0,1]},{"op":"MEASURE","q":[0,1],"c":[0,1]}]}"#;

pub(super) async fn run(arguments: Arguments) -> Outcome {
    telemetry::start_logs(Logs::TextToStderr);
    let What::Driver(wanted) = arguments.what;
    let before = wanted.after_restart.as_deref().map(read).transpose()?;
    let env = surroundings(wanted.endpoint.clone())?;
    let endpoint = wanted.endpoint.as_deref().unwrap_or("embedded");
    let listed = env.devices().list().await;
    let listed = listed.map_err(|why| Problem::lost(endpoint, why))?;
    let named = wanted
        .device
        .as_ref()
        .or_else(|| before.as_ref().map(Before::device));
    let device = pick(&listed, named)?;
    let spec = spec(&env, &device)?;
    let circuit = circuit(&env, &spec, &device).await?;
    let subject = Subject {
        devices: env.devices(),
        clock: env.clock(),
        device: device.id.clone(),
        circuit,
        spec: &spec,
        now: env.clock().now(),
        jobs: [(); 4].map(|()| job(&env)),
    };
    let found = match &before {
        Some(before) => subject.after_restart(before).await,
        None => {
            let (found, before) = subject.first().await;
            if let (Some(file), Some(before)) = (&wanted.save, before) {
                write(file, &before)?;
            }
            found
        }
    };
    show(&found, endpoint, &device.id, wanted.json)
}

/// The driver as the kernel sees it; nothing is stored.
fn surroundings(driver: Option<String>) -> Result<Production<MemoryStore>, Problem> {
    let options = Options {
        driver: config::url("--endpoint", driver).map_err(Problem::usage)?,
        ..Options::default()
    };
    let config = options.resolve().map_err(Problem::usage)?;
    let store = std::sync::Arc::new(InMemory::new());
    let opened = Opened {
        synced: store.clone(),
        store,
    };
    Production::new(&config, MemoryStore::default(), opened).map_err(Problem::usage)
}

fn pick(listed: &[DeviceInfo], wanted: Option<&DeviceId>) -> Result<DeviceInfo, Problem> {
    let found = match wanted {
        Some(wanted) => listed.iter().find(|device| device.id == *wanted),
        None => listed
            .iter()
            .find(|device| device.hardware == Hardware::Online),
    };
    let names = || {
        let names = listed.iter().map(|device| device.id.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    found.cloned().ok_or_else(|| match wanted {
        Some(wanted) => Problem::usage(format!("there is no device {wanted}, only {}", names())),
        None => Problem::failed(format!("no device is online, of {}", names())),
    })
}

/// The job that all executions seem to belong to.
fn spec(env: &Production<MemoryStore>, device: &DeviceInfo) -> Result<JobSpec, Problem> {
    let request = JobRequest {
        name: "conformance".to_owned(),
        program: BELL.to_vec(),
        program_format: ProgramFormat::AqoJson.name().to_owned(),
        target: device.id.to_string(),
        ..JobRequest::default()
    };
    let around = Circumstances {
        now: env.clock().now(),
        chance: env.chance_u128(),
    };
    let accepted = request.accept(around);
    let accepted = accepted.map_err(|wrong| Problem::failed(format!("{wrong:?}")))?;
    Ok(accepted.spec)
}

fn job(env: &Production<MemoryStore>) -> JobId {
    let mut chance = [0; 10];
    env.fill(&mut chance);
    JobId::new(env.clock().now().unix_ms(), chance)
}

/// The pair in the operations that the device has.
async fn circuit(
    env: &Production<MemoryStore>,
    spec: &JobSpec,
    device: &DeviceInfo,
) -> Result<Circuit, Problem> {
    let patience = Patience::of(&Limits::default());
    let book = Book::new(crate::devices::Policy::default(), patience);
    let at = env.clock().moment();
    book.listed(vec![device.clone()], at.monotonic, at);
    let capabilities = book.capabilities(&device.id);
    let job = job(env);
    let call = CallContext {
        job,
        spec,
        span: spec.trace.job_span(&job.to_string()),
        deadline: std::time::Duration::from_secs(10),
    };
    let program = Program {
        format: ProgramFormat::AqoJson,
        source: BELL,
        device: capabilities.as_ref(),
    };
    let compiler = EmbeddedCompiler::new(|work| drop(tokio::task::spawn_blocking(work)));
    let compiled = compiler.compile(call, program).await;
    compiled.map_err(|why| Problem::failed(format!("{} cannot run a Bell pair: {why}", device.id)))
}

fn read(file: &Path) -> Result<Before, Problem> {
    let wrong = |why: String| {
        let file = file.display();
        Problem::usage(format!("{file} is not what --save wrote: {why}"))
    };
    let text = std::fs::read(file).map_err(|why| wrong(why.to_string()))?;
    serde_json::from_slice(&text).map_err(|why| wrong(why.to_string()))
}

fn write(file: &Path, before: &Before) -> Result<(), Problem> {
    let text = serde_json::to_vec_pretty(before).expect("it has a JSON form");
    let failed = |why| Problem::failed(format!("{} cannot be written: {why}", file.display()));
    std::fs::write(file, text).map_err(failed)
}

fn show(found: &[Finding], endpoint: &str, device: &DeviceId, as_json: bool) -> Outcome {
    let all_kept = found.iter().all(|finding| finding.kept != Some(false));
    if as_json {
        terminal::print_document(&json!({
            "endpoint": endpoint,
            "device_id": device,
            "conforms": all_kept,
            "rules": found,
        }))?;
    } else {
        let head = [
            ("RULE", Fit::Whole),
            ("KEPT", Fit::Whole),
            ("SEEN", Fit::Elastic),
        ];
        let mut table = Table::new(head);
        for finding in found {
            let kept = match finding.kept {
                Some(true) => Cell::styled(GOOD, "yes"),
                Some(false) => Cell::styled(BAD, "no"),
                None => Cell::from("-"),
            };
            table.push([finding.rule.into(), kept, finding.seen.as_str().into()]);
        }
        terminal::print(&table.render(terminal::columns()))?;
    }
    Ok(if all_kept { Exit::Done } else { Exit::Failed })
}
