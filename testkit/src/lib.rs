//! What tests, benches and the simulated world share: builders of jobs, histories and what must
//! be true of them, the contracts that every implementation of a port keeps, a clock that is moved
//! by hand, circuits and workloads by chance, a disk that fails, doubles of the two neighbours, and
//! what the load tool measures. Everything but [`neighbours::serve`] and [`load`] runs in both worlds.

pub mod circuits;
pub mod contract;
pub mod disk;
mod fitness;
pub mod gated_store;
pub mod hand_clock;
pub mod history;
pub mod invariants;
pub mod jobs;
#[cfg(not(madsim))]
pub mod load;
pub mod neighbours;
mod turns;
pub mod workload;
