//! How the kernel shows itself. Everything hangs on the one gate that records events
//! (`kernel::record`): metrics, log lines, spans.

pub mod log;
pub mod metrics;
pub mod trace;

pub use metrics::Metrics;
pub use trace::Traces;
