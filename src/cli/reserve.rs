//! `qrtx reserve DEVICE` and `qrtx release ID`: takes a slot of a device for a while, and gives it
//! back.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::cli::client::{Address, Kernel};
use crate::cli::exit::Exit;
use crate::cli::problem::Outcome;
use crate::cli::{terminal, text, view};
use crate::grpc::proto::kernel as wire;

/// Flags of `qrtx reserve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the reservation's id. Only jobs of its tenant that name it (submit with
--reservation) run in the slot, one at a time. If all slots are taken, it is the
next that is given back. It ends after --ttl, or when it is released; a job that
runs then goes on, and those that still wait for it fail.

Examples:
  slot=$(qrtx reserve sim:local --ttl 10m --purpose calibration)
  qrtx submit examples/bell.qasm --reservation $slot
  qrtx release $slot

Exit codes: 0 done, 2 wrong use, no such device or one that takes no jobs, 3 no
slot is to be had now, or the kernel cannot be reached.")]
pub(super) struct Reserve {
    /// The device's id, as `qrtx devices` lists it
    device: String,
    /// For how long, for example 90s, 15m or 2h
    #[arg(long, value_name = "SPAN", value_parser = text::parse_span)]
    ttl: Duration,
    /// What for, for whoever looks at `qrtx devices`
    #[arg(long, value_name = "TEXT", value_parser = text::parse_some)]
    purpose: Option<String>,
    /// Names this request: repeating it with the same key is the same reservation
    #[arg(long, value_name = "KEY", value_parser = text::parse_some)]
    key: Option<String>,
    /// Who gets the slot [default: tenant-default]
    #[arg(long, value_name = "TENANT", value_parser = text::parse_some)]
    tenant: Option<String>,
    /// For which project [default: project-default]
    #[arg(long, value_name = "PROJECT", value_parser = text::parse_some)]
    project: Option<String>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

/// Flags of `qrtx release`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A job that runs in the slot goes on, and others get the slot after it. Repeating
it tells how the reservation ended.

Examples:
  qrtx release $slot
  qrtx release $slot --json

Exit codes: 0 done, or over before, 2 no such reservation, 3 the kernel cannot
be reached or cannot serve now.")]
pub(super) struct Release {
    /// The reservation's id, as `qrtx reserve` printed it
    reservation: String,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    address: Address,
}

/// `qrtx reserve`.
pub(super) async fn reserve(arguments: Reserve) -> Outcome {
    // Without a key of its own a request whose answer got lost could not be repeated.
    let key = arguments.key;
    let key = key.unwrap_or_else(|| format!("cli-{:032x}", rand::random::<u128>()));
    let request = wire::ReserveDeviceRequest {
        device_id: arguments.device,
        ttl: prost_types::Duration::try_from(arguments.ttl).ok(),
        purpose: arguments.purpose.unwrap_or_default(),
        tenant_id: arguments.tenant.unwrap_or_default(),
        project_id: arguments.project.unwrap_or_default(),
        idempotency_key: key.clone(),
        ..wire::ReserveDeviceRequest::default()
    };
    let kernel = Kernel::at(&arguments.address).await?;
    let answer = kernel.reserve(request).await.map_err(|why| {
        let repeat = format!("the slot may be reserved, so repeat with --key {key}");
        match why.is_doubtful() {
            true => why.with("idempotency_key", key.as_str()).hint(repeat),
            false => why,
        }
    })?;
    let made = answer.reservation.unwrap_or_default();
    if arguments.json {
        terminal::print_document(&json!({
            "reservation": view::Reservation::from(made),
            "fencing_token": answer.fencing_token,
            "deduplicated": answer.deduplicated,
        }))?;
        return Ok(Exit::Done);
    }
    if answer.deduplicated {
        let id = &answer.reservation_id;
        terminal::say(&format!(
            "{id} was made before with this key; it is the same one"
        ));
    }
    terminal::say(&stands(&made, SystemTime::now()));
    terminal::print(&(text::one_line(&answer.reservation_id) + "\n"))?;
    Ok(Exit::Done)
}

/// `qrtx release`.
pub(super) async fn release(arguments: Release) -> Outcome {
    let kernel = Kernel::at(&arguments.address).await?;
    let answer = kernel.release(arguments.reservation.trim()).await?;
    let ended = answer.reservation.unwrap_or_default();
    if arguments.json {
        terminal::print_document(&view::Reservation::from(ended))?;
    } else {
        let told = stands(&ended, SystemTime::now());
        terminal::print(&text::paragraph("", &told, terminal::columns()))?;
    }
    Ok(Exit::Done)
}

/// How a reservation stands, in one sentence.
fn stands(reservation: &wire::Reservation, now: SystemTime) -> String {
    let wire::Reservation {
        reservation_id,
        device_id,
        tenant_id,
        ..
    } = reservation;
    let moment = |at: &Option<prost_types::Timestamp>| {
        at.as_ref()
            .map(|at| text::moment(at, now))
            .unwrap_or_default()
    };
    match reservation.ended_because.as_str() {
        "" => {
            let until = moment(&reservation.expires_at);
            format!("a slot of {device_id} is reserved for {tenant_id} until {until}")
        }
        why => {
            let how = match why {
                "released" => "was released",
                "expired" => "expired",
                "device-lost" => "ended, because its device was away for too long,",
                other => other,
            };
            let at = moment(&reservation.ended_at);
            let runs = match reservation.job_id.as_str() {
                "" => String::new(),
                job => format!("; {job} runs there to its end"),
            };
            format!("{reservation_id}, a slot of {device_id}, {how} {at}{runs}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn a_reservation_says_how_it_stands() {
        let stands = |why: &str, job: &str| {
            let reservation = wire::Reservation {
                reservation_id: "rsv-0000000300000011".to_owned(),
                device_id: "sim:local".to_owned(),
                tenant_id: "ada".to_owned(),
                expires_at: Some(sample::at(-600)),
                ended_at: Some(sample::at(60)),
                ended_because: why.to_owned(),
                job_id: job.to_owned(),
                ..wire::Reservation::default()
            };
            super::stands(&reservation, sample::now())
        };
        let all = [
            stands("", ""),
            stands("released", sample::JOB),
            stands("expired", ""),
            stands("device-lost", ""),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
