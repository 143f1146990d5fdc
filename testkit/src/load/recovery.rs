//! A store full of waiting jobs, a kernel that was killed, and how soon the next one answers. Both
//! are processes of their own: one is killed, of the other the memory is measured.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::grpc::proto::kernel::{GetJobStatusRequest, ListDevicesRequest, ListJobsRequest};
use qrtx::os::jobs;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::act::Gateway;
use super::fill::{Kind, fill};
use super::ground::{Files, serve};
use super::instant;
use super::row::Row;
use super::slices::Seen;
use super::{Broken, Progress};

/// What the second process tells.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Recovered {
    ready_seconds: f64,
    resident_bytes: u64,
}

/// The first process: fills a store with waiting jobs, says so, and waits to be killed.
///
/// # Errors
/// [`Broken`].
pub async fn fill_and_wait(folder: &Path, jobs: u64) -> Result<(), Broken> {
    let store = jobs::open(folder).map_err(Broken::at("the store"))?;
    let tell = |line: &str| say(line).unwrap_or_default();
    fill(&store, Kind::Waiting, jobs, &tell).await?;
    say("filled")?;
    std::future::pending().await
}

/// The second process: starts a kernel on it, and tells when it answered, which was `began` ago,
/// and what it takes when all jobs are in their queues.
///
/// # Errors
/// [`Broken`].
pub async fn reopen(folder: &Path, jobs: u64, began: Instant) -> Result<(), Broken> {
    let neighbours = instant::Instant::new(DeviceStatus::Offline).serve().await?;
    let store = jobs::open(folder).map_err(Broken::at("the store"))?;
    let serving = serve(store, Files::Memory, folder, &neighbours).await?;
    let mut client = Gateway::to(serving.grpc).await?.client(0);
    let page = ListJobsRequest {
        page_size: 1,
        ..ListJobsRequest::default()
    };
    let newest = client
        .list_jobs(page)
        .await
        .map_err(Broken::at("ListJobs"))?;
    let newest = newest.into_inner().jobs.pop();
    let job_id = newest
        .ok_or_else(|| Broken("there are no jobs".to_owned()))?
        .job_id;
    let asked = client.get_job_status(GetJobStatusRequest { job_id }).await;
    asked.map_err(Broken::at("GetJobStatus"))?;
    let ready_seconds = began.elapsed().as_secs_f64();
    loop {
        let devices = client.list_devices(ListDevicesRequest {}).await;
        let devices = devices
            .map_err(Broken::at("ListDevices"))?
            .into_inner()
            .devices;
        let waiting: u64 = devices
            .iter()
            .map(|device| u64::from(device.queue_depth))
            .sum();
        if waiting == jobs {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recovered = Recovered {
        ready_seconds,
        resident_bytes: resident_bytes()?,
    };
    say(&serde_json::to_string(&recovered).map_err(Broken::at("the figures"))?)
}

fn say(line: &str) -> Result<(), Broken> {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.map_err(Broken::at("nobody listens"))
}

/// The memory of this process that is in use, page cache left out.
fn resident_bytes() -> Result<u64, Broken> {
    let status = fs::read_to_string("/proc/self/status").map_err(Broken::at("/proc"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let unknown = || Broken("the system does not tell how much memory is used".to_owned());
    kib.map(|kib| kib << 10).ok_or_else(unknown)
}

/// Another process of this very tool; it is killed when this goes.
struct Process(Child);

impl Process {
    fn start(mode: &str, folder: &Path, jobs: u64) -> Result<Self, Broken> {
        let tool = std::env::current_exe().map_err(Broken::at("this tool"))?;
        let mut command = Command::new(tool);
        command.arg(mode).arg(folder).arg(jobs.to_string());
        let child = command.stdout(Stdio::piped()).spawn();
        Ok(Self(child.map_err(Broken::at("another process"))?))
    }

    /// Its last line, or the first that is `wanted`.
    fn says(&mut self, wanted: &str, progress: Progress<'_>) -> Result<String, Broken> {
        let out = self.0.stdout.take().expect("it was piped");
        let mut last = String::new();
        for line in BufReader::new(out).lines() {
            last = line.map_err(Broken::at("another process"))?;
            if last == wanted {
                return Ok(last);
            }
            if wanted == "filled" {
                progress(&last);
            }
        }
        Ok(last)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long it takes to take over so many waiting jobs, beside a bare scan of the same file.
pub(super) fn recovery(jobs: u64, rounds: usize, progress: Progress<'_>) -> Result<Row, Broken> {
    let folder = TempDir::new().map_err(Broken::at("a folder"))?;
    let mut filling = Process::start("fill", folder.path(), jobs)?;
    if filling.says("filled", progress)? != "filled" {
        return Err(Broken("the store was not filled".to_owned()));
    }
    // SIGKILL: nothing is closed.
    drop(filling);
    let (mut ready, mut scans, mut resident) = (Vec::new(), Vec::new(), 0);
    for round in 1..=rounds {
        progress(&format!("recovery of {jobs} jobs, {round} of {rounds}"));
        let mut process = Process::start("reopen", folder.path(), jobs)?;
        let told = process.says("", progress)?;
        drop(process);
        let told: Recovered = serde_json::from_str(&told)
            .map_err(|why| Broken(format!("the kernel did not recover: {why}: {told:?}")))?;
        ready.push(told.ready_seconds);
        resident = resident.max(told.resident_bytes);
        scans.push(scan(&folder.path().join(jobs::FILE))?);
    }
    let rate = |seconds: &mut Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        let (middle, longest) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
        Seen {
            per_second: jobs as f64 / middle,
            p50: Duration::from_secs_f64(middle),
            p99: Duration::from_secs_f64(longest),
            cpu: None,
        }
    };
    let seen = (rate(&mut ready), rate(&mut scans));
    Ok(Row {
        jobs: Some(jobs),
        ready_seconds: Some(ready[ready.len() / 2]),
        resident_bytes: Some(resident),
        ..Row::new("recovery", "redb", 1, seen, ("scan of the file", 1.0))
    })
}

/// Reads every row of the store, and nothing more; in seconds.
fn scan(file: &Path) -> Result<f64, Broken> {
    const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> =
        TableDefinition::new("qrtx");
    let began = Instant::now();
    let read = || {
        let database = redb::Database::open(file)?;
        let rows = database.begin_read()?.open_table(ROWS)?;
        let mut bytes = 0;
        for row in rows.iter()? {
            let (key, value) = row?;
            bytes += key.value().len() + value.value().len();
        }
        Ok::<_, redb::Error>(bytes)
    };
    let bytes = read().map_err(Broken::at("a scan"))?;
    assert!(bytes > 0, "a store that was filled has rows");
    Ok(began.elapsed().as_secs_f64())
}
