//! The neighbours that come with the kernel, for whoever has none: a compiler for AQO, and a
//! simulator as the device `sim:local`.

mod compiler;
mod device;

use crate::ports::offload;

pub use compiler::EmbeddedCompiler;
pub use device::{EmbeddedDevice, SIM_LOCAL};
pub use offload::Offload;
