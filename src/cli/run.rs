//! `qrtx run FILE`: a kernel in this process, the job sent through its gRPC gateway like
//! anybody's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::cli::report::Report;
use crate::cli::{Exit, complain, complain_as};
use crate::grpc::proto::kernel as wire;
use crate::grpc::proto::kernel::kernel_gateway_client::KernelGatewayClient;
use crate::limits::ANSWER_BYTES_MAX;
use crate::os::config::Options;
use crate::os::serve;
use crate::os::telemetry::{self, Logs};

/// Flags of `qrtx run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  qrtx run examples/bell.aqo.json
  qrtx run examples/bell.aqo.json --shots 1000 --seed 7 --json
  qrtx run examples/ansatz.aqo.json --param theta=0.59

Exit codes: 0 the job completed, 1 it failed, 2 wrong use, 3 the kernel cannot
be reached, 4 it timed out, 5 it was cancelled (Ctrl-C cancels it).")]
pub(super) struct Arguments {
    /// The program: *.aqo.json for a circuit as AQO, *.py for Eigen-Lang
    file: PathBuf,
    /// How often the circuit is measured [default: 1024]
    #[arg(long, value_name = "N")]
    shots: Option<i64>,
    /// Makes a simulator give the same counts again
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<i64>,
    /// The device that shall run it
    #[arg(long, value_name = "DEVICE", default_value = "sim:local")]
    target: String,
    /// 0 to 100, higher is more urgent [default: 50]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    priority: Option<i32>,
    /// The value of a symbolic angle
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter, allow_hyphen_values = true)]
    parameters: Vec<(String, String)>,
    /// How long the job may take, in seconds [default: one day]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// The program's format, where its name does not tell: aqo_json, aqo_ref, eigen_lang_source
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((format!("param.{name}"), value.to_owned())),
        _ => Err("it must be NAME=VALUE, for example theta=0.59".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    telemetry::start_logs(Logs::TextToStderr);
    let request = match request(&arguments) {
        Ok(request) => request,
        Err(why) => return complain_as(arguments.json, Exit::Usage, why),
    };
    // Nobody else is to find this kernel.
    let options = Options {
        listen: Some("127.0.0.1:0".to_owned()),
        ..arguments.options
    };
    let config = match options.resolve() {
        Ok(config) => config,
        Err(why) => return complain_as(arguments.json, Exit::Usage, why),
    };
    let serving = match serve::start(&config, false).await {
        Ok(serving) => serving,
        Err(why) => return complain_as(arguments.json, Exit::Failed, why),
    };
    let exit = match connect(serving.grpc).await {
        Ok(channel) => {
            let client = KernelGatewayClient::new(channel);
            let client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
            follow(client, request, &config.qfs_root, arguments.json).await
        }
        Err(why) => complain(
            Exit::Unreachable,
            format!("the kernel does not answer: {why}"),
        ),
    };
    serving.stop().await;
    exit
}

async fn connect(gateway: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(format!("http://{gateway}"))?
        .connect()
        .await
}

fn request(arguments: &Arguments) -> Result<wire::EnqueueJobRequest, String> {
    let file = &arguments.file;
    let program_format = match &arguments.format {
        Some(format) => format.clone(),
        None => format_of(file)?.to_owned(),
    };
    let program = std::fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
    let timeout = match arguments.timeout.map(Duration::try_from_secs_f64) {
        None => None,
        Some(Ok(timeout)) => prost_types::Duration::try_from(timeout).ok(),
        Some(Err(_)) => return Err("--timeout must be a number of seconds above 0".to_owned()),
    };
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(wire::EnqueueJobRequest {
        name: name.unwrap_or_default(),
        program,
        program_format,
        target: arguments.target.clone(),
        priority: arguments.priority,
        shots: arguments.shots,
        seed: arguments.seed,
        metadata: arguments
            .parameters
            .iter()
            .cloned()
            .collect::<BTreeMap<_, _>>(),
        timeout,
        ..wire::EnqueueJobRequest::default()
    })
}

fn format_of(file: &Path) -> Result<&'static str, String> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok("aqo_json"),
        Some("py") => Ok("eigen_lang_source"),
        _ => Err(format!(
            "{} does not tell its format by its name; say it with --format",
            file.display()
        )),
    }
}

/// Sends the job, follows it to its end, and shows what came of it. Ctrl-C cancels it.
async fn follow(
    mut client: KernelGatewayClient<Channel>,
    request: wire::EnqueueJobRequest,
    qfs_root: &str,
    json: bool,
) -> Exit {
    let accepted = match client.enqueue_job(request).await {
        Ok(accepted) => accepted.into_inner(),
        Err(refused) => return refusal(&refused, json),
    };
    let job_id = accepted.job_id;
    let ended = tokio::select! {
        biased;
        ended = until_end(client.clone(), &job_id) => ended,
        _ = tokio::signal::ctrl_c() => cancelled(client.clone(), &job_id).await,
    };
    if let Err(lost) = ended {
        let what = format!("{job_id} was lost sight of: {}", lost.message());
        return complain_as(json, Exit::Unreachable, what);
    }
    let asked = wire::GetJobResultsRequest {
        job_id: job_id.clone(),
    };
    match client.get_job_results(asked).await {
        Ok(results) => {
            let report = Report::new(results.into_inner(), qfs_root);
            if report.names_a_file_to_come() {
                until_reported(client, job_id).await;
            }
            report.show(json)
        }
        Err(lost) => complain_as(json, Exit::Failed, lost.message()),
    }
}

/// `error.json` is written after the end; who is told where it lies should find it there.
async fn until_reported(mut client: KernelGatewayClient<Channel>, job_id: String) {
    for _ in 0..100 {
        let asked = wire::GetJobHistoryRequest {
            job_id: job_id.clone(),
        };
        let history = client.get_job_history(asked).await;
        let written = |event: &wire::JobEvent| event.kind == "Reported";
        if history.is_ok_and(|history| history.get_ref().events.iter().any(written)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_end(
    mut client: KernelGatewayClient<Channel>,
    job_id: &str,
) -> Result<(), tonic::Status> {
    let request = wire::WatchJobRequest {
        job_id: job_id.to_owned(),
        after_seq: 0,
    };
    let mut events = client.watch_job(request).await?.into_inner();
    while events.message().await?.is_some() {}
    Ok(())
}

async fn cancelled(
    mut client: KernelGatewayClient<Channel>,
    job_id: &str,
) -> Result<(), tonic::Status> {
    let request = wire::CancelJobRequest {
        job_id: job_id.to_owned(),
        reason: "interrupted".to_owned(),
    };
    let answer = client.cancel_job(request).await?.into_inner();
    complain(Exit::Cancelled, answer.message);
    until_end(client, job_id).await
}

/// The kernel's own words are for people already.
fn refusal(refused: &tonic::Status, json: bool) -> Exit {
    let exit = match refused.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => Exit::Usage,
        Code::Unavailable => Exit::Unreachable,
        _ => Exit::Failed,
    };
    complain_as(json, exit, refused.message())
}
