//! Where a job can be: the eleven states of RFC 0007, the five phases of Executing, and what
//! the existing system-api is shown of them.

use serde::{Deserialize, Serialize};

/// A job's place in its life. It carries no data, because it is stored, listed, filtered and
/// counted; what belongs to a state lives once, in [`crate::job::Job`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Durable; waits for a compile slot.
    Pending,
    /// The program is being checked.
    Validating,
    /// The program is being turned into a circuit.
    Compiling,
    /// Waits for its turn on its device.
    Queued,
    /// Holds a slot; the device is asked whether it is ready.
    Allocating,
    /// The execution intent is durable: the device may have been asked.
    Executing,
    /// The counts are in hand; artifacts are being written and read back.
    Completing,
    /// The end that everybody hopes for.
    Completed,
    /// Ended by an error.
    Failed,
    /// Ended by a client.
    Cancelled,
    /// Ended by its deadline.
    Timeout,
}

impl State {
    /// Every state, in the order of a job's life and in which they are stored by number.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Validating,
        Self::Compiling,
        Self::Queued,
        Self::Allocating,
        Self::Executing,
        Self::Completing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Timeout,
    ];

    /// Ends are final (RFC 0007).
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout
        )
    }

    /// The state's name as in RFC 0007; also a metric label and a stage's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Validating => "Validating",
            Self::Compiling => "Compiling",
            Self::Queued => "Queued",
            Self::Allocating => "Allocating",
            Self::Executing => "Executing",
            Self::Completing => "Completing",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Timeout => "Timeout",
        }
    }

    /// What system-api is told (D10).
    pub fn public(self) -> PublicState {
        match self {
            Self::Pending | Self::Validating => PublicState::Pending,
            Self::Compiling => PublicState::Compiling,
            Self::Queued | Self::Allocating => PublicState::Queued,
            Self::Executing | Self::Completing => PublicState::Running,
            Self::Completed => PublicState::Done,
            Self::Failed => PublicState::Error,
            Self::Cancelled => PublicState::Cancelled,
            Self::Timeout => PublicState::Timeout,
        }
    }
}

/// What is known of a job in Executing (D16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// The call is being prepared.
    QuantumInitializing,
    /// The call is out.
    QuantumRunning,
    /// Only when a device reports it.
    ClassicalRunning,
    /// Only when a device reports it.
    Measuring,
    /// The answer is back.
    PostProcessing,
}

impl Phase {
    /// Every phase, in the order in which they are stored by number.
    pub const ALL: [Self; 5] = [
        Self::QuantumInitializing,
        Self::QuantumRunning,
        Self::ClassicalRunning,
        Self::Measuring,
        Self::PostProcessing,
    ];

    /// A device may skip phases, and a hybrid loop goes back from the classical part to the
    /// quantum part; the answer is back for good. No source names the moves; these are ours.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::PostProcessing, _) | (_, Self::QuantumInitializing) => false,
            (Self::ClassicalRunning | Self::Measuring, Self::QuantumRunning) => true,
            (Self::Measuring, Self::ClassicalRunning) => true,
            (from, to) => from < to,
        }
    }

    /// The phase's name as in RFC 0007.
    pub fn name(self) -> &'static str {
        match self {
            Self::QuantumInitializing => "QuantumInitializing",
            Self::QuantumRunning => "QuantumRunning",
            Self::ClassicalRunning => "ClassicalRunning",
            Self::Measuring => "Measuring",
            Self::PostProcessing => "PostProcessing",
        }
    }
}

/// The states that system-api knows, in the only order in which a job may show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PublicState {
    /// Pending or Validating.
    Pending,
    /// Compiling.
    Compiling,
    /// Queued or Allocating.
    Queued,
    /// Executing or Completing.
    Running,
    /// Completed.
    Done,
    /// Failed.
    Error,
    /// Cancelled.
    Cancelled,
    /// Timeout.
    Timeout,
}

impl PublicState {
    /// Every state that system-api knows, in the order in which they are stored by number.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Compiling,
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Error,
        Self::Cancelled,
        Self::Timeout,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_move_as_the_table_says() {
        let mut table = String::new();
        for from in Phase::ALL {
            let next: Vec<_> = Phase::ALL
                .into_iter()
                .filter(|to| from.may_become(*to))
                .map(Phase::name)
                .collect();
            table += &format!("{:<20} -> {}\n", from.name(), next.join(" | "));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn names_are_what_is_stored() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
