//! `qrtx drain DEVICE` and `qrtx undrain DEVICE`: takes a device out of use, and back.

use serde_json::json;

use crate::cli::client::{Address, Kernel};
use crate::cli::exit::Exit;
use crate::cli::problem::Outcome;
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;

/// Flags of both.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A device that drains gets no new job; what runs there goes on, and what waits
for it waits. It holds, also after a restart of the kernel, until it is told
`qrtx undrain`. Repeating either changes nothing.

Examples:
  qrtx drain sim:local
  qrtx undrain sim:local

Exit codes: 0 done, 2 wrong use or no such device, 3 the kernel cannot be
reached or cannot serve now.")]
pub(super) struct Arguments {
    /// The device's id, as `qrtx devices` lists it
    device: String,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn run(arguments: Arguments, draining: bool) -> Outcome {
    let kernel = Kernel::at(&arguments.address).await?;
    let answer = kernel.drain(&arguments.device, draining).await?;
    if arguments.json {
        terminal::print_document(&json!({
            "device_id": arguments.device,
            "draining": draining,
            "device": answer.device.map(view::Device::from),
        }))?;
    } else {
        let told = tell(&arguments.device, draining, answer.device.as_ref());
        terminal::print(&text::paragraph("", &told, terminal::columns()))?;
    }
    Ok(Exit::Done)
}

fn tell(device_id: &str, draining: bool, device: Option<&wire::Device>) -> String {
    let takes = match draining {
        true => "takes no new job",
        false => "takes jobs again",
    };
    let stands = match device {
        None => "the driver-manager does not list it".to_owned(),
        Some(device) => {
            let state = match device.state() {
                wire::DeviceState::Draining | wire::DeviceState::Online => String::new(),
                other => format!("it is {}, ", view::device_state_name(other)),
            };
            let (runs, waits) = (device.running as usize, device.queue_depth as usize);
            let runs = text::count(runs, "job");
            format!("{state}{runs} on it, {waits} waiting for it")
        }
    };
    format!("{device_id} {takes}; {stands}")
}
