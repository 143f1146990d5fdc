//! `qrtx devices`: what hardware and schedule say together about each device.

use std::time::SystemTime;

use serde_json::json;

use crate::cli::client::{Address, Kernel};
use crate::cli::exit::Exit;
use crate::cli::problem::Outcome;
use crate::cli::table::{Cell, Fit, Table};
use crate::cli::terminal::{BAD, GOOD, ODD};
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;
use crate::schedule::fit::Capabilities;

/// Flags of `qrtx devices`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
RUNNING is in how many of this kernel's slots on the device a job runs, and how
many are reserved (`qrtx reserve`); WAITING how many of its jobs wait for one,
WAIT what a job would wait that is submitted now. What else a device says it has
is in --json (`capabilities`); a job may ask for qubits, operations and formats
(`qrtx submit --target`).
HARDWARE is what the device itself says: jobs of everybody, and their wait. A
device that is DRAINING was told so by `qrtx drain`. One that went away too
often lately is held back after its return, until it has stayed for a while.

Examples:
  qrtx devices
  qrtx devices --json | jq '.devices[] | {device_id, capabilities}'

Exit codes: 0 done, 2 wrong use, 3 the kernel cannot be reached or cannot serve now.")]
pub(super) struct Arguments {
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn run(arguments: Arguments) -> Outcome {
    let kernel = Kernel::at(&arguments.address).await?;
    let listed = kernel.devices().await?;
    if arguments.json {
        let devices: Vec<_> = listed.devices.into_iter().map(view::Device::from).collect();
        terminal::print_document(&json!({
            "devices": devices,
            "as_of": listed.as_of.map(|at| at.to_string()),
            "problem": Some(listed.problem).filter(|problem| !problem.is_empty()),
        }))?;
        return Ok(Exit::Done);
    }
    if !listed.devices.is_empty() {
        let width = terminal::columns();
        terminal::print(&table(&listed.devices).render(width))?;
        let now = SystemTime::now();
        terminal::print(&reasons(&listed.devices, now, width))?;
        terminal::print(&reservations(&listed.devices, now, width))?;
    }
    if !listed.problem.is_empty() {
        let since = match listed.as_of {
            Some(at) => format!("was heard last {}", text::moment(&at, SystemTime::now())),
            None => "was never heard".to_owned(),
        };
        let problem = format!("the driver-manager {since}: {}", listed.problem);
        terminal::say_in(ODD, &problem);
    } else if listed.devices.is_empty() {
        terminal::say("the driver-manager has no devices");
    }
    Ok(Exit::Done)
}

fn table(devices: &[wire::Device]) -> Table<7> {
    let mut table = Table::new([
        ("DEVICE", Fit::Whole),
        ("STATE", Fit::Whole),
        ("TYPE", Fit::Elastic),
        ("RUNNING", Fit::Number),
        ("WAITING", Fit::Number),
        ("WAIT", Fit::Number),
        ("HARDWARE", Fit::Whole),
    ]);
    for device in devices {
        let style = match device.state() {
            wire::DeviceState::Online => GOOD,
            wire::DeviceState::Calibrating
            | wire::DeviceState::Maintenance
            | wire::DeviceState::Draining => ODD,
            _ => BAD,
        };
        let mut state = view::device_state_name(device.state()).to_owned();
        if device.held_until.is_some() {
            state += ", held back";
        }
        if device.draining && device.state() != wire::DeviceState::Draining {
            state += ", draining";
        }
        let running = match (device.running, device.slots, device.reserved) {
            (running, slots, 0) => format!("{running}/{slots}"),
            (running, slots, reserved) => format!("{running}/{slots}, {reserved} reserved"),
        };
        let wait = device.estimated_wait.map(view::seconds).map(text::span);
        let (jobs, seconds) = (device.hardware_queue_depth, device.hardware_wait_seconds);
        let hardware = match (jobs, seconds) {
            (0, 0) => String::new(),
            _ => {
                let jobs = text::count(jobs as usize, "job");
                format!("{jobs}, {}", text::span(f64::from(seconds)))
            }
        };
        let told = device.capabilities.iter();
        let told = told.map(|(key, value)| (key.clone(), value.clone()));
        let kind = match Capabilities::parse(&told.collect()).qubits {
            Some(qubits) => format!("{qubits}-qubit {}", device.backend_type),
            None => device.backend_type.clone(),
        };
        table.push([
            device.device_id.as_str().into(),
            Cell::styled(style, &state),
            kind.into(),
            running.into(),
            device.queue_depth.into(),
            wait.unwrap_or_default().into(),
            hardware.into(),
        ]);
    }
    table
}

/// Why devices take no jobs, where their state alone does not say it; of those that cannot be asked
/// it is said once for all.
fn reasons(devices: &[wire::Device], now: SystemTime, width: Option<usize>) -> String {
    let lines = devices.iter().filter_map(|device| {
        let state = view::device_state_name(device.state());
        let is_plain = device.reason == format!("{} is {state}", device.device_id);
        if is_plain || device.reason.is_empty() || state == "UNREACHABLE" {
            return None;
        }
        let until = device.held_until.as_ref();
        let until = until.map(|at| format!(", not before {}", text::moment(at, now)));
        let told = device.reason.clone() + &until.unwrap_or_default();
        Some(text::paragraph("", &told, width))
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n{lines}"),
    }
}

/// Who has slots reserved, a line for each.
fn reservations(devices: &[wire::Device], now: SystemTime, width: Option<usize>) -> String {
    let each = devices.iter().flat_map(|device| &device.reservations);
    let lines = each.map(|held| {
        let until = held.expires_at.as_ref().map(|at| text::moment(at, now));
        let purpose = match held.purpose.as_str() {
            "" => String::new(),
            purpose => format!(", for {purpose}"),
        };
        let runs = match held.job_id.as_str() {
            "" => String::new(),
            job => format!("; {job} runs there"),
        };
        let lead = format!("{}: ", text::one_line(&held.reservation_id));
        let told = format!(
            "{} has a slot of {} until {}{purpose}{runs}",
            held.tenant_id,
            held.device_id,
            until.unwrap_or_default()
        );
        text::paragraph(&lead, &told, width)
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\n{lines}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn devices_are_a_table_or_cards() {
        let idle = wire::Device {
            device_id: "sim:local".to_owned(),
            backend_type: "simulator".to_owned(),
            state: wire::DeviceState::Online as i32,
            slots: 2,
            capabilities: [("qubits".to_owned(), "20".to_owned())].into(),
            ..wire::Device::default()
        };
        let busy = wire::Device {
            device_id: "ibm:kyoto".to_owned(),
            backend_type: "superconducting".to_owned(),
            state: wire::DeviceState::Calibrating as i32,
            queue_depth: 12,
            slots: 1,
            running: 1,
            estimated_wait: Some(prost_types::Duration {
                seconds: 754,
                nanos: 0,
            }),
            hardware_queue_depth: 1,
            hardware_wait_seconds: 40,
            reason: "ibm:kyoto is CALIBRATING".to_owned(),
            ..wire::Device::default()
        };
        let drained = wire::Device {
            device_id: "sim:old".to_owned(),
            state: wire::DeviceState::Draining as i32,
            draining: true,
            reason: "sim:old is DRAINING until an operator says `qrtx undrain sim:old`".to_owned(),
            ..idle.clone()
        };
        let held = wire::Device {
            device_id: "sim:shy".to_owned(),
            state: wire::DeviceState::Offline as i32,
            held_until: Some(sample::at(-20)),
            reason: "sim:shy was lost 3 times within 600 s: it gets no work until it has stayed \
                     for 30 s"
                .to_owned(),
            ..idle.clone()
        };
        let away = wire::Device {
            state: wire::DeviceState::Offline as i32,
            held_until: Some(sample::at(-20)),
            ..drained.clone()
        };
        let told = table(&[away]).render(None);
        assert!(told.contains("OFFLINE, held back, draining"), "{told}");
        let devices = [idle, busy, drained, held];
        let shown =
            |width| table(&devices).render(width) + &reasons(&devices, sample::now(), width);
        insta::assert_snapshot!(sample::at_each_width(shown));
    }

    #[test]
    fn who_has_slots_reserved_is_told_below_the_table() {
        let held = |id: &str, purpose: &str, job: &str| wire::Reservation {
            reservation_id: id.to_owned(),
            device_id: "sim:local".to_owned(),
            tenant_id: "ada".to_owned(),
            purpose: purpose.to_owned(),
            expires_at: Some(sample::at(-600)),
            job_id: job.to_owned(),
            ..wire::Reservation::default()
        };
        let device = wire::Device {
            device_id: "sim:local".to_owned(),
            state: wire::DeviceState::Online as i32,
            slots: 4,
            running: 1,
            reserved: 2,
            reservations: vec![
                held("rsv-0000000300000011", "a calibration", sample::JOB),
                held("rsv-0000000300000012", "", ""),
            ],
            ..wire::Device::default()
        };
        let shown = |width| {
            let devices = std::slice::from_ref(&device);
            table(devices).render(width) + &reservations(devices, sample::now(), width)
        };
        insta::assert_snapshot!(sample::at_each_width(shown));
    }
}
