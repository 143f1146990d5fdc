//! The bounds of this module. Beyond each of them is an error, never a panic or a slow death.

/// Most bytes of one AQO document, 16 MiB. Its tree in memory may be some ten times larger.
pub const AQO_BYTES_MAX: usize = 16 << 20;

/// Most qubits of a circuit; devices, and our simulator above all, have lower bounds of their own.
pub const QUBITS_MAX: u32 = 1024;

/// Most classical bits of a circuit, hence the longest key of its counts in characters.
pub const CLASSICAL_BITS_MAX: u32 = 4096;

/// Most operations of a circuit, before and after lowering.
pub const OPERATIONS_MAX: usize = 1_000_000;

/// Most qubits that are simulated: the amplitudes of 24 qubits fill 256 MiB, and a run with
/// measurements in mid-circuit needs them twice.
pub const SIMULATED_QUBITS_MAX: u32 = 24;

/// Draws that are sorted together, 8 MiB of them, however many shots are asked for.
pub(super) const DRAWS_SORTED_MAX: u32 = 1 << 20;
