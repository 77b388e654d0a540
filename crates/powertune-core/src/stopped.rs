//! The end of measuring.

use serde::{Deserialize, Serialize};

use crate::{region::Currency, warning::Warning};

/// Why measuring ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stopped {
    /// Every power has had its `num` invocations.
    NumReached,
    /// It was a dry run: one invocation a power.
    DryRun,
    /// No other power is better by more than the indifference zone, at 95 % confidence.
    Confident,
    /// What could still tell the powers apart has had its most invocations.
    MostReached,
    /// Another invocation could exceed `maxCost`.
    CostReached,
    /// The time for measuring was up, which only `powertune demo` limits.
    TimeReached,
    /// The execution of the state machine has no room for more events in its history.
    HistoryFull,
    /// The user stopped the run.
    Interrupted,
    /// Something went wrong that ended the run.
    Failed,
}

impl Stopped {
    /// Whether measuring came to the end that the request gives it.
    pub fn is_complete(self) -> bool {
        !matches!(self, Self::Interrupted | Self::Failed)
    }

    /// What there is to warn of, where measuring ended before everything was measured.
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
