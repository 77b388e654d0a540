//! The reasons to stop measuring.

use serde::{Deserialize, Serialize};

use crate::{region::Currency, warning::Warning};

/// The reason why measuring ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stopped {
    /// Every power has had its `num` invocations.
    NumReached,
    /// The dry run has had one invocation per power.
    DryRun,
    /// No other power is better by more than the indifference zone, at 95 % confidence.
    Confident,
    /// The powers that could still change the choice have had their maximum number of invocations.
    MostReached,
    /// Another invocation could exceed `maxCost`.
    CostReached,
    /// The time was up. Only `powertune demo` has such a limit.
    TimeReached,
    /// The execution of the state machine has no room for more events in its history.
    HistoryFull,
    /// The user stopped the run.
    Interrupted,
    /// An error ended the run.
    Failed,
}

impl Stopped {
    /// True if measuring reached the end that the request defines.
    pub fn is_complete(self) -> bool {
        !matches!(self, Self::Interrupted | Self::Failed)
    }

    /// The warning about a run whose measuring was cut short.
    pub fn warning(self, max_cost: Option<f64>, currency: Currency) -> Option<Warning> {
        match self {
            Self::HistoryFull => Some(Warning::HistoryFull),
            Self::Interrupted | Self::Failed => Some(Warning::Incomplete),
            Self::CostReached => max_cost.map(|most| Warning::CostReached { most, currency }),
            Self::NumReached
            | Self::DryRun
            | Self::Confident
            | Self::MostReached
            | Self::TimeReached => None,
        }
    }
}
