//! The evidence: the outcome of every invocation, and the powers that could not be tried.
//!
//! The [planner](crate::plan) and the [analysis](crate::analysis) decide from this alone, so they
//! decide alike for every caller.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{power::Power, price::Price, report::Report};

/// One invocation of the function at one power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The power of the invoked version.
    pub power: Power,
    /// The outcome of the invocation.
    pub outcome: Outcome,
}

/// The outcome of one invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The invocation counts, and its REPORT was read.
    Counted(Report),
    /// The invocation ended with an exception that the request allows. It counts too.
    Allowed(Report),
    /// The invocation does not count as a measurement.
    Failed {
        /// The reason.
        failure: Failure,
        /// The REPORT with the billed duration, if it was read.
        report: Option<Report>,
    },
}

/// The reason why an invocation does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Failure {
    /// The function reached its timeout.
    Timeout,
    /// The function needed more memory than this power has.
    OutOfMemory,
    /// The function threw an error, or its process ended.
    #[serde(rename_all = "camelCase")]
    FunctionError {
        /// `errorType` of the error payload, if present.
        error_type: Option<String>,
        /// `errorMessage` of the error payload, if present.
        message: Option<String>,
        /// The first frames of `stackTrace` or `trace` in the error payload.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trace: Vec<String>,
    },
    /// The invocation ran, but its REPORT could not be read.
    NoReport {
        /// The part of the log tail that was missing or wrong.
        why: String,
    },
    /// The connection broke. The invocation may have run, and its cost is not known.
    Lost {
        /// The message of the client.
        why: String,
    },
    /// The run ended before the answer came. The invocation may have run, and its cost is not
    /// known.
    Unanswered,
    /// Lambda refused the invocation and did not run it.
    Refused {
        /// The message of Lambda.
        why: String,
    },
}

impl Failure {
    /// True if the failure says nothing about the function: the invocation was refused or lost, or
    /// its REPORT was missing. False for an invocation that was cut off by the end of the run.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::NoReport { .. } | Self::Lost { .. } | Self::Refused { .. })
    }

    /// True if both are the same error: they have the same type or, without a type, the same
    /// message. Messages of one type often differ, for example by an id.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::FunctionError { error_type: Some(own), .. },
                Self::FunctionError { error_type: Some(other), .. },
            ) => own == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => write!(f, "the function ran into its timeout"),
            Self::OutOfMemory => write!(f, "the function ran out of memory"),
            Self::FunctionError { error_type, message, trace } => {
                let error_type = error_type.as_deref().unwrap_or("an error without a type");
                write!(f, "the function failed with {error_type}")?;
                if let Some(message) = message {
                    write!(f, ": {message}")?;
                }
                trace.iter().try_for_each(|frame| write!(f, "; at {}", frame.trim()))
            }
            Self::NoReport { why } => write!(f, "its REPORT could not be read: {why}"),
            Self::Lost { why } => write!(f, "the invocation was lost, and may have run: {why}"),
            Self::Unanswered => write!(f, "measuring ended before its answer came"),
            Self::Refused { why } => write!(f, "Lambda did not run it: {why}"),
        }
    }
}

impl Outcome {
    /// The cost of the invocation at `power`, request charge included. `None` if it is not known
    /// whether it ran, or for how long.
    pub fn cost(&self, power: Power, price: &Price) -> Option<f64> {
        match self {
            Self::Counted(report)
            | Self::Allowed(report)
            | Self::Failed { report: Some(report), .. } => {
                Some(price.invocation_cost(power, report.billed_ms as f64))
            }
            Self::Failed { failure: Failure::Refused { .. }, report: None } => Some(0.0),
            Self::Failed { report: None, .. } => None,
        }
    }
}

/// A power that was never invoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The power that was left out.
    pub power: Power,
    /// The reason, as a text for people.
    pub reason: String,
}

/// Everything that a run has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The number of measured rounds.
    pub rounds: u32,
    /// Every invocation, in the order in which they ended.
    pub observations: Vec<Observation>,
    /// The powers that could not be tried.
    pub skipped: Vec<Skipped>,
}

impl Evidence {
    /// The outcomes at `power`, in the order in which they ended.
    pub fn at(&self, power: Power) -> impl Iterator<Item = &Outcome> {
        self.observations.iter().filter(move |seen| seen.power == power).map(|seen| &seen.outcome)
    }

    /// Marks the `planned` powers without an invocation as skipped.
    pub fn skip_unseen(&mut self, planned: impl IntoIterator<Item = Power>) {
        for power in planned {
            let is_skipped = self.skipped.iter().any(|skipped| skipped.power == power);
            if !is_skipped && self.at(power).next().is_none() {
                let reason = "the run ended before it was invoked".to_owned();
                self.skipped.push(Skipped { power, reason });
            }
        }
    }
}
