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

/// Flags of `qrtx devices`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
RUNNING is how many of this kernel's slots on the device are taken, WAITING how
many of its jobs wait for one, WAIT what a job would wait that is submitted now.
HARDWARE is what the device itself says: jobs of everybody, and their wait. A
device that is DRAINING was told so by `qrtx drain`.

Examples:
  qrtx devices
  qrtx devices --json | jq -r '.devices[].device_id'

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
        terminal::print(&table(&listed.devices).render(terminal::columns()))?;
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
        let state = view::device_state_name(device.state());
        let state = match device.state() {
            wire::DeviceState::Draining => state.to_owned(),
            _ if device.draining => format!("{state}, draining"),
            _ => state.to_owned(),
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
        table.push([
            device.device_id.as_str().into(),
            Cell::styled(style, &state),
            device.backend_type.as_str().into(),
            format!("{}/{}", device.running, device.slots).into(),
            device.queue_depth.into(),
            wait.unwrap_or_default().into(),
            hardware.into(),
        ]);
    }
    table
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
            ..wire::Device::default()
        };
        let drained = wire::Device {
            device_id: "sim:old".to_owned(),
            state: wire::DeviceState::Draining as i32,
            draining: true,
            ..idle.clone()
        };
        let away = wire::Device {
            state: wire::DeviceState::Offline as i32,
            ..drained.clone()
        };
        let told = table(&[away]).render(None);
        assert!(told.contains("OFFLINE, draining"), "{told}");
        let devices = [idle, busy, drained];
        insta::assert_snapshot!(sample::at_each_width(|width| table(&devices).render(width)));
    }
}
