//! What was seen: the outcome of every invocation, and the powers that could not be tried.
//!
//! This is the only thing a driver hands to the [planner](crate::plan) and to the
//! [analysis](crate::analysis); both decide from it alone, whoever collected it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{power::Power, price::Price, report::Report};

/// One invocation of the function at one power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The power it was sent to.
    pub power: Power,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of one invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It ran to an end that counts, and its REPORT was read.
    Counted(Report),
    /// It ended with an exception that the request allows: it counts, too.
    Allowed(Report),
    /// It does not count as a measurement.
    Failed {
        /// Why not.
        failure: Failure,
        /// What it was billed nevertheless, where the REPORT was read.
        report: Option<Report>,
    },
}

/// Why an invocation does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Failure {
    /// The function ran into its own timeout.
    Timeout,
    /// The function needed more memory than this power has.
    OutOfMemory,
    /// The function failed by itself: it threw, or its process ended.
    #[serde(rename_all = "camelCase")]
    FunctionError {
        /// `errorType` of the error payload, where it had one.
        error_type: Option<String>,
        /// `errorMessage` of the error payload, where it had one.
        message: Option<String>,
        /// The first frames of `stackTrace` or `trace` in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trace: Vec<String>,
    },
    /// It ran, but what it took is not known.
    NoReport {
        /// What was missing or wrong in the log tail.
        why: String,
    },
    /// The connection broke: it may have run, and its cost is not known.
    Lost {
        /// What the client said.
        why: String,
    },
    /// Measuring ended before its answer came: it may have run, and its cost is not known.
    Unanswered,
    /// Lambda did not run it.
    Refused {
        /// What Lambda said.
        why: String,
    },
}

impl Failure {
    /// Whether it says nothing about the function: its invocation was refused or lost, or its
    /// REPORT was missing. An invocation that was cut off with the run is not counted here.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::NoReport { .. } | Self::Lost { .. } | Self::Refused { .. })
    }

    /// Whether both are the same error: of the same type or, where there is none, with the same
    /// message. Messages of one type often differ, by an id in them for example.
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
    /// What the invocation cost at `power`, the request included; `None` where it is not known
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
    /// The power.
    pub power: Power,
    /// Why it was left out, for people.
    pub reason: String,
}

/// Everything seen in a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// How many rounds have been measured.
    pub rounds: u32,
    /// Every invocation, in the order in which it ended.
    pub observations: Vec<Observation>,
    /// Powers that could not be tried.
    pub skipped: Vec<Skipped>,
}

impl Evidence {
    /// The outcomes at `power`, in order.
    pub fn at(&self, power: Power) -> impl Iterator<Item = &Outcome> {
        self.observations.iter().filter(move |seen| seen.power == power).map(|seen| &seen.outcome)
    }

    /// Counts the powers among `planned` that a run has not come to as skipped.
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
