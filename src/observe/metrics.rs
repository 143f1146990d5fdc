//! The metrics, by the names that RFC 0008 and the neighbours' dashboards know. Labels come
//! from closed sets or from the device list, never from jobs or users.

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::devices::Status;
use crate::ids::DeviceId;
use crate::job::Job;
use crate::job::state::State;
use crate::schedule::Load;
use crate::schedule::forecast::Kept;

/// One kernel's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    transitions: IntCounterVec,
    stage_duration: HistogramVec,
    queue_depth: IntGauge,
    active_jobs: IntGauge,
    slots: IntGaugeVec,
    slots_available: IntGaugeVec,
    slots_reserved: IntGaugeVec,
    status: IntGaugeVec,
    losses: IntCounterVec,
    waits_foretold: IntCounterVec,
    waits_within: IntCounterVec,
}

/// Seconds; from an embedded neighbour's answer to a long execution.
const BUCKETS: [f64; 16] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            transitions: IntCounterVec::new(
                Opts::new(
                    "eigen_kernel_job_state_transitions_total",
                    "Changes of a job's state since start.",
                ),
                &["from", "to"],
            )
            .expect("the name is valid"),
            stage_duration: HistogramVec::new(
                HistogramOpts::new(
                    "eigen_kernel_stage_duration_seconds",
                    "How long jobs stayed in a state, waiting included.",
                )
                .buckets(BUCKETS.to_vec()),
                &["stage"],
            )
            .expect("the name is valid"),
            queue_depth: IntGauge::new(
                "eigen_kernel_queue_depth",
                "Jobs that wait for their turn on a device.",
            )
            .expect("the name is valid"),
            active_jobs: IntGauge::new("eigen_kernel_active_jobs", "Jobs that have not ended.")
                .expect("the name is valid"),
            slots: IntGaugeVec::new(
                Opts::new("eigen_kernel_device_slots_total", "Slots of a device."),
                &["device_id"],
            )
            .expect("the name is valid"),
            slots_available: IntGaugeVec::new(
                Opts::new(
                    "eigen_kernel_device_slots_available",
                    "Slots of a device that are free.",
                ),
                &["device_id"],
            )
            .expect("the name is valid"),
            slots_reserved: IntGaugeVec::new(
                Opts::new(
                    "eigen_kernel_device_slots_reserved",
                    "Slots of a device that are reserved, whether a job runs there or not.",
                ),
                &["device_id"],
            )
            .expect("the name is valid"),
            status: IntGaugeVec::new(
                Opts::new(
                    "eigen_kernel_device_status",
                    "1 for the status that a device has, 0 for each other one.",
                ),
                &["device_id", "status"],
            )
            .expect("the name is valid"),
            losses: IntCounterVec::new(
                Opts::new(
                    "eigen_kernel_device_losses_total",
                    "How often a device went offline, broke or was gone from the list.",
                ),
                &["device_id"],
            )
            .expect("the name is valid"),
            waits_foretold: IntCounterVec::new(
                Opts::new(
                    "eigen_kernel_waits_foretold_total",
                    "Turns that came and of which it was told before when they would.",
                ),
                &["device_id"],
            )
            .expect("the name is valid"),
            waits_within: IntCounterVec::new(
                Opts::new(
                    "eigen_kernel_waits_within_total",
                    "Those that came no later than the quantile that was told.",
                ),
                &["device_id", "quantile"],
            )
            .expect("the name is valid"),
            registry,
        };
        let all: [Box<dyn prometheus::core::Collector>; 11] = [
            Box::new(metrics.transitions.clone()),
            Box::new(metrics.stage_duration.clone()),
            Box::new(metrics.queue_depth.clone()),
            Box::new(metrics.active_jobs.clone()),
            Box::new(metrics.slots.clone()),
            Box::new(metrics.slots_available.clone()),
            Box::new(metrics.slots_reserved.clone()),
            Box::new(metrics.status.clone()),
            Box::new(metrics.losses.clone()),
            Box::new(metrics.waits_foretold.clone()),
            Box::new(metrics.waits_within.clone()),
        ];
        for collector in all {
            metrics
                .registry
                .register(collector)
                .expect("each name is registered once");
        }
        // Dashboards find every series of a good life before the first job lives it.
        for pair in State::ALL[..8].windows(2) {
            metrics
                .transitions
                .with_label_values(&[pair[0].name(), pair[1].name()]);
            metrics.stage_duration.with_label_values(&[pair[0].name()]);
        }
        metrics
    }
}

impl Metrics {
    /// Counts a change of state.
    pub fn moved(&self, before: &Job, after: &Job) {
        self.transitions
            .with_label_values(&[before.state.name(), after.state.name()])
            .inc();
        let stayed = after.updated_at.since(before.state_since).as_secs_f64();
        self.stage_duration
            .with_label_values(&[before.state.name()])
            .observe(stayed);
    }

    /// Tells how many jobs wait for a device, and how many have not ended.
    pub fn set_jobs(&self, queued: usize, active: usize) {
        self.queue_depth
            .set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.active_jobs
            .set(i64::try_from(active).unwrap_or(i64::MAX));
    }

    /// Tells how busy a listed device is.
    pub fn set_device(&self, device: &DeviceId, load: Load) {
        self.slots
            .with_label_values(&[device.as_str()])
            .set(i64::from(load.slots));
        for (gauge, slots) in [
            (&self.slots_available, load.free),
            (&self.slots_reserved, load.reserved),
        ] {
            let gauge = gauge.with_label_values(&[device.as_str()]);
            gauge.set(i64::try_from(slots).unwrap_or(i64::MAX));
        }
    }

    /// Tells how a listed device stands, and how often it was lost since start.
    pub fn set_status(&self, device: &DeviceId, status: Status, lost_times: u64) {
        let device = device.as_str();
        for known in Status::ALL {
            let gauge = self.status.with_label_values(&[device, known.name()]);
            gauge.set(i64::from(known == status));
        }
        let losses = self.losses.with_label_values(&[device]);
        losses.inc_by(lost_times.saturating_sub(losses.get()));
    }

    /// Counts a wait that is over and of which something was told: whether that was right is seen
    /// in the shares of the quantiles, which should be what their names say.
    pub fn waited(&self, kept: &Kept) {
        let device = kept.device.as_str();
        self.waits_foretold.with_label_values(&[device]).inc();
        for (quantile, told) in [("0.5", kept.told.p50), ("0.9", kept.told.p90)] {
            let within = self.waits_within.with_label_values(&[device, quantile]);
            within.inc_by(u64::from(kept.waited <= told));
        }
    }

    /// All metrics in Prometheus' text form.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("a vector takes everything");
        String::from_utf8(text).expect("the text form is UTF-8")
    }
}
