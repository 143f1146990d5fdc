//! Who looks at the devices again and again, as an operator has them on a screen.

use std::time::Duration;

use qrtx::devices::Status;
use qrtx::grpc::Channel;
use qrtx::grpc::proto::kernel::{self as wire, kernel_gateway_client::KernelGatewayClient};
use qrtx_testkit::history::Look;

use super::holder::patiently;
use crate::trace::{Lane, Trace};

/// Looks at the devices every so often, and writes down what it is told. Never returns.
pub(super) async fn look(channel: Channel, every: Duration, trace: Trace) {
    loop {
        madsim::time::sleep(every).await;
        let asked = trace.now();
        let mut client = KernelGatewayClient::new(channel.clone());
        let request = wire::ListDevicesRequest::default();
        let listed = match patiently(async move { client.list_devices(request).await }).await {
            Ok(answer) => answer.into_inner(),
            Err(why) => {
                let line = format!("operator: no look at the devices: {}", why.message());
                trace.note(Lane::Client, line);
                continue;
            }
        };
        let each = listed.devices.into_iter();
        let each = each.map(|device| (device.device_id.clone(), status(device.state())));
        let look = Look {
            asked,
            at: trace.now(),
            devices: each.collect(),
        };
        let told = look.devices.iter();
        let told: Vec<_> = told
            .map(|(device, status)| format!("{device} {}", status.name()))
            .collect();
        let line = format!("operator: looks at the devices: {}", told.join(", "));
        trace.note(Lane::Client, line);
        trace.records().looks.push(look);
    }
}

fn status(told: wire::DeviceState) -> Status {
    let name = told.as_str_name().trim_start_matches("DEVICE_STATE_");
    let known = Status::ALL.into_iter().find(|status| status.name() == name);
    known.expect("the kernel tells states that it has")
}
