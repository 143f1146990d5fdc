//! What tests share: builders of jobs, and the contracts that every implementation of a port
//! keeps.

pub mod contract;
pub mod jobs;
