//! What the schedule goes by, and how it tells what it decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::JobId;
use crate::planted::{Bug, planted};
use crate::schedule::rank::Precedence;

/// What an operator may change of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Jobs of one tenant that hold slots at a time, on all devices together.
    pub tenant_running: usize,
    /// How much of a device a tenant gets beside others; 1 for those that are not named.
    pub tenant_weights: BTreeMap<String, u32>,
}

impl Default for Policy {
    /// All tenants alike, and no limit.
    fn default() -> Self {
        Self {
            tenant_running: usize::MAX,
            tenant_weights: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// The weight of a tenant, at least 1.
    pub fn weight(&self, tenant: &str) -> u64 {
        let named = self.tenant_weights.get(tenant).copied();
        let named = named.filter(|_| !planted(Bug::WeightsAreIgnored));
        u64::from(named.unwrap_or(1).max(1))
    }
}

/// Why a job went after the one that had its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// Its tenant has used more of the device.
    FairShare,
    /// Its tenant has as many jobs running as it may.
    TenantLimit,
    /// It is less urgent, counting how long both have waited.
    PriorityAndAge,
    /// Its deadline is later.
    Deadline,
    /// It was submitted later.
    Submission,
}

impl Rule {
    /// The rule's name, as it is stored and told.
    pub fn name(self) -> &'static str {
        match self {
            Self::FairShare => "FairShare",
            Self::TenantLimit => "TenantLimit",
            Self::PriorityAndAge => "PriorityAndAge",
            Self::Deadline => "Deadline",
            Self::Submission => "Submission",
        }
    }

    /// The rule as the end of a sentence that begins with the job that goes first.
    pub fn sentence_of_the_first(self) -> &'static str {
        match self {
            Self::FairShare => "whose tenant has used less of the device",
            Self::TenantLimit => "whose tenant may have one more job running",
            Self::PriorityAndAge => "which is more urgent, counting how long it has waited",
            Self::Deadline => "whose deadline is earlier",
            Self::Submission => "which was submitted earlier",
        }
    }

    /// The rule as the end of a sentence that begins with the job that had to wait.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::FairShare => "whose tenant has used more of the device",
            Self::TenantLimit => "whose tenant has as many jobs running as it may",
            Self::PriorityAndAge => "which is less urgent, counting how long it has waited",
            Self::Deadline => "whose deadline is later",
            Self::Submission => "which was submitted later",
        }
    }
}

impl From<Precedence> for Rule {
    fn from(precedence: Precedence) -> Self {
        match precedence {
            Precedence::PriorityAndAge => Self::PriorityAndAge,
            Precedence::Deadline => Self::Deadline,
            Precedence::Submission => Self::Submission,
        }
    }
}

/// A job that comes before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// The job that comes first.
    pub job: JobId,
    /// Why the other one comes after it.
    pub rule: Rule,
}

/// A job that could have had the turn, and why it had not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The job.
    pub job: JobId,
    /// Why it had to wait.
    pub rule: Rule,
}
